"""Parts are gathered side by side under one deadline; what is late or broken costs itself alone."""

from __future__ import annotations

import threading
import time
from typing import Any

from preflight.facts import Fact
from preflight.gather.access.crew import Crew


def crew(seconds: float = 5.0, **recipes: Any) -> Crew:
    return Crew(recipes, seconds, threading.Event(), lambda part, done: None)


def test_parts_are_made_side_by_side_and_once() -> None:
    made: list[str] = []

    def slow(crew: Crew) -> Fact[int]:
        made.append("slow")
        time.sleep(0.2)
        return Fact.of("slow", 1)

    def builds_on(crew: Crew) -> Fact[int]:
        return Fact.of("sum", crew.get("slow").value + 1)

    team = crew(slow=slow, first=builds_on, second=builds_on)
    for name in ("first", "second"):
        team.start(name)
    assert [team.collect(name).value for name in ("first", "second", "slow")] == [2, 2, 1]
    assert made == ["slow"]


def test_a_part_that_breaks_is_unknown() -> None:
    def broken(crew: Crew) -> Fact[int]:
        raise ValueError("surprise")

    fact = crew(broken=broken).collect("broken")
    assert not fact.known
    assert "surprise" in fact.missing.detail


def test_what_hangs_is_unknown_at_the_deadline_and_what_builds_on_it_too() -> None:
    release = threading.Event()

    def hangs(crew: Crew) -> Fact[int]:
        release.wait(10)
        return Fact.of("Late.", 1)

    def builds_on(crew: Crew) -> Fact[int]:
        got: Fact[int] = crew.get("hangs")
        return got

    team = crew(0.3, hangs=hangs, builds_on=builds_on)
    team.start("builds_on")
    began = time.monotonic()
    facts = [team.collect(name) for name in ("hangs", "builds_on")]
    release.set()
    assert time.monotonic() - began < 8
    assert all("0.3 s" in fact.missing.reason and "--timeout" in fact.missing.help for fact in facts)


def test_a_stop_ends_the_waiting_but_lets_parts_clean_up() -> None:
    release = threading.Event()

    def probe(crew: Crew) -> Fact[str]:
        crew.stop.wait(10)
        time.sleep(0.2)  # cleaning up
        return Fact.of("probe", "cleaned up")

    def slow(crew: Crew) -> Fact[str]:
        release.wait(20)
        return Fact.of("slow", "Late.")

    team = Crew({"probe": probe, "slow": slow}, 30, threading.Event(), lambda part, done: None, frozenset({"probe"}))
    team.start("probe")
    team.start("slow")
    threading.Timer(0.2, team.stop.set).start()
    began = time.monotonic()
    assert team.collect("probe").value == "cleaned up"
    assert "interrupted" in team.collect("slow").missing.reason
    assert time.monotonic() - began < 8
    release.set()


def test_a_part_that_hangs_keeps_none_of_the_queued_ones_waiting() -> None:
    release = threading.Event()

    def quick(crew: Crew) -> Fact[int]:
        return Fact.of("quick", 1)

    def hangs(crew: Crew) -> Fact[int]:
        release.wait(120)
        return Fact.of("hangs", 2)

    team = crew(60.0, before=quick, hangs=hangs, too=hangs, after=quick, last=quick)
    team.start("before", "hangs", "too", "after", "last")
    facts = [team.collect(name) for name in ("before", "after", "last")]  # unknown, had the deadline ended the waiting
    release.set()
    assert [fact.value for fact in facts] == [1, 1, 1]
    assert [team.collect(name).value for name in ("hangs", "too")] == [2, 2]


def test_what_waits_for_others_is_begun_at_once_and_in_a_thread_of_its_own() -> None:
    answered = threading.Event()

    def waits(crew: Crew) -> Fact[str]:
        return Fact.of("waits", threading.current_thread().name) if answered.wait(5) else Fact.unknown("waits", "Late.")

    def reads(crew: Crew) -> Fact[str]:
        answered.set()
        return Fact.of("reads", threading.current_thread().name)

    recipes = {"waits": waits, "reads": reads}
    team = Crew(recipes, 5, threading.Event(), lambda part, done: None, waiting=frozenset({"waits"}))
    team.start("waits", "reads")
    assert [team.collect(name).value for name in recipes] == ["gather waits", "gather"]


def test_what_builds_on_something_shared_that_is_late_says_so_too() -> None:
    release = threading.Event()
    made: list[str] = []

    def both() -> tuple[int, int]:
        made.append("both")
        release.wait(10)
        return 1, 2

    recipes = {
        "one": lambda crew: crew.share("both", both)[0], "other": lambda crew: crew.share("both", both)[1],
    }  # fmt: skip
    team = Crew(recipes, 0.2, threading.Event(), lambda part, done: None, waiting=frozenset({"one", "other"}))
    team.start("one", "other")
    facts = [team.collect(name) for name in recipes]
    release.set()
    assert [fact.missing.reason for fact in facts] == ["There was no result after 0.2 s."] * 2
    assert made == ["both"]


def test_what_builds_on_something_shared_that_broke_has_its_reason() -> None:
    def broken() -> tuple[int, int]:
        raise OSError("no such thing")

    team = crew(one=lambda crew: crew.share("both", broken)[0])
    team.start("one")
    fact = team.collect("one")
    assert (fact.source, fact.missing.reason) == ("one", "Reading it failed.")
    assert fact.missing.detail == "OSError: no such thing"


def test_one_who_spares_some_time_waits_no_longer_and_the_part_is_made_all_the_same() -> None:
    release = threading.Event()

    def slow(crew: Crew) -> Fact[int]:
        release.wait(10)
        return Fact.of("slow", 1)

    def builds_on(crew: Crew) -> Fact[bool]:
        known = crew.get("slow", 9.7).known
        release.set()
        return Fact.of("in time", known)

    team = crew(10.0, slow=slow, builds_on=builds_on)
    team.start("builds_on")
    assert [team.collect(name).value for name in ("builds_on", "slow")] == [False, 1]
    assert team.left > 5


def test_one_who_spares_some_time_takes_what_is_there() -> None:
    team = crew(5.0, quick=lambda _: Fact.of("quick", 1))
    assert team.get("quick", 3.0).value == 1
