"""Programs and files that `make test-tools` installs: a test that needs one is skipped without, but never on CI."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

BUILD = Path(__file__).parent.parent / "build"
CHRONYD = BUILD / "chrony/usr/sbin/chronyd"
NSD = BUILD / "nsd/usr/sbin/nsd"
UNBOUND = BUILD / "unbound/usr/sbin/unbound"
LDNS = BUILD / "ldnsutils/usr/bin"
SCHEMA = BUILD / "schemas/junit-10.xsd"


def program(name: str) -> str:
    """Return where a program is."""
    return shutil.which(name) or lacking(name)


def lacking(what: str) -> str:
    """Skip the test for want of something; on CI it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is not here, and CI must have it")
    pytest.skip(f"{what} is not here: make test-tools")
