"""What bash, zsh and fish complete, each asked itself; and which check a wrong word may have meant."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from preflight.assess.selection import meant
from preflight.checks import catalogue
from tests.line import line
from tests.tools import program

IDS = {entry.id for entry in catalogue()}
PORTS = {identity for identity in IDS if identity.startswith("ports.")}
FORMATS = {"auto", "markdown", "json", "text", "html", "junit", "github", "zone", "sh", "conf", "prometheus", "nagios"}
COMMANDS = {"check", "checks", "cleanup", "compare", "explain", "facts", "help", "reach", "schema"}
# What is typed, and all that is offered for its last word.
TYPED = {
    "explain ": IDS,
    "explain ports.": PORTS,
    "--only ports.": PORTS,
    "check --skip ports.": PORTS,
    "--hostname mail.example.org --ignore ports.": PORTS,
    "--format ": FORMATS,
    "check --format j": {"json", "junit"},
    "--requirements c": {"current"},
    "exp": {"explain"},
    "": COMMANDS,
    "schema ": {"facts", "reach", "report"},
    "help ex": {"explain"},
    "compare --format m": {"markdown"},
    "--outp": {"--output"},
    "check --no": {"--no-probe"},
}
FILES = ["--output ", "--facts ", "--waivers ", "--baseline ", "--mailcow-conf ", "facts --output ", "compare "]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a directory with one file and one directory, with `preflight` in PATH and no settings of anybody's."""
    for name in list(os.environ):
        if name.startswith("PREFLIGHT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TERM", "dumb")
    work = tmp_path / "work"
    (work / "a-folder").mkdir(parents=True)
    (work / "a-report.json").touch()
    monkeypatch.chdir(work)
    return work


def ran(*command: str) -> str:
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.stderr == ""
    return run.stdout


def test_bash(home: Path) -> None:
    """Call the function that bash calls for the tab key, with what bash gives it; names of files are bash's then."""
    script = 'eval "$(_PREFLIGHT_COMPLETE=bash_source preflight)"; complete -p preflight\n'
    for typed in TYPED:
        words = ["preflight", *typed.split(" ")]
        script += f"""COMPREPLY=(); COMP_WORDS=({" ".join(words[:-1])} "{words[-1]}"); COMP_CWORD={len(words) - 1}
            _preflight_completion preflight "{words[-1]}"; echo "${{COMPREPLY[@]}}"
            """
    bound, *offered = ran(program("bash"), "--norc", "-c", script).splitlines()
    assert bound == "complete -o nosort -F _preflight_completion preflight"
    assert {typed: set(text.split()) for typed, text in zip(TYPED, offered, strict=True)} == TYPED


def fish(*typed: str) -> list[set[str]]:
    """Ask fish what it offers."""
    script = "_PREFLIGHT_COMPLETE=fish_source preflight | source\n"
    script += "".join(f"complete --do-complete 'preflight {text}'; echo ==\n" for text in typed)
    parts = ran(program("fish"), "--no-config", "-c", script).split("==\n")[:-1]
    return [{text.partition("\t")[0] for text in part.splitlines()} for part in parts]


def test_fish(home: Path) -> None:
    offered = dict(zip(TYPED, fish(*TYPED), strict=True))
    assert offered == TYPED


def test_fish_completes_files(home: Path) -> None:
    assert fish(*(f"{typed}a-" for typed in FILES)) == [{"a-folder/", "a-report.json"}] * len(FILES)


class Terminal:
    """A shell with a keyboard and a screen."""

    def __init__(self, *command: str) -> None:
        self.child, self.handle = pty.fork()
        if self.child == 0:
            os.execv(command[0], command)
        self.screen = ""

    def type(self, text: str) -> None:
        os.write(self.handle, text.encode())

    def shows(self, pattern: str, seconds: float = 30) -> str:
        """Return what follows until the screen shows this."""
        ends = time.monotonic() + seconds
        while not (match := re.search(pattern, self.screen)):
            assert time.monotonic() < ends, self.screen
            if select.select([self.handle], [], [], 0.2)[0]:
                self.screen += os.read(self.handle, 65536).decode("utf-8", "replace")
        before, self.screen = self.screen[: match.end()], self.screen[match.end() :]
        return before

    def close(self) -> None:
        os.close(self.handle)  # the shell hangs up
        os.waitpid(self.child, 0)


@pytest.mark.parametrize(
    ("shell", "start"),
    [
        ("bash", 'eval "$(_PREFLIGHT_COMPLETE=bash_source preflight)"'),
        ("zsh", 'autoload -U compinit; compinit -D -u; eval "$(_PREFLIGHT_COMPLETE=zsh_source preflight)"'),
    ],
)
def test_the_tab_key(shell: str, start: str, home: Path) -> None:
    """What is typed is completed on the screen, as in the README: an id, an option, a file."""
    terminal = Terminal(program(shell), *(["--norc", "-i"] if shell == "bash" else ["-f", "-i"]))
    try:
        terminal.type(f"{start}; echo rea''dy\n")
        terminal.shows("ready")
        for typed, whole in (
            ("explain ports.fr", "ports.free "),
            ("--outp", "--output "),
            ("--only system.arch", "system.architecture "),
            ("--format js", "json "),
            ("--output a-r", "a-report.json "),
            ("compare a-r", "a-report.json "),
        ):
            terminal.type(f"preflight {typed}\t")
            terminal.shows(re.escape(whole[len(typed.rpartition(" ")[2]) :].rstrip()))
            terminal.type("\x15\n")  # take the line back
    finally:
        terminal.close()


def test_completing_looks_at_nothing_and_loads_little(home: Path) -> None:
    heavy = ("docker", "psutil", "dns", "jinja2", "rich", "requests", "preflight.gather.engine.engine")
    code = (
        "import atexit, sys; from preflight.cli import commands, request; request.find_roots = None; "
        f"atexit.register(lambda: print([name for name in {heavy!r} if name in sys.modules])); "
        "sys.argv = ['preflight']; commands.run()"
    )
    environ = {
        **os.environ,
        "_PREFLIGHT_COMPLETE": "bash_complete",
        "COMP_WORDS": "preflight --only po",
        "COMP_CWORD": "2",
    }
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=True)
    *offered, loaded = run.stdout.splitlines()
    assert {text.removeprefix("plain,") for text in offered} == PORTS
    assert loaded == "[]"


# --- what was meant ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("port.free", "did you mean ports.free?"), ("Ports.Free", "did you mean ports.free?"),
        ("resources.memmory", "did you mean resources.memory"), ("swap", "did you mean resources.swap?"),
        ("ports", "did you mean ports.configuration, ports.free?"), ("system.cpu_features", "resources.cpu-features"),
        ("xyzzy", "`preflight checks` lists them."), ("", "`preflight checks` lists them."),
        ("x" * 100_000, "`preflight checks` lists them."),
    ],
)  # fmt: skip
def test_near_checks_are_named(word: str, said: str) -> None:
    assert said in meant(word, catalogue())


def test_every_command_that_takes_a_check_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    preflight = line(monkeypatch, capsys)
    for words in (
        ("explain", "port.free"),
        ("--only", "port.free"),
        ("--skip", "port.free"),
        ("--ignore", "port.free=x"),
    ):
        run = preflight(*words)
        assert (run.code, run.out) == (2, "")
        assert run.err.endswith(": did you mean ports.free?\n"), run.err
