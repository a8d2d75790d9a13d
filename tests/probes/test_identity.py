"""Whether the run that made an object still lives: a wrong yes leaves litter, a wrong no ends somebody's run."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts.engine import RUN
from preflight.probes import identity
from preflight.probes.identity import BOOT, PROCESS, STARTED

BOOT_ID = "0d8f2f6e-6c1e-4a7b-9d3e-3f1f5a4c2b10"
NAMESPACE = "4026531836"
NOW = datetime.datetime(2026, 11, 23, 2, 0, 0, tzinfo=datetime.UTC)


def stat(pid: int, start: int, name: str = "preflight") -> str:
    """Make a line of proc_pid_stat(5), up to field 24."""
    return f"{pid} ({name}) S 1 {pid} {pid} 0 -1 4194304 1 0 0 0 1 2 3 4 20 0 1 0 {start} 1000 200\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Make a procfs with the reader (pid 700), another run (pid 812, whose name is odd) and PID 1."""
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_text(f"{BOOT_ID}\n")
    for number, start, name in ((1, 2, "init"), (700, 9000, "preflight"), (812, 12345, "a) S 1 (b")):
        (tmp_path / str(number) / "ns").mkdir(parents=True)
        (tmp_path / str(number) / "stat").write_text(stat(number, start, name))
        (tmp_path / str(number) / "ns/pid").symlink_to(f"pid:[{NAMESPACE}]")
    (tmp_path / "self").symlink_to("700")
    return tmp_path


def labels(boot: str = BOOT_ID, process: str = f"{NAMESPACE}:812:12345", started: str = "") -> dict[str, str]:
    return {RUN: "0123456789ab", STARTED: started, BOOT: boot, PROCESS: process}


def test_a_runs_own_identity(proc: Path) -> None:
    first, second = identity.own(proc), identity.own(proc)
    assert (first.boot, first.process) == (BOOT_ID, f"{NAMESPACE}:700:9000")
    assert first.run != second.run
    assert set(first.labels()) == {RUN, STARTED, BOOT, PROCESS}
    assert abs(identity.age(first.labels(), datetime.datetime.now(datetime.UTC))) < 5


def test_this_very_process_lives_and_one_that_ended_does_not() -> None:
    assert identity.alive(identity.own().labels()) is True
    program = "from preflight.probes import identity; print(identity.own().process)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    assert identity.alive({**identity.own().labels(), PROCESS: ended}) is False


@pytest.mark.parametrize(
    ("given", "local", "lives"),
    [
        (labels(), True, True),
        (labels(), False, True),  # an engine elsewhere, but the labels say: this very machine
        (labels(process=f"{NAMESPACE}:812:99999"), True, False),  # the number was given to another process
        (labels(process=f"{NAMESPACE}:813:12345"), True, False),  # no such process
        (labels(process=f"{NAMESPACE}:1:12345"), True, False),
        (labels(boot="another"), True, False),  # before a restart of this machine
        (labels(boot="another"), False, None),  # on another machine, which cannot be asked
        (labels(boot=""), True, None),
        (labels(process="4026532999:812:12345"), True, None),  # in another container, or seen from one
        (labels(process=""), True, None),
        (labels(process=":812:12345"), True, None),
        ({RUN: "x"}, True, None),
        ({}, True, None),
    ],
)
def test_life(proc: Path, given: dict[str, str], local: bool, lives: bool | None) -> None:
    assert identity.alive(given, local=local, proc=proc) is lives


@pytest.mark.parametrize("number", ["self", "../812", "", "-1", "8 12", "٨١٢", "9" * 5000, "812/../812", "\x00"])
def test_a_hostile_number_is_no_path(proc: Path, number: str) -> None:
    assert identity.alive(labels(process=f"{NAMESPACE}:{number}:12345"), proc=proc) is False


@given(process=st.text(max_size=60), boot=st.sampled_from([BOOT_ID, "", "x"]), started=st.text(max_size=30))
def test_no_label_brings_it_down(process: str, boot: str, started: str) -> None:
    given = labels(boot=boot, process=process, started=started)
    assert identity.alive(given, proc=Path("/nonexistent")) is None
    here = {**given, BOOT: identity.boot(), PROCESS: f"{identity.own().process.split(':')[0]}:{process}"}
    assert identity.alive(here) is False
    assert identity.age(given, NOW) >= -60


def test_without_a_procfs_nobody_is_called_dead(tmp_path: Path) -> None:
    assert identity.own(tmp_path).labels()[BOOT] == ""
    assert identity.alive(labels(), proc=tmp_path) is None


@pytest.mark.parametrize(
    ("state", "lives"), [("S", True), ("R", True), ("T", True), ("D", True), ("Z", False), ("X", False)]
)
def test_a_process_that_only_waits_to_be_heard_of_is_dead(proc: Path, state: str, lives: bool) -> None:
    """Whoever started a run that was killed may never ask what became of it."""
    (proc / "812/stat").write_text(stat(812, 12345).replace(" S ", f" {state} "))
    assert identity.alive(labels(), proc=proc) is lives


def test_where_processes_are_hidden_nobody_is_called_dead(proc: Path) -> None:
    """With hidepid=2 a user sees only processes of their own, not even PID 1, which always lives."""
    (proc / "812/stat").unlink()
    (proc / "1/stat").unlink()
    assert identity.alive(labels(), proc=proc) is None
    assert identity.alive(labels(process=f"{NAMESPACE}:700:9000"), proc=proc) is True
    assert identity.alive(labels(process=f"{NAMESPACE}:700:1"), proc=proc) is False


@pytest.mark.parametrize(
    ("started", "seconds"),
    [
        ("2026-11-23T01:59:30Z", 30.0),
        ("2026-11-23T02:00:30Z", -30.0),  # clocks differ a little
        ("2026-11-23T02:01:30Z", float("inf")),  # the future is no excuse to stay
        ("2026-11-23 01:59:30", float("inf")),
        ("", float("inf")),
        ("9" * 400, float("inf")),
        ("0000-00-00T00:00:00Z", float("inf")),
    ],
)
def test_age(started: str, seconds: float) -> None:
    assert identity.age({STARTED: started}, NOW) == seconds


def test_age_without_a_label() -> None:
    assert identity.age({}, NOW) == float("inf")
