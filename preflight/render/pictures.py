"""What a picture says better, as plain numbers: sizes against what is asked for, and a health check's way in time."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from preflight.report.evidence.engine import HealthEvidence
from preflight.report.evidence.host import SizeEvidence, SpaceEvidence
from preflight.report.model import Evidence, Result, Status

MEMORY, SWAP, DISK, HEALTH = "resources.memory", "resources.swap", "resources.disk", "docker.healthcheck"
STATES = 20  # of one health check; a sane one has four
STATES_KNOWN = ("starting", "unhealthy", "healthy")

_JUDGED = (Status.PASS, Status.WARN, Status.FAIL, Status.IGNORED)
_LONGEST = float(1 << 40)  # seconds; recorded facts may hold any number


class Bar(Struct, frozen=True):
    """A size against what is asked for, which every bar is as long as: `filled` in percent, `times` in all."""

    check: str
    subject: str | None
    status: Status
    found: str
    expected: str
    filled: float
    times: float


class Stretch(Struct, frozen=True):
    """One state of a container on the line of time; `start` and `width` in percent of the line."""

    state: str
    seconds: float
    start: float
    width: float


def bars(results: Iterable[Result]) -> tuple[Bar, ...]:
    """Return a bar for memory, swap and each path of which the size is known, and what is asked for."""
    return tuple(bar for bar in map(_bar, results) if bar)


def _bar(result: Result) -> Bar | None:
    size, wanted = _size(result.evidence)
    if result.status not in _JUDGED or size is None or size < 0 or not wanted:
        return None
    return Bar(
        check=result.check,
        subject=result.subject,
        status=result.status,
        found=result.found or "",
        expected=result.expected or "",
        filled=round(100 * min(size, wanted) / wanted, 2),
        times=size / wanted,
    )


def _size(evidence: Evidence) -> tuple[int | None, int | None]:
    """Return the bytes that are there, and those that mailcow asks for; None: not known."""
    if isinstance(evidence, SizeEvidence):
        return evidence.bytes, evidence.needed_bytes
    if isinstance(evidence, SpaceEvidence):
        return evidence.available_bytes, evidence.needed_bytes
    return None, None


def timeline(results: Iterable[Result]) -> tuple[Stretch, ...]:
    """Return the states that the container of the health check went through; none where that is not known."""
    ran = next((result.evidence for result in results if isinstance(result.evidence, HealthEvidence)), None)
    moments = ran.states if ran else ()
    times = [seconds for seconds, _ in moments]
    if not 0 < len(moments) <= STATES or times != sorted(times) or not 0 <= times[0] <= times[-1] < _LONGEST:
        return ()
    end = times[-1] * 1.25 or 1.0  # the last state lasts on: it needs a width as well
    return tuple(
        Stretch(state, seconds, round(100 * seconds / end, 2), round(100 * (until - seconds) / end, 2))
        for (seconds, state), until in zip(moments, [*times[1:], end], strict=True)
    )
