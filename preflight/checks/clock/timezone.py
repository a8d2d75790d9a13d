"""The time zone, and whether mailcow's two sources of it agree."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.remedies import distro
from preflight.checks.sources import PREREQUISITES
from preflight.facts import Host, Timezone
from preflight.report.evidence.clock import TimezoneEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import noted, paragraph, phrase, say


@check(
    severity=Severity.INFO,
    reads=("timezone", "os_release", "services"),
    remedy="Set the time zone with timedatectl set-timezone, and set the hardware clock to UTC.",
    docs=(PREREQUISITES,),
)
def timezone(look: Look) -> Iterator[Finding]:
    """The time zone is set and the hardware clock runs in UTC

    mailcow uses the host's time zone (TZ in mailcow.conf) for log files and quarantine notifications. A hardware clock
    in local time jumps twice a year, and the host then starts with the wrong time.
    """
    zone = look.host.timezone.get()
    named = say("No time zone is set, so the host uses UTC.")
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
    remedies = {True: _hardware_clock(look.host), False: None, None: Remedy(say("Check /etc/adjtime."))}
    yield Finding(
        status=status,
        message=paragraph(named, disagrees, say(_HARDWARE_CLOCK[zone.rtc_local])),
        expected=phrase("hardware clock in UTC"),
        found=zone.zone or "UTC",
        evidence=TimezoneEvidence(zone=zone.zone, rtc_local=zone.rtc_local),
        reason=say("Cannot read the file that says whether the hardware clock runs in UTC.") if not known else None,
        remedy=remedies[zone.rtc_local],
    )


_SAME = ("UTC", "UCT", "Zulu", "Universal", "Greenwich", "GMT")  # each with and without Etc/


def _disagreement(zone: Timezone) -> str | None:
    """Say that the two files with the zone's name disagree: mailcow's installer looks into /etc/timezone first."""
    if zone.written is None or _plain(zone.written) == _plain(zone.zone or "UTC"):
        return None
    if not zone.written:
        return say("/etc/timezone does not name a time zone, and mailcow's installer reads it first.")
    return say(
        "/etc/timezone says {written}, but /etc/localtime says {zone}. mailcow's installer uses {written}.",
        written=zone.written,
        zone=zone.zone or "UTC",
    )


def _plain(name: str) -> str:
    """Return a zone's name without what makes no other zone of it."""
    name = name.removeprefix("posix/").removeprefix("right/")
    return "UTC" if name.removeprefix("Etc/") in _SAME else name


def _one_zone(zone: Timezone) -> Remedy:
    wanted = zone.zone or "UTC"
    text = say("Remove /etc/timezone, or set MAILCOW_TZ={zone} when you run mailcow's generate_config.sh.", zone=wanted)
    return Remedy(text, ("rm /etc/timezone",))


_HARDWARE_CLOCK = {
    True: noted("The hardware clock runs in local time (RTC in local TZ: yes)."),
    False: noted("The hardware clock runs in UTC."),
    None: noted("Could not determine the time zone of the hardware clock."),
}


def _hardware_clock(host: Host) -> Remedy:
    command = "timedatectl set-local-rtc 0" if distro.init_system(host) == "systemd" else "hwclock --systohc --utc"
    return Remedy(say("Set the hardware clock to UTC."), (command,))
