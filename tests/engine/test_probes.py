"""The probes on a real engine: they find it sound, and nothing stays, however the run ends."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import docker
import pytest

from tests.documents import held
from tests.engine.runs import (
    FLAGS,
    LABEL,
    NATIVE,
    URL,
    container,
    end,
    events,
    left,
    report,
    running,
    settled,
    start,
    statuses,
    swept,
    wait_for,
)

pytestmark = [pytest.mark.engine, pytest.mark.image]

SOCKET = URL.removeprefix("unix://")
# Containers of a run that judges the health check: two with one, one for commands, one that is privileged. On a busy
# machine one more: the check that hangs is tried again where it began too late.
PROBES, MOST = 4, 5
HEALTH = ("--only", "docker.healthcheck", "--format", "json", "--quiet")


@pytest.fixture(autouse=True)
def nothing_stays(engine: docker.DockerClient, image: str) -> Iterator[None]:
    """Hold every test to it; what a failed one leaves must not fail the next."""
    assert left(engine) == set()
    yield
    assert swept(engine) == set()


def test_a_sound_engine(engine: docker.DockerClient) -> None:
    with events(engine) as happening:
        made = report(*NATIVE, "--only", "docker.healthcheck", "--only", "docker.privileged")
        seen = []
        while seen.count("destroy") < max(PROBES, seen.count("create")):
            seen.append(next(happening))
    assert statuses(made) == {("docker.healthcheck", None): "pass", ("docker.privileged", None): "pass"}
    health = next(row for row in made["results"] if row["check"] == "docker.healthcheck")
    times, states = zip(*health["evidence"]["states"], strict=True)
    assert states == ("starting", "unhealthy", "healthy")
    assert list(times) == sorted(times)
    assert 0 <= times[0] < times[-1] < 10
    # They were really run: the engine says so.
    assert seen.count("create") == seen.count("start") == seen.count("destroy") <= MOST
    assert "health_status: unhealthy" in seen[: seen.index("health_status: healthy")]
    assert health["evidence"]["exit_codes"] == list(range(1, 21))
    assert [state for _, state in health["evidence"]["timeout_states"]] == ["starting", "unhealthy"]
    assert health["evidence"]["timeout_gone"] is True
    assert left(engine) == set()


def test_without_probes_nothing_is_started(engine: docker.DockerClient) -> None:
    began = time.time()
    made = report(*NATIVE, "--only", "docker.healthcheck", "--only", "docker.privileged", "--no-probe")
    assert set(statuses(made).values()) == {"skip"}
    happened = engine.events(decode=True, filters={"label": LABEL}, since=began, until=time.time())
    assert list(happened) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["create", "start", "exec_create", "health_status: unhealthy", "exec_die"])
def test_an_interrupted_run_prints_its_report_and_leaves_nothing(
    engine: docker.DockerClient, moment: str, number: int
) -> None:
    with events(engine, "healthcheck") as happening, running(*NATIVE, *HEALTH) as run:
        wait_for(happening, moment)
        run.send_signal(number)
        began = time.monotonic()
        code, printed = end(run)
    assert (code, left(engine)) == (128 + number, set())
    assert time.monotonic() - began < 5
    (row,) = held("report", printed)["results"]
    assert (row["status"], "The run was stopped" in row["reason"]) == ("unknown", True)


@pytest.mark.parametrize("seconds", [0.3, 0.5, 0.7, 1.2])
def test_a_run_whose_time_is_up_leaves_nothing(engine: docker.DockerClient, seconds: float) -> None:
    """The deadline may fall into the making of the container, or into its removal."""
    _, printed = end(start(*NATIVE, *HEALTH, "--timeout", str(seconds)))
    assert left(engine) == set()
    (row,) = held("report", printed)["results"]
    assert row["status"] in ("unknown", "pass")  # the engine is sound: no haste makes it fail


@pytest.mark.parametrize("killed", ["native", "container"])
@pytest.mark.parametrize("cleaner", ["cleanup", "check"])
def test_what_a_killed_run_left_the_next_one_removes(engine: docker.DockerClient, killed: str, cleaner: str) -> None:
    command = NATIVE if killed == "native" else container(*FLAGS, name="mailcow-preflight-test-killed")
    with events(engine, "healthcheck") as happening, running(*command, *HEALTH) as run:
        wait_for(happening, "start")
        if killed == "native":
            run.kill()
        else:
            engine.containers.get("mailcow-preflight-test-killed").kill()
        end(run)
    names = sorted(settled(engine))
    assert 1 <= len(names) <= MOST
    if cleaner == "check":
        assert set(statuses(report(*NATIVE, "--only", "docker.privileged")).values()) == {"pass"}
    else:
        code, printed = end(start(*NATIVE, "cleanup"))
        assert (code, sorted(printed.splitlines())) == (0, [f"removed container {name}" for name in names])
        assert end(start(*NATIVE, "cleanup")) == (0, "nothing to remove\n")
    assert left(engine) == set()


def test_what_a_living_run_made_is_not_removed_by_another(engine: docker.DockerClient) -> None:
    with events(engine, "healthcheck") as happening, running(*NATIVE, *HEALTH) as living:
        wait_for(happening, "start")
        living.send_signal(signal.SIGSTOP)
        mine = settled(engine)
        assert 1 <= len(mine) <= MOST
        # The last one has a process namespace of its own, so that it cannot see whether the other lives.
        for other in (NATIVE, container(*FLAGS), container("-v", f"{SOCKET}:{SOCKET}")):
            assert statuses(report(*other, "--only", "docker.privileged")) == {("docker.privileged", None): "pass"}
            assert left(engine) == mine
        assert end(start(*NATIVE, "cleanup")) == (0, "nothing to remove\n")
        assert left(engine) == mine
        living.send_signal(signal.SIGCONT)
        _, printed = end(living)
    (row,) = held("report", printed)["results"]
    assert row["status"] in ("pass", "unknown")  # where the others took long, its time was up meanwhile
