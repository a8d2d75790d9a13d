"""The plan: what a report advises, as ordered steps, each once, by where and when it is done. No sentences, no escapes.

One cause is one step: findings with the same remedy share it. A step that only helps once another one is done names the
check of that one.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from preflight.render.digest import Entry, entries
from preflight.report.evidence.names import RecordsEvidence
from preflight.report.model import Remedy, Report, Result, Severity, Status

Where = Literal["docker-run", "host", "provider", "dns", "mailcow.conf", "last"]

# As they are done: what was not seen comes first, since it may change all the rest.
ORDER: tuple[Where, ...] = ("docker-run", "host", "provider", "dns", "mailcow.conf", "last")
FLAGS = ("--privileged", "--pid=host", "--network=host")
_RUN = f"docker run --rm {' '.join(FLAGS)} mailcow-preflight"
_ADVISED = (Status.FAIL, Status.WARN, Status.UNKNOWN, Status.ERROR)
_SEE = re.compile(r"\bsee ([a-z]+\.[a-z-]+)")
_FLAG = re.compile(r"(?<![\w-])(--[a-z-]+(?:=[a-z]+)?)")
_NAME = re.compile(r"[A-Za-z0-9.-]{1,253}")


class Step(Struct, frozen=True):
    """A thing to do, for all its results. `after`: checks whose steps come first. `opens`: checks that wait for it."""

    entry: Entry
    remedy: Remedy
    after: tuple[str, ...] = ()
    opens: tuple[str, ...] = ()

    @property
    def results(self) -> tuple[Result, ...]:
        """Return the results that it is for."""
        return self.entry.results

    @property
    def failed(self) -> bool:
        """Say whether something fails without it."""
        return any(result.status is Status.FAIL for result in self.results)

    @property
    def judged(self) -> bool:
        """Say whether something is known to be wrong, and not only unknown."""
        return any(result.status in (Status.FAIL, Status.WARN) for result in self.results)

    @property
    def optional(self) -> bool:
        """Say whether mailcow works as well without it."""
        return all(result.severity is Severity.INFO for result in self.results)


class Group(Struct, frozen=True):
    """Steps that are done in one place, in their order."""

    where: Where
    steps: tuple[Step, ...]


class Plan(Struct, frozen=True):
    """All that is to be done. `line`: the whole `docker run` line, where `flags` of it were missing ('' = none was).

    `flagged`: the steps for which these flags are all that is needed; they are in no group.
    """

    groups: tuple[Group, ...]
    flags: tuple[str, ...] = ()
    line: str = ""
    flagged: tuple[Step, ...] = ()

    @property
    def unseen(self) -> int:
        """Return how many results are unknown for want of flags."""
        return sum(len(step.results) for step in self.flagged)

    def steps(self, where: Where) -> tuple[Step, ...]:
        """Return the steps of one place."""
        return next((group.steps for group in self.groups if group.where == where), ())


def plan(report: Report) -> Plan:
    """Make the plan of a report: waived and passed results ask for nothing."""
    found = [result for result in report.results if result.status in _ADVISED and result.remedy]
    found.sort(key=lambda result: _ADVISED.index(result.status))
    waiting = _waiting(report.results, {result.check for result in found})
    steps = [_step(entry, entry.remedy, waiting) for entry in entries(found) if entry.remedy]
    flagged = [step for step in steps if _wants_flags(step)]
    flags = tuple(flag for flag in FLAGS if any(flag in missing_flags(step.remedy) for step in flagged))
    groups = (_group(place, [step for step in steps if step not in flagged]) for place in ORDER)
    return Plan(
        groups=tuple(group for group in groups if group.steps),
        flags=flags,
        line=run_line(report) if flags else "",
        flagged=tuple(flagged),
    )


def where(remedy: Remedy) -> Where:
    """Say in which group a remedy stands: what is done when mailcow runs, or in its directory, is no step of today."""
    if remedy.when == "last":
        return "last"
    return "mailcow.conf" if remedy.when == "cloned" else remedy.place


def missing_flags(remedy: Remedy) -> tuple[str, ...]:
    """Return the flags of the documented `docker run` line that a remedy asks for."""
    return tuple(flag for flag in FLAGS if flag in _FLAG.findall(remedy.text))


def _wants_flags(step: Step) -> bool:
    return not step.judged and where(step.remedy) == "docker-run" and bool(missing_flags(step.remedy))


def run_line(report: Report) -> str:
    """Return the whole `docker run` line, with the name of the mail host where the report has one."""
    name = hostname(report)
    return f"{_RUN} --hostname {shlex.quote(name)}" if name else _RUN


def hostname(report: Report) -> str:
    """Return the name of the mail host that was asked about; '' = none that is one."""
    told = (row.evidence for row in report.results if row.check == "dns.hostname")
    names = (evidence.name for evidence in told if isinstance(evidence, RecordsEvidence))
    return next((name for name in names if _NAME.fullmatch(name)), "")


def _step(entry: Entry, remedy: Remedy, waiting: Mapping[str, tuple[str, ...]]) -> Step:
    own = {result.check for result in entry.results}
    opens = dict.fromkeys(check for cause in own for check in waiting.get(cause, ()))
    texts = [remedy.text, *(result.reason or "" for result in entry.results)]
    after = dict.fromkeys(cause for text in texts for cause in _SEE.findall(text) if cause in waiting)
    return Step(
        entry,
        remedy,
        tuple(cause for cause in after if cause not in own),
        tuple(check for check in opens if check not in own),
    )


def _waiting(results: Iterable[Result], causes: set[str]) -> dict[str, tuple[str, ...]]:
    """Return the checks that wait for another one's step, by that one: their reason names it."""
    found: dict[str, dict[str, None]] = {cause: {} for cause in causes}
    for result in results:
        if result.status.undecided:
            for cause in _SEE.findall(result.reason or ""):
                if cause in found:
                    found[cause][result.check] = None
    return {cause: tuple(checks) for cause, checks in found.items()}


def _group(place: Where, steps: Iterable[Step]) -> Group:
    own = [step for step in steps if where(step.remedy) == place]
    # A step that waits for another one stands behind it; else the order stays.
    free = [step for step in own if not step.after]
    return Group(place, (*free, *(step for step in own if step.after)))
