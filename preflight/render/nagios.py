"""The report as the output of a monitoring plugin, as Nagios, Icinga, Naemon and Checkmk's MRPE read it.

The first line is the state in a word, the verdict with the numbers, and performance data behind a `|`; then a line for
each finding. Format: https://www.monitoring-plugins.org/doc/guidelines.html
`|` begins performance data wherever it stands, so it is written out in all that is said; commands, which cannot be
changed, are left out. Nagios reads 8 KiB of a plugin and drops the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from preflight.render import monitor_words, words
from preflight.render.context import Context
from preflight.render.digest import digest
from preflight.render.escape import terminal
from preflight.render.opening import opening
from preflight.report.model import Report, Result, Status, Verdict

BYTES = 7000  # of the whole output, with room for what a wrapper or a transport adds
SUBJECT = 100  # characters
MESSAGE = 300
_STATES = {
    Verdict.READY: "OK",
    Verdict.READY_WITH_WARNINGS: "WARNING",
    Verdict.NOT_READY: "CRITICAL",
    Verdict.UNDETERMINED: "UNKNOWN",
}
# What is told, the gravest first; each status with its word.
_TOLD = {
    Status.FAIL: "CRITICAL",
    Status.WARN: "WARNING",
    Status.ERROR: "UNKNOWN",
    Status.UNKNOWN: "UNKNOWN",
    Status.IGNORED: "OK",
}


def nagios(report: Report, context: Context) -> str:
    """Return the state and the numbers in a line, and the findings below."""
    found = digest(report)
    # Nothing failed where nothing was judged; to a monitoring system that is no good news.
    state = _STATES[report.verdict] if found.judged else "UNKNOWN"
    headline = opening(report, found, context.coverage).headline
    numbers = ", ".join(text for _, text in words.counts(report.counts))
    said = f"{headline}: {numbers}" if numbers else headline
    first = f"{monitor_words.SERVICE} {state}: {said} | {' '.join(_performance(report))}"
    redacted = [words.REDACTED] if context.redacted else []
    return "\n".join([first, *redacted, *_within(_findings(report), BYTES - len(first.encode()))]) + "\n"


def _performance(report: Report) -> Iterator[str]:
    """Yield `label=value;warn;crit;min`: the number of results with each status, and how long the run took."""
    for status in Status:
        number = sum(result.status is status for result in report.results)
        yield f"{status.value}={number};;;0"
    yield f"time={report.seconds:.3f}s;;;0"


def _findings(report: Report) -> list[str]:
    """Return what is told of each finding, its lines joined. Advice that the one before has is not repeated."""
    told, last = [], ""
    for status in _TOLD:
        for result in (result for result in report.results if result.status is status):
            advice = result.remedy.text if result.remedy and status is not Status.IGNORED else ""
            told.append("\n".join(_lines(result, "" if advice == last else advice)))
            last = advice
    return told


def _lines(result: Result, advice: str) -> Iterator[str]:
    check = terminal(result.check, SUBJECT)
    name = check if result.subject is None else f"{check} ({terminal(result.subject, SUBJECT)})"
    # Of what is not known, the reason is what there is to say.
    said = result.reason if result.status.open and result.reason else result.message
    yield _safe(f"[{_TOLD[result.status]}] {name}: {terminal(said, MESSAGE)}")
    if result.reason and not result.status.open:
        label = words.BECAUSE if result.status is Status.IGNORED else words.REMARK
        yield _safe(f"    {label} {terminal(result.reason, MESSAGE)}")
    if advice:
        yield _safe(f"    {words.REMEDY} {terminal(advice, 2 * MESSAGE)}")


def _safe(text: str) -> str:
    return text.replace("|", "\\x7c")


def _within(findings: Iterable[str], budget: int) -> Iterator[str]:
    """Yield findings, whole ones, as long as there is room, and how many more there are."""
    left = list(findings)
    while left and budget >= (size := len(left[0].encode()) + 1):
        budget -= size
        yield left.pop(0)
    if left:
        yield words.MORE.format(count=len(left))
