"""The plan as every report for people numbers it: what is wrong by place and time, then what is only unknown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count

from msgspec import Struct

from preflight.render import plan_words, words
from preflight.render.context import Context
from preflight.render.digest import Entry, Reason, causes, entries
from preflight.render.plan import ORDER, Plan, Step, plan
from preflight.render.records import Part, parts
from preflight.report.model import Report, Result, Severity, Status

_WRONG = (Status.FAIL, Status.WARN)


class Numbered(Struct, frozen=True):
    """A thing to do, or, with `step` None, a problem of which no remedy is known.

    `entry`: what is wrong; where all of it is unknown, that. `reasons`: why the rest, or all, is unknown. `details`:
    what other programs said of it.
    """

    number: int
    entry: Entry
    reasons: tuple[Reason, ...]
    details: tuple[str, ...]
    checks: tuple[str, ...]
    step: Step | None

    @property
    def status(self) -> Status:
        """Return the gravest status of its results."""
        order = (*_WRONG, Status.ERROR, Status.UNKNOWN)
        return min((result.status for result in self.entry.results), key=order.index)

    @property
    def known(self) -> bool:
        """Say whether something is known to be wrong."""
        return self.status in _WRONG


class Flags(Struct, frozen=True):
    """The first step where flags of `docker run` are missing: what that costs, and the line that has them."""

    number: int
    title: str
    line: str
    reasons: tuple[Reason, ...]


class Place(Struct, frozen=True):
    """What is done in one place, below its tables of records. `name`: where, or `no-fix`, or `unknown`."""

    name: str
    title: str
    steps: tuple[Numbered, ...]
    tables: tuple[Part, ...] = ()
    flags: Flags | None = None


class Steps(Struct, frozen=True):
    """All that is to be done, in order."""

    places: tuple[Place, ...]

    @property
    def flags(self) -> Flags | None:
        """Return the step that comes before all others, if there is one."""
        return next((place.flags for place in self.places if place.flags), None)

    @property
    def all(self) -> tuple[Numbered, ...]:
        """Return the steps of all places."""
        return tuple(step for place in self.places for step in place.steps)

    @property
    def later(self) -> tuple[int, ...]:
        """Return the numbers of the steps that have to wait for mailcow."""
        return tuple(step.number for place in self.places if place.name == "last" for step in place.steps)

    def having(self, status: Status) -> int:
        """Return how many steps have a status."""
        return sum(step.status is status for step in self.all)


def steps(report: Report, context: Context) -> Steps:
    """Number the plan of a report."""
    made, tables = plan(report), parts(report, context)
    numbers = count(1)
    places = (*_wrong(made, report.results, tables, numbers), *_unknown(made, report.results, numbers))
    return Steps(tuple(place for place in places if place.steps or place.tables or place.flags))


def _flags(made: Plan, number: int) -> Flags:
    form = plan_words.FLAG if made.unseen == 1 else plan_words.FLAGS
    results = [result for step in made.flagged for result in step.results]
    return Flags(number, form.format(count=made.unseen, flags=", ".join(made.flags)), made.line, causes(results))


def _wrong(made: Plan, results: Iterable[Result], tables: Iterable[Part], numbers: Iterator[int]) -> Iterator[Place]:
    """Yield what is known to be wrong, by where something is done about it."""
    for where in ORDER:
        flags = _flags(made, next(numbers)) if made.flags and where == "docker-run" else None
        own = [_numbered(next(numbers), step.entry, step) for step in made.steps(where) if step.judged]
        shown = tuple(table for table in tables if table.place == where)
        yield Place(where.replace(".", "-"), plan_words.HEADINGS[where], tuple(own), shown, flags)
    loose = entries(result for status in _WRONG for result in results if _is_loose(result) and result.status is status)
    yield Place("no-fix", plan_words.NO_FIX, tuple(_numbered(next(numbers), entry, None) for entry in loose))


def _unknown(made: Plan, results: Iterable[Result], numbers: Iterator[int]) -> Iterator[Place]:
    """Yield what could not be determined, first what the verdict depends on; without a remedy, all of it is one."""
    found: list[tuple[Entry, Step | None]] = [
        (step.entry, step) for group in made.groups for step in group.steps if not step.judged
    ]
    found.sort(key=lambda one: all(result.severity is not Severity.REQUIRED for result in one[0].results))
    loose = tuple(result for result in results if _is_loose(result) and result.status.open)
    found += [(Entry(loose, None), None)] if loose else []
    yield Place("unknown", words.UNCLEAR, tuple(_numbered(next(numbers), entry, step) for entry, step in found))


def _numbered(number: int, entry: Entry, step: Step | None) -> Numbered:
    wrong = tuple(result for result in entry.results if result.status in _WRONG)
    return Numbered(
        number,
        Entry(wrong, entry.remedy) if wrong else entry,
        causes(result for result in entry.results if result.status.open),
        entry.details,
        tuple(check.check for check in entry.checks),
        step,
    )


def _is_loose(result: Result) -> bool:
    return result.remedy is None and (result.status in _WRONG or result.status.open)
