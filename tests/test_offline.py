"""--offline sends nothing: every address that the program means to reach is written down, and there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Runs the program with a hook that Python calls before each connection, datagram and lookup of a name.
CODE = """
import socket, sys
told = open(sys.argv.pop(1), "w", buffering=1)  # line by line: the program ends without closing files
def hook(event, given):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        if given[0].family in (socket.AF_INET, socket.AF_INET6):
            print(given[1], file=told)
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        print(given[0], file=told)
sys.addaudithook(hook)
from preflight.__main__ import main
main()
"""
WORDS = ("check", "--no-probe", "--docker-host", "unix:///nowhere/docker.sock", "--hostname", "mail.example.org")
DEAD = ("--resolver", "127.0.0.1:1", "--ntp-server", "127.0.0.1:1", "--ntp-server", "ntp.example.org")


def reached(folder: Path, tree: Path, *words: str) -> set[str]:
    """Run the program, and return where it wanted to go."""
    seen = folder / "reached"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PREFLIGHT_")}
    command = [sys.executable, "-c", CODE, str(seen), *WORDS, "--format", "json", "--quiet", *words]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tree, env=environ, timeout=60, check=False)
    assert run.returncode in (0, 1, 3), run.stderr
    assert json.loads(run.stdout)["results"]
    return set(seen.read_text().splitlines())


@pytest.mark.parametrize("words", [(), DEAD, ("--only", "clock.*"), ("--only", "dns.*")], ids=str)
def test_nothing_leaves_the_host(words: tuple[str, ...], tmp_path: Path, tree: Path) -> None:
    assert reached(tmp_path, tree, "--offline", *words) == set()


def test_what_would_leave_it_is_seen(tmp_path: Path, tree: Path) -> None:
    found = reached(tmp_path, tree, *DEAD, "--only", "clock.offset", "--timeout", "3")
    assert "('127.0.0.1', 1)" in found
