"""`--wait`: a run that looks again until the host is ready, and what it tells meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dns.message
import pytest

from preflight.cli import wait as module
from tests.gather import fakeengine
from tests.gather.nameserver import NameServer, serve, zone
from tests.line import Line
from tests.test_cli import preflight as process
from tests.test_cli import refused

LATER = 3.0  # seconds until a name server has learnt a record
SOA = "SOA ns1.waiting-host.se. root.waiting-host.se. 1 3600 600 86400 60"
APEX = (f"waiting-host.se. {SOA}", f"se. {SOA}", f". {SOA}", ". NS a.root-servers.net.", "se. NS a.ns.se.")
RECORDS = (*APEX, "mail.waiting-host.se. A 198.51.100.7")
ADDRESS = ("--hostname", "mail.waiting-host.se", "--public-ip", "198.51.100.7", "--only", "dns.address", "--no-probe")


@pytest.fixture
def learning() -> Iterator[NameServer]:
    """A name server that has the mail host's address some seconds after it was first asked for it."""
    first: list[float] = []

    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        if query.question[0].name.to_text() == "mail.waiting-host.se.":
            first.append(time.monotonic())
        known = first and time.monotonic() - first[0] > LATER
        return zone(*(RECORDS if known else APEX))(query, transport)

    with serve(script) as server:
        yield server


def resolver(server: NameServer) -> tuple[str, str]:
    return "--resolver", "{}:{}".format(*server.server)


def test_a_record_that_comes_later_is_waited_for(learning: NameServer) -> None:
    run = process(*ADDRESS, *resolver(learning), "--wait", "60", "--format", "json")
    report = json.loads(run.stdout)
    assert run.returncode == 0, run
    assert report["verdict"].startswith("ready")
    assert LATER < report["seconds"] < 50
    told = run.stderr.splitlines()
    assert any(line.startswith("preflight: Not ready yet: dns.address.") for line in told)
    (fixed,) = [line for line in told if line.startswith("preflight: Fixed: ")]
    assert fixed.endswith("dns.address (A): fail → pass")
    assert told[-1].startswith("preflight: Ready after ")


def test_without_names_where_the_report_has_none(learning: NameServer) -> None:
    run = process(*ADDRESS, *resolver(learning), "--wait", "60", "--redact", "--format", "json")
    assert run.returncode == 0, run
    assert "Fixed: dns.address: fail → pass" in run.stderr
    assert "waiting-host.se" not in run.stderr


def test_the_time_is_over(learning: NameServer) -> None:
    with serve(zone(*APEX)) as never:
        run = process(*ADDRESS, *resolver(never), "--wait", "6", "--format", "json")
    report = json.loads(run.stdout)
    assert (run.returncode, report["verdict"]) == (1, "not-ready")
    assert report["seconds"] >= 5
    assert "Not ready after " in run.stderr
    looks = [question for question in never.asked if question[0] == "mail.waiting-host.se." and question[1] == "A"]
    assert 2 <= len(looks) <= 6


def test_a_stop_ends_the_waiting_at_once(learning: NameServer) -> None:
    with serve(zone(*APEX)) as never:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFLIGHT_")}
        words = [sys.executable, "-m", "preflight", *ADDRESS, *resolver(never), "--wait", "3600", "--format", "json"]
        run = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean)
        assert run.stderr is not None
        assert any("Not ready yet" in line for line in run.stderr)
        run.send_signal(signal.SIGTERM)
        out, _ = run.communicate(timeout=60)
    assert run.returncode == 128 + signal.SIGTERM
    (row,) = [row for row in json.loads(out)["results"] if row["subject"] == "A"]
    assert row["status"] == "fail", "as it was known before"


# --- an engine that starts, and what is told of it ---------------------------------------------------------------


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.1)


def test_an_engine_that_starts_and_nothing_else_is_asked(preflight: Line, tmp_path: Path, hurried: None) -> None:
    path = tmp_path / "docker.sock"
    over = threading.Event()

    def later() -> None:
        over.wait(1.5)
        with fakeengine.serve(tmp_path, fakeengine.says(fakeengine.DOCKER)):
            over.wait(60)

    thread = threading.Thread(target=later)
    thread.start()
    try:
        only = ("--only", "docker.engine", "--only", "docker.storage", "--docker-host", f"unix://{path}")
        run = preflight(*only, "--no-probe", "--offline", "--wait", "60", "--verbose", "--format", "json")
    finally:
        over.set()
        thread.join()
    statuses = {row["check"]: row["status"] for row in json.loads(run.out)["results"]}
    assert statuses == {"docker.engine": "pass", "docker.storage": "pass"}
    assert "Fixed: " in run.err
    later_looks = run.err.split("Not ready yet", 1)[1]
    assert "engine: " in later_looks
    assert "docker.engine: fail → pass" in later_looks


def test_quiet_says_nothing(preflight: Line, hurried: None) -> None:
    words = ("--only", "docker.engine", "--docker-host", "unix:///nowhere.sock", "--wait", "1", "--format", "json")
    for silent in (("--quiet",), ("--progress", "never")):
        run = preflight(*words, *silent, "--no-probe", "--offline")
        assert (run.code, run.err) == (1, "")


def test_what_is_ready_is_not_waited_for(preflight: Line) -> None:
    run = preflight("--only", "clock.timezone", "--no-probe", "--offline", "--wait", "3600", "--format", "json")
    assert run.code == 0
    assert "eady" not in run.err


@pytest.mark.parametrize("seconds", ["-1", "86401", "nan", "soon"])
def test_seconds_that_are_none(seconds: str) -> None:
    assert "--wait" in refused(process("--wait", seconds))


def test_recorded_facts_do_not_change(tmp_path: Path) -> None:
    assert "--wait" in refused(process("--facts", str(tmp_path / "facts.json"), "--wait", "5"))
