"""Fixtures for all tests; what only some need lies in the conftest.py beside them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import settings

from preflight.report import documents
from tests.documents import holding
from tests.line import Line, line

# A busy machine is slow now and then, which says nothing about an example.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

# What a shell starts in the background ignores Ctrl-C, what nohup starts the end of the connection, and so would every
# program that a test interrupts.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Before anything imports it by name.
documents.encode = holding(documents.encode)


@pytest.fixture(scope="session")
def tree() -> Path:
    """Return the root of the source tree."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture
def preflight(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Line:
    """Return a function that runs the command line in this process."""
    return line(monkeypatch, capsys)
