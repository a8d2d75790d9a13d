"""What the checks of ports and of mailcow.conf measured."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from preflight.report.model import Evidence


class HolderEvidence(Evidence, frozen=True, kw_only=True):
    """Who holds a port. `container` is its name; `state` is listening, bound, published, time-wait …

    `unit` of a socket-activated port is the `.socket`; `project`, `restart` and `swarm_service` are the container's.
    """

    pid: int | None
    process: str | None
    user: str | None
    unit: str | None
    container: str | None
    image: str | None
    address: str
    port: int
    state: str
    command: tuple[str, ...]
    binary: str | None
    package: str | None
    project: str | None
    restart: str | None
    swarm_service: str | None


class DiversionEvidence(Evidence, frozen=True, kw_only=True):
    """A rule of the firewall that sends a port's packets elsewhere; `order`: it comes before the engine's own."""

    family: str
    backend: str
    table: str
    chain: str
    rule: int
    to: str | None
    owner: str | None
    order: str
    destinations: tuple[str, ...]
    sources: tuple[str, ...]
    interfaces: tuple[str, ...]
    conditions: tuple[str, ...]


class PortEvidence(Evidence, frozen=True, kw_only=True):
    """A port that mailcow publishes, `holder` the first of `holders`; `bind` as in mailcow.conf, `*` for everywhere.

    `decided_by`: bind, sockets, engine or nat. `rules` only where rules of the firewall take the port's packets.
    `source` only where nothing decided: where the fact would have come from that is missing.
    """

    service: str
    variables: tuple[str, ...]
    bind: str
    holder: HolderEvidence | None
    holders: tuple[HolderEvidence, ...]
    decided_by: str
    rules: tuple[DiversionEvidence, ...] | UnsetType = UNSET
    source: str | UnsetType = UNSET


class ConfFileEvidence(Evidence, frozen=True, kw_only=True):
    """What is odd about mailcow.conf as a whole: `lines` that a shell reads otherwise, `marks` bom and crlf.

    `line`: the one after which nothing was read of a file that is too long.
    """

    path: str
    lines: tuple[int, ...]
    marks: tuple[str, ...]
    line: int | UnsetType = UNSET


class ConfLineEvidence(Evidence, frozen=True, kw_only=True):
    """A line of mailcow.conf; None: the variable is in none. `lines`: all that set the variable, where several do."""

    path: str
    line: int | None
    value: str | UnsetType = UNSET
    lines: tuple[int, ...] | UnsetType = UNSET


class EnvFileEvidence(Evidence, frozen=True, kw_only=True):
    """What `.env` beside mailcow.conf is: absent, link, file or other. `same`: it leads there, or holds the same."""

    path: str
    kind: str
    target: str | None
    same: bool


class AddressEvidence(Evidence, frozen=True, kw_only=True):
    """An address that mailcow.conf names."""

    address: str
