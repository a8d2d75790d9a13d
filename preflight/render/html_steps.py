"""The steps as the page shows them: numbered cards, place by place. Plain values, nothing escaped."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from preflight.render.closing import later
from preflight.render.context import Context
from preflight.render.digest import Entry, Reason, with_reasons
from preflight.render.html_text import ignoring
from preflight.render.steps import Numbered, Steps, steps
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


class Sheet(Struct, frozen=True):
    """All that is to be done. `cards`: by their number. `start`: where to begin."""

    steps: Steps
    cards: Mapping[int, Card]
    start: Card | None
    then: tuple[Card, ...]
    numbers: Mapping[str, int]  # of the card of each check
    first: Mapping[Status, str]  # the first place on the page for a status
    later: str  # which cards have to wait for mailcow


def sheet(report: Report, context: Context) -> Sheet:
    """Lay out the plan of a report."""
    made = steps(report, context)
    reasons = (told for _, told in with_reasons((step.entry for step in made.all), context.why))
    cards = {step.number: _card(step, why) for step, why in zip(made.all, reasons, strict=True)}
    failed = [card for card in cards.values() if card.status is Status.FAIL]
    start = None if made.flags else next(iter(failed or cards.values()), None)  # the steps' order holds in every format
    return Sheet(
        made,
        cards,
        start,
        tuple(card for card in failed if card is not start),
        {check: step.number for step in reversed(made.all) for check in step.checks},
        {card.status: card.name for card in reversed(cards.values())},
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
