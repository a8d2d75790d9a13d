"""The document of `preflight reach`: each port at each address with its status, and what is behind it, told once."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from preflight.reach.facts import Control, Outcome
from preflight.report.model import Tool

SCHEMA = 1
Status = Literal["pass", "fail", "unknown"]
Verdict = Literal["reached", "not-reached", "undetermined"]
# Where something is done about it: on the host, at its hosting provider or router, in the DNS, or on this machine.
Where = Literal["host", "provider", "dns", "client"]


class Row(Struct, frozen=True, kw_only=True):
    """A port at an address.

    `local`: for the host alone, so that it passes where it is not reached. `expected`: a port of the container, and
    `heard_at` the one that was reached. `seen_as`: the address under which this machine arrived. `said`: the beginning
    of what somebody else said, control characters as escapes. `by`: who refused it by a message. `finding`: by its id.
    """

    address: str
    port: int
    local: bool
    status: Status
    outcome: Outcome
    message: str
    seconds: float
    client: str
    seen_as: str
    service: str
    expected: int
    heard_at: int
    said: str
    by: str
    error: str
    finding: str | None


class Finding(Struct, frozen=True, kw_only=True):
    """What is behind rows that do not pass. `address`: null, where it is about all of them.

    `detail`: the beginning of what somebody else said on the first port, '' = nothing.
    """

    id: str
    status: Status
    address: str | None
    ports: tuple[int, ...]
    message: str
    detail: str
    remedy: str
    place: Where


class Counts(Struct, frozen=True, rename={"pass_": "pass"}):
    """How many rows have each status."""

    pass_: int = 0
    fail: int = 0
    unknown: int = 0


class Reach(Struct, frozen=True, kw_only=True):
    """The whole document, `schema: 1`. Times are UTC as `2026-11-28T01:23:45Z`.

    `kept_until`: when the host stops answering. `told`: the addresses that the host gave; `resolved`: those of its name
    by this machine's resolver, null where it has none.
    """

    schema: int
    tool: Tool
    host: str
    started: str
    seconds: float
    kept_until: str
    verdict: Verdict
    counts: Counts
    told: tuple[str, ...]
    resolved: tuple[str, ...] | None
    findings: tuple[Finding, ...]
    results: tuple[Row, ...]
    controls: tuple[Control, ...]
