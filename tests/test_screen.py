"""Where a report goes and what it looks like there: on a terminal, in a pipe, in a file, in a file of our container."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from preflight.cli import kept, streams
from preflight.cli.outputs import Target, targets
from preflight.facts import Asked, Memory
from preflight.report.documents import encode
from preflight.text.inputs import InputError
from tests.build import host
from tests.line import Line, line

GIB = 1 << 30
ANSI = re.compile(r"\x1b\[[0-9;]*m")
Shown = Callable[..., str]


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    """The facts of a host without swap."""
    path = tmp_path / "facts.json"
    path.write_text(encode(host(memory=Memory(8 * GIB, 6 * GIB, 0, 0), asked=Asked(offline=True, probe=False))))
    return path


@pytest.fixture
def shown(facts: Path) -> Shown:
    """Return a function that judges that host on a terminal so wide and tells what stands there, without colour."""

    def run(*options: str, columns: int = 80, **environment: str) -> str:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        words = (sys.executable, "-m", "preflight", "--facts", str(facts), "-q", *options)
        clean = {"PATH": os.environ["PATH"], "TERM": "xterm", "LC_ALL": "C.UTF-8"} | environment
        with subprocess.Popen(words, stdout=theirs, stderr=theirs, env=clean) as started:
            os.close(theirs)
            seen = b""
            while part := _read(ours):
                seen += part
            started.wait(60)
        os.close(ours)
        return ANSI.sub("", seen.decode("utf-8")).replace("\r\n", "\n")

    return run


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # nobody writes any more
        return b""


def piped(facts: Path, *options: str, **environment: str) -> str:
    words = (sys.executable, "-m", "preflight", "--facts", str(facts), "-q", *options)
    clean = {"PATH": os.environ["PATH"]} | environment
    return subprocess.run(words, capture_output=True, env=clean, timeout=60, check=False).stdout.decode("utf-8")


# --- which format ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--format", "auto")])
def test_a_terminal_gets_text_and_a_pipe_gets_markdown(options: tuple[str, ...], shown: Shown, facts: Path) -> None:
    told = shown(*options)
    assert told.startswith("UNDETERMINED")
    assert " 1 ! " in told
    assert piped(facts, *options).startswith("# ")
    assert shown("--format", "markdown").startswith("# ")


@pytest.mark.parametrize(
    ("formats", "files", "wanted"),
    [
        ("", "", [("text", None)]),
        ("auto", "", [("text", None)]),
        ("auto", "a.json", [("json", "a.json"), ("text", None)]),
        ("auto", "report", [("markdown", "report"), ("text", None)]),
        ("auto json", "a.json", [("json", "a.json"), ("text", None)]),
        ("json auto", "a.json", [("json", "a.json"), ("text", None)]),
        ("", "a.txt -", [("text", "a.txt"), ("text", None)]),
        ("", "a.md", [("markdown", "a.md")]),
    ],
)
def test_auto_is_what_the_place_wants(
    formats: str, files: str, wanted: list[tuple[str, str | None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = targets(tuple(formats.split()), tuple(files.split()), "text")
    assert found == tuple(Target(*pair) for pair in wanted)


def test_auto_twice_is_one_too_many() -> None:
    with pytest.raises(InputError, match="Only one report"):
        targets(("auto", "auto"), (), "text")


# --- width and signs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("columns", "width"), [(20, 40), (40, 40), (64, 64), (100, 100), (250, 100), (0, 80)])
def test_the_width_follows_the_terminal(columns: int, width: int, shown: Shown) -> None:
    prose = [line for line in shown(columns=columns).splitlines() if not line.startswith("      ")]
    assert width - 12 <= max(map(len, prose)) <= width


def test_a_terminal_that_does_not_know_its_width_may_be_told(shown: Shown) -> None:
    prose = [line for line in shown(columns=0, COLUMNS="50").splitlines() if not line.startswith("      ")]
    assert max(map(len, prose)) <= 50


def test_a_pipe_and_a_file_have_their_own_width(facts: Path, tmp_path: Path, shown: Shown) -> None:
    plain = piped(facts, "--format", "text", COLUMNS="40")
    assert 70 < max(len(line) for line in plain.splitlines() if not line.startswith("      ")) <= 80
    shown("--output", str(tmp_path / "a.txt"), columns=40, LC_ALL="C")
    assert (tmp_path / "a.txt").read_text("utf-8") == plain


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "de_DE.ISO-8859-1"}, {"LC_ALL": "", "LANG": "C"}])
def test_where_the_locale_has_no_utf8_all_is_ascii(locale: dict[str, str], shown: Shown, facts: Path) -> None:
    told = shown(**locale)
    assert told.isascii()
    assert " 1 ! " in told
    assert piped(facts, "--format", "text", **locale).isascii()


@pytest.mark.parametrize(
    ("environ", "terminal", "ascii"),
    [
        ({"LANG": "en_US.UTF-8"}, True, False), ({"LANG": "en_US.utf8"}, True, False), ({"LANG": "C"}, False, True),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "POSIX"}, True, True), ({"LANG": "C", "LC_CTYPE": "C.utf-8"}, True, False),
        ({"LC_ALL": "", "LANG": "C.UTF-8"}, True, False), ({}, True, True), ({}, False, False),
        ({"MAILCOW_PREFLIGHT_IMAGE": "1"}, True, False), ({"MAILCOW_PREFLIGHT_IMAGE": "1", "LANG": "C"}, True, True),
    ],
)  # fmt: skip
def test_the_locale_says_which_signs_there_are(environ: dict[str, str], terminal: bool, ascii: bool) -> None:
    assert streams.ascii_only(environ, terminal) is ascii


# --- what passed -------------------------------------------------------------------------------------------------


def test_what_passed_is_listed_where_that_is_asked_for(facts: Path) -> None:
    assert "--show-passed lists them." in piped(facts, "--format", "text")
    for listed in (
        piped(facts, "--format", "text", "--show-passed"), piped(facts, "--format", "text", PREFLIGHT_SHOW_PASSED="1"),
    ):  # fmt: skip
        assert "Passed" in listed
        assert "Skipped" in listed


# --- files -------------------------------------------------------------------------------------------------------

MOUNTS = (
    "22 1 0:41 / / rw - overlay overlay rw\n23 22 0:5 / /proc rw - proc proc rw\n24 22 0:6 / /dev rw - tmpfs tmpfs rw\n"
    "25 22 8:1 /home/me /out rw - ext4 /dev/vda1 rw\n26 25 0:7 / /out/with\\040blank rw - tmpfs tmpfs rw\n"
)


@pytest.mark.parametrize(
    ("paths", "gone"),
    [
        (("/a.md",), ["/a.md"]), (("/out/a.md",), []), (("/out/with blank/a.md",), []),
        (("/dev/shm-a.md",), ["/dev/shm-a.md"]),
        (("/output/a.md", "/out/b.md"), ["/output/a.md"]), ((), []),
    ],
)  # fmt: skip
def test_what_is_on_no_mount_goes_with_the_container(paths: tuple[str, ...], gone: list[str], tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS)
    told = kept.lost(paths, {"MAILCOW_PREFLIGHT_IMAGE": "1"}, str(table))
    assert told.partition(": inside the container")[0] == ", ".join(gone)
    assert kept.lost(("/dev/null",), {"MAILCOW_PREFLIGHT_IMAGE": "1"}, str(table)) == ""
    assert kept.lost(paths, {}, str(table)) == ""
    assert kept.lost(paths, {"MAILCOW_PREFLIGHT_IMAGE": "1"}, str(tmp_path / "none")) == ""


@pytest.mark.parametrize("image", [False, True])
@pytest.mark.parametrize("format", [(), ("--format", "json", "--output", "-")])
def test_a_file_in_our_container_is_said_to_go_with_it(
    image: bool, format: tuple[str, ...], facts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    run: Line = line(monkeypatch, capsys)
    (tmp_path / "mountinfo").write_text("22 1 0:41 / / rw - overlay overlay rw\n")
    monkeypatch.setattr(kept.lost, "__defaults__", (str(tmp_path / "mountinfo"),))
    if image:
        monkeypatch.setenv("MAILCOW_PREFLIGHT_IMAGE", "1")
    file = str(tmp_path / "a.html")
    lines = run("--facts", str(facts), "--only", "resources.swap", "--output", file, *format).err.splitlines()
    assert [entry for entry in lines if f"Report: {file}" in entry] == lines[: 1 - bool(format)]
    gone = [entry for entry in lines if entry.startswith(f"preflight: {file}: inside the container, and lost when ")]
    assert len(gone) == image
    assert all("--output /out/a.html" in entry for entry in gone)
