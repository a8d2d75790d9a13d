"""`preflight reach` as a user meets it: its documents, where they go, its exit codes, and what it refuses."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema_rs import Draft202012Validator, meta

from preflight.cli import commands
from preflight.reach import line, trying
from preflight.reach.facts import Attempt, Look
from preflight.reach.schema import schema
from preflight.text.inputs import InputError
from tests.reach.looks import SIX, attempt, control, look

KEY = bytes(range(16))
LINE = str(line.make("mail.example.org", ("198.51.100.7",), KEY, time.time() + 100))
LOOKS = {
    "reached": (0, (attempt(25), attempt(443), attempt(13306, "refused", local=True))),
    "not-reached": (1, (attempt(25, "filtered"), attempt(443, "other", said="220 \\x1b <b>|`x` http://x.example"))),
    "undetermined": (3, (attempt(25), attempt(25, "unsent", SIX, error="ENETUNREACH"))),
}


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Have nothing tried; return what it was asked for, after which attempts to give are put in front."""
    seen: list[Any] = [LOOKS["reached"][1]]

    def instead(asked: line.Line, controls: object, bounds: object, tell: Any) -> Look:
        seen.append((asked, controls))
        for one in seen[0]:
            tell(one)
        return look(*seen[0], host=asked.host, controls=(control(True),))

    monkeypatch.setattr(trying, "look", instead)
    return seen


def run(*words: str) -> tuple[int, str, str]:
    made = CliRunner().invoke(commands.cli, ["reach", *words], standalone_mode=True)
    return made.exit_code, made.stdout, made.stderr


@pytest.mark.parametrize("verdict", LOOKS)
@pytest.mark.parametrize("style", ["text", "markdown", "html", "json"])
def test_each_verdict_in_each_format(tried: list[Any], verdict: str, style: str) -> None:
    code, tried[0] = LOOKS[verdict]
    exit_code, out, err = run(LINE, "--format", style)
    assert exit_code == code
    assert "mail.example.org" in out
    assert err.startswith("preflight: Trying the ports of mail.example.org")
    assert KEY.hex() not in out
    assert LINE.partition("/")[2] not in out + err
    if style == "json":
        meta.validate(schema())
        Draft202012Validator(schema()).validate(document := json.loads(out))
        assert (document["schema"], document["verdict"]) == (1, verdict)


def test_nothing_that_somebody_said_becomes_markup(tried: list[Any]) -> None:
    tried[0] = LOOKS["not-reached"][1]
    page, sheet = run(LINE, "--format", "html")[1], run(LINE, "--format", "markdown")[1]
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert "<script" not in page
    assert all(row.count("|") == 5 for row in sheet.splitlines() if row.startswith("| ") and "tcp" in row)


def test_files_are_named_by_their_suffix(tried: list[Any], tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("a.json", "a.md", "a.html", "a.txt")]
    code, out, err = run(LINE, "--quiet", *(word for name in files for word in ("--output", name)))
    assert (code, out) == (0, "")
    assert len(err.splitlines()) == 1
    assert "reached" in err
    assert all(Path(name).stat().st_size > 100 for name in files)


def test_a_format_of_the_check_alone_is_refused(tried: list[Any], tmp_path: Path) -> None:
    made = CliRunner().invoke(commands.cli, ["reach", LINE, "--output", str(tmp_path / "a.xml")])
    assert isinstance(made.exception, InputError)
    assert len(tried) == 1


def test_a_host_with_its_token(tried: list[Any]) -> None:
    assert run("mx.example.org", "--token", LINE.partition("/")[2])[0] == 0
    assert (tried[1][0].host, tried[1][0].key) == ("mx.example.org", KEY)


def test_mail_servers_to_compare_with_are_the_documents_or_ones_own(tried: list[Any]) -> None:
    run(LINE)
    run(LINE, "--smtp-target", "mx.example.net:2525")
    assert len(tried[1][1]) > 1
    assert tried[2][1] == [("mx.example.net", 2525)]


@pytest.mark.parametrize(
    "words", [(), ("mail.example.org",), (LINE[:-1],), (LINE, "--token", "x"), (LINE, "--timeout", "0")]
)
def test_what_is_no_line_is_a_usage_error(tried: list[Any], words: tuple[str, ...]) -> None:
    code, out, _ = run(*words)
    assert (code, out, len(tried)) == (2, "", 1)


def test_progress_counts_what_came_of_each_address() -> None:
    from preflight.cli.reach import _Counted

    counted = _Counted(line.read(LINE), time.monotonic() + 30)
    several: tuple[Attempt, ...] = (attempt(25), attempt(443), attempt(80, "filtered"), attempt(25, address=SIX))
    for one in several:
        counted.tell(one)
    assert counted.lines()[1:] == ["198.51.100.7 · reached 2, filtered 1", f"{SIX} · reached 1"]


def test_a_report_that_can_be_posted(tried: list[Any]) -> None:
    for style in ("text", "markdown", "html", "json"):
        out = run(LINE, "--redact", "--quiet", "--format", style)[1]
        assert "example.org" not in out
        assert "198.51.100.7" not in out
        assert "domain-1" in out
