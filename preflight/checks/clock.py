"""The host's clock."""

from __future__ import annotations

from collections.abc import Iterator

from preflight import distro
from preflight.checks import Look, check
from preflight.facts import Host, Service
from preflight.model import Finding, Remedy, Severity, Status
from preflight.sentences import noted, paragraph, phrase, say

DOCS = "https://docs.mailcow.email/getstarted/prerequisite-system/"
# Where timedatectl draws the line (systemd, src/timedate/timedated.c, ntp_synced): the kernel's largest error, and
# not its STA_UNSYNC flag, which may be set to keep the kernel from writing to the hardware clock.
MAX_ERROR_US = 16_000_000
WATCH = {
    "systemd-timesyncd": "timedatectl timesync-status", "chrony": "chronyc sources", "openntpd": "ntpctl -s all",
}  # fmt: skip


@check(
    severity=Severity.RECOMMENDED,
    reads=("clock", "services", "os_release", "virtualization"),
    remedy="Enable a time service: timedatectl set-ntp true.",
    docs=(DOCS, "https://github.com/mailcow/mailcow-dockerized/issues/519"),
)
def synchronized(look: Look) -> Iterator[Finding]:
    """The kernel says that its clock is synchronised

    Second factors (TOTP), DNSSEC, certificates and mail headers need the right time. This is what timedatectl
    shows as NTP synchronized: the error that the kernel reckons with is below 16 seconds.
    """
    clock = look.host.clock.get()
    synced = in_step(look.host)
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
        evidence={"maxerror_us": clock.maxerror_us, "unsynchronized": clock.unsynchronized},
        remedy=None if synced else _synchronize(look.host),
    )


def in_step(host: Host) -> bool:
    """Say whether the kernel's clock is known to be synchronised, by timedatectl's rule."""
    return host.clock.known and host.clock.get().maxerror_us < MAX_ERROR_US


def _synchronize(host: Host) -> Remedy:
    if container := _container(host):
        return Remedy(
            say(
                "The clock is that of the machine below this {container} container: synchronise it there.",
                container=container,
            )
        )
    chosen = [service for service in _time_services(host) if service.enabled or service.active]
    if not chosen:
        return _get_one(host)
    name, unit = chosen[0].name, chosen[0].unit
    text = say(
        "{name} is there, but has not reached a time server (yet): see what it says, and let UDP port 123 out.",
        name=name,
    )
    return Remedy(text, (*(distro.restart(host, unit) if unit else ()), WATCH.get(name, "ntpq -p")))


def _container(host: Host) -> str | None:
    """Return what kind of container the host itself is; its clock is then that of the machine below."""
    return host.virtualization.get().container if host.virtualization.known else None


def _time_services(host: Host) -> list[Service]:
    return [s for s in host.services.get().services if s.kind == "time"] if host.services.known else []


def _get_one(host: Host) -> Remedy:
    """Enable the time service that is installed, else install one."""
    here = next((service for service in _time_services(host) if service.unit and not service.masked), None)
    if here and here.unit:
        if here.name == "systemd-timesyncd" and distro.init_system(host) == "systemd":
            return Remedy(say("Enable the time service that is installed."), ("timedatectl set-ntp true",))
        return Remedy(say("Enable {name}, which is installed.", name=here.name), distro.enable(host, here.unit))
    commands = distro.install(host, default="chrony")
    if distro.family(host) not in (None, "debian"):  # Debian's packages start what they bring
        commands += distro.enable(host, "chronyd.service")
    return Remedy(say("Install a time service, such as chrony."), commands)


@check(
    severity=Severity.RECOMMENDED,
    reads=("services", "clock", "os_release", "virtualization"),
    remedy="Enable one time service: timedatectl set-ntp true, or install chrony.",
    docs=(DOCS,),
)
def service(look: Look) -> Iterator[Finding]:
    """One time service is enabled

    A clock that nobody keeps in step drifts by seconds a week. This is what timedatectl of 2017 showed as
    NTP enabled; systemd-timesyncd, chrony, ntpsec, ntp and openntpd all do, but not two of them at once.
    """
    host = look.host
    host.services.get()
    found = _time_services(host)
    enabled = [service for service in found if service.enabled]
    active = [service for service in found if service.active]
    if len(active) > 1 or (len(enabled) > 1 and not active):
        yield _rivals(host, active or enabled)
    elif not enabled and not active:
        yield _nobody(host)
    else:
        yield _one(host, (active or enabled)[0])


def _finding(status: Status, service: Service | None, message: str, remedy: Remedy | None = None) -> Finding:
    evidence = {
        "service": service.name if service else None,
        "enabled": service.enabled if service else False,
        "active": service.active if service else False,
    }
    found = service.name if service else phrase("none")
    reason = message if status in (Status.SKIP, Status.UNKNOWN) else None
    return Finding(
        status=status,
        message=message,
        expected=phrase("one"),
        found=found,
        evidence=evidence,
        remedy=remedy,
        reason=reason,
    )


def _one(host: Host, service: Service) -> Finding:
    name = service.name
    if service.enabled and service.active is not False:
        message = say("NTP enabled: yes; {name} is enabled.", name=name)
        if service.active:
            message = say("NTP enabled: yes; {name} is enabled and running.", name=name)
        return _finding(Status.PASS, service, message)
    if service.enabled and (container := _container(host)):
        message = say(
            "NTP enabled: yes; {name} is enabled; it does not run, as the clock of this {container} container is that"
            " of the machine below.",
            name=name,
            container=container,
        )
        return _finding(Status.PASS, service, message)
    if service.enabled:
        commands = distro.restart(host, service.unit) if service.unit else ()
        remedy = Remedy(say("Start {name}, and see why it stopped.", name=name), commands)
        return _finding(Status.WARN, service, say("NTP enabled: yes; but {name} does not run.", name=name), remedy)
    if service.enabled is None:
        remedy = Remedy(say("See what starts {name}, and let the init system do it.", name=name))
        message = say("{name} runs without a unit, so whether it starts at boot is not known.", name=name)
        return _finding(Status.UNKNOWN, service, message, remedy)
    remedy = Remedy(say("Enable {name}.", name=name), distro.enable(host, service.unit) if service.unit else ())
    return _finding(
        Status.WARN, service, say("NTP enabled: no; {name} runs now, but does not start at boot.", name=name), remedy
    )


def _rivals(host: Host, services: list[Service]) -> Finding:
    names = ", ".join(service.name for service in services)
    keep = next((service for service in services if service.name == "chrony"), services[0])
    commands = tuple(c for s in services if s is not keep and s.unit for c in distro.disable(host, s.unit))
    remedy = Remedy(
        say("Keep {name} alone: two services that steer one clock fight over it.", name=keep.name), commands
    )
    return _finding(
        Status.WARN,
        keep,
        say("Two services or more are at work together and steer the clock: {names}.", names=names),
        remedy,
    )


def _nobody(host: Host) -> Finding:
    if container := _container(host):
        return _finding(
            Status.SKIP,
            None,
            say("The clock is that of the machine below this {container} container.", container=container),
        )
    if in_step(host):
        message = say(
            "NTP enabled: no; the clock is synchronised now by no service known here (a hypervisor may do it)."
        )
        return _finding(Status.WARN, None, message, _get_one(host))
    return _finding(Status.WARN, None, say("NTP enabled: no; no time service is enabled or running."), _get_one(host))


@check(
    severity=Severity.INFO,
    reads=("timezone", "os_release", "services"),
    remedy="Set the time zone with timedatectl set-timezone, and let the hardware clock run in UTC.",
    docs=(DOCS,),
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
    known = zone.rtc_local is not None
    remedies = {True: _hardware_clock(look.host), False: None, None: Remedy(say("See what /etc/adjtime says."))}
    yield Finding(
        status=status,
        message=paragraph(named, say(_HARDWARE_CLOCK[zone.rtc_local])),
        expected=phrase("hardware clock in UTC"),
        found=zone.zone or "UTC",
        evidence={"zone": zone.zone, "rtc_local": zone.rtc_local},
        reason=say("The file that says how the hardware clock runs is not readable.") if not known else None,
        remedy=remedies[zone.rtc_local],
    )


_HARDWARE_CLOCK = {
    True: noted("The hardware clock runs in local time (RTC in local TZ: yes)."),
    False: noted("The hardware clock runs in UTC."),
    None: noted("The hardware clock runs in a zone that is not known."),
}


def _hardware_clock(host: Host) -> Remedy:
    command = "timedatectl set-local-rtc 0" if distro.init_system(host) == "systemd" else "hwclock --systohc --utc"
    return Remedy(say("Let the hardware clock run in UTC."), (command,))
