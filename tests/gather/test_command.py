"""Programs of the host are run with bounds: time, output, environment; and whatever they start ends with them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from preflight.gather.access import command
from preflight.gather.access.command import run

SHELL = "/bin/sh"


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test programs of its own: after the end none is started any more."""
    monkeypatch.setattr(command, "_programs", command._Programs())


def sh(script: str, timeout: float = 5.0, limit: int = command.OUTPUT_BYTES) -> command.Output:
    return run((SHELL, "-c", script), timeout, limit=limit)


def is_alive(pid: int) -> bool:
    """Say whether a process runs; a dead one may wait to be collected by whoever inherited it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo out; echo err >&2; exit 3", command.Output(3, "out\n", "err\n")),
        ("printf 'a\\377b'", command.Output(0, "a\ufffdb", "")),
        ("cat; echo end", command.Output(0, "end\n", "")),
        ('echo "$HOME $LC_ALL $SECRET"; pwd', command.Output(0, "/root C.UTF-8 \n/\n", "")),
        ("kill -9 $$", command.Output(-9, "", "")),
        ("exec >&- 2>&-; sleep 0.2; exit 4", command.Output(4, "", "")),
    ],
)
def test_how_a_program_ended(monkeypatch: pytest.MonkeyPatch, script: str, expected: command.Output) -> None:
    monkeypatch.setenv("SECRET", "secret")
    assert sh(script) == expected


@pytest.mark.parametrize("argv", [("/no/such/program",), ("/",), ("/bin/sh\0",), ("/etc/passwd",)])
def test_what_cannot_be_started_says_why(argv: tuple[str, ...]) -> None:
    ran = run(argv, 5.0)
    assert (ran.code, ran.out, bool(ran.error)) == (None, "", True)


@pytest.mark.parametrize(
    "script",
    [
        "echo $$; while :; do sleep 60; done",
        "echo $$; exec >&- 2>&-; sleep 60",
        "trap '' TERM INT HUP; echo $$; sleep 60",
        "sleep 60 & echo $!",  # what it leaves behind holds its output open
    ],
)
def test_a_program_that_does_not_end_is_killed_with_what_it_started(script: str) -> None:
    began = time.monotonic()
    ran = sh(script, timeout=0.4)
    assert (ran.code, ran.error) == (None, "it did not finish in time")
    assert time.monotonic() - began < 20
    until = time.monotonic() + 5.0
    while is_alive(int(ran.out)) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_alive(int(ran.out))


@pytest.mark.parametrize("where", ["", " >&2"])
def test_endless_output_is_cut_off(where: str) -> None:
    ran = sh(f"while :; do echo 0123456789012345678901234567890123456789{where}; done", timeout=20.0, limit=10_000)
    assert (ran.code, ran.error, len(ran.out + ran.err)) == (None, "its output is too long", 10_000)


@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_a_program_reads_the_input_that_it_is_given(size: int) -> None:
    data = bytes(index * 7 % 26 + 97 for index in range(size))
    ran = run((SHELL, "-c", "cat; echo end; cat"), 5.0, limit=1 << 20, stdin=data)
    assert ran == command.Output(0, data.decode() + "end\n", "")


def test_a_program_may_leave_its_input_alone() -> None:
    assert run((SHELL, "-c", "exec <&-; echo end"), 5.0, stdin=b"x" * 300_000) == command.Output(0, "end\n", "")


def test_a_programs_input_is_a_lock_of_its_own() -> None:
    """iptables of ip_tables takes it instead of the host's lock: it opens the file as this does."""
    script = 'test "$XTABLES_LOCKFILE" && exec 9< "$XTABLES_LOCKFILE" && flock -n 9 && echo locked; sleep 0.1'
    with ThreadPoolExecutor() as pool:
        ran = list(pool.map(lambda data: run((SHELL, "-c", script), 5.0, stdin=data), (b"a", b"b")))
    assert [found.out for found in ran] == ["locked\n", "locked\n"]


def test_output_as_long_as_the_limit_is_whole() -> None:
    assert sh("printf 0123456789", limit=10) == command.Output(0, "0123456789", "")


def test_nothing_stays_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for script, timeout in (("exit 0", 5.0), ("sleep 9", 0.1)):
        sh(script, timeout)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_program_in_another_root(tmp_path: Path) -> None:
    """It is looked for in that root; entering it takes a privilege, without which the program says so."""
    ran = run(("/bin/echo", "x"), 5.0, str(tmp_path))
    same = run(("/bin/echo", "x"), 5.0, "/proc/self/root")
    if os.geteuid() == 0:
        assert (ran.code, "cannot be run in the host's root: No such file" in ran.err) == (126, True)
        assert same == command.Output(0, "x\n", "")
    else:
        assert (ran.code, "cannot be run in the host's root: Operation not permitted" in ran.err) == (126, True)


@pytest.mark.parametrize("root", [None, "/"])
def test_a_program_in_our_own_root_needs_no_python(monkeypatch: pytest.MonkeyPatch, root: str | None) -> None:
    monkeypatch.setattr(sys, "executable", "/no/python")
    assert run((SHELL, "-c", "exit 0"), 5.0, root).code == 0


def told(file: Path) -> int:
    """Return the process id that a program wrote of itself."""
    until = time.monotonic() + 10
    while not (file.exists() and file.read_text().strip()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return int(file.read_text())


def test_whoever_ends_at_once_ends_what_is_under_way(tmp_path: Path) -> None:
    ran: list[command.Output] = []
    thread = threading.Thread(target=lambda: ran.append(sh(f"echo $$ > {tmp_path}/pid; exec sleep 60", 50)))
    thread.start()
    pid = told(tmp_path / "pid")
    command.end()
    thread.join(5)
    assert (len(ran), is_alive(pid)) == (1, False)
    command.end()  # nothing is left to be ended
    assert sh("exit 0") == command.Output(None, "", "", "the run is over")


def test_the_end_waits_for_a_program_that_is_being_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs already, and nobody knows of it yet: what `end` promises holds for it too."""
    started, go = threading.Event(), threading.Event()
    made: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def slow(*words: Any, **settings: Any) -> subprocess.Popen[bytes]:
        made.append(popen(*words, **settings))
        started.set()
        assert go.wait(10)
        return made[0]

    monkeypatch.setattr(subprocess, "Popen", slow)
    ran: list[command.Output] = []
    runner = threading.Thread(target=lambda: ran.append(sh("exec sleep 60", 50)))
    ender = threading.Thread(target=command.end)
    runner.start()
    assert started.wait(10)
    ender.start()
    ender.join(0.1)
    assert ender.is_alive()
    go.set()
    for thread in (ender, runner):
        thread.join(5)
        assert not thread.is_alive()
    assert [one.code for one in ran] == [-9]
    assert not is_alive(made[0].pid)


def test_a_start_that_hangs_does_not_keep_the_run_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    popen = subprocess.Popen

    def hanging(*words: Any, **settings: Any) -> subprocess.Popen[bytes]:
        assert go.wait(10)
        return popen(*words, **settings)

    monkeypatch.setattr(command, "HURRY", 0.05)
    monkeypatch.setattr(subprocess, "Popen", hanging)
    ran: list[command.Output] = []
    runner = threading.Thread(target=lambda: ran.append(sh("exec sleep 60", 50)))
    runner.start()
    while not command._programs._gate._inside:
        time.sleep(0.001)
    began = time.monotonic()
    command.end()
    assert time.monotonic() - began < 5
    go.set()
    runner.join(5)
    assert [one.code for one in ran] == [-9]


def test_no_program_outlives_the_end_whenever_it_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts from several threads against ends at every moment: each is killed or refused, none is overlooked."""
    pids: list[int] = []
    popen = subprocess.Popen

    def noted(*words: Any, **settings: Any) -> subprocess.Popen[bytes]:
        process = popen(*words, **settings)
        pids.append(process.pid)
        return process

    monkeypatch.setattr(subprocess, "Popen", noted)
    refused = 0
    for round in range(60):
        monkeypatch.setattr(command, "_programs", command._Programs())
        ran: list[command.Output] = []
        threads = [threading.Thread(target=lambda ran=ran: ran.append(sh("exec sleep 60", 50))) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(round % 20 / 2000)
        command.end()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
        assert {one.code for one in ran} <= {-9, None}
        refused += sum(one.error == "the run is over" for one in ran)
    assert not any(map(is_alive, pids))
    assert len(pids) + refused == 4 * 60
    assert pids


@pytest.mark.parametrize(("words", "code"), [(["--timeout", "1.5"], (1, 3)), (["--ignore", "no.such"], (2,))])
def test_a_check_that_ends_before_compose_leaves_no_process(words: list[str], code: tuple[int], tmp_path: Path) -> None:
    """Compose hangs; the run ends at its deadline, or as an option is wrong, when it was asked already."""
    argv = ["preflight", "check", "--offline", "--no-probe", "--quiet", *words]
    program = f"""
import pathlib, sys, time
from preflight.cli import commands, request
from preflight.gather.access import command
from preflight.gather.engine import compose
hangs = ("/bin/sh", "-c", "echo $$ > {tmp_path}/pid; exec sleep 60")
compose.compose = lambda roots: command.run(hangs, 50)
requirements = request.requirements
def slowly(name):
    while not pathlib.Path("{tmp_path}/pid").exists():
        time.sleep(0.01)
    return requirements(name)
request.requirements = slowly
sys.argv = {argv}
commands.main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert done.returncode in code, done.stderr
    pid, until = told(tmp_path / "pid"), time.monotonic() + 5
    while is_alive(pid):
        assert time.monotonic() < until
        time.sleep(0.01)
