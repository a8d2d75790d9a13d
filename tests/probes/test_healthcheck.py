"""The probe with a health check records what the engine showed, and leaves nothing."""

from __future__ import annotations

import json
import threading
import time

import pytest

from preflight.facts import Fact, HealthRun
from preflight.probes import frame
from preflight.probes import healthcheck as module
from preflight.probes.bench import Bench
from tests.probes.engine import IMAGE, FakeEngine, performed


def probe(
    engine: FakeEngine, seconds: float = 10.0, stop: threading.Event | None = None, budget: float | None = None
) -> Fact[HealthRun]:
    fact = performed("healthcheck", engine.bench(seconds, stop), budget)
    assert engine.left == set()
    return fact


def states(fact: Fact[HealthRun]) -> list[str]:
    return [state for _, state in fact.get().states]


def reason(fact: Fact[HealthRun]) -> str:
    assert fact.missing is not None
    assert fact.missing.kind == "unknown"
    return fact.missing.reason


def test_states_in_order_each_once(engine: FakeEngine) -> None:
    engine.before, engine.after = ["starting", "starting", "unhealthy"], ["unhealthy", "unhealthy", "healthy"]
    fact = probe(engine)
    assert states(fact) == ["starting", "unhealthy", "healthy"]
    times = [seconds for seconds, _ in fact.get().states]
    assert times == sorted(times)
    assert times[0] >= 0
    assert (fact.get().error, fact.get().output, fact.get().image) == ("", "not yet", IMAGE)


def test_the_container_is_alone_and_its_file_the_runs_own(engine: FakeEngine) -> None:
    probe(engine)
    probe(engine)
    first, second = engine.created
    assert first["HostConfig"]["NetworkMode"] == "none"
    assert first["HostConfig"].get("Binds") is None
    assert not first["HostConfig"].get("Privileged")
    assert first["Healthcheck"]["Retries"] == 1
    assert first["Healthcheck"]["Test"] != second["Healthcheck"]["Test"]
    assert first["Labels"]["mailcow-preflight.run"] in json.dumps(first["Healthcheck"]["Test"])


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [
        (["starting"], ["healthy"], ["starting"]),  # the engine runs no health checks
        (["none"], ["healthy"], ["none"]),  # it ignores the HEALTHCHECK
        (["starting", "healthy"], ["healthy"], ["starting", "healthy"]),  # it misreads its failure
        (["starting", "unhealthy"], ["unhealthy"], ["starting", "unhealthy"]),  # it never gets well
        (["\x1b[2J" * 20], ["healthy"], [("\x1b[2J" * 20)[:50]]),
    ],
)
def test_what_never_comes_is_recorded_as_far_as_it_came(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, before: list[str], after: list[str], seen: list[str]
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 2)
    engine.before, engine.after = before, after
    began = time.monotonic()
    fact = probe(engine, 0.8)
    assert (states(fact), fact.get().error) == (seen, "")
    assert time.monotonic() - began < 8


@pytest.mark.parametrize(
    ("before", "after"), [(["starting"], ["healthy"]), (["starting", "unhealthy"], ["unhealthy"]), (["none"], ["none"])]
)
def test_what_was_not_waited_for_says_nothing_of_the_engine(
    engine: FakeEngine, before: list[str], after: list[str]
) -> None:
    """A run with little time, or a slow machine: no verdict on an engine that was given no chance."""
    engine.before, engine.after = before, after
    assert reason(probe(engine, 0.8)) == "The run reached its deadline before the probe ended."


def test_it_gives_up_by_itself_after_its_own_time(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.before = ["starting"]
    monkeypatch.setattr(module, "PATIENCE", 2)
    began = time.monotonic()
    assert states(probe(engine, 60, budget=1.5)) == ["starting"]
    assert time.monotonic() - began < 20  # a busy machine is slow; 60 s were allowed


def test_it_is_removing_before_the_runs_deadline(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "TIDYING", 60.0)
    engine.before = ["starting"]
    began = time.monotonic()
    assert reason(probe(engine, 60.5, budget=120)) == "The run reached its deadline before the probe ended."
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("state", [{"Running": False, "ExitCode": 137, "Error": "OOM"}, {"Running": False}])
def test_a_container_that_ends_by_itself_is_an_error_of_the_engine(
    engine: FakeEngine, state: dict[str, object]
) -> None:
    engine.state = state
    engine.before = ["starting"]
    run = probe(engine).get()
    assert (run.ended, run.exit_code, run.error) == (True, state.get("ExitCode"), state.get("Error", ""))


@pytest.mark.parametrize(
    "state", [{"Health": "x"}, {"Health": {"Log": 5}}, {"Health": {"Log": [5, {"ExitCode": "x"}]}}]
)
def test_a_lying_engine_brings_nothing_down(engine: FakeEngine, state: dict[str, object]) -> None:
    engine.lies = state
    fact = probe(engine, 0.6)
    assert not fact.known or "healthy" not in states(fact)


@pytest.mark.parametrize(
    "moment",
    [
        "POST /containers/create", "POST .*/containers/.*/start", "GET /containers/.*mailcow.*/json",
        "POST .*/containers/.*/exec", "POST /exec/.*/start",
    ],
)  # fmt: skip
@pytest.mark.parametrize("how", ["die", "cut", (500, "runc: exec failed")])
def test_an_engine_that_fails_midway(engine: FakeEngine, moment: str, how: str | tuple[int, str]) -> None:
    engine.faults[moment] = how
    began = time.monotonic()
    fact = performed("healthcheck", engine.bench())
    assert fact.get().error
    assert "healthy" not in states(fact)
    assert ("exec failed" in fact.get().error) is (how not in ("die", "cut"))
    assert engine.dead or engine.left == set()
    assert time.monotonic() - began < 8  # 10 are allowed


@pytest.mark.parametrize("moment", ["create", "POST .*/start", "POST .*/exec"])
def test_an_engine_that_is_silent_midway_is_left_alone_in_time(engine: FakeEngine, moment: str) -> None:
    engine.faults[moment] = "late"
    threading.Timer(1.0, engine.release.set).start()
    assert reason(probe(engine, 0.8)) == "The run reached its deadline before the probe ended."


def test_without_the_image_it_is_unknown_and_says_how_to_get_it(engine: FakeEngine) -> None:
    engine.images.clear()
    fact = probe(engine)
    assert "no mailcow-preflight image" in reason(fact)
    assert fact.missing is not None
    assert fact.missing.commands == ("make image",)
    assert engine.created == []


@pytest.mark.parametrize("how", ["die", (500, "image store broken")])
def test_an_engine_that_cannot_tell_its_images_is_unknown(engine: FakeEngine, how: str | tuple[int, str]) -> None:
    engine.faults["GET /images"] = how
    assert reason(probe(engine)) == "The engine did not let preflight prepare a container."
    assert engine.created == []


def test_no_engine_is_unknown() -> None:
    nowhere = Bench("unix:///nonexistent/docker.sock", None, threading.Event(), time.monotonic() + 5)
    fact = performed("healthcheck", nowhere)
    assert "did not let preflight prepare a container" in reason(fact)


def test_no_time_is_unknown(engine: FakeEngine) -> None:
    assert not probe(engine, -1).known


@pytest.mark.parametrize("after", [0.0, 0.1, 0.3, 0.6])
def test_a_stop_ends_it_at_any_moment_and_nothing_is_left(engine: FakeEngine, after: float) -> None:
    engine.before = ["starting"]
    stop = threading.Event()
    threading.Timer(after, stop.set).start()
    began = time.monotonic()
    assert "The run was stopped" in reason(probe(engine, 120, stop=stop, budget=120))
    assert time.monotonic() - began < 30
