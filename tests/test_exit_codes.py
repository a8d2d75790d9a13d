"""What the exit code tells: the verdict alone, whatever is printed in whichever format; and how a run can break off."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from preflight.cli import commands
from preflight.facts import Asked, Host, Memory
from preflight.render import FORMATS
from preflight.report.documents import encode
from preflight.report.model import Verdict
from preflight.text.inputs import InputError
from tests.build import host
from tests.line import Line
from tests.render import reports

GIB = 1 << 30
ASKED = Asked(offline=True, probe=False)
MEMORY, SWAP, KERNEL = "resources.memory", "resources.swap", "system.kernel"


def of(memory: float, swap: float) -> Host:
    """Return a host with so many GiB; its kernel is not known."""
    size, rest = int(memory * GIB), int(swap * GIB)
    return host(memory=Memory(size, size, rest, rest), asked=ASKED)


HOSTS = {
    "good": of(8, 2),
    "no swap": of(8, 0),
    "small": of(1, 0),
    "dark": host(asked=ASKED),
}


@pytest.fixture
def judged(tmp_path: Path, preflight: Line) -> Callable[..., Any]:
    """Return a function that judges one of the hosts by some checks."""

    def run(name: str, checks: str, *options: str) -> Any:
        path = tmp_path / "facts.json"
        path.write_text(encode(HOSTS[name]))
        only = [word for check in checks.split() for word in ("--only", check)]
        return preflight("--facts", str(path), *only, *options)

    return run


@pytest.mark.parametrize(
    ("name", "checks", "options", "code", "verdict"),
    [
        ("good", f"{MEMORY} {SWAP}", (), 0, Verdict.READY),
        ("good", f"{MEMORY} {SWAP}", ("--strict",), 0, Verdict.READY),
        ("no swap", f"{MEMORY} {SWAP}", (), 0, Verdict.READY_WITH_WARNINGS),
        ("no swap", f"{MEMORY} {SWAP}", ("--strict",), 1, Verdict.NOT_READY),
        ("no swap", SWAP, ("--strict", "--ignore", f"{SWAP}=zram"), 0, Verdict.READY),
        ("no swap", SWAP, ("--strict", "--ignore", f"{SWAP}=zram@2026-11-22"), 1, Verdict.NOT_READY),
        ("no swap", SWAP, ("--strict", "--ignore", f"{SWAP}=zram@2026-11-23"), 0, Verdict.READY),
        ("small", MEMORY, (), 1, Verdict.NOT_READY),
        ("small", f"{MEMORY} {KERNEL}", (), 1, Verdict.NOT_READY),
        ("small", MEMORY, ("--ignore", f"{MEMORY}=a test"), 0, Verdict.READY),
        ("small", MEMORY, ("--ignore", f"{MEMORY}=a test@2026-11-22"), 1, Verdict.NOT_READY),
        ("small", f"{MEMORY} {KERNEL}", ("--ignore", MEMORY), 3, Verdict.UNDETERMINED),
        ("small", f"{MEMORY} {KERNEL}", ("--ignore", "*"), 0, Verdict.READY),
        ("dark", SWAP, (), 0, Verdict.READY),
        ("dark", SWAP, ("--strict",), 0, Verdict.READY),
        ("dark", MEMORY, (), 3, Verdict.UNDETERMINED),
        ("dark", MEMORY, ("--strict",), 3, Verdict.UNDETERMINED),
        ("dark", MEMORY, ("--ignore", f"{MEMORY}=we know"), 0, Verdict.READY),
        ("dark", "dns.*", (), 0, Verdict.READY),
    ],
)  # fmt: skip
def test_the_exit_code_is_the_verdicts(
    name: str, checks: str, options: tuple[str, ...], code: int, verdict: Verdict, judged: Callable[..., Any]
) -> None:
    run = judged(name, checks, *options, "--format", "json")
    assert (run.code, json.loads(run.out)["verdict"]) == (code, verdict.value)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("name", "code"), [("good", 0), ("small", 1), ("dark", 3)])
def test_no_format_changes_it(
    name: str, code: int, form: str, judged: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert judged(name, MEMORY, "--format", form).code == code
    redacted = judged(name, MEMORY, "--format", form, "--redact")
    assert redacted.code == code
    assert redacted.out
    if FORMATS[form]:
        path = tmp_path / f"report{FORMATS[form]}"
        written = judged(name, MEMORY, "--output", str(path))
        assert (written.code, written.out, path.stat().st_size > 0) == (code, "", True)


@pytest.mark.parametrize("name", ["good", "small"])
def test_a_baseline_weighs_nothing(name: str, judged: Callable[..., Any], tmp_path: Path) -> None:
    """A failure that was there before is one all the same; what is new is told, and no code tells it."""
    for before in ("good", "small"):
        (tmp_path / "before.json").write_text(judged(before, MEMORY, "--format", "json").out)
        run = judged(name, MEMORY, "--baseline", str(tmp_path / "before.json"))
        assert run.code == (0 if name == "good" else 1)
        assert "Since the report of 2026-11-23" in run.out


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("good", "good", 0), ("good", "no swap", 1), ("no swap", "good", 0), ("no swap", "no swap", 0),
        ("good", "dark", 1), ("small", "dark", 0), ("dark", "small", 1), ("small", "good", 0),
    ],
)  # fmt: skip
def test_a_comparison_ends_with_1_where_something_got_worse(
    before: str, after: str, code: int, judged: Callable[..., Any], preflight: Line, tmp_path: Path
) -> None:
    for name, which in (("old.json", before), ("new.json", after)):
        (tmp_path / name).write_text(judged(which, f"{MEMORY} {SWAP} {KERNEL}", "--format", "json").out)
    run = preflight("compare", str(tmp_path / "old.json"), str(tmp_path / "new.json"))
    assert (run.code, run.err) == (code, "")
    assert run.out.startswith("SOMETHING GOT WORSE") is (code == 1)


# --- what breaks a run off -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (click.UsageError("no such thing"), 2, "preflight: no such thing"),
        (InputError("a.json: empty"), 2, "preflight: a.json: empty"),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
        (
            ValueError("a\nb\x1b[31mc\u202ed\x9b2J"),
            3,
            "preflight: Internal error. Please report it: ValueError: a b [31mc d 2J",
        ),
        (RecursionError(), 3, "preflight: Internal error. Please report it: RecursionError: "),
        (MemoryError("x" * 9000), 3, "preflight: Internal error. Please report it: MemoryError: xxx"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_whatever_breaks_a_run_off_is_a_code_and_a_clean_line(
    error: BaseException, code: int, said: str, judged: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(commands, "assess", broken)
    run = judged("good", MEMORY)
    assert (run.code, run.out) == (code, "")
    assert run.err.startswith(said)
    assert run.err.count("\n") <= 1
    assert bool(run.err.strip()) is bool(said)  # an empty line ends that of a terminal's ^C
    assert len(run.err) <= 501
    assert all(character.isprintable() for character in run.err.removesuffix("\n"))


def test_a_reader_that_has_gone_ends_it_as_a_pipe_does(
    judged: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`preflight | head -1`: no traceback, nothing more is written, and the shell sees what it always sees."""
    there, here = os.pipe()
    os.close(there)
    with os.fdopen(here, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        run = judged("good", MEMORY)
        assert (run.code, run.err) == (141, "")
        # By its number: /proc has other words for it where /dev was mounted anew.
        assert os.fstat(out.fileno()).st_rdev == os.stat(os.devnull).st_rdev


@pytest.mark.parametrize("words", [["--help"], ["check", "-h"], ["--version"]], ids=" ".join)
def test_help_that_nobody_reads_ends_as_a_pipe_does(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """click writes these itself, and would end with 1, which is that of a host that is not ready."""
    there, here = os.pipe()
    os.close(there)
    monkeypatch.setattr(sys, "argv", ["preflight", *words])
    with os.fdopen(here, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", sys.stderr)  # click puts others in their places
        assert commands.run() == 141
        # By its number: /proc has other words for it where /dev was mounted anew.
        assert os.fstat(out.fileno()).st_rdev == os.stat(os.devnull).st_rdev
    assert capsys.readouterr().err == ""


def test_a_closed_standard_output_is_one_line(judged: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    run = judged("good", MEMORY)
    assert (run.code, run.err) == (2, "preflight: standard output: closed\n")


def test_what_is_worse_in_a_report_of_another_host_is_worse_too(tmp_path: Path, preflight: Line) -> None:
    """Nobody knows whether it changed, so the remark says it; a pipeline stops all the same."""
    (tmp_path / "old.json").write_text(encode(reports.report(reports.result("a.one"), name="vm1")))
    (tmp_path / "new.json").write_text(encode(reports.report(reports.result("a.one", "fail"), name="vm2")))
    run = preflight("compare", str(tmp_path / "old.json"), str(tmp_path / "new.json"))
    assert run.code == 1
    assert "The reports are about two hosts" in run.out
