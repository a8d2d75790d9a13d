"""What a picture says better, as plain numbers: sizes against what is asked for, and a health check's way in time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from preflight.report.model import Result, Status

MEMORY, SWAP, DISK, HEALTH = "resources.memory", "resources.swap", "resources.disk", "docker.healthcheck"
STATES = 20  # of one health check; a sane one has four
STATES_KNOWN = ("starting", "unhealthy", "healthy")

_BYTES = {MEMORY: "bytes", SWAP: "bytes", DISK: "available_bytes"}
_JUDGED = (Status.PASS, Status.WARN, Status.FAIL, Status.IGNORED)
_SIZE = re.compile(r"(\d[\d,]{0,20}(?:\.\d{1,6})?) ?([KMGTP])iB")
_UNITS = {unit: 1 << 10 * power for power, unit in enumerate("KMGTP", 1)}
# The scale ends at what is there, but never before what is asked for can be seen, nor where that would be a sliver.
_LEAST, _MOST = 1.25, 2.5


class Bar(Struct, frozen=True):
    """A size against what is asked for; `filled` and `mark` in percent of the bar."""

    check: str
    subject: str | None
    status: Status
    found: str
    expected: str
    filled: float
    mark: float


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
    size = _number(result.evidence.get(_BYTES.get(result.check, "")))
    wanted = _size(result.expected)
    if result.status not in _JUDGED or size is None or not wanted:
        return None
    scale = min(max(size, _LEAST * wanted), _MOST * wanted)
    return Bar(
        check=result.check,
        subject=result.subject,
        status=result.status,
        found=result.found or "",
        expected=result.expected or "",
        filled=round(100 * min(size, scale) / scale, 2),
        mark=round(100 * wanted / scale, 2),
    )


def _size(text: str | None) -> float | None:
    """Return the bytes that an expectation such as `6.0 GiB` or `20.0 GiB free` speaks of."""
    match = _SIZE.search(text or "")
    return float(match[1].replace(",", "")) * _UNITS[match[2]] if match else None


def _number(value: Any) -> float | None:
    """Return a number as such; evidence may have any shape."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value < 1 << 80 and math.isfinite(value) else None


def timeline(results: Iterable[Result]) -> tuple[Stretch, ...]:
    """Return the states that the container of the health check went through; none where that is not known."""
    found = next((result for result in results if result.check == HEALTH), None)
    states = found.evidence.get("states") if found else None
    if not isinstance(states, list | tuple) or not 0 < len(states) <= STATES:
        return ()
    moments: list[tuple[float, str]] = []
    for entry in states:
        if not isinstance(entry, list | tuple) or len(entry) != 2 or not isinstance(entry[1], str):
            return ()
        seconds = _number(entry[0])
        if seconds is None or (moments and seconds < moments[-1][0]):
            return ()
        moments.append((seconds, entry[1]))
    end = moments[-1][0] * 1.25 or 1.0  # the last state lasts on: it needs a width as well
    ends = [*(seconds for seconds, _ in moments[1:]), end]
    return tuple(
        Stretch(state, seconds, round(100 * seconds / end, 2), round(100 * (until - seconds) / end, 2))
        for (seconds, state), until in zip(moments, ends, strict=True)
    )
