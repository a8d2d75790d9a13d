"""What was seen of a packet, and what that means."""

from __future__ import annotations

import pytest

from preflight.twin.send_verdicts import Observed, Outcome, Spot, behind, best, joined, judge, local
from preflight.twin.servers import Answer

SOURCE, CONTAINER, OTHER, HOST = "198.41.0.4", "172.22.1.253", "172.22.1.250", "203.0.113.5"
WANTED = Spot("inner", CONTAINER, 25)
ANSWER = Answer("inner", CONTAINER, 25, SOURCE, 40000)
PROXY = Outcome(verdict="proxy", masked=True, to=HOST, to_port=25)


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (Observed(SOURCE), Outcome(verdict="dropped", left=False)),
        (Observed(SOURCE, left=True), Outcome(verdict="dropped")),
        (Observed(SOURCE, error="ECONNREFUSED", left=True), Outcome(verdict="refused", error="ECONNREFUSED")),
        (Observed(SOURCE, error="ICMP 3/13"), Outcome(verdict="refused", error="ICMP 3/13")),
        (Observed(SOURCE, failed="ENETUNREACH"), Outcome(verdict="unknown", left=False, error="ENETUNREACH")),
        (Observed(SOURCE, answer=ANSWER), Outcome(verdict="delivered", seen=True)),
        (Observed(SOURCE, answer=ANSWER, error="ECONNRESET"), Outcome(verdict="delivered", seen=True)),
        (
            Observed(SOURCE, answer=Answer("inner", CONTAINER, 25, "172.22.1.1", 40000)),
            Outcome(verdict="delivered", seen=True, masked=True),
        ),
        (
            Observed(SOURCE, answer=Answer("inner", OTHER, 25, SOURCE, 40000)),
            Outcome(verdict="elsewhere", to=OTHER, to_port=25),
        ),
        (
            Observed(SOURCE, answer=Answer("inner", CONTAINER, 587, SOURCE, 40000)),
            Outcome(verdict="elsewhere", to=CONTAINER, to_port=587),
        ),
        (Observed(SOURCE, answer=Answer("twin", HOST, 25, SOURCE, 40000)), PROXY),
        (
            Observed(SOURCE, answer=Answer("twin", HOST, 587, SOURCE, 40000)),
            Outcome(verdict="elsewhere", to=HOST, to_port=587),
        ),
        (Observed(SOURCE, left=True, spots=(WANTED,)), Outcome(verdict="oneway", seen=True)),
        (
            Observed(SOURCE, left=True, spots=(WANTED,), error="ICMP 3/13"),
            Outcome(verdict="oneway", seen=True, error="ICMP 3/13"),
        ),
        (
            Observed(SOURCE, left=True, spots=(Spot("inner", OTHER, 2525),), error="ECONNREFUSED"),
            Outcome(verdict="elsewhere", to=OTHER, to_port=2525, error="ECONNREFUSED"),
        ),
    ],
)
def test_one_packet(seen: Observed, outcome: Outcome) -> None:
    assert judge(seen, WANTED, 25) == outcome


def test_one_that_comes_back_to_the_containers_is_not_known() -> None:
    seen = Observed(CONTAINER, left=True, spots=(Spot("inner", OTHER, 53),), error="ECONNREFUSED")
    outcome = judge(seen, Spot("world", "193.0.14.129", 53), 53)
    assert outcome == Outcome(verdict="unknown", to=OTHER, to_port=53, error="ECONNREFUSED")


def test_of_two_tries_the_better_one_counts() -> None:
    lost, refused = Outcome(verdict="dropped"), Outcome(verdict="refused")
    oneway, arrived = Outcome(verdict="oneway", seen=True), Outcome(verdict="delivered", seen=True)
    assert best([lost, refused]) == best([refused, lost]) == refused
    assert best([oneway, lost]) == oneway
    assert best([lost, arrived]) == arrived


def test_targets_that_fare_alike_are_one() -> None:
    assert joined([Outcome(verdict="dropped"), Outcome(verdict="dropped", left=False)]) == Outcome(verdict="dropped")
    mixed = joined([Outcome(verdict="delivered", seen=True), Outcome(verdict="refused", error="ICMP 3/1")])
    assert mixed == Outcome(verdict="depends", error="ICMP 3/1")


@pytest.mark.parametrize(
    ("onward", "outcome"),
    [
        (Outcome(verdict="delivered", seen=True), PROXY),
        (Outcome(verdict="oneway", seen=True), Outcome(verdict="dropped", masked=True)),
        (Outcome(verdict="refused", error="EACCES"), Outcome(verdict="refused", masked=True, error="EACCES")),
        (
            Outcome(verdict="elsewhere", to=OTHER, to_port=25),
            Outcome(verdict="elsewhere", masked=True, to=OTHER, to_port=25),
        ),
    ],
)
def test_behind_a_proxy(onward: Outcome, outcome: Outcome) -> None:
    assert behind(PROXY, onward) == outcome


@pytest.mark.parametrize(
    ("error", "verdict"),
    [("EACCES", "refused"), ("ENETUNREACH", "refused"), ("EINVAL", "dropped"), ("EADDRINUSE", "unknown")],
)
def test_what_the_twin_cannot_send_itself(error: str, verdict: str) -> None:
    assert local(Outcome(verdict="unknown", left=False, error=error)).verdict == verdict
