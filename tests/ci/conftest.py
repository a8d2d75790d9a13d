"""A docker of our own beside the shell, and checkouts for a job to run in."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.ci.jobs import HERE, Job, facts, runner
from tests.tools import program


@pytest.fixture
def shell() -> str:
    """Return the program that is `sh` here: Debian's, unless a test asks for Alpine's, as in GitLab's job."""
    return "dash"


@pytest.fixture
def docker(tmp_path: Path, shell: str) -> Path:
    """Return the home of a docker that stands in PATH, beside the shell."""
    home = tmp_path / "docker"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "sh").symlink_to(program(shell))
    command = home / "bin" / "docker"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} {HERE / "fakedocker.py"} "$@"\n')
    command.chmod(0o755)
    facts(home)
    return home


@pytest.fixture
def job(tree: Path, tmp_path: Path, docker: Path) -> Job:
    """Return a function that runs a job's shell line in a checkout of this repository."""
    shutil.copytree(tree / "compose", tmp_path / "checkout" / "compose")
    return runner(tree, tmp_path, docker)


@pytest.fixture
def foreign(tree: Path, tmp_path: Path, docker: Path) -> Job:
    """Return a function that runs a job's shell lines in a checkout of somebody else's repository.

    Of this repository there is no more than what the service fetched: `fetched` beside the checkout, and a `git` that
    clones it.
    """
    (tmp_path / "checkout").mkdir()
    shutil.copytree(tree / "compose", tmp_path / "fetched" / "compose")
    shutil.copy(tree / "Dockerfile", tmp_path / "fetched")
    git = docker / "bin" / "git"
    git.write_text(
        f'#!/bin/sh\necho "git $*" >>"{docker}/log"\nfor last; do :; done\ncp -R "{tmp_path}/fetched/." "$last"\n'
    )
    git.chmod(0o755)
    return runner(tree, tmp_path, docker)
