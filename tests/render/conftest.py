"""Goldens: what the renderers wrote before. PREFLIGHT_UPDATE_GOLDENS=1 writes them anew; read the difference then."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDENS = Path(__file__).parent / "goldens"


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Return a function that holds a text against the golden of that name."""

    def compare(name: str, text: str) -> None:
        path = GOLDENS / name
        if os.environ.get("PREFLIGHT_UPDATE_GOLDENS") == "1":
            path.write_text(text, "utf-8")
        assert text == path.read_text("utf-8"), "PREFLIGHT_UPDATE_GOLDENS=1 rewrites the goldens"

    return compare
