"""The ports table, as on mailcow's page, made of the results on each port."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

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
    # A result that could not be found out has no evidence: then the port is taken for mailcow's default of that number.
    usual = next((entry for entry in SHAPE if port.rpartition(":")[2] == str(entry.port)), None)
    variables = _strings(result.evidence.get("variables")) or ([usual.variable] if usual else [])
    containers = _strings(result.evidence.get("service")) or ([usual.service] if usual else [])
    titles = {entry.variable: entry.title for entry in SHAPE}
    return Port(
        service=", ".join(dict.fromkeys(titles.get(variable, variable) for variable in variables)) or NONE,
        protocol=protocol.upper(),
        port=port,
        container=", ".join(containers) or NONE,
        variable=", ".join(f"${{{variable}}}" for variable in variables) or NONE,
        status=result.status,
        holder=_holder(result.evidence.get("holder")),
        found=result.found,
    )


def _strings(value: Any) -> list[str]:
    """Return a string or a list of strings as a list; evidence may have any shape."""
    return [item for item in (value if isinstance(value, list | tuple) else [value]) if isinstance(item, str)]


def _holder(value: Any) -> str | None:
    if not isinstance(value, dict):
        return None
    return next((value[key] for key in ("container", "process") if isinstance(value.get(key), str)), None)
