"""Look again at what is open: all else stays as it was gathered. The only place that decides which part is asked.

A part is made again where somebody asks for it, or where a part that it was built on came out otherwise than before.
What it was built on is not guessed: each look notes who asked for which part (`Run.bases`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from preflight.facts import Fact
from preflight.gathering.parts import PARTS, Kind, Part
from preflight.gathering.run import Before, Recipe, Run

# What no one changes while the host runs: waiting for that is in vain.
LASTING = frozenset({"os_release", "kernel", "machine", "userland", "virtualization", "cpu_speed", "cpu_features"})

_REST = {part.place: part.rest for part in PARTS}


def recipe(part: Part, before: Before | None) -> Recipe:
    """Return how a part is made: again if asked for or if its bases changed, else kept as it was."""
    if before is None or part.place in before.asked or part.place not in before.facts:
        return part.recipe

    def kept(run: Run) -> Fact[Any]:
        bases = [base for base in before.bases.get(part.place, ()) if base in before.facts]
        moved = any(_moved(part, before.facts[base], run.fact(base)) for base in bases)
        return part.recipe(run) if moved else before.facts[part.place]

    return kept


def _moved(part: Part, old: Fact[Any], new: Fact[Any]) -> bool:
    """Say whether a part has to be made again for another one that it was built on.

    A probe starts containers, and engines say a little else each time: only one that answers now is a reason.
    """
    return old.missing is not None and new.known if part.kind is Kind.PROBE else old != new


def last_known(place: str, fact: Fact[Any], before: Before | None) -> Fact[Any]:
    """Return a fact, or, where a stop kept it from being made, the one of the look before."""
    interrupted = fact.missing is not None and fact.missing.cause == "interrupted"
    return before.facts.get(place, fact) if before is not None and interrupted else fact


def with_missing_bases(places: Iterable[str], before: Before) -> frozenset[str]:
    """Return parts with those without which they could not be made: a probe needs the engine to be asked first."""
    found: set[str] = set()
    todo = list(places)
    while todo:
        place = todo.pop()
        fact = before.facts.get(place)
        if place in found or fact is None:
            continue
        found.add(place)
        if not fact.known:
            todo += (
                base for base in before.bases.get(place, ()) if base in before.facts and not before.facts[base].known
            )
    return frozenset(found)


def parts_built_on(bases: Mapping[str, Iterable[str]]) -> dict[str, frozenset[str]]:
    """Return the parts that each part was built on: what several share (`/name`) stands for what that was built on."""

    def resolved(name: str) -> frozenset[str]:
        found = bases.get(name, ())
        return frozenset().union(*(resolved(base) if base.startswith("/") else {base} for base in found))

    return {place: resolved(place) for place in bases if not place.startswith("/")}


def due(places: Iterable[str], asked: Mapping[str, float]) -> dict[str, float]:
    """Return when each of the parts may be asked for again: `asked` says when it was, in seconds of some clock."""
    return {place: asked[place] + _REST[place] for place in places}
