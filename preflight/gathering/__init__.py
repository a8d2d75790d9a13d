"""Gather a host: its parts side by side, each by its recipe. Judges nothing."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

from msgspec import Struct

from preflight import __version__
from preflight.facts import SCHEMA, Asked, Fact, Host, refusals
from preflight.facts.parts import fields
from preflight.gather.access.crew import Crew, Recipe, Tell
from preflight.gather.access.roots import Roots
from preflight.gathering import probes, publishing
from preflight.gathering.parts import PARTS, Kind, Part
from preflight.gathering.run import Run, Wishes
from preflight.text.sentences import say

EMPTYING = 15.0  # seconds in which a rehearsal's containers are removed, on an engine that is slow


class Begun(Struct):
    """A host that is being gathered: what other programs do is under way."""

    crew: Crew
    started: datetime.datetime
    clock: float


def begin(roots: Roots, wishes: Wishes, stop: threading.Event, tell: Tell) -> Begun:
    """Begin with what other programs do, of the parts wished for: it takes longest, so the rest is loaded meanwhile."""
    cleaning = frozenset(part.place for part in PARTS if part.kind is Kind.PROBE)
    first = [part for part in PARTS if part.kind is Kind.PROGRAM]
    # Removal comes after that: only a run that is ended does not wait for it.
    longer = {"rehearsal": wishes.longer + EMPTYING} if wishes.longer else {}
    crew = Crew(_recipes(first, roots, wishes), wishes.seconds, stop, tell, cleaning, _waiting(wishes.asked), longer)
    crew.start(*(part.place for part in first if part.place in wishes.parts))
    return Begun(crew, datetime.datetime.now(datetime.UTC), time.monotonic())


def gather(roots: Roots, wishes: Wishes, begun: Begun) -> Host:
    """Gather the parts wished for, side by side; what is late, out of reach or not wished for says so."""
    crew = begun.crew
    crew.learn(_recipes(PARTS, roots, wishes))
    rest = [part for part in PARTS if part.place in wishes.parts and part.kind is not Kind.PROGRAM and not part.last]
    # What builds on the engine comes last, when it has answered.
    crew.start(*(part.place for part in sorted(rest, key=lambda part: bool(part.after))))
    facts: dict[str, Fact[Any]] = {
        part.place: crew.collect(part.place)
        if part.place in wishes.parts
        else Fact.skipped("", say("No check that was asked for needs it."), cause="unasked")
        for part in PARTS
    }
    host = Host(
        schema=SCHEMA,
        version=__version__,
        started=begun.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        seconds=round(time.monotonic() - begun.clock, 3),
        view=roots.view,
        asked=wishes.asked,
        **fields(facts),
    )
    return refusals.with_causes(host)


def _recipes(parts: Iterable[Part], roots: Roots, wishes: Wishes) -> dict[str, Recipe]:
    def made(part: Part, crew: Crew) -> Fact[Any]:
        run = Run(roots, wishes, crew)
        if part.place in publishing.BEFORE:
            probes.sweep(run)
        return part.recipe(run)

    return {part.place: partial(made, part) for part in parts}


def _waiting(asked: Asked) -> frozenset[str]:
    """Name the parts that wait for others; those that were not asked for only say so, and need no thread for it."""
    kinds = {Kind.PROGRAM, Kind.PROCESS, *((Kind.ELSEWHERE,) * (not asked.offline)), *((Kind.PROBE,) * asked.probe)}
    unasked = frozenset() if asked.rehearse else frozenset({"rehearsal"})
    return frozenset(part.place for part in PARTS if part.kind in kinds) - unasked


__all__ = ["Begun", "Wishes", "begin", "gather"]
