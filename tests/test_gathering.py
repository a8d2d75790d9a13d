"""The one list of parts: complete, in the order of the facts, and each recipe makes what its place holds."""

from __future__ import annotations

from importlib import import_module
from typing import Any, get_type_hints

import pytest

from preflight.facts import ExecRun, Fact, HealthRun, Host, Probes, PublishRun, RecursionRun, StartRun, TimeoutRun
from preflight.facts import parts as facts
from preflight.gathering.parts import PARTS, Kind, Part, Read
from preflight.gathering.stages import FILES, STAGES
from preflight.probes.registry import PROBES
from preflight.report.documents import schema


def test_every_part_of_a_host_has_its_line_in_the_order_of_the_facts() -> None:
    assert tuple(part.place for part in PARTS) == facts.PARTS


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.place)
def test_what_a_part_is_can_be_said(part: Part) -> None:
    assert part.description
    assert "_" not in part.description
    assert not part.description.endswith(".")
    assert part.stage in STAGES
    assert part.after in ("", *facts.PARTS)


def declared(place: str) -> object:
    """Return the type that the facts have at a place, without what is written beside it."""
    group, _, name = place.rpartition(".")
    return get_type_hints(Probes if group else Host)[name]


def made(part: Part) -> Any:
    """Return the type that a part's recipe says it makes."""
    recipe = part.recipe
    if isinstance(recipe, Read):
        recipe = getattr(import_module(f"preflight.gather.{recipe.module}"), recipe.function)
    return get_type_hints(recipe)["return"]


@pytest.mark.parametrize("part", [part for part in PARTS if part.kind is not Kind.PROBE], ids=lambda part: part.place)
def test_a_recipe_makes_the_fact_of_its_place(part: Part) -> None:
    assert made(part) == declared(part.place)


# Named for type checking alone
RESULTS = {
    "Box": object,
    "ExecRun": ExecRun,
    "HealthRun": HealthRun,
    "PublishRun": PublishRun,
    "RecursionRun": RecursionRun,
    "StartRun": StartRun,
    "TimeoutRun": TimeoutRun,
}


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_a_probe_makes_the_fact_of_its_name(probe: Any) -> None:
    assert Fact[get_type_hints(probe.act, localns=RESULTS)["return"]] == declared(f"probes.{probe.name}")  # type: ignore[misc]
    assert probe.seconds > 0


def test_every_probe_is_in_the_registry() -> None:
    assert tuple(probe.name for probe in PROBES) == Probes.__struct_fields__
    places = {part.place for part in PARTS if part.kind is Kind.PROBE}
    # Which is played after all of them, where it was asked for.
    assert places == {f"probes.{one.name}" for one in PROBES} | {"rehearsal"}


def test_stages_are_in_use_and_files_come_first() -> None:
    assert STAGES[0] == FILES
    assert set(STAGES) == {part.stage for part in PARTS}


def test_the_schema_says_what_each_part_is() -> None:
    kinds = schema("facts")["$defs"]
    for place, text in facts.descriptions().items():
        group, _, name = place.rpartition(".")
        assert kinds["Probes" if group else "Host"]["properties"][name]["description"] == text


def test_facts_are_found_by_their_places() -> None:
    whole = {place: Fact.of(place, place) for place in facts.PARTS}
    fields = facts.fields(whole)
    assert set(fields) == {place.partition(".")[0] for place in facts.PARTS}
    assert (fields["memory"], fields["probes"].limits) == (whole["memory"], whole["probes.limits"])
