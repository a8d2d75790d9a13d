"""How a report begins: the verdict in words, and what to do next. Never more is promised than was looked at."""

from __future__ import annotations

from msgspec import Struct

from preflight.render import words
from preflight.render.context import Coverage
from preflight.render.digest import Digest, digest
from preflight.report.model import Report, Result, Severity, Status, Verdict

_NAME = "dns.hostname"


class Opening(Struct, frozen=True):
    """The first lines. `install` is '' where the host is not known to be ready; `state` names the verdict's colour."""

    symbol: str
    state: str
    headline: str
    next: str
    install: str = ""


def opening(report: Report, digest: Digest, coverage: Coverage | None = None) -> Opening:
    """Begin a report. `coverage` None: all checks ran."""
    if report.verdict is Verdict.NOT_READY:
        # A host can be not ready without a failure where warnings count as such.
        text = words.NEXT[report.verdict] if digest.blocks else words.STRICT
        return Opening("❌", "fail", words.HEADLINE[report.verdict], text)
    if report.verdict is Verdict.UNDETERMINED:
        text = " ".join([*_nameless(report), words.NEXT[report.verdict]])
        return Opening("❓", "unknown", words.HEADLINE[report.verdict], text)
    if not digest.judged:
        return Opening("❓", "unknown", words.UNJUDGED, words.UNJUDGED_NEXT)
    return _ready(report, digest, coverage)


def written(report: Report, coverage: Coverage, paths: tuple[str, ...]) -> str:
    """Say in one line how a check ended whose report went to files alone."""
    headline = opening(report, digest(report), coverage).headline
    return words.WRITTEN.format(headline=headline, verdict=report.verdict.value, paths=", ".join(paths))


def _ready(report: Report, digest: Digest, coverage: Coverage | None) -> Opening:
    waived = sum(map(_stood_in_the_way, digest.waived))
    some = [words.WAIVED_NEXT.format(count=waived)] if waived else []
    if coverage is not None and coverage.partial:
        some.append(words.PARTLY_NEXT.format(asked=coverage.run, all=coverage.all))
    if waived:
        return Opening("⚠", "warn", words.WAIVED_READY, " ".join(some))
    state = "warn" if report.counts.warn else "pass"
    if coverage is not None and coverage.partial:
        return Opening("✅", state, words.PARTLY_READY, " ".join(some))
    left = any(row.status is Status.SKIP and row.severity is Severity.REQUIRED for row in report.results)
    text = " ".join([*_nameless(report), words.NEXT[report.verdict], *([words.SKIPPED_TOO] if left else [])])
    return Opening("✅", state, words.HEADLINE[report.verdict], text, words.INSTALL)


def _nameless(report: Report) -> list[str]:
    """Say that names were not looked at where none was given: the check of the name itself is skipped only then."""
    skipped = any(row.check == _NAME and row.status is Status.SKIP for row in report.results)
    return [words.NO_NAME] if skipped else []


def _stood_in_the_way(result: Result) -> bool:
    was = result.was
    return was is Status.FAIL or (was is not None and was.open and result.severity is Severity.REQUIRED)
