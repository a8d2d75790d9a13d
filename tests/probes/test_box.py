"""What a box makes is gone when it is left, whatever happens."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from preflight.gather.access.errand import Gate, Stopped
from preflight.gather.engine.client import EngineError
from preflight.probes import box as module
from preflight.probes import made as emptying
from preflight.probes.bench import Bench
from preflight.probes.box import Box
from preflight.probes.image import TITLE, own_image
from preflight.probes.registry import PROBES
from tests.probes.engine import IMAGE, FakeEngine, performed


def box(engine: FakeEngine, seconds: float = 10.0, stop: threading.Event | None = None) -> Box:
    return Box(engine.bench(seconds, stop))


def make(inside: Box) -> str:
    return inside.create("test", IMAGE, "pass")


# --- what a box makes ----------------------------------------------------------------------------------------


def test_a_container_carries_the_runs_labels_and_nothing_of_the_users(engine: FakeEngine) -> None:
    with box(engine) as inside:
        make(inside)
        assert engine.left == {f"{TITLE}-{inside.run.run}-test"}
    (made,) = engine.created
    assert made["Labels"] == inside.run.labels()
    assert (made["Entrypoint"], made["Cmd"]) == (["/usr/bin/python3"], ["-I", "-S", "-c", "pass"])
    assert not made.get("Env")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Stopped, TimeoutError])
def test_it_is_gone_however_the_box_is_left(engine: FakeEngine, error: type[BaseException]) -> None:
    with pytest.raises(error), box(engine) as inside:  # noqa: PT012 - the block is what is tested
        make(inside)
        assert engine.left
        raise error
    assert engine.left == set()


def test_every_container_is_removed_though_one_is_gone_and_one_cannot_be(engine: FakeEngine) -> None:
    with box(engine) as inside:
        keys = [inside.create(name, IMAGE, "pass") for name in ("first", "second", "third")]
        del engine.containers[keys[0]]
        engine.faults["DELETE .*second"] = (500, "device or resource busy")
    assert engine.left == {keys[1].removeprefix("id-")}


class Watched(Gate):
    """A gate that tells when something has passed it, also where that has left again at once."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = threading.Event()

    def enter(self) -> bool:
        let = super().enter()
        self.passed.set()
        return let


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Give a test a gate of its own, to be closed."""
    made = Watched()
    monkeypatch.setattr(module, "boxes", made)
    return made


@pytest.mark.parametrize("late", [0.0, 0.3])
def test_a_run_does_not_end_before_its_boxes_are_empty(engine: FakeEngine, gate: Watched, late: float) -> None:
    """The run gives a part up, whose thread is a daemon, and ends: at any moment after a container may be made."""
    begun = threading.Event()
    if late:
        engine.faults["create"] = "late"

    def gather() -> None:
        with contextlib.suppress(TimeoutError), box(engine, 0.2) as inside:
            begun.set()
            make(inside)

    part = threading.Thread(target=gather, daemon=True)
    part.start()
    assert begun.wait(5)
    assert gate.passed.wait(5)
    threading.Timer(late, engine.release.set).start()
    gate.close()
    assert gate.empty(10)
    assert (len(engine.created), engine.left) == (1, set())
    part.join(5)


def test_after_the_end_no_container_is_made(engine: FakeEngine, gate: Watched) -> None:
    with box(engine) as inside:
        gate.close()
        with pytest.raises(Stopped):
            make(inside)
    assert gate.empty(0)
    assert engine.created == []


def test_no_container_outlives_the_end_whenever_it_was_made(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Boxes in several threads against an end at every moment."""
    made = 0
    for round in range(30):
        gate = Gate()
        monkeypatch.setattr(module, "boxes", gate)

        def gather() -> None:
            with contextlib.suppress(Stopped), box(engine) as inside:
                make(inside)

        parts = [threading.Thread(target=gather, daemon=True) for _ in range(3)]
        for part in parts:
            part.start()
        time.sleep(round / 1000)
        gate.close()
        assert gate.empty(10)
        assert engine.left == set()
        made = len(engine.created)
        for part in parts:
            part.join(10)
        assert (len(engine.created), engine.left) == (made, set())


@pytest.mark.parametrize("late", [0.4, 1.6])
def test_a_container_made_too_late_for_the_deadline_is_removed(engine: FakeEngine, late: float) -> None:
    """The engine makes it, but answers only after nobody waits any more."""
    engine.faults["create"] = "late"
    began = time.monotonic()
    threading.Timer(late, engine.release.set).start()
    with pytest.raises(TimeoutError), box(engine, 0.2) as inside:
        make(inside)
    assert engine.created
    assert engine.left == set()
    assert time.monotonic() - began < late + 6


def test_a_container_whose_making_was_never_answered_is_removed(engine: FakeEngine) -> None:
    engine.faults["create"] = "lost"
    with box(engine) as inside, pytest.raises(EngineError):
        make(inside)
    assert engine.created
    assert engine.left == set()


def test_a_stop_ends_a_call_at_once_and_removes_what_it_made_after_all(engine: FakeEngine) -> None:
    engine.faults["create"] = "late"
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    threading.Timer(2.5, engine.release.set).start()
    with box(engine, stop=stop) as inside:
        with pytest.raises(Stopped):
            make(inside)
        assert not engine.release.is_set()  # nobody waited for the answer
        with pytest.raises(Stopped):
            inside.inspect("any")
    assert engine.left == set()


def test_pause_ends_with_the_deadline_and_with_a_stop(engine: FakeEngine) -> None:
    stop = threading.Event()
    with box(engine, 0.2, stop) as inside:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            inside.pause(60)
        stop.set()
        with pytest.raises(Stopped):
            inside.pause(60)
        assert time.monotonic() - began < 30


def test_an_engine_that_dies_midway_is_an_error_and_leaving_is_quick(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for patience in ("LATE", "EMPTYING"):  # no removal is tried again where nobody answers
        monkeypatch.setattr(emptying, patience, 60)
    began = time.monotonic()
    with box(engine) as inside:
        key = make(inside)
        engine.faults["start"] = "die"
        with pytest.raises(EngineError):
            inside.call(lambda: inside.client.start(key))
    assert time.monotonic() - began < 30


def test_an_engine_that_is_not_there_is_an_error() -> None:
    with pytest.raises(EngineError):
        Box(Bench("unix:///nonexistent/docker.sock", None, threading.Event(), time.monotonic() + 5))


# --- the image -----------------------------------------------------------------------------------------------


def test_the_image_is_that_of_our_own_container(engine: FakeEngine) -> None:
    engine.images.clear()
    engine.put("containers", "me", {})
    with box(engine) as inside:
        assert own_image(inside, "id-me") == IMAGE
        assert own_image(inside, "id-unknown-here") is None
        engine.images["renamed"] = {"org.opencontainers.image.title": TITLE}
        assert own_image(inside, "id-unknown-here") == IMAGE
        engine.images = {TITLE: {}}
        assert own_image(inside, None) == IMAGE
        engine.faults["GET /images"] = (500, "broken store")
        with pytest.raises(EngineError, match="broken store"):
            own_image(inside, None)


@pytest.mark.parametrize("probe", [entry.name for entry in PROBES])
@pytest.mark.parametrize("there", [True, False])
def test_no_image_is_ever_pulled(engine: FakeEngine, probe: str, there: bool) -> None:
    if there:  # it goes between the look for it and the making of the container
        engine.faults["POST /containers/create"] = (404, "No such image: mailcow-preflight")
    else:
        engine.images.clear()
    fact = performed(probe, engine.bench(3.0))
    assert there or (fact.missing is not None and fact.missing.commands == ("make image",))
    assert engine.asked
    assert [line for line in engine.asked if "/images/create" in line or "/build" in line or "/load" in line] == []
