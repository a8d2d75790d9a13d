"""Commands in a container, and a health check that hangs: what the probes record of engines that do it well or not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
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


LOOKS = re.compile(r"range\((\d+)\)")


@pytest.mark.parametrize(
    ("codes", "gone", "late"),
    [
        ((timeout.GONE,), True, False),
        ((timeout.STAYS, timeout.GONE), True, False),  # the first one was not ended yet, or its start took too long
        ((timeout.STAYS, timeout.STAYS), False, False),
        ((timeout.STAYS, timeout.LATE), None, True),
        ((timeout.LATE, timeout.GONE), True, False),
        ((timeout.NEVER, timeout.STAYS), False, False),
        ((timeout.NEVER, timeout.NEVER), None, True),
        ((timeout.LATE, timeout.LATE), None, True),
        ((126,), None, False),
        ((timeout.STAYS, 126), None, False),
    ],
)
def test_whether_the_process_is_gone(engine: FakeEngine, codes: tuple[int, ...], gone: Any, late: bool) -> None:
    engine.before = ["unhealthy"]
    engine.ends = lambda code: codes[len(engine.created) - 1]
    made = ran(engine, "timeout")
    assert (made.gone, made.late, len(engine.created)) == (gone, late, len(codes))
    limits = [row["Healthcheck"]["Timeout"] / 1e9 for row in engine.created]
    assert limits == [timeout.FIRST.limit, timeout.AGAIN.limit][: len(codes)]
    assert len({str(row["Healthcheck"]["Test"]) for row in engine.created}) == len(codes), "a file of its own for each"
    assert [int(LOOKS.findall(code)[0]) for _, code in engine.commands.values()] == [20, 100][: len(codes)]


@pytest.mark.parametrize("after", [(), (timeout.STAYS,)], ids=["the first", "the second"])
def test_a_deadline_before_the_process_is_seen_says_nothing_of_it(engine: FakeEngine, after: tuple[int, ...]) -> None:
    """Neither that it stays nor that it is gone, however often the engine was asked by then."""
    engine.before = ["unhealthy"]
    engine.ends = lambda code: dict(enumerate(after)).get(len(engine.created) - 1)
    assert ran(engine, "timeout", 3.0).reason == "The run reached its deadline before the probe ended."
    assert len(engine.created) == len(after) + 1


def test_a_second_container_that_is_not_waited_for_is_no_check_that_hangs_on(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeout, "PATIENCE", 2)
    engine.before = ["unhealthy", "starting"]
    engine.ends = lambda code: timeout.STAYS
    assert ran(engine, "timeout", 1.5).reason == "The run reached its deadline before the probe ended."


@pytest.mark.parametrize(
    ("log", "over"),
    [
        ([{"End": "1970-01-01T00:00:10.123456789Z"}, {"End": "1970-01-01T00:00:20Z"}], 10.123456),
        ([{"End": "1970-01-01T01:00:10.5+01:00"}], 10.5),
        ([{"End": "1970-01-01T00:00:10Z"}] * healthcheck.KEPT, 0),  # the first may have gone
        ([{"End": "0001-01-01T00:00:00"}], 0),
        *(([{"End": end}], 0) for end in ("", "soon", 5, None, [])),
        *((log, 0) for log in ([], [{}], [5], None, "x", {})),
    ],
)
def test_when_the_first_check_was_over(log: Any, over: float) -> None:
    assert healthcheck.first_over(log) == pytest.approx(over)


def test_the_process_is_held_against_the_first_check(engine: FakeEngine) -> None:
    engine.before = ["unhealthy"]
    engine.lies = {"Health": {"Status": "unhealthy", "Log": [{"ExitCode": -1, "End": "1970-01-01T00:00:10Z"}]}}
    ran(engine, "timeout")
    ((_, code),) = engine.commands.values()
    assert "<= 9.5 " in code


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


ARGV = [sys.executable, "-I", "-S", "-c"]


class Programs:
    """The same programs as in the containers, with another place for their file."""

    def __init__(self, folder: Path) -> None:
        self.mark = folder / "mark"
        self.hang = timeout.HANG.format("x").replace("/tmp/x", str(self.mark))

    @contextmanager
    def hanging(self) -> Iterator[subprocess.Popen[bytes]]:
        with subprocess.Popen([*ARGV, self.hang]) as first:
            while not (self.mark.exists() and self.mark.read_text()):
                time.sleep(0.01)
            try:
                yield first
            finally:
                first.kill()

    def found(self, over: float, wait: float = 0.3) -> int:
        program = timeout.finder("x", over, timeout.Attempt("x", 1.0, wait)).replace("/tmp/x", str(self.mark))
        return subprocess.run([*ARGV, program], check=False, timeout=60).returncode


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


@pytest.mark.parametrize("ended", [True, False])
def test_the_programs_find_each_other(programs: Programs, ended: bool) -> None:
    assert programs.found(time.time()) == timeout.NEVER
    with programs.hanging() as first:
        assert subprocess.run([*ARGV, programs.hang], check=False, timeout=20).returncode == 1, (
            "later ones fail at once"
        )
        if ended:
            first.kill()
            first.wait()
        assert programs.found(time.time() + 10) == (timeout.GONE if ended else timeout.STAYS)


def test_one_that_is_ended_but_not_buried_is_gone(programs: Programs) -> None:
    with programs.hanging() as first:
        first.kill()
        assert programs.found(time.time() + 10, wait=5.0) == timeout.GONE


def test_one_that_is_ended_late_is_gone(programs: Programs) -> None:
    with programs.hanging() as first:
        ending = threading.Timer(0.7, first.kill)
        ending.start()
        began = time.monotonic()
        assert programs.found(time.time() + 10, wait=30.0) == timeout.GONE
        assert time.monotonic() - began < 20, "it is looked for no longer than it is there"


@pytest.mark.parametrize("over", [-2.0, 0.3, None], ids=["after its timeout", "just before it", "nobody knows"])
def test_one_that_began_late_stays_for_no_reason(programs: Programs, over: float | None) -> None:
    """The engine gave up its start, and never knew of it; or it is the next check's process."""
    before = time.time()
    with programs.hanging() as first:
        assert programs.found(0.0 if over is None else before + over) == timeout.LATE
        first.kill()
        first.wait()
        assert programs.found(0.0) == timeout.GONE, "one that was ended was ended"


@pytest.mark.parametrize("text", ["", "17.5", "17.5\n12 (python"])
def test_a_file_that_is_not_whole_tells_of_no_process(programs: Programs, text: str) -> None:
    programs.mark.write_text(text)
    assert programs.found(time.time() + 10) == timeout.NEVER


def test_another_process_with_its_number_is_not_it(programs: Programs) -> None:
    with programs.hanging() as first:
        began, line = programs.mark.read_text().split("\n", 1)
        fields = line.rpartition(")")[2].split()
        assert line.startswith(f"{first.pid} (")
        programs.mark.write_text(began + "\n" + line.replace(f" {fields[19]} ", f" {int(fields[19]) - 1} "))
        assert programs.found(time.time() + 10) == timeout.GONE
