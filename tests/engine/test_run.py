"""The README's `docker run` on a real engine: complete with all flags, honest without one, and gone when stopped."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from jsonschema_rs import Draft202012Validator

from tests.documents import held
from tests.engine.runs import FLAGS, NATIVE, container, end, events, left, report, running, start, statuses, wait_for

pytestmark = [pytest.mark.engine, pytest.mark.image]

OPTIONS = ("--hostname", "mail.example.org", "--offline")
# What each flag opens, at the least.
OPENED = {
    "--privileged": {"system.os", "system.commands", "docker.compose", "docker.daemon-config", "services.mail"},
    "--pid=host": {
        "system.os",
        "system.commands",
        "docker.engine",
        "docker.healthcheck",
        "ports.free",
        "clock.timezone",
    },
    "--network=host": {"ports.free"},
}


@pytest.fixture(scope="module")
def full(engine: docker.DockerClient, image: str) -> dict[str, Any]:
    """The report of a run with all flags."""
    return report(*container(*FLAGS), *OPTIONS)


@pytest.fixture(autouse=True)
def nothing_stays(engine: docker.DockerClient, image: str) -> Iterator[None]:
    before = {found.id for found in engine.containers.list(all=True, ignore_removed=True)}
    yield
    assert left(engine) == set()
    assert {found.id for found in engine.containers.list(all=True, ignore_removed=True)} == before


# --- the document --------------------------------------------------------------------------------------------


def test_the_report_is_what_its_schema_says(full: dict[str, Any]) -> None:
    schema = json.loads(end(start(*container(), "schema", "report"))[1])
    assert schema == json.loads(end(start(*NATIVE, "schema", "report"))[1])
    judge = Draft202012Validator(schema)
    assert list(judge.iter_errors(full)) == []
    broken = {**full, "verdict": "fine", "results": [{**full["results"][0], "subject": 5}]}
    assert {"verdict", "subject"} <= {str(error.instance_path[-1]) for error in judge.iter_errors(broken)}


def test_all_flags_leave_nothing_unknown_for_want_of_one(full: dict[str, Any]) -> None:
    wanting = [row for row in full["results"] if re.search("Add --(privileged|pid|network)", json.dumps(row["remedy"]))]
    assert wanting == []
    found = statuses(full)
    assert "error" not in found.values()
    assert (found["docker.privileged", None], found["docker.healthcheck", None]) == ("pass", "pass")
    assert full["counts"] == {name: list(found.values()).count(name) for name in full["counts"]}


@pytest.mark.skipif(os.geteuid() != 0, reason="natively, only root sees as much as the container does")
def test_in_the_container_as_on_the_host(full: dict[str, Any]) -> None:
    """Both look at the same host, and see the same but for what is measured."""
    native = report(*NATIVE, *OPTIONS)
    assert native["host"] == full["host"]
    assert statuses(native) == statuses(full)


# --- a flag that is missing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", FLAGS)
def test_without_a_flag_nothing_passes_falsely_and_the_flag_is_named(full: dict[str, Any], missing: str) -> None:
    flags = [flag for flag in FLAGS if flag != missing]
    made = report(*without_root(container(*flags), missing), *OPTIONS)
    assert false_passes(made, full) == []
    whole = statuses(full)
    changed = [
        row
        for row in made["results"]
        if whole.get((row["check"], row["subject"])) != row["status"]
        and row["reason"] != "--offline was given."
        # The kernel's word is told here where nobody sees that there is no time service, which is the cause.
        and row["check"] != "clock.synchronized"
    ]
    assert {row["status"] for row in changed} == {"unknown"}
    assert [row["check"] for row in changed if missing not in f"{row['reason']} {row['remedy']['text']}"] == []
    assert OPENED[missing] <= {row["check"] for row in changed}


def test_without_any_flag_a_report_comes_all_the_same(full: dict[str, Any]) -> None:
    made = report(*without_root(container(), "--pid=host"), *OPTIONS)
    assert false_passes(made, full) == []
    assert made["verdict"] in ("undetermined", "not-ready")
    unknown = [row for row in made["results"] if row["status"] == "unknown"]
    assert len(unknown) > 30
    assert all(any(flag in row["remedy"]["text"] for flag in FLAGS) for row in unknown)


def without_root(command: tuple[str, ...], missing: str) -> tuple[str, ...]:
    """Name no engine where the host's root is out of reach: its socket would be looked for in our own container."""
    named = ("-e", "DOCKER_HOST")
    return tuple(word for word in command if missing == "--network=host" or word not in named)


def false_passes(made: dict[str, Any], full: dict[str, Any]) -> list[tuple[str, str | None]]:
    whole = statuses(full)
    return [key for key, status in statuses(made).items() if status == "pass" and whole.get(key) != "pass"]


# --- a run that is stopped -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "code"), [("docker stop", 143), (signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=str)
def test_a_stopped_container_prints_its_report(engine: docker.DockerClient, how: str | int, code: int) -> None:
    """By `docker stop`, or by a signal to the `docker run` that waits for it, as by Ctrl-C."""
    name = f"mailcow-preflight-test-{uuid.uuid4().hex[:8]}"
    command = (*container(*FLAGS, name=name), *OPTIONS, "--format", "json", "--quiet")
    with events(engine) as happening, running(*command) as run:
        wait_for(happening, "health_status: unhealthy")
        if isinstance(how, int):
            run.send_signal(how)
        else:
            subprocess.run(["docker", "stop", name], check=True, capture_output=True, timeout=20)
        ended, printed = end(run)
    assert (ended, left(engine)) == (code, set())
    found = statuses(held("report", printed))
    assert found["docker.healthcheck", None] == "unknown"
    assert "pass" in found.values()
