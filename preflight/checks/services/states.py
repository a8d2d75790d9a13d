"""How a service's state is told."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.facts import Service
from preflight.text.sentences import phrase


def details(service: Service) -> Iterator[str]:
    """Yield what else is known of a service, in short: what its sockets open, and the process that shows it runs."""
    for socket in service.opens:
        ports = ", ".join(dict.fromkeys(str(port) for _, port in socket.streams))
        yield phrase("{unit} listens on {ports}", unit=socket.unit, ports=ports)
    if service.process is not None and service.unit and service.pid is not None:
        yield phrase("pid {pid} runs outside of {unit}", pid=service.process, unit=service.unit)
    elif service.process is not None:
        yield phrase("pid {pid}", pid=service.process)
