"""A rehearsal that is held, tried by who is on another kernel: what the world would reach, and what stops it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from preflight.mailcow.layout import SHAPE
from tests.engine.runs import NATIVE, container, left, swept

pytestmark = [
    pytest.mark.engine,
    pytest.mark.image,
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(map(shutil.which, ("ip", "unshare", "nsenter"))), reason="needs root"
    ),
]

HOST, CLIENT = "198.51.100.77", "203.0.113.99"
HOLD = ("check", "--only", "rehearsal.publish", "--rehearse", "--offline", "--hold", "90", "--public-ip", HOST)
WORLD = ("--hostname", "mail.example.org", "--format", "json")
# Host and client have one kernel in this test: the client is made to believe that it does not know its own.
ELSEWHERE = """
import sys
from preflight.reach import hearing
hearing.BOOT = "/dev/null"
from preflight.cli.commands import cli
sys.exit(cli.main(["reach", *sys.argv[1:], "--format", "json", "--quiet"], standalone_mode=False) or 0)
"""
ENDS = f"""
ip link add reach0 type veth peer name far0 netns {{pid}}
ip addr add {HOST}/32 dev reach0
ip link set reach0 up
ip route add {CLIENT}/32 dev reach0
nsenter -t {{pid}} -n sh -ec '
ip link set lo up
ip addr add {CLIENT}/32 dev far0
ip link set far0 up
ip route add {HOST}/32 dev far0
'
"""


@pytest.fixture
def client(engine: docker.DockerClient, image: str) -> Iterator[int]:
    """Return a process on a network of its own, at the other end of a cable to this machine."""
    assert left(engine) == set()
    with subprocess.Popen(["unshare", "-n", "sleep", "300"]) as far:
        try:
            time.sleep(0.3)
            subprocess.run(["sh", "-ec", ENDS.format(pid=far.pid)], check=True)
            yield far.pid
        finally:
            far.kill()
            subprocess.run(["ip", "link", "del", "reach0"], check=False, stderr=subprocess.DEVNULL)
    assert swept(engine) == set()


@contextlib.contextmanager
def held(*command: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Give a run that keeps its ports up, and the line that it told."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            assert run.stderr is not None
            line = next(
                found[1]
                for said in run.stderr
                if (found := re.fullmatch(r" *preflight reach (\S+)\n", said)) is not None
            )
            yield run, line
        finally:
            if run.poll() is None:
                run.kill()


def tried(client: int, line: str, *options: str) -> tuple[int, dict[str, Any]]:
    words = ["nsenter", "-t", str(client), "-n", sys.executable, "-I", "-c", ELSEWHERE, line, *options]
    run = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout, run.stderr
    made: dict[str, Any] = json.loads(run.stdout)
    return run.returncode, made


def ended(run: subprocess.Popen[str]) -> dict[str, Any]:
    """End a hold as Ctrl-C does; return its document."""
    run.send_signal(2)
    printed, _ = run.communicate(timeout=60)
    made: dict[str, Any] = json.loads(printed)
    return made


@pytest.mark.parametrize("native", [True, False], ids=["native", "container"])
def test_somebody_elsewhere_reaches_every_port_and_both_ends_know(
    engine: docker.DockerClient, client: int, native: bool
) -> None:
    program = NATIVE if native else container("--privileged", "--pid=host", "--network=host")
    with held(*program, *HOLD, *WORLD) as (run, line):
        code, made = tried(client, line)
        assert line.startswith("mail.example.org/")
        rows = {row["port"]: row for row in made["results"]}
        assert set(rows) == {port.port for port in SHAPE}
        assert {row["status"] for row in rows.values()} == {"pass"}, made["findings"]
        assert {row["seen_as"] for row in rows.values() if not row["local"]} == {CLIENT}
        assert code == 0
        assert tried(client, HOST, "--token", line.partition("/")[2])[0] == 0
        ended(run)
    assert left(engine) == set()


def test_arrivals_are_facts(engine: docker.DockerClient, client: int) -> None:
    with held(*NATIVE, "facts", *HOLD[3:], *WORLD[:2]) as (run, line):
        tried(client, line)
        time.sleep(1.5)
        facts = ended(run)
    arrivals = facts["rehearsal"]["value"]["arrivals"]
    public = {port.port for port in SHAPE if port.kind != "local"}
    assert {row["port"] for row in arrivals if row["peer"] == CLIENT and not row.get("stranger")} == public


def test_what_drops_a_port_on_the_way_is_told(engine: docker.DockerClient, client: int) -> None:
    drop = ["-i", "reach0", "-p", "tcp", "-m", "conntrack", "--ctorigdstport", "993", "-j", "DROP"]
    subprocess.run(["iptables", "-w", "-I", "DOCKER-USER", *drop], check=True)
    try:
        with held(*NATIVE, *HOLD, *WORLD) as (run, line):
            code, made = tried(client, line)
            ended(run)
    finally:
        subprocess.run(["iptables", "-w", "-D", "DOCKER-USER", *drop], check=True)
    [finding] = made["findings"]
    assert (code, finding["id"], finding["ports"]) == (1, "filtered-some", [993])


def test_without_the_engines_rules_its_proxy_hides_who_comes(engine: docker.DockerClient, client: int) -> None:
    """As with "iptables": false, where mailcow is an open relay."""
    skip = ["-i", "reach0", "-p", "tcp", "-j", "ACCEPT"]
    subprocess.run(["iptables", "-w", "-t", "nat", "-I", "PREROUTING", *skip], check=True)
    try:
        with held(*NATIVE, *HOLD, *WORLD) as (run, line):
            code, made = tried(client, line)
            ended(run)
    finally:
        subprocess.run(["iptables", "-w", "-t", "nat", "-D", "PREROUTING", *skip], check=True)
    [finding] = made["findings"]
    assert (code, finding["id"]) == (1, "relay")
