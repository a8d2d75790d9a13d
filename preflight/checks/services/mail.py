"""Services on the host that want what mailcow wants."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import unknown
from preflight.checks.remedies import rights
from preflight.checks.services import claims, fronts, rivals, socket_units, states, staying
from preflight.checks.sources import PREREQUISITES, REVERSE_PROXY, issue
from preflight.facts import Host, Service, Services
from preflight.report.model import Finding, Severity, Status
from preflight.text.sentences import noted, paragraph, phrase, say

# What a service is.
KINDS = {
    "mta": noted("{name} is a mail server."),
    "imap": noted("{name} is an IMAP or POP3 server."),
    "web": noted("{name} is a web server."),
}
# When it runs, by whether it starts at boot and whether it runs now (None: not known).
WHEN = {
    (True, True): noted("It is set to start at boot and is running."),
    (True, False): noted("It is set to start at boot but is not running."),
    (True, None): noted("It is set to start at boot."),
    (False, True): noted("It is running but is not set to start at boot."),
    (None, True): noted("It is running and may start at boot."),
}
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
    """No other mail or web server conflicts with mailcow

    mailcow includes its own mail, IMAP, POP3 and web servers. Another one that is set to start at boot takes their
    ports at the next reboot, even if every port is free today. mailcow's containers then do not start.
    """
    services = look.host.services.get()
    found: dict[str, Service] = {}
    for service in services.services:
        if service.kind in KINDS and (service.active or service.enabled or service.sockets):
            subject = service.unit or service.name
            if subject not in found or found[subject].kind == "web":  # of two in one unit the one that must go
                found[subject] = service
    held = claims.in_the_way(look)
    for subject, service in found.items():
        ports = dict.fromkeys(port for holder, port in held if claims.holds(service, holder))
        yield _judged(look, subject, service, list(ports))
    units = {unit: wanted for unit in services.sockets if (wanted := claims.wanted(look.plan, unit.streams))}
    for unit, wanted in units.items():
        taken = list(dict.fromkeys(port for holder, port in held if holder.unit == unit.unit))
        yield staying.told_already(unit.unit, taken) if taken else socket_units.opened(look, unit, wanted)
    if not found and not units:
        yield _none(look.host, services)


def _judged(look: Look, subject: str, service: Service, ports: list[str]) -> Finding:
    """Judge one service; `ports`: what it holds of mailcow's now."""
    if ports:
        return staying.told_already(subject, ports, service)
    if service.kind == "web" and fronts.fronted(look.plan):
        # Leaving 80 and 443 to it is no help where it opens the ports that mailcow was given instead.
        wanted = claims.wanted(look.plan, service.streams or ())
        if wanted:
            return fronts.clash(look.plan, subject, service, wanted)
        return fronts.proxy(look.plan, subject, service)
    if service.unmet and not service.active:
        return staying.unable(subject, service)
    if staying.opens_nothing(look, service):
        return staying.harmless(subject, service)
    return _rival(look, subject, service)


def _rival(look: Look, subject: str, service: Service) -> Finding:
    boot = service.enabled or service.sockets
    return Finding(
        status=Status.WARN,
        subject=subject,
        message=paragraph(
            say(KINDS[service.kind], name=subject), say(WHEN[True if boot else service.enabled, service.active])
        ),
        expected=phrase("none"),
        found=states.state(service),
        evidence=states.evidence(service),
        remedy=rivals.remedy(look, service),
    )


def _none(host: Host, services: Services) -> Finding:
    installed = [s.package for s in services.services if s.kind in KINDS and s.enabled is None and s.package]
    if services.init == "other" and installed:  # elsewhere a package without a unit or script starts nothing
        names = ", ".join(installed)
        return unknown(
            say("The services of this host's init system cannot be listed."),
            say("Look for them among the host's services, and remove those that you do not need."),
            message=say("Could not determine whether these start at boot: {packages}.", packages=names),
        )
    if host.view.live and not services.processes:
        more = rights.more(host)
        return unknown(
            say("Could not read the running processes."),
            more.text,
            place=more.place,
            message=say(
                "No other mail or web server is set to start at boot. Could not determine whether one is running."
            ),
        )
    message = say("No other mail or web server is set to start at boot. A copied root does not show what is running.")
    if host.view.live:
        message = say("No other mail or web server is set to start at boot or is running.")
    return Finding(status=Status.PASS, message=message, found=phrase("none"))
