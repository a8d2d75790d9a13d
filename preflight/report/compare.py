"""What changed between two reports on a host: a value of its own, without judging anew."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from preflight.report.model import Remedy, Report, Result, Severity, Status, Verdict

SCHEMA = 1
GROUPS = ("broken", "fixed", "still_failing", "other", "not_in_both")
Key = tuple[str, str | None]

_FINDINGS = (Status.FAIL, Status.WARN)


class Side(Struct, frozen=True):
    """One of the two reports, in a line."""

    host: str | None
    started: str
    verdict: Verdict
    requirements: str
    version: str


class Change(Struct, frozen=True, kw_only=True):
    """What became of one check on one subject; `before`, `after`: None where that report has no such result.

    The rest is the newer result's, the older one's where there is no newer.
    """

    check: str
    subject: str | None
    section: str
    severity: Severity
    title: str
    before: Status | None
    after: Status | None
    message: str
    remedy: Remedy | None

    @property
    def key(self) -> Key:
        """Return what the result is called."""
        return self.check, self.subject


class Comparison(Struct, frozen=True, kw_only=True):
    """Two reports, and what differs.

    `broken`: weighs more on the verdict than before. `fixed`: was found wrong or could not be found out, and passes
    now, or is gone. `still_failing`: fails, or warns, as before. `other`: any other change of a status. `not_in_both`:
    results of a check that only one of the two asked, so that nobody knows whether anything changed.
    """

    schema: int
    old: Side
    new: Side
    worse: bool
    broken: tuple[Change, ...]
    fixed: tuple[Change, ...]
    still_failing: tuple[Change, ...]
    other: tuple[Change, ...]
    not_in_both: tuple[Change, ...]
    unchanged: int

    def is_new(self, key: Key) -> bool:
        """Say whether a result of the newer report is worse than it was."""
        return any(change.key == key for change in self.broken)

    def is_unasked(self, key: Key) -> bool:
        """Say whether a result of the newer report is of a check that the older one did not ask."""
        return any(change.key == key for change in self.not_in_both)

    @property
    def apart(self) -> tuple[int, int]:
        """Return how many checks only the older report asked, and how many only the newer one."""
        old = {change.check for change in self.not_in_both if change.after is None}
        return len(old), len({change.check for change in self.not_in_both} - old)

    @property
    def empty(self) -> bool:
        """Say whether the two have no check in common: then nothing was compared."""
        return not (self.unchanged or self.broken or self.fixed or self.still_failing or self.other)


def weight(status: Status | None, severity: Severity) -> int:
    """Return how much a result weighs on the verdict: a failure most, then a required one that nobody knows."""
    if status is Status.FAIL:
        return 3
    if status is not None and status.open and severity is Severity.REQUIRED:
        return 2
    return 1 if status is Status.WARN else 0


def compare(old: Report, new: Report) -> Comparison:
    """Tell what changed from one report to another."""
    before = {_key(result): result for result in old.results}
    after = {_key(result): result for result in new.results}
    settled = _settled(new.results)
    asked = {check for check, _ in before} & {check for check, _ in after}  # every check that runs has a result
    groups: dict[str, list[Change]] = {name: [] for name in GROUPS}
    unchanged = 0
    for key in dict.fromkeys([*after, *before]):
        then, now = before.get(key), after.get(key)
        kind = _kind(then, now, gone=key[0] in settled) if key[0] in asked else "not_in_both"
        if kind:
            groups[kind].append(_change(then, now))
        else:
            unchanged += 1
    return Comparison(
        schema=SCHEMA,
        old=_side(old),
        new=_side(new),
        worse=bool(groups["broken"]),
        unchanged=unchanged,
        **{kind: tuple(changes) for kind, changes in groups.items()},
    )


def _key(result: Result) -> Key:
    return result.check, result.subject


def _settled(results: Iterable[Result]) -> frozenset[str]:
    """Return the checks that came to know all that they look at: a subject that is not among theirs is gone."""
    results = tuple(results)
    return frozenset(result.check for result in results) - {
        result.check for result in results if (result.was or result.status).undecided
    }


def _kind(then: Result | None, now: Result | None, *, gone: bool) -> str:
    """Say where a change belongs; '' is none."""
    before, after = (result.status if result else None for result in (then, now))
    if now and weight(after, now.severity) > (weight(before, then.severity) if then else 0):
        return "broken"
    if before is after:
        return "still_failing" if after in _FINDINGS else ""
    wrong = before is not None and (before.open or before in (*_FINDINGS, Status.IGNORED))
    if wrong and (after is Status.PASS or (after is None and gone)):
        return "fixed"
    return "other"


def _change(then: Result | None, now: Result | None) -> Change:
    result = now or then
    assert result is not None, "one of them is there"
    return Change(
        check=result.check,
        subject=result.subject,
        section=result.section,
        severity=result.severity,
        title=result.title,
        before=then.status if then else None,
        after=now.status if now else None,
        message=result.message,
        remedy=now.remedy if now else None,
    )


def _side(report: Report) -> Side:
    return Side(report.host.name, report.started, report.verdict, report.requirements.name, report.tool.version)
