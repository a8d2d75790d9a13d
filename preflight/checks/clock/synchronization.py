"""Whether the kernel's clock is kept right."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.clock import timekeepers
from preflight.checks.remedies import distro
from preflight.checks.sources import PREREQUISITES, issue
from preflight.facts import Host
from preflight.report.evidence.clock import ClockEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import paragraph, phrase, say

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
    """The kernel reports that its clock is synchronised

    Two-factor codes (TOTP), DNSSEC, certificates and mail headers need the correct time. timedatectl shows NTP
    synchronized: yes if the error that the kernel assumes is below 16 seconds.
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
    message = say("NTP synchronized: no. The kernel does not know how far off its clock is.")
    if synced:
        message = say(
            "NTP synchronized: yes. The kernel reports an error of at most {seconds} s.",
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
                "This {container} container uses the clock of its host. Synchronise the clock there.",
                container=container,
            )
        )
    chosen = [service for service in timekeepers.every(host) if service.enabled or service.active]
    if not chosen:
        return timekeepers.get_one(host)
    name, unit = chosen[0].name, chosen[0].unit
    text = say(
        "{name} is installed, but has not reached a time server yet. Check its status, and allow outgoing packets to "
        "UDP port 123.",
        name=name,
    )
    return Remedy(
        paragraph(text, timekeepers.shown(host)),
        (*(distro.restart(host, unit) if unit else ()), WATCH.get(name, "ntpq -p")),
    )
