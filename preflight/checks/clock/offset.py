"""How far off the clock is, by the time that servers tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from preflight.checks import Look, check
from preflight.checks.clock import setting, telling, timekeepers
from preflight.checks.clock.opinions import Opinion, majority, of_time_servers, of_web_servers
from preflight.checks.findings import Measured
from preflight.checks.sources import PREREQUISITES, issue
from preflight.facts import Times
from preflight.report.evidence.clock import OffsetEvidence
from preflight.report.model import Finding, Severity, Status
from preflight.text.durations import duration
from preflight.text.sentences import paragraph, phrase, say, told

if TYPE_CHECKING:
    from preflight.mailcow.requirements import ClockLimit, ClockRequirements


class _Measure(Struct, frozen=True):
    """What servers say: all opinions, those of the majority, and whether they are Dates of web servers."""

    opinions: list[Opinion]
    agreeing: list[Opinion]
    by_date: bool

    @property
    def best(self) -> Opinion | None:
        """Return the most exact opinion of the majority; None: there is no majority."""
        return min(self.agreeing, key=lambda opinion: opinion.error, default=None)


@check(
    severity=Severity.REQUIRED,
    reads=("times", "clock", "services", "os_release", "virtualization"),
    remedy="Set the clock: enable a time service such as chrony, and allow outgoing packets to UDP port 123.",
    docs=(PREREQUISITES,),
    sources=(issue(519),),
)
def offset(look: Look) -> Iterator[Finding]:
    """The clock shows the correct time

    Two-factor codes (TOTP) are valid for 30 seconds, plus 30 seconds before and after. DNSSEC signatures and new
    certificates have a start time and an end time, and Dovecot ends its sessions if the clock is set back.
    """
    times = look.host.times.get()
    limits = look.requirements.clock
    measure = _measured(times, limits)
    best = measure.best
    measured = Measured(
        evidence=OffsetEvidence(
            seconds=best.seconds if best else None,
            error=best.error if best else None,
            servers=telling.evidence(times, measure.agreeing),
        ),
        expected=phrase("at most {limit}", limit=duration(min(limit.seconds for limit in limits.limits))),
        found=duration(best.seconds) if best else None,
    )
    if best is None:
        yield _undecided(measured, times, measure)
        return
    yield _judged(look, measured, times, measure, best)


def _measured(times: Times, limits: ClockRequirements) -> _Measure:
    opinions = of_time_servers(times, limits.agree_seconds)
    by_date = not opinions
    if by_date:
        opinions = of_web_servers(times)
    return _Measure(opinions, majority(opinions, limits.agree_seconds), by_date and bool(opinions))


def _judged(look: Look, measured: Measured, times: Times, measure: _Measure, best: Opinion) -> Finding:
    """Judge by the most exact server of the majority; a failure is one only where no error explains it."""
    limits = look.requirements.clock.limits
    crossed = [limit for limit in limits if abs(best.seconds) > limit.seconds]
    fails = any(limit.fails and abs(best.seconds) - best.error > limit.seconds for limit in limits)
    if crossed and len(measure.agreeing) == 1 and timekeepers.in_step(look.host):
        return _alone(measured, best)
    status = Status.FAIL if fails else Status.WARN if crossed else Status.PASS
    message = paragraph(
        _how_far(best, crossed),
        *(told(limit.reason) for limit in crossed[-1:]),  # the worst of them; the others stand in the description
        _how_known(measure, best, exactly=not crossed),
        telling.left_out(times, measure.agreeing),
    )
    return measured.judged(status, message, setting.right(look.host) if crossed else None)


def _how_far(best: Opinion, crossed: list[ClockLimit]) -> str:
    values = {"offset": duration(best.seconds), "error": duration(best.error)}
    if not crossed:
        return say("The clock is correct: it is off by {offset} (± {error}).", **values)
    if best.seconds > 0:
        return say("The clock is {offset} (± {error}) behind.", **values)
    return say("The clock is {offset} (± {error}) ahead.", **values)


def _how_known(measure: _Measure, best: Opinion, *, exactly: bool) -> str:
    servers = ", ".join(opinion.server for opinion in measure.agreeing)
    if measure.by_date:
        return say(
            "No time server answers. The time comes from web servers over HTTPS, accurate to a second: {servers}.",
            servers=servers,
        )
    if len(measure.agreeing) == 1:
        return say("Only one time server gives this time, and nothing confirms it: {servers}.", servers=servers)
    agree = say("Time servers that agree: {servers}.", servers=servers)
    if not exactly:
        return agree
    half = say(
        "The error includes half of the round-trip time ({delay}), because one direction may be slower.",
        delay=duration(best.delay),
    )
    return paragraph(agree, half)


def _alone(measured: Measured, best: Opinion) -> Finding:
    reason = say(
        "Only one time server answers: {server}. Its time differs from the clock by {offset}, but "
        "the kernel says that the clock is synchronised.",
        server=best.server,
        offset=duration(best.seconds),
    )
    return measured.unknown(reason, say("Set more time servers with --ntp-server."), place="docker-run")


def _undecided(measured: Measured, times: Times, measure: _Measure) -> Finding:
    """Say why no time is known: servers that contradict each other, or none that tells one."""
    if measure.opinions:
        servers = ", ".join(telling.opinion(one) for one in measure.opinions)
        reason = say("The servers contradict each other, and no majority agrees on a time: {servers}.", servers=servers)
        return measured.unknown(reason, say("Set more time servers with --ntp-server."), place="docker-run")
    return telling.nobody(measured, times)
