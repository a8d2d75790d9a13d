"""What checks of services and firewalls measured; `enabled`: starts at boot, `active`: runs now, None: not known."""

from __future__ import annotations

from preflight.report.model import Evidence


class ServiceEvidence(Evidence, frozen=True, kw_only=True):
    """A mail or web server; `kind` is mta, imap or web, `sockets` the enabled .socket units that start it."""

    service: str
    unit: str | None
    kind: str
    enabled: bool | None
    active: bool | None
    sockets: tuple[str, ...]
    package: str | None
    detail: str


class SocketUnitEvidence(Evidence, frozen=True, kw_only=True):
    """A .socket unit that opens ports of mailcow's."""

    unit: str
    ports: tuple[int, ...]
    enabled: bool
    active: bool | None


class ManagerEvidence(Evidence, frozen=True, kw_only=True):
    """A firewall manager with all its units."""

    units: tuple[str | None, ...]
    enabled: bool
    active: bool
    detail: str
