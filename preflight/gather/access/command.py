"""Run a program of the host. The only module that imports subprocess."""

from __future__ import annotations

import os
import selectors
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from preflight.gather.access.errand import Gate
from preflight.text.sentences import phrase

if TYPE_CHECKING:
    from subprocess import Popen

OUTPUT_BYTES = 1 << 16
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    # iptables of ip_tables would make a lock file in the host's /run, and hold up others: its own input is lock enough.
    "XTABLES_LOCKFILE": "/proc/self/fd/0",
}

# Started between us and the program, for it alone enters the host's root: no code of ours runs in a forked child
# of a program with threads.
_ENTER = """
import os, sys
try:
    os.chroot(sys.argv[1])
    os.chdir("/")
    os.execv(sys.argv[2], sys.argv[2:])
except OSError as error:
    print(f"cannot be run in the host's root: {error.strerror}", file=sys.stderr)
    os._exit(126)
"""

HURRY = 1.0  # seconds that the end waits for programs that are being started


class Output(Struct, frozen=True):
    """How a program ended. `code` None: it was not started, or killed for its time or output; `error` says why."""

    code: int | None
    out: str
    err: str
    error: str = ""


class _Programs:
    """The programs of this process that are under way: where it ends at once, nobody else knows of them.

    No lock is held while a program is started, for one on a dead mount may hang there.
    """

    def __init__(self) -> None:
        self._gate = Gate()  # for starts
        self._lock = threading.RLock()
        self._under_way: set[Popen[bytes]] = set()

    def start(self, words: tuple[str, ...], stdin: bytes) -> Popen[bytes] | None:
        """Start a program; return None after the end. Raise `OSError` or `ValueError` where it cannot be started."""
        import subprocess

        if not self._gate.enter():
            return None
        try:
            with _input(stdin) as source:
                process = subprocess.Popen(
                    words, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT, cwd="/",
                    start_new_session=True,
                )  # fmt: skip
            with self._lock:
                self._under_way.add(process)
                if self._gate.closed:
                    _kill(process)
        finally:
            self._gate.leave()
        return process

    def over(self, process: Popen[bytes]) -> None:
        """Kill what is left of a program. Nobody has waited for it yet: its number is no other one's."""
        with self._lock:
            _kill(process)
            self._under_way.discard(process)

    def end(self) -> None:
        """Kill all programs, and let no other one be started."""
        self._gate.close()
        with self._lock:
            for process in self._under_way:
                _kill(process)
        self._gate.empty(HURRY)


_programs = _Programs()


def run(
    argv: tuple[str, ...], timeout: float, root: str | None = None, limit: int = OUTPUT_BYTES, stdin: bytes = b""
) -> Output:
    """Run a program, given by its absolute path in `root`, for at most `timeout` seconds; never raises.

    It has no other input than `stdin`, an environment of its own, and is killed with all that it started in its process
    group; of its output and its errors at most `limit` bytes each are read.
    """
    words = argv if root in (None, "/") else (sys.executable, "-I", "-S", "-c", _ENTER, str(root), *argv)
    programs = _programs
    try:
        process = programs.start(words, stdin)
    except (OSError, ValueError) as error:
        return Output(None, "", "", getattr(error, "strerror", None) or str(error))
    if process is None:
        return Output(None, "", "", phrase("the run is over"))
    with process:  # closes the pipes and waits
        try:
            out, err, why = _read(process, time.monotonic() + timeout, limit)
        finally:
            programs.over(process)
    code = None if why else process.returncode
    return Output(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"), why)


def end() -> None:
    """Kill what is under way, and refuse what comes later, for whoever ends this process without waiting for it."""
    _programs.end()


@contextmanager
def _input(data: bytes) -> Iterator[int]:
    """Give a program what it may read, in memory: so it need not be fed while its output is read."""
    import subprocess

    if data:
        source = os.memfd_create("input")
        try:
            with open(source, "wb", closefd=False) as file:
                file.write(data)
            os.lseek(source, 0, os.SEEK_SET)
            yield source
        finally:
            os.close(source)
    else:
        yield subprocess.DEVNULL


def _kill(process: Popen[bytes]) -> None:
    """Kill the program's process group: the group's number is not free as long as nobody waited for the program."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()


def _read(process: Popen[bytes], until: float, limit: int) -> tuple[bytes, bytes, str]:
    """Read both pipes to their ends; return what came, and why reading stopped early ('' = it did not)."""
    got: dict[IO[bytes], bytearray] = {pipe: bytearray() for pipe in (process.stdout, process.stderr) if pipe}
    why = ""
    with selectors.DefaultSelector() as selector:
        for pipe in got:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map() and not why:
            left = until - time.monotonic()
            if left <= 0:
                why = phrase("it did not finish in time")
            for key, _ in selector.select(max(0.0, min(left, 0.5))):
                pipe = next(pipe for pipe in got if pipe is key.fileobj)
                part = os.read(pipe.fileno(), 1 << 16)
                got[pipe] += part
                if not part:
                    selector.unregister(pipe)
                elif len(got[pipe]) > limit:
                    why = phrase("its output is too long")
    if not why:
        why = _end(process, until)
    out, err = (bytes(data[:limit]) for data in got.values())
    return out, err, why


def _end(process: Popen[bytes], until: float) -> str:
    """Wait for a program that has closed its output: usually it is over at once."""
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() > until:
            return phrase("it did not finish in time")
        time.sleep(0.002)
    return ""
