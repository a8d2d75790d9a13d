"""The ports table, as on mailcow's page, made of the results on each port."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from preflight.report.evidence.ports import PortEvidence
from preflight.report.model import Result, Status

PORTS = "ports.free"
NONE = "–"


class Port(Struct, frozen=True):
    """A row of the table. `holder`: who holds the port, None where nobody was named; `found`: as in the result."""

    service: str
    protocol: str
    port: str
    container: str
    variable: str
    status: Status
    holder: str | None
    found: str | None


def ports(results: Iterable[Result]) -> tuple[Port, ...]:
    """Return the rows, one for each port, whatever became of it."""
    return tuple(_port(result) for result in results if result.check == PORTS)


def _port(result: Result) -> Port:
    from preflight.mailcow.plan import SHAPE

    port, _, protocol = (result.subject or "").rpartition("/")
    variables, container, holder = _measured(result, port)
    titles = {entry.variable: entry.title for entry in SHAPE}
    return Port(
        service=", ".join(dict.fromkeys(titles.get(variable, variable) for variable in variables)) or NONE,
        protocol=protocol.upper(),
        port=port,
        container=container or NONE,
        variable=", ".join(f"${{{variable}}}" for variable in variables) or NONE,
        status=result.status,
        holder=holder,
        found=result.found,
    )


def _measured(result: Result, port: str) -> tuple[tuple[str, ...], str, str | None]:
    """Return a port's variables, mailcow's container and the holder's name.

    A result that could not be found out has no evidence: then the port is taken for mailcow's default of that number.
    """
    from preflight.mailcow.plan import SHAPE

    if isinstance(result.evidence, PortEvidence):
        holder = result.evidence.holder
        return (
            result.evidence.variables,
            result.evidence.service,
            (holder.container or holder.process) if holder else None,
        )
    usual = next((entry for entry in SHAPE if port.rpartition(":")[2] == str(entry.port)), None)
    return ((usual.variable,), usual.service, None) if usual else ((), "", None)
