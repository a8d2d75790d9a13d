"""How a mail or web server is told of: its state, and what else is known of it."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.facts import Service
from preflight.report.evidence.services import ServiceEvidence
from preflight.report.model import Finding, Status
from preflight.text.sentences import phrase


def details(service: Service) -> Iterator[str]:
    """Yield what else is known of a service, in short: what its sockets open, and the process that shows it runs."""
    for socket in service.opens:
        ports = ", ".join(dict.fromkeys(str(port) for _, port in socket.streams))
        yield phrase("{unit} listens on {ports}", unit=socket.unit, ports=ports)
    if service.process is not None and service.unit and service.pid is not None:
        yield phrase("pid {pid} runs outside {unit}", pid=service.process, unit=service.unit)
    elif service.process is not None:
        yield phrase("pid {pid}", pid=service.process)


def state(service: Service) -> str:
    """Say in short how a service starts and whether it runs: `enabled, exim4.socket, running`."""
    boot = {True: phrase("enabled"), False: phrase("disabled"), None: ""}[service.enabled]
    if service.masked:
        boot = phrase("masked")
    now = {True: phrase("running"), False: phrase("not running"), None: ""}[service.active]
    return ", ".join(filter(None, (boot, *service.sockets, now)))


def evidence(service: Service) -> ServiceEvidence:
    """Return a service as the report's evidence has it."""
    return ServiceEvidence(
        service=service.name, unit=service.unit, kind=service.kind, enabled=service.enabled, active=service.active,
        sockets=service.sockets, package=service.package, detail="; ".join(details(service)),
    )  # fmt: skip


def passed(subject: str, service: Service, message: str) -> Finding:
    """Let a service stay as it is."""
    return Finding(
        status=Status.PASS, subject=subject, message=message, found=state(service), evidence=evidence(service)
    )
