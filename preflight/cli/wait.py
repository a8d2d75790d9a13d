"""`--wait`: look again at what keeps the host from being ready, until it is, or the time is over.

Each look has the deadline of a run, asks only the parts that the open checks read (`gathering/again.py` decides), and
tells in a line each what became better or worse.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from threading import Event

from msgspec import Struct
from msgspec.structs import replace

from preflight.checks import Check
from preflight.cli.survey import Survey
from preflight.facts import Host
from preflight.facts.parts import fact
from preflight.gathering import again
from preflight.render import words
from preflight.render.changes import moved, name
from preflight.report.compare import Change, compare
from preflight.report.model import Report, Result, Severity, Status, Verdict
from preflight.text.sentences import say

PAUSE, LONGEST = 2.0, 30.0  # seconds between two looks, at first and at most; each pause is twice the one before
READY = (Verdict.READY, Verdict.READY_WITH_WARNINGS)
_FOR_GOOD = ("denied", "copy", "container")  # causes of facts that are missing as long as this program runs


class Wait(Struct, frozen=True):
    """What is waited for: `seconds` since the run began, `judge` makes the report of a host.

    `strict`: warnings keep it from being ready. `redacted`: what is told names no subject.
    """

    seconds: float
    checks: tuple[Check, ...]
    judge: Callable[[Host], Report]
    tell: Callable[[str], None]
    stop: Event
    strict: bool = False
    redacted: bool = False

    def until_ready(self, survey: Survey, host: Host) -> Host:
        """Look again and again; return the host as it was last seen, with the seconds of all looks."""
        report, pause, first = self.judge(host), PAUSE, host
        if not self._open(report):
            return host
        began = time.monotonic() - host.seconds
        asked = dict.fromkeys(survey.begun.facts, time.monotonic())
        self._begin(report, host)
        while self._worth_it(report, host):
            due = again.due(self._parts(report, survey), asked)
            at = max(time.monotonic() + pause, min(due.values(), default=0.0))
            at = min(at, began + self.seconds)
            places = frozenset(place for place, moment in due.items() if moment <= at)
            if not places or time.monotonic() >= at or self.stop.wait(at - time.monotonic()):
                break
            looked = survey.again(places)
            asked |= dict.fromkeys(places, time.monotonic())
            host = replace(looked, started=first.started, seconds=round(time.monotonic() - began, 3))
            before, report = report, self.judge(host)
            self._tell_changes(before, report)
            pause = min(2 * pause, LONGEST)
        self._end(report, host, time.monotonic() - began)
        return host

    def _worth_it(self, report: Report, host: Host) -> bool:
        """Say whether another look may find the host ready."""
        reads = {check.id: check.reads for check in self.checks}
        return not self.stop.is_set() and any(
            not _for_good(result, reads[result.check], host) for result in self._open(report)
        )

    def _open(self, report: Report) -> list[Result]:
        """Return the results that keep the host from being ready."""
        return [result for result in report.results if self._in_the_way(result)]

    def _in_the_way(self, result: Result) -> bool:
        if result.status is Status.FAIL or (self.strict and result.status is Status.WARN):
            return True
        return result.status.open and result.severity is Severity.REQUIRED

    def _parts(self, report: Report, survey: Survey) -> frozenset[str]:
        """Return the parts that the open checks read, and those that these could not be made without."""
        open_checks = {result.check for result in self._open(report)}
        reads = {place for check in self.checks if check.id in open_checks for place in check.reads}
        return again.with_missing_bases(reads - again.LASTING, survey.begun.before())

    def _begin(self, report: Report, host: Host) -> None:
        if not self._worth_it(report, host):
            return
        left = f"{max(0.0, self.seconds - host.seconds):.0f}"
        names = ", ".join(_names(self._open(report)))
        self.tell(say("Not ready yet: {names}. Checking again for up to {left} s.", names=names, left=left))

    def _tell_changes(self, before: Report, after: Report) -> None:
        found = compare(before, after)
        for kind in ("broken", "fixed"):
            for change in getattr(found, kind):
                self.tell(f"{words.CHANGES[kind]}: {self._told(change)}")

    def _told(self, change: Change) -> str:
        if self.redacted:
            return f"{change.check}: {moved(change)}"
        return f"{words.sentence(change.message)} {name(change)}: {moved(change)}"

    def _end(self, report: Report, host: Host, seconds: float) -> None:
        """Say why it is not looked at again."""
        spent = f"{seconds:.0f}"
        if self.stop.is_set():
            return
        rest = self._open(report)
        names = ", ".join(_names(rest))
        if not rest:
            self.tell(say("Ready after {seconds} s.", seconds=spent))
        elif not self._worth_it(report, host):
            self.tell(say("Waiting does not help here: {names}.", names=names))
        else:
            self.tell(say("Not ready after {seconds} s: {names}.", seconds=spent, names=names))


def _for_good(result: Result, reads: Iterable[str], host: Host) -> bool:
    """Say whether a result stays as it is, however long this program runs."""
    if not result.status.open:
        return again.LASTING.issuperset(reads)
    missing = [found.missing for found in (fact(host, place) for place in reads) if found.missing is not None]
    if any(why.cause == "late" for why in missing):
        return False  # more time is what options give, but another look may be faster
    by_options = result.remedy is not None and result.remedy.place == "docker-run"
    return by_options or any(why.cause in _FOR_GOOD and why.reason == result.reason for why in missing)


def _names(results: Iterable[Result]) -> list[str]:
    return list(dict.fromkeys(result.check for result in results))
