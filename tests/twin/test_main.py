"""The twin's process: what it is given, what it prints, and how it ends where the kernel refuses."""

from __future__ import annotations

import errno
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from preflight.facts.twin import Twin
from preflight.twin import __main__ as process
from preflight.twin import play
from preflight.twin.request import Port, Request

REQUEST = Request(
    ports=(Port("", 25, "postfix-mailcow", 25, "172.22.1.253"),), bridge="br-mailcow", subnet4="172.22.1.0/24",
    modules=("nf_tables",), seconds=7.5,
)  # fmt: skip
TOLD = Twin(derived=True, families=())
WORDS = [msgspec.json.encode(REQUEST).decode()]


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Return what the process lays on itself, which the tests' own process does without."""
    laid: list[tuple[Any, ...]] = []

    class Libc:
        def prctl(self, *words: int) -> None:
            laid.append(words)

    monkeypatch.setattr(process.ctypes, "CDLL", lambda _: Libc())
    monkeypatch.setattr(process.gc, "disable", lambda: None)
    monkeypatch.setattr(process.resource, "setrlimit", lambda *words: laid.append(words))
    return laid


def test_it_is_asked_in_json_and_answers_in_json(
    monkeypatch: pytest.MonkeyPatch, limits: list[tuple[Any, ...]], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    asked: list[Request] = []
    monkeypatch.setattr(play, "twin", lambda request: asked.append(request) or TOLD)
    assert process.main(WORDS) == 0
    assert asked == [REQUEST]
    assert msgspec.json.decode(capsysbinary.readouterr().out, type=Twin) == TOLD
    # It ends with whoever asks, and cannot fill the machine's memory.
    most = 400 << 20
    assert limits == [(1, signal.SIGKILL), (resource.RLIMIT_AS, (most, most))]


@pytest.mark.parametrize("code", [errno.EPERM, errno.EACCES])
def test_where_the_kernel_refuses_namespaces_it_says_so(
    monkeypatch: pytest.MonkeyPatch, limits: list[tuple[Any, ...]], code: int,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:  # fmt: skip
    def refuse(_: Request) -> Twin:
        raise OSError(code, "no")

    monkeypatch.setattr(play, "twin", refuse)
    assert process.main(WORDS) == 77
    assert capsysbinary.readouterr() == (b"", b"")


@pytest.mark.parametrize("failure", [OSError(errno.EIO, "x"), OSError("module veth is not loaded"), MemoryError()])
def test_what_else_fails_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, limits: list[tuple[Any, ...]], failure: BaseException,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:  # fmt: skip
    def fail(_: Request) -> Twin:
        raise failure

    monkeypatch.setattr(play, "twin", fail)
    with pytest.raises(type(failure)):
        process.main(WORDS)
    assert capsysbinary.readouterr().out == b""


@pytest.mark.parametrize("words", ["", "{}", '{"ports": 5}', "[]", WORDS[0][:-9]])
def test_a_question_that_is_none_is_not_answered(limits: list[tuple[Any, ...]], words: str) -> None:
    with pytest.raises(msgspec.MsgspecError):
        process.main([words])


def test_it_is_gone_with_whoever_started_it(tmp_path: Path) -> None:
    """Also where that is killed: nothing of a twin stays on a host."""
    waits = "from preflight.twin import play, __main__ as m; import time; play.twin = lambda _: time.sleep(60); "
    note = tmp_path / "pid"
    inner = f"{waits}import os; open({str(note)!r}, 'w').write(str(os.getpid()) + '.'); m.main([{WORDS[0]!r}])"
    outer = "import subprocess, sys; subprocess.Popen([sys.executable, '-I', '-c', sys.argv[1]]); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-I", "-c", outer, inner], stdin=subprocess.PIPE) as starter:
        until(lambda: note.exists() and note.read_text().endswith("."))
        pid = int(note.read_text()[:-1])
        until(lambda: bound(pid))
        starter.kill()
    until(lambda: not running(pid))


def bound(pid: int) -> bool:
    """Say whether a process has bound its memory, and so has done all that comes before."""
    return "419430400" in Path(f"/proc/{pid}/limits").read_text()


def running(pid: int) -> bool:
    """Say whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def until(condition: Any) -> None:
    """Wait for something, half a minute at most."""
    ends = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.005)
