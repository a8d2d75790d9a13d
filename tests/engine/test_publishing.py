"""The probe with published ports on a real engine: it does what is derived for its version, and nothing stays."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.documents import held
from tests.engine.runs import FLAGS, NATIVE, container, end, events, left, running, settled, start, swept, wait_for

pytestmark = [
    pytest.mark.engine, pytest.mark.image,
    pytest.mark.skipif(shutil.which("iptables-save") is None, reason="needs iptables"),
]  # fmt: skip
BRIDGES = Path("/sys/class/net")


@pytest.fixture(autouse=True)
def nothing_stays(engine: docker.DockerClient, image: str) -> Iterator[None]:
    """Hold every test to it: objects of the engine, rules and interfaces."""
    assert left(engine) == set()
    before = rules()
    yield
    assert swept(engine) == set()
    assert rules() == before
    assert not list(BRIDGES.glob("br-pf*"))


def rules() -> list[str]:
    printed = [subprocess.run([name], capture_output=True, text=True, check=True).stdout for name in SAVES]
    # Counters of policies move by themselves.
    lines = [line.partition(" [")[0] for text in printed for line in text.splitlines()]
    return [line for line in lines if not line.startswith("#")]


SAVES = ("iptables-save", "ip6tables-save")
FIREWALL = ("check", "--only", "firewall.forwarding")


def facts(*command: str) -> dict[str, Any]:
    """Return what was found by the probe, and by the twin."""
    code, printed = end(start(*command, "facts", "--quiet"), 60)
    assert code == 0
    known: dict[str, Any] = held("facts", printed)
    return known


@pytest.mark.parametrize("command", [NATIVE, container(*FLAGS)], ids=["native", "container"])
def test_the_engine_does_what_is_derived(command: tuple[str, ...]) -> None:
    known = facts(*command)
    found = known["probes"]["publishing"]["value"]
    assert 4 in found["versions"]
    assert found.get("differing", []) == []
    # The network has gone before the twin is made, and before the parts in which it would show.
    assert "br-pf" not in str(known["links"]) + str(known["routes"])


def test_a_run_that_is_killed_leaves_nothing_after_the_next(engine: docker.DockerClient) -> None:
    with events(engine, "publishing") as happening, running(*NATIVE, *FIREWALL, "--quiet") as run:
        wait_for(happening, "start")
        run.send_signal(signal.SIGKILL)
        run.communicate()
    assert any(name.endswith("publishing") for name in settled(engine))
    end(start(*NATIVE, *FIREWALL, "--quiet"), 60)
    assert left(engine) == set()


def test_a_run_that_is_interrupted_removes_it(engine: docker.DockerClient) -> None:
    with events(engine, "publishing") as happening, running(*NATIVE, *FIREWALL, "--quiet") as run:
        wait_for(happening, "start")
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=20)
    assert left(engine) == set()
