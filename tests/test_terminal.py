"""The program on a terminal: what it waits for is shown, interrupting it prints what is known, pipes get no ANSI."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from preflight.cli.progress import Progress
from preflight.facts import Asked, Memory
from preflight.report.documents import encode
from tests.build import host
from tests.sockets import silent_socket

GIB = 1 << 30
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SHOW, HIDE = "\x1b[?25h", "\x1b[?25l"
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("PREFLIGHT_", "GITHUB_"))},
    "TERM": "xterm",
    "NO_COLOR": "",
}


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[str]:
    """An engine that takes every connection and never answers."""
    with silent_socket(tmp_path / "silent.sock") as url:
        yield url


class Terminal:
    """A terminal whose other end is read."""

    def __init__(self, columns: int = 80) -> None:
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.seen = ""

    def until(self, pattern: str, seconds: float = 60.0) -> None:
        """Read until a pattern was seen."""
        end = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            assert time.monotonic() < end, f"{pattern} was not seen in {self.seen!r}"
            self._read(0.2)

    def rest(self) -> str:
        """Return all that was written, once nobody writes any more."""
        while self._read(0.2):
            pass
        return self.seen

    def _read(self, seconds: float) -> bool:
        if not select.select([self.ours], [], [], seconds)[0]:
            return False
        with contextlib.suppress(OSError):
            self.seen += os.read(self.ours, 1 << 16).decode("utf-8", "replace")
            return True
        return False

    def close(self) -> None:
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


def start(silent: str, *options: str, error: int, **environment: str) -> subprocess.Popen[bytes]:
    words = (sys.executable, "-m", "preflight", "--docker-host", silent, "--offline", "--format", "json", *options)
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=error, env=ENVIRONMENT | environment)


def test_a_terminal_shows_what_is_waited_for_and_the_rest_of_the_deadline(silent: str, terminal: Terminal) -> None:
    run = start(silent, "--timeout", "30", error=terminal.theirs)
    terminal.until(r"Docker engine \(contact, engine, daemon config(, …)?\) · [1-9]")
    assert re.search(r"up to (2[0-9]|30) s more", terminal.seen)
    out, _ = run.communicate(timeout=120)
    assert run.returncode in (0, 1, 3)
    assert json.loads(out)["results"]
    assert "\x1b" not in out.decode()
    end = terminal.rest()
    assert end.rfind(SHOW) > end.rfind(HIDE) > -1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupting_prints_what_is_known_so_far(
    number: signal.Signals, code: int, silent: str, terminal: Terminal
) -> None:
    run = start(silent, error=terminal.theirs)
    terminal.until(r"Docker engine .* · [1-9]")
    run.send_signal(number)
    out, _ = run.communicate(timeout=60)
    rows = {(row["check"], row["subject"]): row for row in json.loads(out)["results"]}
    assert run.returncode == code
    assert rows["resources.memory", None]["status"] != "unknown"
    assert "interrupted before this was known" in rows["docker.engine", None]["reason"]
    end = terminal.rest()
    assert end.rfind(SHOW) > end.rfind(HIDE)
    assert "The run was stopped early" in end


def test_a_second_interrupt_ends_it_at_once_and_leaves_a_cursor(silent: str, terminal: Terminal) -> None:
    run = start(silent, error=terminal.theirs)
    terminal.until(r"Docker engine .* · [1-9]")
    run.send_signal(signal.SIGINT)
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    end = terminal.rest()
    assert run.returncode == 130
    assert end.rfind(SHOW) > end.rfind(HIDE)


@pytest.mark.parametrize("columns", [20, 34])
def test_a_narrow_terminal_cuts_lines_off(columns: int, silent: str) -> None:
    terminal = Terminal(columns)
    run = start(silent, "--timeout", "4", error=terminal.theirs, COLUMNS=str(columns))
    terminal.until(r"· [1-9]|…[\s\S]*…[\s\S]*…")
    run.communicate(timeout=60)
    rows = re.split(r"[\r\n]+", ANSI.sub("", terminal.rest()))
    assert len([row for row in rows if "…" in row]) > 2
    assert max(map(len, rows)) <= columns
    terminal.close()


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_terminal_that_can_show_no_display_gets_lines(term: str, silent: str, terminal: Terminal) -> None:
    run = start(silent, "--timeout", "4", error=terminal.theirs, TERM=term)
    run.communicate(timeout=60)
    assert "Still waiting (2 s" in terminal.rest()
    assert "\x1b" not in terminal.seen


def test_a_pipe_gets_a_line_for_each_stage_that_takes_long_and_no_ansi(silent: str) -> None:
    run = start(silent, "--timeout", "8", error=subprocess.PIPE)
    out, error = run.communicate(timeout=60)
    first, *rest = error.decode().splitlines()
    assert re.fullmatch(r"preflight: Examining this host \(up to 8 s\)\.", first)
    (line,) = (line for line in rest if "Docker engine" in line)
    assert re.fullmatch(r"preflight: Still waiting \(\d s, gives up in \d s\): Docker engine \(.*\)\.", line)
    assert b"\x1b" not in error + out


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full"])
def test_a_standard_error_that_takes_nothing_costs_no_report(closed: str, silent: str) -> None:
    command = f'exec "$0" -m preflight --docker-host {silent} --offline --only system.kernel --format json {closed}'
    run = subprocess.run(("sh", "-c", command, sys.executable), stdout=subprocess.PIPE, env=ENVIRONMENT, timeout=60)
    assert run.returncode in (0, 1, 3)
    assert json.loads(run.stdout)["results"]


@pytest.mark.parametrize("options", [("--quiet",), ("--progress", "never")])
def test_who_wants_no_progress_gets_none(options: tuple[str, ...], silent: str) -> None:
    run = start(silent, "--timeout", "3", *options, error=subprocess.PIPE)
    assert run.communicate(timeout=60)[1] == b""


def test_a_display_can_be_had_without_a_terminal(silent: str) -> None:
    run = start(silent, "--timeout", "3", "--progress", "always", error=subprocess.PIPE)
    assert "s more" in run.communicate(timeout=60)[1].decode()


def test_what_draws_is_loaded_only_for_a_display(silent: str) -> None:
    code = (
        "import sys; from preflight.cli.commands import run; sys.argv[1:] = sys.argv[1:]; run();"
        "print([name for name in sys.modules if name.partition('.')[0] == 'rich'], file=sys.stderr)"
    )
    words = (sys.executable, "-c", code, "--docker-host", silent, "--offline", "--only", "system.kernel", "--quiet")
    run = subprocess.run(words, capture_output=True, env=ENVIRONMENT, text=True, timeout=60)
    assert run.stderr == "[]\n"


def test_a_stage_that_waits_for_another_one_is_not_what_holds_the_run_up() -> None:
    progress = Progress(None, ("engine", "spaces", "memory", "probes.healthcheck"), 30.0)
    for part in ("engine", "spaces", "probes.healthcheck"):
        progress.tell(part, done=False)
    progress.tell("what nobody asked for", done=False)
    assert [line.partition(" ·")[0] for line in progress.lines()[1:]] == ["Docker engine (engine)"]
    progress.tell("engine", done=True)
    progress.tell("memory", done=False)
    assert [line.partition(" ·")[0] for line in progress.lines()[1:]] == [
        "files of the host (memory)",
        "file systems",
        "probes (healthcheck)",
    ]


# --- colour --------------------------------------------------------------------------------------------------


@pytest.fixture
def facts(tmp_path: Path) -> str:
    path = tmp_path / "facts.json"
    known = host(memory=Memory(8 * GIB, 6 * GIB, 2 * GIB, 2 * GIB), asked=Asked(offline=True, probe=False))
    path.write_text(encode(known))
    return str(path)


def shown(facts: str, terminal: Terminal, *options: str, **environment: str) -> str:
    words = (sys.executable, "-m", "preflight", "--facts", facts, "--format", "text", *options)
    subprocess.run(words, stdout=terminal.theirs, env=ENVIRONMENT | environment, timeout=60)
    return terminal.rest()


@pytest.mark.parametrize(
    ("options", "environment", "colored"),
    [
        ((), {}, True),
        ((), {"NO_COLOR": "1"}, False),
        ((), {"TERM": "dumb"}, False),
        (("--color", "never"), {}, False),
        (("--color", "always"), {"NO_COLOR": "1", "TERM": "dumb"}, True),
    ],
)
def test_colour_on_a_terminal(
    options: tuple[str, ...], environment: dict[str, str], colored: bool, facts: str, terminal: Terminal
) -> None:
    assert ("\x1b[" in shown(facts, terminal, *options, **environment)) is colored


def test_no_file_has_colour(facts: str, terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "report.txt"
    shown(facts, terminal, "--color", "always", "--output", str(file))
    assert "\x1b" not in file.read_text("utf-8")
    assert "READY" in file.read_text("utf-8") or "UNDETERMINED" in file.read_text("utf-8")


def test_a_pipe_has_no_colour_unless_it_is_asked_for(facts: str) -> None:
    words = (sys.executable, "-m", "preflight", "--facts", facts, "--format", "text")
    plain = subprocess.run(words, capture_output=True, env=ENVIRONMENT, timeout=60).stdout
    assert b"\x1b" not in plain
    asked = subprocess.run((*words, "--color", "always"), capture_output=True, env=ENVIRONMENT, timeout=60).stdout
    assert b"\x1b[" in asked
