"""Network namespaces for tests of the twin, as the twin makes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from preflight.twin import spaces
from preflight.twin.spaces import Space


@pytest.fixture
def namespaces() -> Iterator[Callable[[], Space]]:
    """Return a function that makes a network namespace; skip where none can be made."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    made: list[Space] = []

    def make() -> Space:
        made.append(spaces.make())
        return made[-1]

    try:
        make()
    except OSError as failure:
        pytest.skip(f"no network namespace can be made: {failure.strerror}")
    yield make
    for space in made:
        os.close(space.descriptor)
