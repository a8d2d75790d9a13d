"""Services on the host that want what mailcow wants."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.holders import mailers, way_in
from preflight.checks.holders.conflicts import examine
from preflight.checks.remedies import distro
from preflight.checks.services import rivals, states
from preflight.checks.sources import PREREQUISITES, REVERSE_PROXY, issue
from preflight.facts import Holder, Host, Service, Services, SocketUnit
from preflight.mailcow.plan import Plan
from preflight.net.addresses import is_loopback, overlap
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import noted, paragraph, phrase, say, skipped_because

# What a service is.
KINDS = {
    "mta": noted("{name} is a mail server."),
    "imap": noted("{name} is an IMAP or POP3 server."),
    "web": noted("{name} is a web server."),
}
# When it runs, by whether it starts at boot and whether it runs now (None: not known).
WHEN = {
    (True, True): noted("It is set to start at boot and runs now."),
    (True, False): noted("It is set to start at boot, though it does not run now."),
    (True, None): noted("It is set to start at boot."),
    (False, True): noted("It runs now, though it is not set to start at boot."),
    (None, True): noted("It runs now, though it is not known to start at boot."),
}
WEB_PORTS = (80, 443)
HOLDERS = ("sockets", "binds", "engine", "daemon_config", "ipv6", "links")  # what tells who holds a port


@check(
    severity=Severity.RECOMMENDED,
    reads=("services", "os_release", "mail_traces", *HOLDERS),
    remedy="Keep the service from opening mailcow's ports; a web server may stay as a reverse proxy.",
    docs=(PREREQUISITES, REVERSE_PROXY),
    sources=(issue(63),),
    subject="service",
)
def mail(look: Look) -> Iterator[Finding]:
    """No other mail or web server starts beside mailcow

    mailcow brings its own mail, IMAP, POP3 and web servers. Another one that is set to start at boot takes their
    ports at the next restart, even where every port is free today, and mailcow's containers then do not start.
    """
    services = look.host.services.get()
    found: dict[str, Service] = {}
    for service in services.services:
        if service.kind in KINDS and (service.active or service.enabled or service.sockets):
            subject = service.unit or service.name
            if subject not in found or found[subject].kind == "web":  # of two in one unit the one that must go
                found[subject] = service
    held = in_the_way(look)
    for subject, service in found.items():
        ports = dict.fromkeys(port for holder, port in held if _of_service(service, holder))
        yield _judged(look, subject, service, list(ports))
    units = {unit: wanted for unit in services.sockets if (wanted := _wanted(look.plan, unit.streams))}
    for unit, wanted in units.items():
        taken = list(dict.fromkeys(port for holder, port in held if holder.unit == unit.unit))
        yield _socket_told(unit, taken) if taken else _socket(look, unit, wanted)
    if not found and not units:
        yield _none(look.host, services)


def _judged(look: Look, subject: str, service: Service, ports: list[str]) -> Finding:
    """Judge one service; `ports`: what it holds of mailcow's now."""
    if ports:
        return _told_already(subject, service, ports)
    if service.kind == "web" and fronted(look.plan):
        # Leaving 80 and 443 to it is no help where it opens the ports that mailcow was given instead.
        wanted = _wanted(look.plan, service.streams or ())
        return _clash(look.plan, subject, service, wanted) if wanted else _proxy(look.plan, subject, service)
    if service.unmet and not service.active:
        return _unable(subject, service)
    return _harmless(subject, service) if _opens_nothing(look, service) else _rival(look, subject, service)


def in_the_way(look: Look) -> list[tuple[Holder, str]]:
    """Return who holds a port that `ports.free` fails for, with the port."""
    cases = ((binding, examine(look, binding)) for binding in look.plan.bindings)
    return [
        (entry.holder, binding.subject)
        for binding, case in cases
        if case.taken
        for entry in case.named
        if entry.container is None and entry.service is None
    ]


def _of_service(service: Service, holder: Holder) -> bool:
    """Say whether a holder of a port is a service's: its unit, an instance of it, its socket or its process."""
    if service.unit and holder.unit:
        instance = f"{service.unit.removesuffix('.service')}@"
        return holder.unit in (service.unit, *service.sockets) or holder.unit.startswith(instance)
    return service.pid is not None and holder.pid == service.pid


def _told_already(subject: str, service: Service, ports: list[str]) -> Finding:
    """Leave a service to the check of the ports that it holds: one cause is one finding."""
    reason = say(
        "{subject} holds ports that mailcow publishes, so `ports.free` names it: {ports}.",
        subject=subject, ports=", ".join(ports),
    )  # fmt: skip
    return Finding(
        status=Status.SKIP, subject=subject, message=skipped_because(reason), found=_state(service),
        evidence=_evidence(service), reason=reason,
    )  # fmt: skip


def _socket_told(unit: SocketUnit, ports: list[str]) -> Finding:
    reason = say(
        "{subject} holds ports that mailcow publishes, so `ports.free` names it: {ports}.",
        subject=unit.unit, ports=", ".join(ports),
    )  # fmt: skip
    return Finding(status=Status.SKIP, subject=unit.unit, message=skipped_because(reason), reason=reason)


def _opens_nothing(look: Look, service: Service) -> bool:
    """Say whether a service opens none of mailcow's ports: by its own settings, else by what it does as it runs."""
    if service.sockets or service.name in mailers.PANELS:
        return False
    if service.streams is not None:
        return not _wanted(look.plan, service.streams)
    sockets = look.host.sockets.value
    # Where mailcow has the ports itself, nobody else could open them.
    own = any(examine(look, binding).own for binding in look.plan.bindings)
    return bool(service.active and service.seen and service.unit and sockets and sockets.owners and not own)


def _unable(subject: str, service: Service) -> Finding:
    message = say(
        "{subject} does not start as things are: its unit asks for {condition}.",
        subject=subject, condition=service.unmet,
    )  # fmt: skip
    return Finding(
        status=Status.PASS, subject=subject, message=message, found=_state(service), evidence=_evidence(service)
    )


def _harmless(subject: str, service: Service) -> Finding:
    message = say("{subject} can stay: it opens none of the ports that mailcow publishes.", subject=subject)
    return Finding(
        status=Status.PASS, subject=subject, message=message, found=_state(service), evidence=_evidence(service)
    )


def _wanted(plan: Plan, streams: tuple[tuple[str, int], ...]) -> list[int]:
    """Return the ports of mailcow's that a unit or server opens; one on [::] takes IPv4 too, as a rule."""
    return sorted({
        port for address, port in streams for binding in plan.bindings
        if port == binding.port and overlap("" if address == "::" else address, binding.address)
    })  # fmt: skip


def _socket(look: Look, unit: SocketUnit, ports: list[int]) -> Finding:
    listed = ", ".join(map(str, ports))
    message = say(
        "{unit} is set to listen at boot on what mailcow publishes: port {ports}.", unit=unit.unit, ports=listed
    )
    now = say("It listens there now.") if unit.active else None
    if unit.active is False:
        now = say("It does not listen now.")
    return Finding(
        status=Status.WARN,
        subject=unit.unit,
        message=paragraph(message, now),
        expected=phrase("none"),
        found=phrase("port {ports}", ports=listed),
        evidence={"unit": unit.unit, "ports": ports, "enabled": True, "active": unit.active},
        remedy=_socket_remedy(look, unit.unit, ports[0]),
    )


def _socket_remedy(look: Look, unit: str, port: int) -> Remedy:
    kind = way_in.of_unit(unit)
    if kind is not None:
        binding = next(entry for entry in look.plan.bindings if entry.port == port)
        return way_in.remedy(binding, "systemd", unit, kind)
    text = say("systemd itself holds the ports of a .socket unit, and mailcow's containers then do not start.")
    return Remedy(text, distro.disable(look.host, shlex.quote(unit)))


def fronted(plan: Plan) -> bool:
    """Say whether mailcow's web ports leave 80 and 443 to a reverse proxy: moved away, or bound to loopback."""
    web = [binding for binding in plan.bindings if any(wanted.kind == "web" for wanted in binding.wanted)]
    return all(binding.port not in WEB_PORTS or is_loopback(binding.address) for binding in web)


def _clash(plan: Plan, subject: str, service: Service, wanted: list[int]) -> Finding:
    """Complain of a web server in front of mailcow that opens mailcow's own ports."""
    ports = ", ".join(map(str, wanted))
    message = say(
        "{subject} opens ports that {path} gives to mailcow: {ports}.",
        subject=subject,
        path=plan.conf_path,
        ports=ports,
    )
    text = say(
        "Set other ports for mailcow in {path}, or remove these listeners from the settings of {subject}.",
        path=plan.conf_path, subject=subject,
    )  # fmt: skip
    return Finding(
        status=Status.WARN, subject=subject, message=message, expected=phrase("none"),
        found=phrase("port {ports}", ports=ports), evidence=_evidence(service),
        remedy=Remedy(text, place="mailcow.conf"),
    )  # fmt: skip


def _proxy(plan: Plan, subject: str, service: Service) -> Finding:
    ports = ", ".join(
        str(binding.port) for binding in plan.bindings if any(wanted.kind == "web" for wanted in binding.wanted)
    )
    message = say(
        "{subject} can stay as a reverse proxy: {path} leaves 80 and 443 to it; mailcow has {ports}.",
        subject=subject,
        path=plan.conf_path,
        ports=ports,
    )
    return Finding(
        status=Status.PASS, subject=subject, message=message, found=_state(service), evidence=_evidence(service)
    )


def _rival(look: Look, subject: str, service: Service) -> Finding:
    boot = service.enabled or service.sockets
    return Finding(
        status=Status.WARN,
        subject=subject,
        message=paragraph(
            say(KINDS[service.kind], name=subject), say(WHEN[True if boot else service.enabled, service.active])
        ),
        expected=phrase("none"),
        found=_state(service),
        evidence=_evidence(service),
        remedy=rivals.remedy(look, service),
    )


def _state(service: Service) -> str:
    boot = {True: phrase("enabled"), False: phrase("disabled"), None: ""}[service.enabled]
    if service.masked:
        boot = phrase("masked")
    now = {True: phrase("running"), False: phrase("not running"), None: ""}[service.active]
    return ", ".join(filter(None, (boot, *service.sockets, now)))


def _evidence(service: Service) -> dict[str, object]:
    return {
        "service": service.name, "unit": service.unit, "kind": service.kind, "enabled": service.enabled,
        "active": service.active, "sockets": list(service.sockets), "package": service.package,
        "detail": "; ".join(states.details(service)),
    }  # fmt: skip


def _none(host: Host, services: Services) -> Finding:
    installed = [s.package for s in services.services if s.kind in KINDS and s.enabled is None and s.package]
    if services.init == "other" and installed:  # elsewhere a package without a unit or script starts nothing
        return Finding(
            status=Status.UNKNOWN,
            message=say(
                "Whether this is set to start at boot could not be found out: {packages}.",
                packages=", ".join(installed),
            ),
            reason=say("The host's init system is none of those whose services are known here."),
            remedy=Remedy(
                say("Look for it among the services of the host's init system; remove it if it is not needed.")
            ),
        )
    if host.view.live and not services.processes:
        return Finding(
            status=Status.UNKNOWN,
            message=say("No other mail or web server is set to start at boot; whether one runs now could not be seen."),
            reason=say("Running processes could not be seen."),
            remedy=Remedy(say("Run the check as root."), ()),
        )
    message = say("No other mail or web server is set to start at boot (what runs now is not known of a copied root).")
    if host.view.live:
        message = say("No other mail or web server is set to start at boot or runs now.")
    return Finding(status=Status.PASS, message=message, found=phrase("none"))
