"""The plan as the page shows it: numbered cards by the place where something is done. Plain values, nothing escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from preflight.render import html_words, plan_words
from preflight.render.closing import later
from preflight.render.context import Context
from preflight.render.digest import Digest, Entry, Reason, causes, entries, with_reasons
from preflight.render.html_text import ignoring
from preflight.render.plan import ORDER, Plan, Step, Where, missing_flags, plan, where
from preflight.render.records import Part, parts
from preflight.report.model import Report, Result, Status

_RANK = (Status.FAIL, Status.WARN, Status.ERROR, Status.UNKNOWN)


class Card(Struct, frozen=True):
    """One thing to do, or one problem of which no remedy is known.

    `text`: what to do, without the records, which have a table. `unclear`: for what only could not be determined, why.
    """

    number: int
    status: Status
    entry: Entry
    text: str
    recorded: bool
    why: tuple[str, ...]
    unclear: tuple[Reason, ...]
    after: tuple[str, ...]
    opens: tuple[str, ...]
    optional: bool
    ignore: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the card's place on the page."""
        return f"step-{self.number}"


class Place(Struct, frozen=True):
    """Cards of one place, below their tables of records."""

    name: str
    title: str
    cards: tuple[Card, ...]
    tables: tuple[Part, ...] = ()


class Flags(Struct, frozen=True):
    """What the missing flags of `docker run` cost, and the line that has them."""

    title: str
    line: str
    reasons: tuple[Reason, ...]


class Sheet(Struct, frozen=True):
    """All that is to be done. `start`: where to begin."""

    places: tuple[Place, ...]
    flags: Flags | None
    start: Card | None
    then: tuple[Card, ...]
    numbers: Mapping[str, int]  # of the card of each check
    first: Mapping[Status, str]  # the first place on the page for a status
    later: str  # which cards have to wait for mailcow


def sheet(report: Report, found: Digest, context: Context) -> Sheet:
    """Lay out the plan of a report."""
    made = plan(report, context)
    groups = _groups(report, made, parts(report, context))
    told = dict(zip(*_why(groups, context), strict=True))
    places: list[Place] = []
    number = 0
    for name, title, steps, tables in groups:
        cards = []
        for step in steps:
            number += 1
            cards.append(_card(number, step, told[id(step.entry)]))
        places.append(Place(name, title, tuple(cards), tables))
    cards = [card for place in places for card in place.cards]
    failed = [card for card in cards if card.status is Status.FAIL]
    start = next(iter(failed or cards), None)  # the steps' order holds in every format
    flags = _flags(found, made)
    return Sheet(
        tuple(places),
        flags,
        None if flags else start,
        tuple(card for card in failed if flags or card is not start),
        {check.check: card.number for card in reversed(cards) for check in card.entry.checks},
        {card.status: card.name for card in reversed(cards)},
        later([card.number for place in places if place.name == "last" for card in place.cards]),
    )


class _Loose(Struct, frozen=True):
    """A problem without a step."""

    entry: Entry


_Group = tuple[str, str, Sequence["Step | _Loose"], tuple[Part, ...]]


def _groups(report: Report, made: Plan, tables: Iterable[Part]) -> list[_Group]:
    groups: list[_Group] = []
    tables = tuple(tables)
    for place in ORDER:
        steps, own = made.steps(place), tuple(table for table in tables if table.place == place)
        if steps or own:
            groups.append((_name(place), plan_words.HEADINGS[place], steps, own))
    loose = [row for row in report.results if row.status in _RANK and row.remedy is None]
    loose.sort(key=lambda row: _RANK.index(row.status))
    if loose:
        groups.append(("no-fix", html_words.NO_FIX, [_Loose(entry) for entry in _together(loose)], ()))
    return groups


def _together(results: Iterable[Result]) -> list[Entry]:
    """Return problems without a remedy; all that could not be determined for one reason is one."""
    rows = list(results)
    known = [row for row in rows if not row.status.undecided]
    groups: dict[tuple[Status, str], list[Result]] = {}
    for row in rows:
        if row.status.undecided:
            groups.setdefault((row.status, row.reason or row.message), []).append(row)
    return [*entries(known), *(Entry(tuple(group), None) for group in groups.values())]


def _name(place: Where) -> str:
    return place.replace(".", "-")


def _why(groups: Iterable[_Group], context: Context) -> tuple[list[int], list[tuple[str, ...]]]:
    """Return why the checks of entries matter, each once on the page."""
    steps = [step for _, _, steps, _ in groups for step in steps]
    joined = with_reasons([step.entry for step in steps], context.why)
    return [id(entry) for entry, _ in joined], [reasons for _, reasons in joined]


def _card(number: int, step: Step | _Loose, why: tuple[str, ...]) -> Card:
    entry = step.entry
    status = min((row.status for row in entry.results), key=_RANK.index)
    records = " · ".join(record.line for record in entry.remedy.records) if entry.remedy else ""
    text = entry.remedy.text if entry.remedy else ""
    return Card(
        number,
        status,
        entry,
        text.removesuffix(records).rstrip() if records else text,
        bool(records) and text.endswith(records),
        why,
        causes(entry.results) if status.undecided else (),
        step.after if isinstance(step, Step) else (),
        step.opens if isinstance(step, Step) else (),
        isinstance(step, Step) and step.optional,
        ignoring(entry.results),
    )


def _flags(found: Digest, made: Plan) -> Flags | None:
    if not made.flags:
        return None
    title = html_words.FLAG if made.unseen == 1 else html_words.FLAGS.format(count=made.unseen)
    asked = [
        entry
        for entry in found.unclear
        if entry.remedy and where(entry.remedy) == "docker-run" and missing_flags(entry.remedy)
    ]
    return Flags(title, made.line, tuple(reason for entry in asked for reason in entry.reasons))
