"""What dead runs left on an engine is removed, what lives is kept."""

from __future__ import annotations

import datetime

import pytest

from preflight.facts.engine import RUN
from preflight.gather.engine.client import EngineError
from preflight.probes import identity
from preflight.probes.box import Box
from preflight.probes.cleanup import cleanup, remove_dead, remove_run
from preflight.probes.identity import BOOT, PROCESS, STARTED
from tests.probes.engine import FakeEngine


def stamp(age: float = 0.0) -> str:
    then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age)
    return then.strftime("%Y-%m-%dT%H:%M:%SZ")


def marked(age: float = 0.0, **changed: str) -> dict[str, str]:
    """Labels of a run that lives (this process), but for what is changed."""
    names = {"boot": BOOT, "process": PROCESS, "run": RUN}
    return {
        **identity.own().labels(),
        STARTED: stamp(age),
        **{names[name]: value for name, value in changed.items()},
    }


NAMESPACE = identity.own().process.split(":")[0]
NUMBER = identity.own().process.split(":")[1]
HOSTILE = {"only-the-label": {RUN: "x"}, "odd": {RUN: "\x1b[2J", BOOT: "\x00", PROCESS: "::", STARTED: "-1"}}


def dead() -> dict[str, dict[str, str]]:
    """Runs that are over; made when they are needed, as time goes on while other tests run."""
    return {
        "before-a-restart": marked(boot="11111111-2222-3333-4444-555555555555"),
        "number-reused": marked(process=f"{NAMESPACE}:{NUMBER}:1"),
        "no-such-process": marked(process=f"{NAMESPACE}:4194305:77"),
        "old-and-elsewhere": marked(700, process="4026599999:1:1"),
        "of-the-future": marked(-900, process="4026599999:1:1"),
    }


def living() -> dict[str, dict[str, str]]:
    return {"this-process": marked(100_000), "elsewhere-and-young": marked(60, process="4026599999:1:1")}


@pytest.mark.parametrize("kind", ["containers", "networks", "volumes"])
def test_a_living_runs_objects_are_kept_and_a_dead_ones_removed(engine: FakeEngine, kind: str) -> None:
    for name, labels in {**dead(), **living(), **HOSTILE, "users-own": {"com.example": "x"}}.items():
        engine.put(kind, name, labels)
    removed = cleanup(engine.url, force=False)
    assert engine.left == {*living(), "users-own"}
    assert set(removed) == {f"{kind.removesuffix('s')} {name}" for name in {**dead(), **HOSTILE}}


def test_on_request_what_cannot_be_asked_goes_too_but_not_what_lives(engine: FakeEngine) -> None:
    for name, labels in {**dead(), **living()}.items():
        engine.put("containers", name, labels)
    cleanup(engine.url)
    assert engine.left == {"this-process"}


def test_an_engine_elsewhere_has_other_boots(engine: FakeEngine) -> None:
    """There, another boot is another machine: its run cannot be asked, and is given its ten minutes."""
    engine.put("containers", "young", marked(60, boot="another"))
    engine.put("containers", "old", marked(700, boot="another"))
    with Box(engine.bench()) as inside:
        remove_dead(inside.client, local=False)
    assert engine.left == {"young"}


def test_a_container_goes_before_the_network_it_uses(engine: FakeEngine) -> None:
    for kind in ("volumes", "networks", "containers"):
        engine.put(kind, f"one-of-{kind}", {RUN: "x"})
    assert cleanup(engine.url) == ["container one-of-containers", "network one-of-networks", "volume one-of-volumes"]


def test_what_cannot_be_removed_is_not_said_to_be(engine: FakeEngine) -> None:
    engine.put("containers", "stuck", {RUN: "x"})
    engine.put("containers", "loose", {RUN: "x"})
    engine.faults["DELETE .*stuck"] = (500, "device or resource busy")
    assert cleanup(engine.url) == ["container loose"]


@pytest.mark.parametrize("labels", [None, [], "text", 5, {}, {RUN: 5}, {RUN: None, BOOT: []}, {"com.example": "x"}])
def test_what_bears_no_label_of_ours_is_not_touched_though_the_engine_lists_it(
    engine: FakeEngine, labels: object
) -> None:
    engine.filters = False
    for kind in ("containers", "networks", "volumes"):
        engine.put(kind, f"users-{kind}", labels)
    engine.put("containers", "dead", {**dead()["number-reused"], "odd": 5})
    assert cleanup(engine.url) == ["container dead"]
    assert engine.left == {"users-containers", "users-networks", "users-volumes"}


def test_names_are_fit_for_a_terminal(engine: FakeEngine) -> None:
    engine.put("networks", "x\x1b]0;title\x07\nremoved container mail", {RUN: "x"})
    (shown,) = cleanup(engine.url)
    assert shown.isprintable()
    assert engine.left == set()


@pytest.mark.parametrize("how", ["die", (500, "broken"), (200, "not a list")])
@pytest.mark.parametrize("moment", ["GET /containers/json", "GET /networks"])
def test_an_engine_that_fails_at_a_list_is_an_error(
    engine: FakeEngine, moment: str, how: str | tuple[int, str]
) -> None:
    engine.put("containers", "dead", dead()["number-reused"])
    engine.faults[moment] = how
    with pytest.raises(EngineError):
        cleanup(engine.url)
    assert engine.left == {"dead"}


@pytest.mark.parametrize("how", ["die", (500, "broken")])
def test_an_engine_that_fails_at_the_removal_has_removed_nothing(
    engine: FakeEngine, how: str | tuple[int, str]
) -> None:
    engine.put("containers", "dead", dead()["number-reused"])
    engine.faults["DELETE"] = how
    assert cleanup(engine.url) == []


def test_a_network_that_somebody_uses_stays_and_is_not_said_to_be_gone(engine: FakeEngine) -> None:
    engine.put("networks", "ours", dead()["number-reused"])
    engine.put("containers", "users-own", {})
    engine.containers["id-users-own"]["Body"] = {"HostConfig": {"NetworkMode": "ours"}}
    assert cleanup(engine.url) == []
    engine.faults["DELETE"] = (409, "network is being used")  # Podman's word for it
    assert cleanup(engine.url) == []
    assert engine.left == {"ours", "users-own"}


def test_a_container_that_is_going_counts_as_gone(engine: FakeEngine) -> None:
    engine.put("containers", "going", dead()["number-reused"])
    engine.faults["DELETE"] = (409, "removal of container going is already in progress")
    assert cleanup(engine.url) == ["container going"]


def test_of_a_run_everything_goes_and_nothing_of_another(engine: FakeEngine) -> None:
    for kind in ("containers", "networks", "volumes"):
        for run in ("one", "other"):
            engine.put(kind, f"{run}-{kind}", {RUN: run})
    with Box(engine.bench()) as inside:
        assert remove_run(inside.client, "one") == [
            "container one-containers", "network one-networks", "volume one-volumes",
        ]  # fmt: skip
    assert engine.left == {"other-containers", "other-networks", "other-volumes"}
