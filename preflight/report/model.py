"""What a check says, and the report made of it. Frozen values that compare."""

from __future__ import annotations

from enum import Enum
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from preflight.facts.base import Place

SCHEMA = 1  # of the report


class Status(Enum):
    """What became of one check on one subject."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"
    SKIP = "skip"
    IGNORED = "ignored"
    ERROR = "error"

    @property
    def open(self) -> bool:
        """Say whether it was asked and nothing was found out."""
        return self in (Status.UNKNOWN, Status.ERROR)

    @property
    def undecided(self) -> bool:
        """Say whether nothing was found out, asked or not."""
        return self.open or self is Status.SKIP


class Severity(Enum):
    """How much a check weighs: only `required` results decide the exit code."""

    REQUIRED = "required"
    RECOMMENDED = "recommended"
    INFO = "info"


class Verdict(Enum):
    """The report in one word."""

    READY = "ready"
    READY_WITH_WARNINGS = "ready-with-warnings"
    NOT_READY = "not-ready"
    UNDETERMINED = "undetermined"


class WrittenFile(Struct, frozen=True):
    """A file that a remedy writes: its path on the host, and its whole text."""

    path: str
    text: str


class DnsRecord(Struct, frozen=True):
    """A DNS record to enter: an absolute name without the last dot, the value in presentation form, seconds."""

    name: str
    type: str
    value: str
    ttl: int

    @property
    def line(self) -> str:
        """Write it as a line of a zone file, with absolute names."""
        return f"{self.name}. {self.ttl} IN {self.type} {self.value}"

    @property
    def plain(self) -> str:
        """Write it as it is found, whatever its TTL is."""
        return f"{self.name}. IN {self.type} {self.value}"


class Setting(Struct, frozen=True):
    """A line of mailcow.conf: a variable, and its value as it is meant, without quotes."""

    variable: str
    value: str


When = Literal["now", "cloned", "last"]


class Remedy(Struct, frozen=True):
    """What to do: a sentence, and commands that can be pasted on this very host (may be none).

    `place`: where it is done. `when`: before mailcow is cloned, once it is, or last, when mailcow runs and was tested.
    `files`: what the commands write, whole. `records`: what is to be entered in the DNS; `removes`: what has to go
    there before that (`gone`). `settings`: lines of mailcow.conf (`lines`); with another place than that file, they are
    another way than the commands. `choice`: somebody has to decide or to do something before the commands are run.
    These three are left out of the document where there is nothing of them.
    """

    text: str
    commands: tuple[str, ...] = ()
    place: Place = "host"
    when: When = "now"
    files: tuple[WrittenFile, ...] = ()
    records: tuple[DnsRecord, ...] = ()
    removes: tuple[DnsRecord, ...] | UnsetType = UNSET
    settings: tuple[Setting, ...] | UnsetType = UNSET
    choice: bool | UnsetType = UNSET

    @property
    def gone(self) -> tuple[DnsRecord, ...]:
        """Return the records that have to go."""
        return () if self.removes is UNSET else self.removes

    @property
    def lines(self) -> tuple[Setting, ...]:
        """Return the lines of mailcow.conf."""
        return () if self.settings is UNSET else self.settings


class Evidence(Struct, frozen=True):
    """What a check measured, in a shape of its own (`report/evidence/`): this one says nothing. JSON-shaped."""


class SourceEvidence(Evidence, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a fact that is missing would have come from."""

    source: str


class Finding(Struct, frozen=True, kw_only=True):
    """What a check found on one subject (None where the check has one object only).

    `message` is a whole sentence. `expected` and `found` are short values for tables. `detail`: what another program
    said of it in its own words, lines that anybody may have written.
    `evidence` is of a shape that `report/evidence/shapes.py` has for this check: its fields are the report's keys.
    `remedy` is there for everything but `pass` and `skip`; `reason` for `unknown` and `skip`.
    """

    status: Status
    message: str
    detail: str | None = None
    subject: str | None = None
    expected: str | None = None
    found: str | None = None
    evidence: Evidence = Evidence()
    remedy: Remedy | None = None
    reason: str | None = None


class Result(Struct, frozen=True, kw_only=True):
    """One row of the report: a finding with all that its check says about itself.

    `detail`: what another program said of it in its own words, of at most 2000 characters.
    """

    check: str
    subject: str | None
    section: str
    severity: Severity
    status: Status
    was: Status | None
    title: str
    message: str
    detail: str | None = None
    expected: str | None
    found: str | None
    evidence: Evidence
    remedy: Remedy | None
    docs: tuple[str, ...]
    reason: str | None
    seconds: float


class Tool(Struct, frozen=True):
    """Who wrote the report."""

    name: str
    version: str


class RequirementsSource(Struct, frozen=True):
    """Which documented numbers were used, where they stand, and when they were read there (ISO date)."""

    name: str
    source: str
    read: str


class HostSummary(Struct, frozen=True):
    """The host in a line; None where it could not be found out."""

    name: str | None
    os: str | None
    kernel: str | None
    architecture: str | None
    engine: str | None


class Counts(Struct, frozen=True, rename={"pass_": "pass"}):
    """How many results have each status."""

    pass_: int = 0
    warn: int = 0
    fail: int = 0
    unknown: int = 0
    skip: int = 0
    ignored: int = 0
    error: int = 0


class Report(Struct, frozen=True, kw_only=True):
    """The whole document, `schema: 1`. `started` is UTC as `2026-11-23T01:23:45Z`, `seconds` the whole run."""

    schema: int
    tool: Tool
    requirements: RequirementsSource
    host: HostSummary
    started: str
    seconds: float
    verdict: Verdict
    counts: Counts
    results: tuple[Result, ...]
