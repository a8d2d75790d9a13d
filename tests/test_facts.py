"""A fact without a value ends a check where it is read, and only there."""

from __future__ import annotations

import pytest

from preflight.facts import NO_ENGINE, Engine, Fact, MissingFact, require

KNOWN: Fact[tuple[int, ...]] = Fact.of("test", ())
UNKNOWN: Fact[tuple[int, ...]] = Fact.unknown("test", "Nobody looked.")
SKIPPED: Fact[tuple[int, ...]] = Fact.skipped("test", "Nobody asked.")


def test_what_may_be_left_out_has_a_default() -> None:
    assert UNKNOWN.or_((1,)) == (1,)
    assert SKIPPED.or_((1,)) == (1,)


def test_a_value_that_is_empty_or_false_is_a_value() -> None:
    assert KNOWN.or_((1,)) == ()
    assert Fact.of("test", 0).or_(1) == 0


def test_a_check_goes_on_where_all_that_it_requires_is_known() -> None:
    require(KNOWN, Fact.of("test", 0))


@pytest.mark.parametrize(("facts", "reason"), [((UNKNOWN, SKIPPED), "looked"), ((KNOWN, SKIPPED, UNKNOWN), "asked")])
def test_a_check_ends_as_the_first_that_is_missing(facts: tuple[Fact[object], ...], reason: str) -> None:
    with pytest.raises(MissingFact, match=reason):
        require(*facts)


def test_nothing_lives_on_an_engine_that_is_not_known() -> None:
    engine: Fact[Engine] = Fact.unknown("test", "No engine answers.")
    assert not engine.or_(NO_ENGINE).containers
    assert engine.or_(NO_ENGINE).swarm != "active"
