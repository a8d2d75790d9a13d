"""Runs of the program on a real engine, and what they leave there."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker

from tests.documents import held

LABEL = "mailcow-preflight.run"
URL = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
NATIVE = (str(Path(sys.executable).with_name("preflight")),)
FLAGS = ("--privileged", "--pid=host", "--network=host")
VERDICTS = {"ready": 0, "ready-with-warnings": 0, "not-ready": 1, "undetermined": 3}


def container(*flags: str, name: str = "") -> tuple[str, ...]:
    """Return the README's `docker run`; an engine that is not at the default socket is named to the program too."""
    naming = ("--name", name) if name else ()
    other = ("-e", "DOCKER_HOST") if os.environ.get("DOCKER_HOST") else ()
    return ("docker", "run", "--rm", *naming, *flags, *other, "mailcow-preflight")


def start(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextlib.contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    """Give a run under way; where the test fails meanwhile, it is ended."""
    process = start(*command)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def end(process: subprocess.Popen[str], seconds: float = 20.0) -> tuple[int, str]:
    """Wait for a run's end; return its exit code and what it printed."""
    try:
        printed, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert "Traceback" not in said
    return process.returncode, printed


def report(*command: str) -> dict[str, Any]:
    """Run to the end; return the JSON report, whose verdict the exit code must say."""
    code, printed = end(start(*command, "--format", "json", "--quiet"), 60)
    made = held("report", printed)
    assert code == VERDICTS[made["verdict"]]
    return made


def statuses(made: dict[str, Any]) -> dict[tuple[str, str | None], str]:
    return {(row["check"], row["subject"]): row["status"] for row in made["results"]}


def left(engine: docker.DockerClient) -> set[str]:
    """The names of all labelled objects on the engine."""
    chosen = {"label": LABEL}
    return {
        *(str(found.name) for found in engine.containers.list(all=True, filters=chosen, ignore_removed=True)),
        *(str(found.name) for found in engine.networks.list(filters=chosen)),
        *(str(found.name) for found in engine.volumes.list(filters=chosen)),
    }


def swept(engine: docker.DockerClient) -> set[str]:
    """Return what is left of all runs, and remove it."""
    stayed = left(engine)
    chosen = {"label": LABEL}
    for container in engine.containers.list(all=True, filters=chosen, ignore_removed=True):
        container.remove(force=True)
    for network in engine.networks.list(filters=chosen):
        network.remove()
    return stayed


@contextlib.contextmanager
def events(engine: docker.DockerClient, of: str = "") -> Iterator[Iterator[str]]:
    """Give what happens from now on to labelled containers, as `create`, `start`, `health_status: unhealthy`…

    `of`: only to those of this probe.
    """
    stream = engine.events(decode=True, filters={"label": LABEL, "type": "container"})
    try:
        yield (str(event["Action"]) for event in stream if event["Actor"]["Attributes"]["name"].endswith(of))
    finally:
        stream.close()


def settled(engine: docker.DockerClient) -> set[str]:
    """Return what is left once the engine has done what it was asked for before."""
    seen = left(engine)
    while True:
        time.sleep(0.5)
        before, seen = seen, left(engine)
        if seen == before:
            return seen


def wait_for(happening: Iterator[str], moment: str) -> None:
    next(event for event in happening if event.startswith(moment))
