"""What the tests of the CI examples share: a job's shell, published schemas, reports that came out of a container."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from preflight.facts import Asked, Memory
from preflight.report.documents import encode
from tests.build import host

GIB = 1 << 30
HERE = Path(__file__).parent
REPORTS = ["preflight.html", "preflight.json", "preflight.md", "preflight.xml"]
Job = Callable[..., subprocess.CompletedProcess[str]]


def facts(folder: Path, *, memory: int = 8 * GIB, swap: int = 0) -> None:
    made = host(memory=Memory(memory, memory, swap, swap), asked=Asked(offline=True, probe=False))
    (folder / "facts.json").write_text(encode(made))


SHELLS = pytest.mark.parametrize("shell", ["dash", "busybox"])


def runner(tree: Path, tmp_path: Path, docker: Path) -> Job:
    checkout = tmp_path / "checkout"

    def run(script: str, **environ: str) -> subprocess.CompletedProcess[str]:
        clean = {"PATH": f"{docker / 'bin'}:{os.environ['PATH']}", "FAKE_DOCKER": str(docker), "PYTHONPATH": str(tree)}
        return subprocess.run(
            ["sh", "-e", "-c", script], cwd=checkout, env=clean | environ, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip

    return run


def log(docker: Path) -> list[str]:
    return (docker / "log").read_text().splitlines()


def loaded(path: Path) -> dict[str, Any]:
    """Read YAML 1.2, in which `on` is a word and a repeated key an error."""
    value: dict[str, Any] = YAML(typ="safe", pure=True).load(path)
    return value


def published(schema: str, path: Path) -> str:
    """Return what a service's published schema has against a file; '' is nothing."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return "" if run.returncode == 0 else run.stdout + run.stderr


def refused(schema: str, path: Path, folder: Path, *changes: tuple[str, str]) -> bool:
    """Say whether the schema refuses each of these changes: it was the right schema, and it judged."""
    text = path.read_text()
    for number, (old, new) in enumerate(changes):
        assert old in text
        (folder / f"changed{number}.yml").write_text(text.replace(old, new))
    return all(published(schema, folder / f"changed{number}.yml") for number, _ in enumerate(changes))


def reports(tmp_path: Path) -> list[str]:
    folder = tmp_path / "checkout" / "reports"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []
