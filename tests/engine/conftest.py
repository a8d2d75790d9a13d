"""The engine and the image under test.

`make test` sets PREFLIGHT_TEST_ENGINE=required: there a missing engine is a failure. Whoever runs pytest by hand may
have neither; the tests are then skipped and say what would help.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import docker
import pytest
from docker.errors import ImageNotFound

IMAGE = "mailcow-preflight"


def unavailable(reason: str) -> NoReturn:
    if os.environ.get("PREFLIGHT_TEST_ENGINE") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def engine(tree: Path) -> Iterator[docker.DockerClient]:
    """Return a client of the engine at DOCKER_HOST or the default socket."""
    # Asked beforehand, because docker's client leaks a socket where nobody answers.
    if subprocess.run([sys.executable, "tools/engine.py", "ping"], cwd=tree, check=False).returncode:
        unavailable("no engine answers; try: python3 tools/engine.py run -- make test-with-engine")
    client = docker.from_env(timeout=60)
    yield client
    client.close()


@pytest.fixture(scope="session")
def image(engine: docker.DockerClient) -> str:
    """Return the name of the image that `make image` has built on that engine."""
    try:
        engine.images.get(IMAGE)
    except ImageNotFound:
        unavailable(f"the engine has no image {IMAGE}; try: make image")
    return IMAGE
