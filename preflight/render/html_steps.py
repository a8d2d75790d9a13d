"""The steps as the page shows them: numbered cards, place by place. Plain values, nothing escaped."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from preflight.render.closing import later
from preflight.render.context import Context
from preflight.render.digest import Entry, Reason, with_reasons
from preflight.render.html_text import ignoring
from preflight.render.records import Part
from preflight.render.steps import Flags, Numbered, steps
from preflight.report.model import Report, Status


class Card(Struct, frozen=True):
    """One thing to do, or one problem of which no remedy is known.

    `text`: what to do, without the records, which have a table. `known`: something is wrong. `unclear`: why the rest,
    or all, could not be determined. `details`: what other programs said of it.
    """

    number: int
    status: Status
    entry: Entry
    text: str
    recorded: bool
    why: tuple[str, ...]
    known: bool
    unclear: tuple[Reason, ...]
    details: tuple[str, ...]
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
    flags: Flags | None = None


class Sheet(Struct, frozen=True):
    """All that is to be done. `start`: where to begin."""

    places: tuple[Place, ...]
    flags: Flags | None
    start: Card | None
    then: tuple[Card, ...]
    numbers: Mapping[str, int]  # of the card of each check
    first: Mapping[Status, str]  # the first place on the page for a status
    later: str  # which cards have to wait for mailcow


def sheet(report: Report, context: Context) -> Sheet:
    """Lay out the plan of a report."""
    made = steps(report, context)
    reasons = (told for _, told in with_reasons((step.entry for step in made.all), context.why))
    why = {step.number: told for step, told in zip(made.all, reasons, strict=True)}
    places = tuple(
        Place(
            place.name,
            place.title,
            tuple(_card(step, why[step.number]) for step in place.steps),
            place.tables,
            place.flags,
        )
        for place in made.places
    )
    cards = [card for place in places for card in place.cards]
    failed = [card for card in cards if card.status is Status.FAIL]
    start = None if made.flags else next(iter(failed or cards), None)  # the steps' order holds in every format
    return Sheet(
        places,
        made.flags,
        start,
        tuple(card for card in failed if card is not start),
        {check: step.number for step in reversed(made.all) for check in step.checks},
        {card.status: card.name for card in reversed(cards)},
        later(made.later),
    )


def _card(numbered: Numbered, why: tuple[str, ...]) -> Card:
    entry, step = numbered.entry, numbered.step
    records = " · ".join(record.line for record in entry.remedy.records) if entry.remedy else ""
    text = entry.remedy.text if entry.remedy else ""
    return Card(
        numbered.number,
        numbered.status,
        entry,
        text.removesuffix(records).rstrip() if records else text,
        bool(records) and text.endswith(records),
        why,
        numbered.known,
        numbered.reasons,
        numbered.details,
        step.after if step else (),
        step.opens if step else (),
        step.optional if step else False,
        ignoring(entry.results),
    )
