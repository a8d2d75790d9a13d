"""The script of the CI examples with a real engine: reports come out, waivers go in, nothing stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree

import docker
import pytest

from tests.documents import held
from tests.engine.conftest import unavailable
from tests.engine.runs import left
from tests.tools import program

pytestmark = [pytest.mark.engine, pytest.mark.image]


def test_reports_come_out_of_a_real_container(
    tree: Path, engine: docker.DockerClient, image: str, tmp_path: Path
) -> None:
    if shutil.which("docker") is None:
        unavailable("there is no docker command line")
    (tmp_path / "waivers.toml").write_text('[[waiver]]\nid = "resources.*"\nreason = "a machine for tests"\n')
    before = {container.id for container in engine.containers.list(all=True)}
    words = ["reports", "--only", "resources.*", "--only", "system.architecture", "--offline"]
    for baseline in ("", "reports/preflight.json"):
        run = subprocess.run(
            ["sh", str(tree / "compose/ci/preflight.sh"), *words],
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
            env={**os.environ, "BASELINE": baseline, "IMAGE": image},
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        assert ("Since the report of" in run.stdout) is bool(baseline)
    document = held("report", (tmp_path / "reports/preflight.json").read_text())
    assert {row["status"] for row in document["results"]} <= {"pass", "ignored", "skip"}
    assert ElementTree.parse(tmp_path / "reports/preflight.xml").getroot().tag == "testsuites"
    assert (tmp_path / "reports/preflight.md").read_text().startswith("# ")
    assert {container.id for container in engine.containers.list(all=True)} <= before


@pytest.mark.parametrize("shell", ["dash", "busybox"])
def test_a_cancelled_job_has_the_reports_of_what_is_known(
    tree: Path, engine: docker.DockerClient, image: str, tmp_path: Path, shell: str
) -> None:
    if shutil.which("docker") is None:
        unavailable("there is no docker command line")
    before = {container.id for container in engine.containers.list(all=True)}
    (tmp_path / "sh").symlink_to(program(shell))
    words = [str(tmp_path / "sh"), str(tree / "compose/ci/preflight.sh"), "reports", "--only", "docker.healthcheck"]
    environ = {**os.environ, "IMAGE": image}
    if "DOCKER_HOST" in environ:
        environ["PREFLIGHT_DOCKER_HOST"] = environ["DOCKER_HOST"]
    run = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, env=environ)
    ends = time.monotonic() + 30
    while not left(engine) and run.poll() is None and time.monotonic() < ends:  # its probe is not under way yet
        time.sleep(0.05)
    run.terminate()
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 143
    assert b"UNDETERMINED" in said
    (row,) = held("report", (tmp_path / "reports/preflight.json").read_text())["results"]
    assert row["status"] == "unknown", row["reason"]
    assert {container.id for container in engine.containers.list(all=True)} <= before
