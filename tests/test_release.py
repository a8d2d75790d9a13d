"""The workflow of a release and its steps, as far as they go without the services; and what README.md says of it."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.ci.jobs import published
from tests.tools import program

STEPS = ("version", "build", "try", "image", "index", "sums", "sign", "publish")


@pytest.fixture
def workflow(tree: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(tree / ".github/workflows/release.yml")
    return loaded


@pytest.fixture
def copy(tree: Path, tmp_path: Path) -> Path:
    """Return a tree with what the steps read, and something built."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "dist").mkdir()
    for name in ("tools/release.sh", "Dockerfile", "pyproject.toml"):
        (tmp_path / name).write_bytes((tree / name).read_bytes())
    for name in ("mailcow_preflight-0.1.0-py3-none-any.whl", "mailcow-preflight-x86_64", "mailcow-preflight-aarch64"):
        (tmp_path / "dist" / name).write_text(name)
    return tmp_path


def step(copy: Path, name: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "RUN": "echo", "IMAGE": "registry.example.org/o/n", **variables}
    environment["SOURCE_DATE_EPOCH"] = "1700000000"
    words = ["sh", str(copy / "tools/release.sh"), name]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("name", ["release.sh", "launcher.sh"])
def test_the_scripts_are_clean(name: str, tree: Path) -> None:
    command = [program("shellcheck"), "--enable=all", "--exclude=SC2250", str(tree / "tools" / name)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout) == (0, "")


def test_the_workflow_is_one_of_githubs(tree: Path) -> None:
    assert published("vendor.github-workflows", tree / ".github/workflows/release.yml") == ""


def test_every_command_is_a_step_that_is_tried_here(workflow: dict[str, Any]) -> None:
    commands = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    steps = {match[1] for command in commands if (match := re.search(r"tools/release\.sh (\w+)$", command))}
    assert steps == set(STEPS)
    others = [command for command in commands if "tools/release.sh" not in command]
    assert all(re.match(r"sudo .*bash \.ci/run$|echo |pipx install uv$", command) for command in others)


def test_actions_are_pinned_to_commits(workflow: dict[str, Any]) -> None:
    used = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)] == []


def test_nothing_is_published_before_the_tests(workflow: dict[str, Any]) -> None:
    jobs = workflow["jobs"]
    assert (jobs["build"]["needs"], jobs["publish"]["needs"]) == ("test", "build")
    assert jobs["build"]["environment"] == jobs["publish"]["environment"] == "release"
    assert workflow["permissions"] == {"contents": "read"}
    assert "permissions" not in jobs["test"]


def test_the_names_of_registry_and_owner_stand_in_one_place(tree: Path, workflow: dict[str, Any]) -> None:
    text = (tree / ".github/workflows/release.yml").read_text() + (tree / "tools/release.sh").read_text()
    assert text.count(workflow["env"]["REGISTRY"]) == 1
    assert text.count("repository_owner") == 1


def test_a_tag_of_another_version_is_refused(copy: Path) -> None:
    version = tomllib.loads((copy / "pyproject.toml").read_text())["project"]["version"]
    assert step(copy, "version", VERSION=version).returncode == 0
    refused = step(copy, "version", VERSION="9.9")
    assert (refused.returncode, refused.stderr) == (1, f"release: the tag says 9.9, pyproject.toml {version}\n")
    assert step(copy, "other").returncode == 2


def test_what_each_step_would_run(copy: Path) -> None:
    told = {name: step(copy, name) for name in STEPS}
    assert {name: run.returncode for name, run in told.items()} == dict.fromkeys(STEPS, 0)
    assert "SOURCE_DATE_EPOCH=1700000000" in told["build"].stdout
    assert told["try"].stdout.count("docker run --rm") == 4
    assert "--sbom=true --provenance=mode=max" in told["image"].stdout
    assert "imagetools create --tag registry.example.org/o/n:0.1.0 " in told["index"].stdout
    assert "cosign sign --yes registry.example.org/o/n@" in told["index"].stdout
    assert "cosign sign-blob" in told["sign"].stdout
    assert "uv publish" in told["publish"].stdout
    assert "gh release create v0.1.0 --verify-tag" in told["publish"].stdout
    check = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=copy / "dist", capture_output=True, check=False)
    assert check.returncode == 0
    assert check.stdout.count(b": OK") == 3


def test_a_file_that_gives_no_verdict_stops_the_release(copy: Path) -> None:
    docker = copy / "bin/docker"
    docker.parent.mkdir()
    docker.write_text("#!/bin/sh\nexit 125\n")
    docker.chmod(0o755)
    assert step(copy, "try", RUN="", PATH=f"{docker.parent}:{os.environ['PATH']}").returncode == 1
    docker.write_text("#!/bin/sh\nexit 3\n")
    assert step(copy, "try", RUN="", PATH=f"{docker.parent}:{os.environ['PATH']}").returncode == 0


@pytest.fixture
def sample(tree: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(tree / "tools"))
    return importlib.import_module("sample")


def test_the_readmes_sample_is_an_excerpt_of_a_report(tree: Path, sample: ModuleType) -> None:
    report = sample.REPORT.read_text()
    shown = sample.excerpt(report)
    lines = [line.removeprefix("    ") for line in shown.splitlines()]
    assert [line for line in lines if line not in {*report.splitlines(), "…"}] == []
    assert shown.count("…") == 2
    text = (tree / "README.md").read_text()
    assert sample.filled(text, report).count(sample.BEGIN) == text.count(sample.BEGIN) == 1


def test_the_readme_names_the_version_and_every_flag_of_its_line(tree: Path) -> None:
    text = (tree / "README.md").read_text()
    version = tomllib.loads((tree / "pyproject.toml").read_text())["project"]["version"]
    [line] = re.findall(r"^    docker run (.+) mailcow-preflight:(\S+) --hostname", text, re.MULTILINE)
    assert line[1] == version
    assert f"mailcow_preflight-{version}-py3-none-any.whl" in text
    rows = re.findall(r"^\| `(-[^`]*)` \| [^|]+ \| [^|]+ \|$", text, re.MULTILINE)
    assert set(line[0].split()) <= set(rows)


def test_the_readme_begins_with_the_line_for_a_fresh_server(tree: Path) -> None:
    """And claims nothing that is not there: until a release, each way begins with how to build it."""
    text = (tree / "README.md").read_text()
    [first, *_] = re.findall(r"^    (.+)$", text, re.MULTILINE)
    assert first == "./mailcow-preflight-x86_64 --hostname mail.example.org"
    ways = [text.index(f"\n### {way}") for way in ("Without Docker", "With Docker", "With uvx or pipx")]
    assert ways == sorted(ways)
    assert text.index("Nothing is published yet.") < ways[0]
    assert not re.search(
        r"docker pull|ghcr\.io/\S*preflight|curl -\S+ \S*mailcow-preflight|pip install mailcow-preflight", text
    )
