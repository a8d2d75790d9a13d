"""Services on the host that want what mailcow wants."""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Iterator

from preflight import distro
from preflight.checks import Look, check
from preflight.checks.conflicts import overlap
from preflight.facts import Host, Service, Services, SocketUnit
from preflight.model import Finding, Remedy, Severity, Status
from preflight.plan import Plan
from preflight.sentences import noted, paragraph, phrase, say

DOCS = "https://docs.mailcow.email/getstarted/prerequisite-system/"
PROXY = "https://docs.mailcow.email/post_installation/reverse-proxy/r_p/"
# What a service is, and with that what to do about it.
KINDS = {
    "mta": (noted("{name} is a mail server."), noted("{name} is a mail server; mailcow brings its own.")),
    "imap": (
        noted("{name} is an IMAP or POP3 server."),
        noted("{name} is an IMAP or POP3 server; mailcow brings its own."),
    ),
    "web": (noted("{name} is a web server."), noted("{name} is a web server; mailcow brings its own.")),
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


@check(
    severity=Severity.RECOMMENDED,
    reads=("services", "os_release"),
    remedy="Stop the service, keep it from starting at boot, and remove it; a web server may stay as a reverse proxy.",
    docs=(DOCS, PROXY, "https://github.com/mailcow/mailcow-dockerized/issues/63"),
    subject="service",
)
def mail(look: Look) -> Iterator[Finding]:
    """No other mail or web server starts beside mailcow

    mailcow brings its own mail, IMAP, POP3 and web servers. Another one that is set to start at boot takes their
    ports at the next restart, even where every port is free today, and mailcow's containers then do not start.
    """
    services = look.host.services.get()
    rivals: dict[str, Service] = {}
    for service in services.services:
        if service.kind in KINDS and (service.active or service.enabled or service.sockets):
            subject = service.unit or service.name
            if subject not in rivals or rivals[subject].kind == "web":  # of two in one unit the one that must go
                rivals[subject] = service
    for subject, service in rivals.items():
        if service.kind == "web" and fronted(look.plan):
            yield _proxy(look.plan, subject, service)
        else:
            yield _rival(look, subject, service)
    found = False
    for unit in services.sockets:
        if ports := _wanted(look.plan, unit):
            found = True
            yield _socket(look.host, unit, ports)
    if not rivals and not found:
        yield _none(look.host, services)


def _wanted(plan: Plan, unit: SocketUnit) -> list[int]:
    """Return the ports of mailcow's that a .socket unit opens; one on [::] takes IPv4 too, as a rule."""
    return sorted({
        port for address, port in unit.streams for binding in plan.bindings
        if port == binding.port and overlap("" if address == "::" else address, binding.address)
    })  # fmt: skip


def _socket(host: Host, unit: SocketUnit, ports: list[int]) -> Finding:
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
        remedy=Remedy(
            say("systemd itself holds the ports of a .socket unit, and mailcow's containers then do not start."),
            distro.disable(host, shlex.quote(unit.unit)),
        ),
    )


def fronted(plan: Plan) -> bool:
    """Say whether mailcow's web ports leave 80 and 443 to a reverse proxy: moved away, or bound to loopback."""
    web = [binding for binding in plan.bindings if any(wanted.kind == "web" for wanted in binding.wanted)]
    return all(binding.port not in WEB_PORTS or _loopback(binding.address) for binding in web)


def _loopback(address: str) -> bool:
    return bool(address) and ipaddress.ip_address(address).is_loopback


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
    what, instead = KINDS[service.kind]
    text = say(instead, name=service.name)
    if service.kind == "web":
        keep = say(
            "To keep it as a reverse proxy, set HTTP_PORT, HTTPS_PORT, HTTP_BIND and HTTPS_BIND in {path} so that"
            " mailcow leaves 80 and 443 to it.",
            path=look.plan.conf_path,
        )
        text = paragraph(text, keep)
    return Finding(
        status=Status.WARN,
        subject=subject,
        message=paragraph(say(what, name=subject), say(WHEN[True if boot else service.enabled, service.active])),
        expected=phrase("none"),
        found=_state(service),
        evidence=_evidence(service),
        remedy=Remedy(text, _commands(look.host, service)),
    )


# Packages of mail servers where rpm's database, a binary one, was not read: the command asks before it removes any.
_NAMES = {
    "exim4": "exim", "postfix": "postfix", "sendmail": "sendmail", "opensmtpd": "opensmtpd", "dovecot": "dovecot",
    "cyrus-imapd": "cyrus-imapd", "courier-imap": "courier-imap",
}  # fmt: skip


def _commands(host: Host, service: Service) -> tuple[str, ...]:
    """Stop what runs, keep it from starting again; purge mail servers, which nothing else on the host is built on."""
    stop = distro.disable(host, shlex.quote(service.unit), *map(shlex.quote, service.sockets)) if service.unit else ()
    pid = re.search(r"\bpid ([0-9]+)", service.detail)
    if pid and (service.unit is None or "outside" in service.detail):
        stop = (*stop, f"kill {pid[1]}")
    packages = service.package or (_NAMES.get(service.name, "") if service.unit else "")
    packages = packages if service.package or distro.family(host) in ("rhel", "suse") else ""
    packages = " ".join(map(shlex.quote, packages.split()))
    return stop + (distro.remove(host, packages) if service.kind != "web" else ())


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
        "detail": service.detail,
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
