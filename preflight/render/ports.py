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
    """Return a port's row; of one that was withheld, or whose check failed itself, no more is known than its name."""
    from preflight.mailcow.plan import SHAPE

    port, _, protocol = (result.subject or "").rpartition("/")
    known = result.evidence if isinstance(result.evidence, PortEvidence) else None
    variables, holder = known.variables if known else (), known.holder if known else None
    titles = {entry.variable: entry.title for entry in SHAPE}
    return Port(
        service=", ".join(dict.fromkeys(titles.get(variable, variable) for variable in variables)) or NONE,
        protocol=protocol.upper(),
        port=port,
        container=known.service if known else NONE,
        variable=", ".join(f"${{{variable}}}" for variable in variables) or NONE,
        status=result.status,
        holder=(holder.container or holder.process) if holder else None,
        found=result.found,
    )
