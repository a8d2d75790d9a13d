"""A rehearsal that is held, tried from another network: the line that it tells, who arrives, and how it ends."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from tests.documents import held
from tests.engine.runs import NATIVE, left, running, swept

pytestmark = [pytest.mark.engine, pytest.mark.image]

HOST, CLIENT = "198.51.100.1", "203.0.113.9"
HELD = ("--only", "rehearsal.*", "--rehearse", "--offline", "--format", "json", "--quiet", "--hold")


@pytest.fixture(autouse=True)
def nothing_stays(engine: docker.DockerClient, image: str) -> Iterator[None]:
    assert left(engine) == set()
    yield
    assert swept(engine) == set()


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, ...]]:
    """Give what runs a command on another machine, in a network behind a cable of its own."""
    with subprocess.Popen(["unshare", "-n", "sleep", "300"]) as other:
        try:
            time.sleep(0.3)
            inside = ("nsenter", "-t", str(other.pid), "-n")
            for words in (
                ("ip", "link", "add", "reach0", "type", "veth", "peer", "name", "far0", "netns", str(other.pid)),
                ("ip", "addr", "add", f"{HOST}/24", "dev", "reach0"),
                ("ip", "link", "set", "reach0", "up"),
                ("ip", "route", "add", "203.0.113.0/24", "dev", "reach0"),
                (*inside, "ip", "addr", "add", f"{CLIENT}/24", "dev", "far0"),
                (*inside, "ip", "link", "set", "far0", "up"),
                (*inside, "ip", "route", "add", "198.51.100.0/24", "dev", "far0"),
            ):
                subprocess.run(words, check=True)
            yield inside
        finally:
            subprocess.run(["ip", "link", "del", "reach0"], check=False)
            other.kill()


def line(run: subprocess.Popen[str]) -> str:
    """Return the line that a check tells once its ports are kept up."""
    assert run.stderr is not None
    for said in run.stderr:
        if (match := re.search(r"^preflight reach (\S+)$", said)) is not None:
            return match[1]
    pytest.fail("no line was told")


def reached(elsewhere: tuple[str, ...], told: str) -> dict[str, Any]:
    run = subprocess.run(
        [*elsewhere, *NATIVE, "reach", told, "--format", "json", "--quiet"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 3, run.stderr  # both ends run on one kernel
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def test_every_port_is_reached_from_elsewhere_and_who_came_is_written_down(elsewhere: tuple[str, ...]) -> None:
    with running(*NATIVE, *HELD, "25", "--public-ip", HOST) as run:
        found = reached(elsewhere, line(run))
        printed, said = run.communicate(timeout=90)
    assert f"was reached from {CLIENT}" not in said  # --quiet
    rows = {row["port"]: row for row in found["results"]}
    wanted = {25, 80, 110, 143, 443, 465, 587, 993, 995, 4190}
    assert {port: row for port, row in rows.items() if port in wanted and row["outcome"] != "reached"} == {}
    assert wanted <= set(rows)
    assert {row["seen_as"] for row in rows.values() if row["outcome"] == "reached"} == {CLIENT}
    assert all(rows[port]["status"] == "pass" for port in (13306, 7654, 19991))
    assert [finding["id"] for finding in found["findings"]] == ["near"]
    ports = [row["status"] for row in held("report", printed)["results"] if row["check"] == "rehearsal.publish"]
    assert set(ports) == {"pass"}


def test_the_hold_ends_with_the_run(elsewhere: tuple[str, ...], engine: docker.DockerClient) -> None:
    with running(*NATIVE, *HELD, "300", "--public-ip", HOST) as run:
        line(run)
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=60)
        assert run.returncode == 130
    assert left(engine) == set()
