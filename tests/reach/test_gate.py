"""How many are let in."""

from __future__ import annotations

from preflight.reach.gate import AT_ONCE, AT_ONCE_EACH, BURST_EACH, RATE_EACH, SOURCES, Gate


def test_one_source_has_its_share_and_others_theirs() -> None:
    gate = Gate()
    assert [gate.enter("a", 1.0) for _ in range(AT_ONCE_EACH + 5)] == [True] * AT_ONCE_EACH + [False] * 5
    assert gate.enter("b", 1.0)


def test_all_together_are_bounded() -> None:
    gate = Gate()
    entered = [gate.enter(f"10.0.{n}.1", 1.0) for n in range(200)]
    assert sum(entered) == AT_ONCE


def test_who_leaves_makes_room_but_not_at_any_rate() -> None:
    gate = Gate()
    let_in = 0
    for _ in range(1000):
        if gate.enter("a", 5.0):
            let_in += 1
            gate.leave("a")
    assert let_in == BURST_EACH
    assert not gate.enter("a", 5.0)
    assert gate.enter("a", 5.0 + 2 / RATE_EACH)


def test_a_flood_of_sources_is_not_remembered_for_ever() -> None:
    gate = Gate()
    for number in range(SOURCES * 3):
        if gate.enter(f"source {number}", number / 10):
            gate.leave(f"source {number}")
    assert len(gate._each) <= SOURCES
    assert gate._all.open == 0
