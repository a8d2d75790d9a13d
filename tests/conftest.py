"""Fixtures for all tests; what only some need lies in the conftest.py beside them."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tree() -> Path:
    """Return the root of the source tree."""
    return Path(__file__).resolve().parent.parent
