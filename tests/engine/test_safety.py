"""Whole runs with all probes on a real engine, killed or side by side: nothing of ours stays, on the host either."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from tests.documents import held
from tests.engine.runs import NATIVE, end, left, report, running, settled, start, statuses, swept

pytestmark = [pytest.mark.engine, pytest.mark.image]

KILLS = 20
# All checks that probes decide: of the health check, of what starts, and of the published ports.
WHOLE = (*NATIVE, "--offline", "--only", "docker.*", "--only", "firewall.*", "--timeout", "60")
# Not docker.limits: where the engine runs in a container, it may not be allowed to raise them.
PROBED = ("docker.healthcheck", "docker.privileged")


@pytest.fixture(autouse=True)
def nothing_stays(engine: docker.DockerClient, image: str) -> Iterator[None]:
    """Hold every test to it; what a failed one leaves must not fail the next."""
    assert left(engine) == set()
    yield
    assert swept(engine) == set()


@pytest.fixture(scope="module")
def whole(engine: docker.DockerClient, image: str) -> float:
    """How many seconds a whole run takes here."""
    began = time.monotonic()
    report(*WHOLE)
    return time.monotonic() - began


def traces(engine: docker.DockerClient) -> set[str]:
    """What runs may leave: containers, networks, volumes, interfaces, and rules of the firewall without counters."""
    rules = set()
    for program in ("iptables-save", "ip6tables-save"):
        if shutil.which(program):
            saved = subprocess.run([program], capture_output=True, text=True, check=True).stdout
            rules |= {f"{program} {line}" for line in saved.splitlines() if line.startswith("-A")}
    return {
        *rules,
        *(f"container {found.name}" for found in engine.containers.list(all=True, ignore_removed=True)),
        *(f"network {found.name}" for found in engine.networks.list()),
        *(f"volume {found.name}" for found in engine.volumes.list()),
        *(f"interface {name}" for _, name in socket.if_nameindex()),
    }


def pulled(engine: docker.DockerClient, since: float) -> list[Any]:
    found = engine.events(decode=True, filters={"type": "image"}, since=since, until=time.time())
    return [event for event in found if event["Action"] == "pull"]


def sound(made: dict[str, Any]) -> bool:
    found = statuses(made)
    return {found[identity, None] for identity in PROBED} == {"pass"}


@pytest.mark.parametrize("moment", range(1, KILLS + 1))
def test_a_kill_at_any_moment_leaves_nothing_for_long(engine: docker.DockerClient, whole: float, moment: int) -> None:
    before, began = traces(engine), time.time()
    with running(*WHOLE, "--quiet") as run:
        time.sleep(whole * moment / KILLS)
        run.kill()
        end(run)
    settled(engine)
    if moment % 2:
        assert end(start(*NATIVE, "cleanup"))[0] == 0
    else:
        assert sound(report(*WHOLE))
    assert traces(engine) - before == set()
    assert pulled(engine, began) == []


def test_two_runs_at_once_do_not_disturb_each_other(engine: docker.DockerClient, whole: float) -> None:
    before = traces(engine)
    with running(*WHOLE, "--format", "json", "--quiet") as other:
        assert sound(report(*WHOLE))
        _, printed = end(other, 60)
    assert sound(held("report", printed))
    assert traces(engine) - before == set()
