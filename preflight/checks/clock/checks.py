"""The host's clock."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.clock import timekeepers
from preflight.checks.remedies import distro
from preflight.checks.sources import PREREQUISITES, issue
from preflight.facts import Host, Service, Timezone
from preflight.report.evidence.clock import ClockEvidence, TimezoneEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import noted, paragraph, phrase, say

WATCH = {
    "systemd-timesyncd": "timedatectl timesync-status", "chrony": "chronyc sources", "openntpd": "ntpctl -s all",
}  # fmt: skip


@check(
    severity=Severity.RECOMMENDED,
    reads=("clock", "services", "os_release", "virtualization"),
    remedy="Enable a time service: timedatectl set-ntp true.",
    docs=(PREREQUISITES,),
    sources=(issue(519),),
)
def synchronized(look: Look) -> Iterator[Finding]:
    """The kernel says that its clock is synchronised

    Second factors (TOTP), DNSSEC, certificates and mail headers need the right time. This is what timedatectl
    shows as NTP synchronized: the error that the kernel reckons with is below 16 seconds.
    """
    clock = look.host.clock.get()
    synced = timekeepers.in_step(look.host)
    evidence = ClockEvidence(maxerror_us=clock.maxerror_us, unsynchronized=clock.unsynchronized)
    if not synced and (reason := timekeepers.why_lost(look.host)):
        text = paragraph(say("NTP synchronized: no."), reason)
        yield Finding(
            status=Status.SKIP, message=text, reason=reason, expected=phrase("yes"), found=phrase("no"),
            evidence=evidence,
        )  # fmt: skip
        return
    seconds = clock.maxerror_us / 1e6
    message = say("NTP synchronized: no; the kernel does not know how far off its clock is.")
    if synced:
        message = say(
            "NTP synchronized: yes; the clock is at most {seconds} s off by the kernel's own word.",
            seconds=f"{seconds:.3g}",
        )
    yield Finding(
        status=Status.PASS if synced else Status.WARN,
        message=message,
        expected=phrase("yes"),
        found=phrase("yes") if synced else phrase("no"),
        evidence=evidence,
        remedy=None if synced else _synchronize(look.host),
    )


def _synchronize(host: Host) -> Remedy:
    if container := timekeepers.container(host):
        return Remedy(
            say(
                "The clock is that of the machine below this {container} container: synchronise it there.",
                container=container,
            )
        )
    chosen = [service for service in timekeepers.every(host) if service.enabled or service.active]
    if not chosen:
        return timekeepers.get_one(host)
    name, unit = chosen[0].name, chosen[0].unit
    text = say(
        "{name} is there, but has not reached a time server (yet): see what it says, and let UDP port 123 out.",
        name=name,
    )
    return Remedy(text, (*(distro.restart(host, unit) if unit else ()), WATCH.get(name, "ntpq -p")))


@check(
    severity=Severity.RECOMMENDED,
    reads=("services", "clock", "os_release", "virtualization"),
    remedy="Enable one time service: timedatectl set-ntp true, or install chrony.",
    docs=(PREREQUISITES,),
)
def service(look: Look) -> Iterator[Finding]:
    """One time service is enabled

    A clock that nobody keeps in step drifts by seconds a week. This is what timedatectl of 2017 showed as
    NTP enabled; systemd-timesyncd, chrony, ntpsec, ntp and openntpd all do, but not two of them at once.
    """
    host = look.host
    host.services.get()
    found = timekeepers.every(host)
    active = [service for service in found if service.active]
    enabled = [service for service in found if service.enabled]
    ready, idle = enabled, list[Service]()
    if not timekeepers.container(host):
        ready = [service for service in enabled if not timekeepers.stands_back(host, service)]
        idle = [service for service in enabled if service not in ready]
    works = active or ready
    if len(active) > 1 or (len(ready) > 1 and not active):
        yield timekeepers.rivals(host, works)
    elif idle and (not works or works[0].name == timekeepers.VIRTUALBOX):
        yield timekeepers.idle(host, idle[0], works[0] if works else None)
    elif works:
        yield _one(host, works[0])
    else:
        yield _nobody(host)


def _one(host: Host, service: Service) -> Finding:
    name = service.name
    if name == timekeepers.VIRTUALBOX and service.enabled and service.active is not False:
        message = say("NTP enabled: no; {name} sets the clock from the VirtualBox host's.", name=name)
        return timekeepers.finding(Status.PASS, service, message)
    if service.enabled and service.active is not False:
        message = say("NTP enabled: yes; {name} is enabled.", name=name)
        if service.active:
            message = say("NTP enabled: yes; {name} is enabled and running.", name=name)
        return timekeepers.finding(Status.PASS, service, message)
    if service.enabled and (container := timekeepers.container(host)):
        message = say(
            "NTP enabled: yes; {name} is enabled; it does not run, as the clock of this {container} container is that"
            " of the machine below.",
            name=name,
            container=container,
        )
        return timekeepers.finding(Status.PASS, service, message)
    if service.enabled:
        commands = distro.restart(host, service.unit) if service.unit else ()
        remedy = Remedy(say("Start {name}, and see why it stopped.", name=name), commands)
        return timekeepers.finding(
            Status.WARN, service, say("NTP enabled: yes; but {name} does not run.", name=name), remedy
        )
    if service.enabled is None:
        remedy = Remedy(say("See what starts {name}, and let the init system do it.", name=name))
        message = say("{name} runs without a unit, so whether it starts at boot is not known.", name=name)
        return timekeepers.finding(Status.UNKNOWN, service, message, remedy)
    remedy = Remedy(say("Enable {name}.", name=name), distro.enable(host, service.unit) if service.unit else ())
    return timekeepers.finding(
        Status.WARN, service, say("NTP enabled: no; {name} runs now, but does not start at boot.", name=name), remedy
    )


def _nobody(host: Host) -> Finding:
    if container := timekeepers.container(host):
        return timekeepers.finding(
            Status.SKIP,
            None,
            say("The clock is that of the machine below this {container} container.", container=container),
        )
    if timekeepers.in_step(host):
        message = say(
            "NTP enabled: no; the clock is synchronised now by no service known here (a hypervisor may do it)."
        )
        machine = host.virtualization.value
        if machine and machine.vm == "microsoft":
            message = say("NTP enabled: no; the clock is synchronised now, perhaps by Hyper-V's own service.")
        elif machine and machine.vm == "vmware":
            message = say("NTP enabled: no; the clock is synchronised now, perhaps by VMware's tools (vmtoolsd).")
        return timekeepers.finding(Status.WARN, None, message, timekeepers.get_one(host))
    message = say("NTP enabled: no; no time service is enabled or running.")
    if names := ", ".join(service.name for service in timekeepers.every(host)):
        message = say("NTP enabled: no; no time service is enabled or running. Installed: {names}.", names=names)
    return timekeepers.finding(Status.WARN, None, message, timekeepers.get_one(host))


@check(
    severity=Severity.INFO,
    reads=("timezone", "os_release", "services"),
    remedy="Set the time zone with timedatectl set-timezone, and let the hardware clock run in UTC.",
    docs=(PREREQUISITES,),
)
def timezone(look: Look) -> Iterator[Finding]:
    """The time zone is set and the hardware clock runs in UTC

    mailcow takes the host's zone as its own (TZ in mailcow.conf), for log files and quarantine mails. A hardware
    clock in local time jumps twice a year, and the host starts with the wrong time.
    """
    zone = look.host.timezone.get()
    named = say("No time zone is set, so UTC holds.")
    if zone.zone:
        named = say("The time zone is {zone}.", zone=zone.zone)
    status = {True: Status.WARN, False: Status.PASS, None: Status.UNKNOWN}[zone.rtc_local]
    disagrees = None if look.plan.conf_present else _disagreement(zone)
    if disagrees and status is Status.PASS:
        yield Finding(
            status=Status.WARN,
            message=paragraph(named, disagrees, say(_HARDWARE_CLOCK[False])),
            expected=zone.zone,
            found=zone.written,
            evidence=TimezoneEvidence(zone=zone.zone, rtc_local=zone.rtc_local),
            remedy=_one_zone(zone),
        )
        return
    known = zone.rtc_local is not None
    remedies = {True: _hardware_clock(look.host), False: None, None: Remedy(say("See what /etc/adjtime says."))}
    yield Finding(
        status=status,
        message=paragraph(named, disagrees, say(_HARDWARE_CLOCK[zone.rtc_local])),
        expected=phrase("hardware clock in UTC"),
        found=zone.zone or "UTC",
        evidence=TimezoneEvidence(zone=zone.zone, rtc_local=zone.rtc_local),
        reason=say("The file that says how the hardware clock runs is not readable.") if not known else None,
        remedy=remedies[zone.rtc_local],
    )


_SAME = ("UTC", "UCT", "Zulu", "Universal", "Greenwich", "GMT")  # each with and without Etc/


def _disagreement(zone: Timezone) -> str | None:
    """Say that the two files with the zone's name disagree: mailcow's installer looks into /etc/timezone first."""
    if zone.written is None or _plain(zone.written) == _plain(zone.zone or "UTC"):
        return None
    if not zone.written:
        return say("/etc/timezone holds no time zone's name, and mailcow's installer looks there first.")
    return say(
        "/etc/timezone says {written}, /etc/localtime says {zone}. mailcow's installer takes {written}.",
        written=zone.written,
        zone=zone.zone or "UTC",
    )


def _plain(name: str) -> str:
    """Return a zone's name without what makes no other zone of it."""
    name = name.removeprefix("posix/").removeprefix("right/")
    return "UTC" if name.removeprefix("Etc/") in _SAME else name


def _one_zone(zone: Timezone) -> Remedy:
    wanted = zone.zone or "UTC"
    text = say(
        "Remove /etc/timezone, or set MAILCOW_TZ={zone} when you start mailcow's generate_config.sh.",
        zone=wanted,
    )
    return Remedy(text, ("rm /etc/timezone",))


_HARDWARE_CLOCK = {
    True: noted("The hardware clock runs in local time (RTC in local TZ: yes)."),
    False: noted("The hardware clock runs in UTC."),
    None: noted("The hardware clock runs in a zone that is not known."),
}


def _hardware_clock(host: Host) -> Remedy:
    command = "timedatectl set-local-rtc 0" if distro.init_system(host) == "systemd" else "hwclock --systohc --utc"
    return Remedy(say("Let the hardware clock run in UTC."), (command,))
