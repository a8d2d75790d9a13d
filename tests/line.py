"""The command line in this process: what `preflight ARGUMENTS` prints, and its exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from preflight.cli import commands


class Run(NamedTuple):
    """How a run ended."""

    code: int
    out: str
    err: str


Line = Callable[..., Run]


def line(monkeypatch: pytest.MonkeyPatch, captured: pytest.CaptureFixture[str]) -> Line:
    """Return a function that runs the command line with these arguments, and nothing of it in the environment."""
    for name in os.environ:
        if name.startswith(("PREFLIGHT_", "MAILCOW_", "DOCKER_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")  # whatever this machine's is

    def run(*arguments: str) -> Run:
        monkeypatch.setattr(sys, "argv", ["preflight", *arguments])
        captured.readouterr()
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            code = commands.run()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        out, err = captured.readouterr()
        return Run(code, out, err)

    return run
