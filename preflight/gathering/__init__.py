"""Gather a host: its parts side by side, each by its recipe. Judges nothing."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

from msgspec import Struct, field

from preflight import __version__
from preflight.facts import SCHEMA, Asked, Fact, Host, refusals
from preflight.facts.parts import fields
from preflight.gather.access.crew import Crew, Recipe, Tell
from preflight.gather.access.roots import Roots
from preflight.gathering import again, probes, publishing
from preflight.gathering.parts import PARTS, Kind, Part
from preflight.gathering.run import Before, Run, Wishes
from preflight.text.sentences import say

EMPTYING = 30.0  # seconds in which a rehearsal's containers are removed, on an engine that is slow


class Begun(Struct):
    """A host that is being gathered: what other programs do is under way."""

    crew: Crew
    started: datetime.datetime
    clock: float
    bases: dict[str, set[str]]  # what each part was built on, as far as it is known by now
    facts: dict[str, Fact[Any]] = field(default_factory=dict)  # once all is gathered: the parts wished for

    def before(self, asked: frozenset[str] = frozenset()) -> Before:
        """Return what this look found, for one that asks these parts again.

        What still hangs from this look is not asked: it would hang once more each time.
        """
        return Before(self.facts, again.parts_built_on(self.bases), asked - self.crew.under_way)


def begin(roots: Roots, wishes: Wishes, stop: threading.Event, tell: Tell) -> Begun:
    """Begin with what other programs do, of the parts wished for: it takes longest, so the rest is loaded meanwhile."""
    cleaning = frozenset(part.place for part in PARTS if part.kind is Kind.PROBE)
    first = [part for part in PARTS if part.kind is Kind.PROGRAM]
    # Removal comes after that: only a run that is ended does not wait for it.
    longer = {"rehearsal": wishes.longer + EMPTYING} if wishes.longer else {}
    bases = {} if wishes.before is None else {place: set(found) for place, found in wishes.before.bases.items()}
    recipes = _recipes(first, roots, wishes, bases)
    crew = Crew(recipes, wishes.seconds, stop, tell, cleaning, _waiting(wishes.asked), longer)
    crew.start(*(part.place for part in first if part.place in wishes.parts))
    return Begun(crew, datetime.datetime.now(datetime.UTC), time.monotonic(), bases)


def gather(roots: Roots, wishes: Wishes, begun: Begun) -> Host:
    """Gather the parts wished for, side by side; what is late, out of reach or not wished for says so."""
    crew = begun.crew
    crew.learn(_recipes(PARTS, roots, wishes, begun.bases))
    rest = [part for part in PARTS if part.place in wishes.parts and part.kind is not Kind.PROGRAM and not part.last]
    # What builds on the engine comes last, when it has answered.
    crew.start(*(part.place for part in sorted(rest, key=lambda part: bool(part.after))))
    begun.facts = {
        part.place: again.last_known(part.place, crew.collect(part.place), wishes.before)
        for part in PARTS
        if part.place in wishes.parts
    }
    unasked: Fact[Any] = Fact.skipped("", say("No selected check needs it."), cause="unasked")
    host = Host(
        schema=SCHEMA,
        version=__version__,
        started=begun.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        seconds=round(time.monotonic() - begun.clock, 3),
        view=roots.view,
        asked=wishes.asked,
        **fields({part.place: begun.facts.get(part.place, unasked) for part in PARTS}),
    )
    return refusals.with_causes(host)


def _recipes(parts: Iterable[Part], roots: Roots, wishes: Wishes, bases: dict[str, set[str]]) -> dict[str, Recipe]:
    def made(part: Part, crew: Crew) -> Fact[Any]:
        run = Run(roots, wishes, crew, part.place, bases)
        if part.place in publishing.BEFORE:
            probes.sweep(run)
        return again.recipe(part, wishes.before)(run)

    return {part.place: partial(made, part) for part in parts}


def _waiting(asked: Asked) -> frozenset[str]:
    """Name the parts that wait for others; those that were not asked for only say so, and need no thread for it."""
    kinds = {Kind.PROGRAM, Kind.PROCESS, *((Kind.ELSEWHERE,) * (not asked.offline)), *((Kind.PROBE,) * asked.probe)}
    unasked = frozenset() if asked.rehearse else frozenset({"rehearsal"})
    return frozenset(part.place for part in PARTS if part.kind in kinds) - unasked


__all__ = ["Begun", "Wishes", "begin", "gather"]
