"""A later look of the same run: which parts are made again, and which stay as they were gathered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from preflight import gathering
from preflight.facts import Fact, Host
from preflight.gather.access.roots import Roots
from preflight.gathering import Begun, again, begin, gather
from preflight.gathering.parts import Kind, Part
from preflight.gathering.run import Before, Run, Shared
from tests.gather.ends import NATIVE
from tests.gather.trees import copy
from tests.test_gathering_run import wishes

HOSTNAME, CONF = "etc/hostname", "opt/mailcow-dockerized/mailcow.conf"


class Made:
    """Parts that a test makes: what each is worth now, and how often it was made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.parts: tuple[Part, ...] = ()
        self.now: dict[str, Fact[Any]] = {}
        self.begun: Begun
        self.order: list[str] = []
        self.stop = threading.Event()
        monkeypatch.setattr(gathering, "fields", lambda facts: {})

    def part(self, place: str) -> Callable[[Run], Fact[Any]]:
        def recipe(run: Run) -> Fact[Any]:
            self.order.append(place)
            return self.now[place]

        return recipe

    def look(self, *places: str, before: Before | None = None) -> Host:
        given = wishes(*places, before=before)
        self.begun = begin(NATIVE, given, self.stop, lambda *_: None)
        return gather(NATIVE, given, self.begun)

    def again(self, *asked: str) -> list[str]:
        """Look again at these; return what was made for that."""
        self.order.clear()
        self.look(*self.begun.facts, before=self.begun.before(frozenset(asked)))
        return sorted(self.order)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """Parts as a host has them: `times` is built on nothing, `spaces` and a probe on the engine, `binds` on a plan."""
    found = Made(monkeypatch)
    plan: Shared[object] = Shared("plan", lambda run: run.value("mailcow_conf") or "defaults")

    def built(place: str, look: Callable[[Run], object]) -> Callable[[Run], Fact[Any]]:
        def recipe(run: Run) -> Fact[Any]:
            look(run)
            return found.part(place)(run)

        return recipe

    on_engine = lambda run: run.fact("engine")  # noqa: E731 - what two parts ask for
    found.parts = (
        Part("times", found.part("times"), Kind.ELSEWHERE),
        Part("engine", found.part("engine"), Kind.PROGRAM),
        Part("mailcow_conf", found.part("mailcow_conf")),
        Part("spaces", built("spaces", on_engine)),
        Part("probes.limits", built("probes.limits", on_engine), Kind.PROBE),
        Part("binds", built("binds", lambda run: run.share(plan))),
        Part("sockets", built("sockets", lambda run: run.share(plan))),
    )
    monkeypatch.setattr(gathering, "PARTS", found.parts)
    found.now = {part.place: Fact.of("test", 1) for part in found.parts}
    return found


EVERY = ("times", "engine", "mailcow_conf", "spaces", "probes.limits", "binds", "sockets")
GONE: Fact[Any] = Fact.unknown("engine", "The engine does not answer.", cause="engine")


def test_only_what_is_asked_for_is_made_again(made: Made) -> None:
    made.look(*EVERY)
    assert made.again("times") == ["times"]
    assert made.again() == []


def test_what_rests_on_a_part_that_came_out_otherwise_is_made_again_too(made: Made) -> None:
    made.look(*EVERY)
    assert made.again("mailcow_conf") == ["mailcow_conf"], "as before: nothing to be made on it"
    made.now["mailcow_conf"] = Fact.of("test", 2)
    assert made.again("mailcow_conf") == ["binds", "mailcow_conf", "sockets"]
    assert made.again("mailcow_conf") == ["mailcow_conf"]


def test_what_several_share_is_known_for_each_of_them_in_every_look(made: Made) -> None:
    made.look(*EVERY)
    for value in (2, 3):
        made.again("times")
        made.now["mailcow_conf"] = Fact.of("test", value)
        assert made.again("mailcow_conf") == ["binds", "mailcow_conf", "sockets"]


def test_a_probe_is_repeated_for_an_engine_that_answers_now_and_for_no_other_change(made: Made) -> None:
    made.now["engine"] = GONE
    made.look(*EVERY)
    assert made.again("engine") == ["engine"]
    made.now["engine"] = Fact.of("test", 1)
    assert made.again("engine") == ["engine", "probes.limits", "spaces"]
    made.now["engine"] = Fact.of("test", 2)
    assert made.again("engine") == ["engine", "spaces"]


def test_what_a_missing_part_was_built_on_is_asked_again_with_it(made: Made) -> None:
    made.now |= {"engine": GONE, "probes.limits": GONE, "times": GONE}
    made.look(*EVERY)
    before = made.begun.before()
    assert again.with_missing_bases(["probes.limits"], before) == {"probes.limits", "engine"}
    assert again.with_missing_bases(["spaces"], before) == {"spaces"}, "it is known, the engine or not"
    assert again.with_missing_bases(["nothing"], before) == frozenset()


def test_a_stop_leaves_what_was_known_before(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    made.look(*EVERY)

    def stopped(run: Run) -> Fact[Any]:
        made.stop.set()
        threading.Event().wait(60)
        raise AssertionError("nobody waits for that")

    times, *rest = made.parts
    monkeypatch.setattr(gathering, "PARTS", (Part(times.place, stopped, times.kind), *rest))
    made.again("times")
    assert made.begun.facts["times"] == Fact.of("test", 1)
    assert "times" in made.begun.crew.under_way
    assert made.begun.before(frozenset({"times", "engine"})).asked == {"engine"}, "what hangs would hang once more"


def test_files_of_a_host_are_read_again(tmp_path: Path) -> None:
    """The same with the parts of real hosts: what is not asked for stays, though it is another by now."""
    roots = copy(tmp_path, **{HOSTNAME: "vm1\n", "etc/timezone": "UTC\n"})
    given = wishes("name", "mailcow_conf")
    begun = begin(roots, given, threading.Event(), lambda *_: None)
    assert gather(roots, given, begun).name.value == "vm1"
    (tmp_path / HOSTNAME).write_text("vm2\n")
    for asked, name in ((frozenset({"mailcow_conf"}), "vm1"), (frozenset({"name"}), "vm2")):
        fresh = Roots(roots.root, roots.view, roots.anchor, roots.why)
        later = wishes("name", "mailcow_conf", before=begun.before(asked))
        host = gather(fresh, later, begin(fresh, later, threading.Event(), lambda *_: None))
        assert host.name.value == name
        assert host.memory.missing is not None
        assert host.memory.missing.cause == "unasked"
