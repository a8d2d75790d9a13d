"""Fixtures for all tests; what only some need lies in the conftest.py beside them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import settings

from preflight.facts import Host
from preflight.render import Context
from preflight.render import json as rendering
from preflight.report import documents
from preflight.report.model import Report
from tests.documents import held
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

# Before anything imports them by name: whatever document a test has made here is held against its schema.
_write_json, _json = documents.write_json, rendering.json


def _held_write_json(document: Host | Report) -> str:
    text = _write_json(document)
    held("facts" if isinstance(document, Host) else "report", text)
    return text


def _held_json(report: Report, context: Context) -> str:
    text = _json(report, context)
    held("report", text)
    return text


documents.write_json, rendering.json = _held_write_json, _held_json


@pytest.fixture(scope="session")
def tree() -> Path:
    """Return the root of the source tree."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture
def preflight(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Line:
    """Return a function that runs the command line in this process."""
    return line(monkeypatch, capsys)
