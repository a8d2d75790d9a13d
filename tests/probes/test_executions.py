"""Commands in a container, and a health check that hangs: what the probes record of engines that do it well or not."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from preflight.facts import ExecRun, TimeoutRun
from preflight.probes import executions as commands
from preflight.probes import healthcheck, timeout
from tests.probes.engine import FakeEngine, performed


def ran(engine: FakeEngine, name: str, seconds: float = 10.0) -> Any:
    fact = performed(name, engine.bench(seconds))
    assert engine.left == set()
    return fact.value if fact.known else fact.missing


# --- commands in a row -------------------------------------------------------------------------------------------


def test_twenty_commands_end_with_their_own_codes(engine: FakeEngine) -> None:
    assert ran(engine, "executions") == ExecRun(tuple(range(1, 21)))
    (container,) = engine.created
    assert container["HostConfig"]["NetworkMode"] == "none"
    assert not container["HostConfig"].get("Privileged")


def test_codes_are_recorded_as_the_engine_tells_them(engine: FakeEngine) -> None:
    engine.ends = lambda code: 0 if "_exit(7)" in code else 2
    assert ran(engine, "executions").codes == (2,) * 6 + (0,) + (2,) * 13


def test_a_command_that_never_ends(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands.execute, "__defaults__", (3,))
    engine.ends = lambda code: None if "_exit(3)" in code else 1
    assert ran(engine, "executions", 2.0) == ExecRun((1, 1, None))


def test_no_time_is_no_word_on_the_engine(engine: FakeEngine) -> None:
    engine.ends = lambda code: None
    assert ran(engine, "executions", 0.8).reason == "The run reached its deadline before the probe ended."
    engine.ends = lambda code: None if "_exit(3)" in code else 1
    assert ran(engine, "executions", 0.8) == ExecRun((1, 1))


@pytest.mark.parametrize("moment", ["POST .*/containers/.*/exec", "POST /exec/exec-4/start"])
def test_the_engines_words_on_a_command_that_it_does_not_run(engine: FakeEngine, moment: str) -> None:
    engine.faults[moment] = (500, "open /dev/pts/0: operation not permitted")
    made = ran(engine, "executions")
    assert "operation not permitted" in made.error
    assert len(made.codes) == (4 if "exec-4" in moment else 0)


@pytest.mark.parametrize("lie", ["1", 1.5, True, 1 << 40, [1]])
def test_a_code_that_is_none(engine: FakeEngine, lie: object) -> None:
    engine.ends = lambda code: lie
    assert set(ran(engine, "executions").codes) == {None}


# --- a check that hangs ------------------------------------------------------------------------------------------


def test_a_hanging_check_is_ended_and_gone(engine: FakeEngine) -> None:
    made = ran(engine, "timeout")
    assert [state for _, state in made.states] == ["starting", "unhealthy"]
    assert (made.gone, made.error, made.output, made.withheld) == (True, "", "not yet", "")
    (container,) = engine.created
    check = container["Healthcheck"]
    assert check["Timeout"] == 1_000_000_000
    assert not any(" " in word for word in check["Test"])
    assert container["Labels"]["mailcow-preflight.run"] in json.dumps(check["Test"])


@pytest.mark.parametrize(("code", "gone"), [(4, False), (5, None), (126, None), (None, None)])
def test_whether_the_process_is_gone(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, code: Any, gone: Any) -> None:
    monkeypatch.setattr(commands.execute, "__defaults__", (3,))
    engine.ends = lambda _: code
    assert ran(engine, "timeout", 2.0).gone is gone


def test_a_check_that_hangs_on(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeout, "PATIENCE", 2)
    engine.before = ["starting"]
    made = ran(engine, "timeout", 0.8)
    assert ([state for _, state in made.states], made.gone) == (["starting"], None)
    monkeypatch.setattr(timeout, "PATIENCE", healthcheck.PATIENCE)
    assert ran(engine, "timeout", 0.8).reason == "The run reached its deadline before the probe ended."


@pytest.mark.parametrize(
    ("version", "tried"), [("24.0.0", 0), ("24.0.2", 0), ("24.0.3", 1), ("23.0.6", 1), ("5.4.2", 1), ("nonsense", 1)]
)
def test_what_could_bring_the_engine_down_is_not_tried(engine: FakeEngine, version: str, tried: int) -> None:
    engine.version = version
    assert ran(engine, "timeout").withheld == ("" if tried else version)
    assert len(engine.created) == tried


def test_a_container_that_ends_by_itself(engine: FakeEngine) -> None:
    engine.state, engine.before = {"Running": False, "Error": "OOM"}, ["starting"]
    made = ran(engine, "timeout")
    assert isinstance(made, TimeoutRun)
    assert (made.error, made.gone) == ("OOM", None)


@pytest.mark.parametrize("ended", [True, False])
def test_the_programs_find_each_other(tmp_path: Path, ended: bool) -> None:
    """The same programs as in the containers, with another place for their file."""
    mark = tmp_path / "mark"
    hang, find = (text.format("x").replace("/tmp/x", str(mark)) for text in (timeout.HANG, timeout.FIND))
    find = find.replace("+ 3", "+ 0.3")
    argv = [sys.executable, "-I", "-S", "-c"]
    assert subprocess.run([*argv, find], check=False).returncode == timeout.NEVER
    with subprocess.Popen([*argv, hang]) as first:
        while not (mark.exists() and mark.read_text()):
            time.sleep(0.01)
        assert subprocess.run([*argv, hang], check=False, timeout=20).returncode == 1, "later checks fail at once"
        if ended:
            first.kill()
            first.wait()
        found = subprocess.run([*argv, find], check=False).returncode
        first.kill()
    assert found == (timeout.GONE if ended else timeout.STAYS)
