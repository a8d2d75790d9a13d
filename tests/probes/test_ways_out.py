"""Whichever way a box is left: all is removed, containers before networks, what was made last before the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from msgspec.structs import replace

from preflight.facts import Fact
from preflight.gather.access.errand import Stopped
from preflight.gather.engine.client import EngineError
from preflight.probes import frame, made
from preflight.probes.bench import Bench
from preflight.probes.box import Box
from preflight.probes.frame import run_probe
from preflight.probes.image import TITLE
from preflight.probes.registry import PROBES, Probe
from tests.probes.engine import IMAGE, FakeEngine

MADE = ("net-one", "one", "net-two", "two", "three")  # in this order
ORDER = ["three", "two", "one", "net-two", "net-one"]
LONG = 60.0  # seconds that no test waits for


def fill(box: Box, names: tuple[str, ...] = MADE) -> None:
    for name in names:
        box.network(name) if name.startswith("net") else box.create(name, IMAGE, "pass")


def removed(engine: FakeEngine, box: Box) -> list[str]:
    """Return what was removed, by the names that a probe gave."""
    return [name.removeprefix(f"{TITLE}-{box.run.run}-") for name in engine.removed]


def asked(engine: FakeEngine, box: Box) -> list[str]:
    """Return what the engine was told to remove, in this order."""
    told = [line.rpartition("/")[2] for line in engine.asked if line.startswith("DELETE ")]
    return [name.removeprefix(f"{TITLE}-{box.run.run}-") for name in told]


def passes(box: Box, engine: FakeEngine, stop: threading.Event) -> None:
    fill(box)


def raises(box: Box, engine: FakeEngine, stop: threading.Event) -> None:
    fill(box)
    raise ValueError


def is_interrupted(box: Box, engine: FakeEngine, stop: threading.Event) -> None:
    fill(box)
    raise KeyboardInterrupt


def is_stopped(box: Box, engine: FakeEngine, stop: threading.Event) -> None:
    fill(box)
    stop.set()
    box.pause(LONG)


def is_refused(box: Box, engine: FakeEngine, stop: threading.Event) -> None:
    fill(box)
    engine.faults["POST /containers"] = (500, "no space left on device")
    box.create("four", IMAGE, "pass")


def loses_an_answer(box: Box, engine: FakeEngine, stop: threading.Event) -> None:
    fill(box, MADE[:-1])
    engine.faults["POST /containers"] = "lost"
    fill(box, MADE[-1:])


WAYS: dict[str, tuple[Callable[[Box, FakeEngine, threading.Event], None], type[BaseException] | None]] = {
    "it is through": (passes, None), "it breaks": (raises, ValueError),
    "it is interrupted": (is_interrupted, KeyboardInterrupt), "the run is ended": (is_stopped, Stopped),
    "the engine refuses": (is_refused, EngineError), "an answer is lost": (loses_an_answer, EngineError),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_the_order_is_the_reverse_one(way: str, engine: FakeEngine) -> None:
    act, error = WAYS[way]
    stop = threading.Event()
    box = Box(engine.bench(LONG, stop))
    with pytest.raises(error) if error else nullcontext(), box:
        act(box, engine, stop)
    assert removed(engine, box) == ORDER
    assert engine.left == set()


def test_the_deadline_is_a_way_out_too(engine: FakeEngine) -> None:
    box = Box(engine.bench(3.0))
    with pytest.raises(TimeoutError), box:  # noqa: PT012 - the block is what is tested
        fill(box)
        box.pause(LONG)
    there = len(engine.created)  # all, but on a very busy machine
    assert there
    assert removed(engine, box) == [name for name in ORDER if name in MADE[:there]]


@pytest.mark.parametrize("names", [(), ("one",), ("net-one",), ("net-one", "net-two"), ("one", "net-one", "two")])
def test_what_was_not_made_is_not_asked_for(names: tuple[str, ...], engine: FakeEngine) -> None:
    with Box(engine.bench(LONG)) as box:
        fill(box, names)
    assert asked(engine, box) == [name for name in ORDER if name in names]
    assert engine.left == set()


@pytest.mark.parametrize("stays", ["one", "two", "three"])
@pytest.mark.parametrize("fault", [(500, "device or resource busy"), (409, "removal is in progress"), "cut"])
def test_one_that_cannot_be_removed_keeps_no_other(
    stays: str, fault: tuple[int, str] | str, engine: FakeEngine
) -> None:
    with Box(engine.bench(LONG)) as box:
        fill(box)
        engine.faults[f"DELETE /containers/.*-{stays}$"] = fault
    assert removed(engine, box) == [name for name in ORDER if name != stays]
    assert {name.rpartition("-")[2] for name in engine.left} == {stays}


@pytest.mark.parametrize("gone", ["one", "net-two"])
def test_one_that_somebody_else_removed_is_no_failure(gone: str, engine: FakeEngine) -> None:
    with Box(engine.bench(LONG)) as box:
        fill(box)
        rows = engine.networks if gone.startswith("net") else engine.containers
        del rows[f"id-{TITLE}-{box.run.run}-{gone}"]
    assert removed(engine, box) == [name for name in ORDER if name != gone]


def test_nothing_of_others_is_touched(engine: FakeEngine) -> None:
    engine.put("containers", f"{TITLE}-other-one", {"mailcow-preflight.run": "other"})
    engine.put("networks", "bridge", {})
    with Box(engine.bench(LONG)) as box:
        fill(box)
    assert engine.left == {f"{TITLE}-other-one", "bridge"}
    assert all(box.run.run in name for name in engine.removed)


def test_a_network_that_stays_in_use_is_given_up_after_a_while(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made, "LATE", 2.0)
    monkeypatch.setattr(made, "AGAIN", 0.01)
    with Box(engine.bench(LONG)) as box:
        fill(box)
        engine.faults["DELETE .*-net-two$"] = (403, "network has active endpoints")
    told = asked(engine, box)
    assert told[:5] == ORDER
    assert told.count("net-two") > 2
    assert told.count("net-one") == told.count("one") == 1
    assert removed(engine, box) == [name for name in ORDER if name != "net-two"]


# --- a probe as a whole ----------------------------------------------------------------------------------------


def performed(engine: FakeEngine, act: Callable[[Box, str], Any], bench: Bench, seconds: float = LONG) -> Fact[Any]:
    return run_probe(Probe("test", seconds, "probes", "a test", act), bench)


def works(box: Box, image: str) -> str:
    fill(box)
    return image


def hangs(box: Box, image: str) -> None:
    fill(box)
    while True:
        box.pause()


def ends(stop: threading.Event) -> Callable[[Box, str], None]:
    def act(box: Box, image: str) -> None:
        fill(box)
        stop.set()
        box.pause(LONG)

    return act


def fails(box: Box, image: str) -> None:
    fill(box)
    raise EngineError("no space left on device")


def test_a_probe_that_is_through_has_its_value(engine: FakeEngine) -> None:
    fact = performed(engine, works, engine.bench(LONG))
    assert (fact.value, fact.source, engine.left) == (IMAGE, "a test", set())


@pytest.mark.parametrize(
    ("how", "reason", "help"),
    [
        ("stop", "The run was stopped before the probe ended.", ""),
        ("run", "The run reached its deadline before the probe ended.", "Raise --timeout."),
        ("own", "The probe did not end within 2 s.", "A longer timeout does not help."),
        ("engine", "The engine did not let preflight prepare a container.", ""),
        ("image", "There is no mailcow-preflight image on this engine to start a container from.", "make image"),
    ],
)
def test_a_probe_that_is_not_says_why_and_leaves_nothing(
    how: str, reason: str, help: str, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "TIDYING", 1.0)
    stop = threading.Event()
    if how == "image":
        engine.images.clear()
    act: Callable[[Box, str], Any] = {"stop": ends(stop), "engine": fails, "image": works}.get(how, hangs)
    bench = replace(engine.bench(3.0 if how == "run" else LONG, stop))
    fact = performed(engine, act, bench, 2.0 if how == "own" else LONG)
    assert fact.missing is not None
    assert (fact.missing.kind, fact.missing.reason) == ("unknown", reason)
    assert help in fact.missing.help
    assert fact.missing.detail == ("no space left on device" if how == "engine" else "")
    assert engine.left == set()
    assert bool(engine.created) is (how != "image")


def test_a_fault_of_a_probe_is_the_runs_to_tell_and_leaves_nothing(engine: FakeEngine) -> None:
    def broken(box: Box, image: str) -> None:
        fill(box)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        performed(engine, broken, engine.bench(LONG))
    assert engine.left == set()


def test_no_probe_outlasts_a_run_of_the_usual_length() -> None:
    """The run's deadline is 30 s where nothing else was given: they go on side by side, with room to remove them."""
    assert all(0 < probe.seconds <= 20 for probe in PROBES)
    assert len({probe.name for probe in PROBES}) == len(PROBES)
