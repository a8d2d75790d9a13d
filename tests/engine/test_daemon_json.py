"""What the report says of a daemon.json is what dockerd says: 20.10, 26.1 and 28.5, as the lab's hosts have them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.engine.conftest import unavailable
from tests.engine.daemon_files import VERSIONS, dockerd, files, ours, root_of, started, validated

pytestmark = pytest.mark.engine

SECONDS = 18  # for each engine: what is not done by then is left for another seed
COUNT = 150


@pytest.mark.parametrize("kind", VERSIONS)
def test_our_verdict_is_that_of_dockerd(kind: str, tmp_path: Path) -> None:
    if os.geteuid():
        unavailable("dockerd runs as root alone")
    root = root_of(kind)
    if root is None:
        unavailable(f"the host with engine {VERSIONS[kind]} cannot be made here")
    ends, path, wrong, tried = time.monotonic() + SECONDS, tmp_path / "daemon.json", [], 0
    for text, given in files(COUNT, seed=29):
        if time.monotonic() > ends:
            break
        path.write_text(text)
        if kind == "debian12":  # it has no --validate yet
            theirs = started(dockerd(root, tmp_path), given)
        else:
            theirs = validated(dockerd(root, tmp_path), given)
        tried += 1
        if bool(theirs) != bool(mine := ours(text, given, VERSIONS[kind])):
            wrong.append((text, given, theirs, mine))
    assert not wrong
    assert tried >= 20
