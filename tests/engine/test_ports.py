"""What `ports.free` says of a port is what publishing it then meets, on the engine at hand."""

from __future__ import annotations

import os

import docker
import pytest

from preflight.report.model import Status
from tests.engine.published import play

pytestmark = [pytest.mark.engine, pytest.mark.image]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees who holds a port")
def test_verdict_and_outcome_agree_on_random_sockets(engine: docker.DockerClient, image: str) -> None:
    """More of them: python -m tests.engine.published --cases 3000 --seed 2."""
    cases, wrong = play(100, seed=20170701)
    assert wrong == []
    said = [case.said.status for case in cases if case.said]
    assert min(said.count(Status.PASS), said.count(Status.FAIL)) > 25
