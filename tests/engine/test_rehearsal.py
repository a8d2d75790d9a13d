"""The dress rehearsal on a real engine: every port answers its own token, and nothing stays, however the run ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from preflight.mailcow.layout import CONTAINERS, SHAPE
from tests.documents import held
from tests.engine.runs import LABEL, NATIVE, end, left, report, running, settled, start, statuses, swept

pytestmark = [pytest.mark.engine, pytest.mark.image]

REHEARSAL = ("--only", "rehearsal.*", "--rehearse", "--offline")
# Of the events of a rehearsal's containers, some 80, every sixteenth. Whole runs are killed in test_safety.
MOMENTS = range(1, 80, 16)


@pytest.fixture(autouse=True)
def nothing_stays(engine: docker.DockerClient, image: str) -> Iterator[None]:
    """Hold every test to it; what a failed one leaves must not fail the next."""
    assert left(engine) == set()
    yield
    assert swept(engine) == set()
    assert not [network for network in engine.networks.list() if "br-mailcow" in str(network.attrs["Options"])]


def conf(tmp_path: Path, **lines: str) -> tuple[str, ...]:
    """Write a mailcow.conf; return the options that name it."""
    path = tmp_path / "mailcow.conf"
    path.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    return "--mailcow-conf", str(path)


def rows(made: dict[str, Any], check: str) -> dict[str | None, dict[str, Any]]:
    return {row["subject"]: row for row in made["results"] if row["check"] == check}


def test_every_port_of_mailcows_answers(engine: docker.DockerClient) -> None:
    made = report(*NATIVE, *REHEARSAL)
    assert statuses(made)["rehearsal.network", None] in ("pass", "unknown")  # without IPv6 forwarding IPv4 alone
    ports = rows(made, "rehearsal.publish")
    assert len(ports) == len(SHAPE)
    assert {row["status"] for row in ports.values()} == {"pass"}, ports
    containers = rows(made, "rehearsal.health")[None]["evidence"]["containers"]
    assert set(containers) == {one.name for one in CONTAINERS}
    assert {state for name in ("unbound-mailcow", "clamd-mailcow") for _, state in containers[name]["states"]} == {
        "starting", "healthy",
    }  # fmt: skip
    assert rows(made, "rehearsal.egress")[None]["status"] == "skip"
    assert left(engine) == set()


def test_without_the_option_nothing_is_made(engine: docker.DockerClient) -> None:
    began = time.time()
    assert set(statuses(report(*NATIVE, "--only", "rehearsal.*")).values()) == {"skip"}
    assert list(engine.events(decode=True, filters={"label": LABEL}, since=began, until=time.time())) == []


def test_a_port_that_is_held_and_an_address_that_is_not_there(engine: docker.DockerClient, tmp_path: Path) -> None:
    options = conf(tmp_path, SMTP_PORT="127.0.0.1:2525", HTTP_BIND="203.0.113.99", ENABLE_IPV6="false")
    with socket.create_server(("127.0.0.1", 2525)):
        made = report(*NATIVE, *REHEARSAL, *options)
    found = {subject: row["evidence"]["cause"] for subject, row in rows(made, "rehearsal.publish").items()}
    assert found.pop("127.0.0.1:2525/tcp") == "in-use"
    assert found.pop("203.0.113.99:80/tcp") == "no-address"
    assert set(found.values()) == {""}
    assert statuses(made)["rehearsal.publish", "443/tcp"] == "pass"


def test_a_network_that_overlaps(engine: docker.DockerClient, tmp_path: Path) -> None:
    pool = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet="172.31.250.0/24")])
    network = engine.networks.create("mailcow-preflight-test-overlap", ipam=pool)
    try:
        made = report(*NATIVE, *REHEARSAL, *conf(tmp_path, IPV4_NETWORK="172.31.250"))
    finally:
        network.remove()
    row = rows(made, "rehearsal.network")[None]
    assert (row["status"], row["evidence"]["cause"]) == ("fail", "overlap")
    assert {statuses(made)[f"rehearsal.{name}", None] for name in ("publish", "health", "egress")} == {"unknown"}


def test_two_at_once_do_not_disturb_each_other(engine: docker.DockerClient) -> None:
    """One is played; the other says that it cannot be now, in whatever moment it finds the first."""
    both = [start(*NATIVE, *REHEARSAL, "--format", "json", "--quiet") for _ in range(2)]
    made = [held("report", end(run, 90)[1]) for run in both]
    played = [one for one in made if len(rows(one, "rehearsal.publish")) == len(SHAPE)]
    assert played
    for one in played:
        assert {row["status"] for row in rows(one, "rehearsal.publish").values()} == {"pass"}
    for one in made:
        assert statuses(one)["rehearsal.network", None] != "fail"


def test_what_is_held_stays_up_until_it_is_over(engine: docker.DockerClient) -> None:
    began = time.monotonic()
    made = report(*NATIVE, *REHEARSAL, "--hold", "3")
    assert time.monotonic() - began > 3
    assert {row["status"] for row in rows(made, "rehearsal.publish").values()} == {"pass"}


# --- ended before its time -----------------------------------------------------------------------------------


class Watch:
    """Counts what happens to labelled containers."""

    def __init__(self, engine: docker.DockerClient) -> None:
        self._stream = engine.events(decode=True, filters={"label": LABEL, "type": "container"})
        self.count = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        for _ in self._stream:
            self.count += 1

    def until(self, moment: int, run: subprocess.Popen[str]) -> None:
        """Wait for so many events, or for the end of the run."""
        end = time.monotonic() + 60
        while self.count < moment and run.poll() is None and time.monotonic() < end:
            time.sleep(0.005)

    def close(self) -> None:
        self._stream.close()


@pytest.fixture
def watch(engine: docker.DockerClient) -> Iterator[Watch]:
    made = Watch(engine)
    yield made
    made.close()


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_a_killed_rehearsal_left_is_removed(engine: docker.DockerClient, watch: Watch, moment: int) -> None:
    with running(*NATIVE, *REHEARSAL, "--format", "json", "--quiet") as run:
        watch.until(moment, run)
        run.kill()
        end(run)
    settled(engine)
    end(start(*NATIVE, "cleanup"), 60)
    assert left(engine) == set()


@pytest.mark.parametrize(
    ("moment", "number"),
    [(1, signal.SIGTERM), (8, signal.SIGINT), (25, signal.SIGHUP), (45, signal.SIGTERM), (60, signal.SIGINT)],
)
def test_a_rehearsal_that_is_ended_leaves_nothing(
    engine: docker.DockerClient, watch: Watch, moment: int, number: int
) -> None:
    with running(*NATIVE, *REHEARSAL, "--format", "json", "--quiet") as run:
        watch.until(moment, run)
        run.send_signal(number)
        code, printed = end(run, 60)
    assert (code, left(engine)) == (128 + number, set())
    assert held("report", printed)["results"]


def test_a_hold_ends_by_a_signal_and_the_report_is_whole(engine: docker.DockerClient, watch: Watch) -> None:
    with running(*NATIVE, *REHEARSAL, "--hold", "600", "--format", "json", "--quiet") as run:
        asks = "asks"
        until = time.monotonic() + 60
        while time.monotonic() < until and not _ended(engine, asks):
            time.sleep(0.1)
        time.sleep(3.0)  # what it said is read, on a busy machine too
        run.send_signal(signal.SIGINT)
        code, printed = end(run, 60)
    assert (code, left(engine)) == (130, set())
    assert {row["status"] for row in rows(held("report", printed), "rehearsal.publish").values()} == {"pass"}


def _ended(engine: docker.DockerClient, name: str) -> bool:
    """Say whether a container of a rehearsal has come to its end."""
    chosen = {"label": LABEL, "status": "exited"}
    return any(str(one.name).endswith(name) for one in engine.containers.list(all=True, filters=chosen))


def test_the_next_run_finds_no_port_held_by_a_killed_rehearsal(engine: docker.DockerClient, watch: Watch) -> None:
    with running(*NATIVE, *REHEARSAL, "--format", "json", "--quiet") as run:
        watch.until(50, run)
        run.kill()
        end(run)
    assert settled(engine)
    made = report(*NATIVE, *REHEARSAL, "--only", "ports.free", "--only", "network.subnet")
    assert {row["status"] for row in rows(made, "ports.free").values()} == {"pass"}
    assert {row["status"] for row in rows(made, "network.subnet").values()} == {"pass"}
    assert {row["status"] for row in rows(made, "rehearsal.publish").values()} == {"pass"}
