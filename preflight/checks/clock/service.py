"""Which service keeps the clock right."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.clock import timekeepers
from preflight.checks.remedies import distro
from preflight.checks.sources import PREREQUISITES
from preflight.facts import Host, Service, require
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import say


@check(
    severity=Severity.RECOMMENDED,
    reads=("services", "clock", "os_release", "virtualization", "timesyncd"),
    remedy="Enable one time service: timedatectl set-ntp true, or install chrony.",
    docs=(PREREQUISITES,),
)
def service(look: Look) -> Iterator[Finding]:
    """One time service is enabled

    A clock that no service adjusts drifts by several seconds a week. Older versions of timedatectl show an enabled
    service as NTP enabled: yes. systemd-timesyncd, chrony, ntpsec, ntp and openntpd are all suitable, but only one at a
    time.
    """
    require(look.host.services)
    yield timekeepers.with_other_key(look.host, _judged(look.host))


def _judged(host: Host) -> Finding:
    found = timekeepers.every(host)
    active = [service for service in found if service.active]
    enabled = [service for service in found if service.enabled]
    ready, idle = enabled, list[Service]()
    if not timekeepers.container(host):
        ready = [service for service in enabled if not timekeepers.stands_back(host, service)]
        idle = [service for service in enabled if service not in ready]
    works = active or ready
    if len(active) > 1 or (len(ready) > 1 and not active):
        return timekeepers.rivals(host, works)
    if idle and (not works or works[0].name == timekeepers.VIRTUALBOX):
        return timekeepers.idle(host, idle[0], works[0] if works else None)
    return _one(host, works[0]) if works else _nobody(host)


def _one(host: Host, service: Service) -> Finding:
    name = service.name
    if name == timekeepers.VIRTUALBOX and service.enabled and service.active is not False:
        message = say("NTP enabled: no. {name} gets the time from the VirtualBox host.", name=name)
        return timekeepers.finding(Status.PASS, service, message)
    if service.enabled and service.active is not False:
        message = say("NTP enabled: yes. {name} is enabled.", name=name)
        if service.active:
            message = say("NTP enabled: yes. {name} is enabled and running.", name=name)
        return timekeepers.finding(Status.PASS, service, message)
    if service.enabled and (container := timekeepers.container(host)):
        message = say(
            "NTP enabled: yes. {name} is enabled but not running, because this {container} container uses the clock "
            "of its host.",
            name=name,
            container=container,
        )
        return timekeepers.finding(Status.PASS, service, message)
    if service.enabled:
        commands = distro.restart(host, service.unit) if service.unit else ()
        remedy = Remedy(say("Start {name}, and find out why it stopped.", name=name), commands)
        return timekeepers.finding(
            Status.WARN, service, say("NTP enabled: yes. However, {name} is not running.", name=name), remedy
        )
    if service.enabled is None:
        remedy = Remedy(say("Find out what starts {name}. Use the init system instead.", name=name))
        message = say("{name} runs without a unit. Could not determine whether it starts at boot.", name=name)
        return timekeepers.finding(Status.UNKNOWN, service, message, remedy)
    remedy = Remedy(say("Enable {name}.", name=name), distro.enable(host, service.unit) if service.unit else ())
    return timekeepers.finding(
        Status.WARN,
        service,
        say("NTP enabled: no. {name} is running now, but does not start at boot.", name=name),
        remedy,
    )


def _nobody(host: Host) -> Finding:
    if container := timekeepers.container(host):
        return timekeepers.finding(
            Status.SKIP,
            None,
            say("This {container} container uses the clock of its host.", container=container),
        )
    if timekeepers.in_step(host):
        message = say(
            "NTP enabled: no. The clock is synchronised now, but not by a known service (perhaps by the hypervisor)."
        )
        machine = host.virtualization.value
        if machine and machine.vm == "microsoft":
            message = say("NTP enabled: no. The clock is synchronised now, perhaps by Hyper-V's time service.")
        elif machine and machine.vm == "vmware":
            message = say("NTP enabled: no. The clock is synchronised now, perhaps by VMware Tools (vmtoolsd).")
        return timekeepers.finding(Status.WARN, None, message, timekeepers.get_one(host))
    message = say("NTP enabled: no. No time service is enabled or running.")
    if names := ", ".join(service.name for service in timekeepers.every(host)):
        message = say("NTP enabled: no. No time service is enabled or running. Installed: {names}.", names=names)
    return timekeepers.finding(Status.WARN, None, message, timekeepers.get_one(host))
