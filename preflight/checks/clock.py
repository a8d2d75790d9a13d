"""The host's clock."""

from __future__ import annotations

from collections.abc import Iterator

from preflight import distro
from preflight.checks import Look, check
from preflight.facts import Host, Service
from preflight.model import Finding, Remedy, Severity, Status

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
    message = (
        f"NTP synchronized: yes; the clock is at most {seconds:.3g} s off by the kernel's own word." if synced
        else "NTP synchronized: no; the kernel does not know how far off its clock is."
    )  # fmt: skip
    yield Finding(
        status=Status.PASS if synced else Status.WARN,
        message=message,
        expected="yes",
        found="yes" if synced else "no",
        evidence={"maxerror_us": clock.maxerror_us, "unsynchronized": clock.unsynchronized},
        remedy=None if synced else _synchronize(look.host),
    )


def in_step(host: Host) -> bool:
    """Say whether the kernel's clock is known to be synchronised, by timedatectl's rule."""
    return host.clock.known and host.clock.get().maxerror_us < MAX_ERROR_US


def _synchronize(host: Host) -> Remedy:
    if container := _container(host):
        return Remedy(f"The clock is that of the machine below this {container} container: synchronise it there.")
    chosen = [service for service in _time_services(host) if service.enabled or service.active]
    if not chosen:
        return _get_one(host)
    name, unit = chosen[0].name, chosen[0].unit
    text = f"{name} is there, but has not reached a time server (yet): see what it says, and let UDP port 123 out."
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
            return Remedy("Enable the time service that is installed.", ("timedatectl set-ntp true",))
        return Remedy(f"Enable {here.name}, which is installed.", distro.enable(host, here.unit))
    commands = distro.install(host, default="chrony")
    if distro.family(host) not in (None, "debian"):  # Debian's packages start what they bring
        commands += distro.enable(host, "chronyd.service")
    return Remedy("Install a time service, such as chrony.", commands)


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
    found = service.name if service else "none"
    reason = message.rstrip(".") if status in (Status.SKIP, Status.UNKNOWN) else None
    return Finding(
        status=status, message=message, expected="one", found=found, evidence=evidence, remedy=remedy, reason=reason
    )


def _one(host: Host, service: Service) -> Finding:
    name = service.name
    if service.enabled and service.active is not False:
        runs = " and running" if service.active else ""
        return _finding(Status.PASS, service, f"NTP enabled: yes; {name} is enabled{runs}.")
    if service.enabled and (container := _container(host)):
        why = f"it does not run, as the clock of this {container} container is that of the machine below"
        return _finding(Status.PASS, service, f"NTP enabled: yes; {name} is enabled; {why}.")
    if service.enabled:
        commands = distro.restart(host, service.unit) if service.unit else ()
        remedy = Remedy(f"Start {name}, and see why it stopped.", commands)
        return _finding(Status.WARN, service, f"NTP enabled: yes; but {name} does not run.", remedy)
    if service.enabled is None:
        remedy = Remedy(f"See what starts {name}, and let the init system do it.")
        message = f"{name} runs without a unit, so whether it starts at boot is not known."
        return _finding(Status.UNKNOWN, service, message, remedy)
    remedy = Remedy(f"Enable {name}.", distro.enable(host, service.unit) if service.unit else ())
    return _finding(Status.WARN, service, f"NTP enabled: no; {name} runs now, but does not start at boot.", remedy)


def _rivals(host: Host, services: list[Service]) -> Finding:
    names = " and ".join(service.name for service in services)
    keep = next((service for service in services if service.name == "chrony"), services[0])
    commands = tuple(c for s in services if s is not keep and s.unit for c in distro.disable(host, s.unit))
    remedy = Remedy(f"Keep {keep.name} alone: two services that steer one clock fight over it.", commands)
    return _finding(Status.WARN, keep, f"{names} are at work together, and both steer the clock.", remedy)


def _nobody(host: Host) -> Finding:
    if container := _container(host):
        return _finding(Status.SKIP, None, f"The clock is that of the machine below this {container} container.")
    if in_step(host):
        message = "NTP enabled: no; the clock is synchronised now by no service known here (a hypervisor may do it)."
        return _finding(Status.WARN, None, message, _get_one(host))
    return _finding(Status.WARN, None, "NTP enabled: no; no time service is enabled or running.", _get_one(host))


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
    named = f"The time zone is {zone.zone}" if zone.zone else "No time zone is set, so UTC holds"
    hardware = {True: "in local time (RTC in local TZ: yes)", False: "in UTC", None: "in a zone that is not known"}
    status = {True: Status.WARN, False: Status.PASS, None: Status.UNKNOWN}[zone.rtc_local]
    remedies = {True: _hardware_clock(look.host), False: None, None: Remedy("See what /etc/adjtime says.")}
    yield Finding(
        status=status,
        message=f"{named}; the hardware clock runs {hardware[zone.rtc_local]}.",
        expected="hardware clock in UTC",
        found=zone.zone or "UTC",
        evidence={"zone": zone.zone, "rtc_local": zone.rtc_local},
        reason="the file that says how the hardware clock runs is not readable" if status is Status.UNKNOWN else None,
        remedy=remedies[zone.rtc_local],
    )


def _hardware_clock(host: Host) -> Remedy:
    command = "timedatectl set-local-rtc 0" if distro.init_system(host) == "systemd" else "hwclock --systohc --utc"
    return Remedy("Let the hardware clock run in UTC.", (command,))
