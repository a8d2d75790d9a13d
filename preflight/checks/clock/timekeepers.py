"""Who sets the host's clock: the services that can, those that do, and how one of them is put to work."""

from __future__ import annotations

from msgspec.structs import replace

from preflight.checks.remedies import distro
from preflight.facts import NO_SERVICES, Host, Service
from preflight.report.evidence.clock import TimeServiceEvidence
from preflight.report.model import Finding, Remedy, Status
from preflight.text.sentences import noted, paragraph, phrase, say

# Where timedatectl draws the line (systemd, src/timedate/timedated.c, ntp_synced): the kernel's largest error, and
# not its STA_UNSYNC flag, which may be set to keep the kernel from writing to the hardware clock.
MAX_ERROR_US = 16_000_000
TIMESYNCD = "systemd-timesyncd"
_OTHER_KEYS = {
    "Server": noted("{path}, line {line}: timesyncd ignores Server= and uses other servers. Write NTP= instead."),
    "Servers": noted("{path}, line {line}: timesyncd reads Servers= as NTP=, but only NTP= is documented."),
}
VIRTUALBOX = (
    "VBoxService"  # sets the clock from the machine below; it asks no time server, and tells the kernel nothing
)


def in_step(host: Host) -> bool:
    """Say whether the kernel's clock is known to be synchronised, by timedatectl's rule."""
    clock = host.clock.value
    return clock is not None and clock.maxerror_us < MAX_ERROR_US


def container(host: Host) -> str | None:
    """Return what kind of container the host itself is; its clock is then that of the machine below."""
    found = host.virtualization.value
    return found.container if found else None


def every(host: Host) -> list[Service]:
    """Return the time services that are installed or run."""
    return [s for s in host.services.or_(NO_SERVICES).services if s.kind == "time"]


def stands_back(host: Host, service: Service) -> bool:
    """Say whether a service would not start although it is enabled, and does not run."""
    if service.active:
        return False
    machine = host.virtualization.value
    elsewhere = service.name == VIRTUALBOX and machine is not None and machine.vm != "oracle"
    return bool(service.unmet) or elsewhere


def why_lost(host: Host) -> str:
    """Return why a clock is not synchronised where clock.service tells that already; '' = it does not."""
    if container(host) or not host.services.known:
        return ""
    running = [service.name for service in every(host) if service.active is not False]
    if not running:
        return say("No time service is running (see clock.service).")
    if running == [VIRTUALBOX]:
        return say(
            "{name} gets the time from the VirtualBox host and does not report its accuracy to the kernel (see "
            "clock.service and clock.offset).",
            name=VIRTUALBOX,
        )
    return ""


def get_one(host: Host) -> Remedy:
    """Enable the time service that is installed, else install one."""
    found = (s for s in every(host) if s.unit and not s.masked and not stands_back(host, s))
    here = next(found, None)
    if here and here.unit:
        if here.name == TIMESYNCD and distro.init_system(host) == "systemd":
            text = paragraph(say("Enable the installed time service."), shown(host))
            return Remedy(text, ("timedatectl set-ntp true",))
        text = paragraph(say("Enable {name}, which is installed.", name=here.name), shown(host))
        return Remedy(text, distro.enable(host, here.unit))
    commands = distro.install(host, default="chrony")
    if distro.family(host) not in (None, "debian"):  # Debian's packages start what they bring
        commands += distro.enable(host, "chronyd.service")
    return Remedy(paragraph(say("Install a time service, such as chrony."), shown(host)), commands)


def shown(host: Host) -> str | None:
    """Say how timedatectl shows that all is well, in the words of old versions and of new ones."""
    if distro.init_system(host) != "systemd":
        return None
    return say(
        "timedatectl then shows System clock synchronized: yes and NTP service: active. Older versions show NTP "
        "synchronized: yes and NTP enabled: yes, or Network time on: yes."
    )


def finding(status: Status, service: Service | None, message: str, remedy: Remedy | None = None) -> Finding:
    """Make what clock.service says of a service, or of none."""
    evidence = TimeServiceEvidence(
        service=service.name if service else None,
        enabled=service.enabled if service else False,
        active=service.active if service else False,
    )
    return Finding(
        status=status,
        message=message,
        expected=phrase("one"),
        found=service.name if service else phrase("none"),
        evidence=evidence,
        remedy=remedy,
        reason=message if status in (Status.SKIP, Status.UNKNOWN) else None,
    )


def with_other_key(host: Host, finding: Finding) -> Finding:
    """Add to what is said of timesyncd that somebody named its servers by another key than the manual's."""
    if finding.found != TIMESYNCD or not (lines := host.timesyncd.or_(())):
        return finding
    first = min(lines, key=lambda line: line.key)  # the one that is ignored before the one that is not
    remark = say(_OTHER_KEYS[first.key], path=first.path, line=first.line)
    return replace(finding, message=paragraph(finding.message, remark))


def idle(host: Host, service: Service, works: Service | None) -> Finding:
    """Say of a service that is enabled and never starts, beside one that works or none."""
    condition = service.unmet or phrase("this host is not a VirtualBox guest")
    if works is None:
        message = say(
            "NTP enabled: no. {name} is enabled, but a condition in its unit prevents it from starting ({condition}).",
            name=service.name,
            condition=condition,
        )
        return finding(Status.WARN, service, message, get_one(host))
    message = say(
        "{name} is enabled, but never starts alongside {other} ({condition}). {other} gets the time from the "
        "VirtualBox host.",
        name=service.name,
        other=works.name,
        condition=condition,
    )
    text = say("Use only {other} to set the clock. Synchronise the clock of the VirtualBox host.", other=works.name)
    enable = distro.enable(host, works.unit) if works.unit and not works.enabled else ()
    disable = distro.disable(host, service.unit) if service.unit else ()
    return finding(Status.WARN, works, message, Remedy(text, (*enable, *disable)))


def rivals(host: Host, services: list[Service]) -> Finding:
    """Say that several services set the clock; one that works stays, and starts at boot before the others go."""
    names = ", ".join(service.name for service in services)
    keep = max(services, key=_worth)
    others = [service for service in services if service is not keep]
    commands = list(distro.enable(host, keep.unit)) if keep.unit and not keep.enabled else []
    for service in others:
        if service.unit and service.name != VIRTUALBOX and (keep.unit or keep.enabled):
            commands += distro.disable(host, service.unit)
    text = say("Keep only {name}. Two services that set the clock interfere with each other.", name=keep.name)
    if any(service.name == VIRTUALBOX for service in others):
        text = say(
            "Keep only {name}. On the VirtualBox host, switch off time synchronisation for this machine: VBoxManage "
            "setextradata MACHINE VBoxInternal/Devices/VMMDev/0/Config/GetHostTimeDisabled 1 (MACHINE is its name).",
            name=keep.name,
        )
    message = say("Two or more services set the clock at once: {names}.", names=names)
    return finding(Status.WARN, keep, message, Remedy(text, tuple(commands)))


def _worth(service: Service) -> tuple[bool, ...]:
    """Rank a service: one that starts again at the next boot and runs; an NTP service; chrony."""
    return (
        bool(service.unit) and not service.masked and not service.unmet,
        bool(service.active),
        bool(service.enabled),
        service.name != VIRTUALBOX,
        service.name == "chrony",
    )
