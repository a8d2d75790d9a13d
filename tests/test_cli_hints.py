"""A word, an option or an argument that there is none of is answered by what was probably meant, in one line."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click
import pytest

from preflight.checks import SECTIONS, catalogue
from preflight.cli import hints
from preflight.cli.commands import cli
from preflight.cli.helping import option_names
from preflight.render import FORMATS
from tests.line import Line, line

COMMANDS = sorted(cli.commands)
OPTIONS = option_names(cli.commands["check"])


@pytest.fixture
def preflight(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Line:
    return line(monkeypatch, capsys)


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("facts.json").write_text('{"schema": 1, "version": "0", "view": {}, "asked": {}}')
    Path("old.json").write_text('{"schema": 1, "tool": {}, "requirements": {}, "verdict": "ready"}')
    Path("broken.json").write_text("[")
    Path("mailcow.conf").write_text("MAILCOW_HOSTNAME=mail.example.org\n")
    Path("saved").write_text("MAILCOW_HOSTNAME=mail.example.org\n")
    Path("my waivers.toml").touch()
    Path("host").mkdir()
    Path("ports.free").touch()
    os.mkfifo("pipe.json")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("dns.mx", ["explain dns.mx", "--only dns.mx"]),
        ("DNS.MX", ["explain dns.mx", "--only dns.mx"]),
        ("port.fre", ["explain ports.free", "--only ports.free"]),
        ("resources.memmory", ["explain resources.memory", "--only resources.memory"]),
        ("docker.daemon_config", ["explain docker.daemon-config", "--only docker.daemon-config"]),
        ("dns", ["--only 'dns.*'"]), ("dns.*", ["--only 'dns.*'"]), ("Ports", ["--only 'ports.*'"]),
        ("facts.json", ["--facts facts.json"]), ("broken.json", ["--facts broken.json"]),
        ("./facts.json", ["--facts ./facts.json"]),
        ("old.json", ["--baseline old.json", "compare old.json NEW.json"]),
        ("mailcow.conf", ["--mailcow-conf mailcow.conf"]), ("saved", ["--mailcow-conf saved"]),
        ("my waivers.toml", ["--waivers 'my waivers.toml'", "--requirements 'my waivers.toml'"]),
        ("./host", ["--root ./host"]),
        ("report.json", ["--output report.json"]), ("out/Report.HTML", ["--output out/Report.HTML"]),
        ("vm-facts.json", ["facts --output vm-facts.json"]),
        ("mail.example.org", ["--hostname mail.example.org"]), ("mail.example.org.", ["--hostname mail.example.org"]),
        ("https://mail.example.org/", ["--hostname mail.example.org"]),
        ("mail.example.org:443", ["--hostname mail.example.org"]),
        ("postmaster@example.org", ["--hostname example.org"]),
        ("192.0.2.1", ["--public-ip 192.0.2.1"]), ("[2001:db8::1]", ["--public-ip '[2001:db8::1]'"]),
        ("version", ["--version"]), ("offline", ["--offline"]), ("html", ["--format html"]),
        ("list", ["checks"]), ("diff", ["compare"]), ("doctor", ["check"]), ("CHECK", ["check"]),
        ("chekc", ["check", "checks"]), ("explian", ["explain"]), ("docs", ["help"]),
        ("ports.free", ["explain ports.free", "--only ports.free"]),
        ("/nowhere/mailcow.conf", ["--mailcow-conf /nowhere/mailcow.conf"]),
        ("xyzzy", []), ("", []), ("x" * 100_000, []), ("pipe.json", []), ("a b.c", []), ("../..", ["--root ../.."]),
    ],
)  # fmt: skip
def test_what_a_first_word_meant(word: str, meant: list[str], preflight: Line) -> None:
    run = preflight(word)
    assert (run.code, run.out) == (2, "")
    (said,) = run.err.splitlines()
    assert said.startswith(("preflight: There is no command ", "preflight: There is no command and no file "))
    assert said.endswith("?" if meant else "`preflight --help`")
    if meant:
        assert f" Did you mean {' or '.join(f'`preflight {one}`' for one in meant)}?" in said
    if meant and word:
        assert f" {' or '.join(f'`preflight {one}`' for one in meant)}?" in preflight("help", word).err


@pytest.mark.parametrize("word", ["update", "upgrade", "Install", "fix"])
def test_what_preflight_does_not_do_is_said(word: str, preflight: Line) -> None:
    run = preflight(word)
    assert (run.code, run.out, len(run.err.splitlines())) == (2, "", 1)
    assert "preflight does not " in run.err


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: entry.id)
def test_no_check_is_taken_for_a_host(entry: object) -> None:
    identity = entry.id  # type: ignore[attr-defined]
    assert f"`preflight explain {identity}`" in hints.no_command(identity, COMMANDS, OPTIONS)


def test_everything_that_is_advised_exists() -> None:
    """Commands, options and formats that a hint names are ones of this program."""
    words = [
        *hints.COMMANDS,
        *SECTIONS,
        *FORMATS,
        *(name.removeprefix("--") for name in OPTIONS),
        "facts.json",
        "old.json",
    ]
    for word in words:
        said = hints.no_command(word, COMMANDS, OPTIONS)
        for advised in said.split("`")[1::2]:
            program, first, *_ = shlex.split(advised)
            assert program == "preflight"
            assert first in (*COMMANDS, *OPTIONS, "--version", "--help"), said
    assert not {*hints.COMMANDS, *hints.NONE} & {*COMMANDS}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "ports.configuration"), "Unexpected argument 'ports.configuration'. Did you mean `preflight expl"),
        (("--offline", "mail.example.org"), "Unexpected argument 'mail.example.org'. Did you mean `preflight --host"),
        (("facts", "vm-facts.json"), "Did you mean `preflight facts --output vm-facts.json`?"),
        (("explain", "dns.mx", "dns.spf"), "Unexpected argument 'dns.spf'. To see its arguments: `preflight explain "),
        (("--hostnam", "x"), "`preflight check` has no option --hostnam. Did you mean `--hostname`?"),
        (("--mailcow_conf", "x"), "`preflight check` has no option --mailcow_conf. Did you mean `--mailcow-conf`?"),
        (("facts", "--format", "json"), "`preflight facts` has no option --format. Facts are always JSON."),
        (("checks", "--only", "x"), "`preflight checks` has no option --only. It is an option of `preflight check`."),
        (("schema", "--xyzzy"), "has no option --xyzzy. To see its options: `preflight schema --help`"),
        (("-x",), "`preflight check` has no option -x. To see its options: `preflight check --help`"),
    ],
)  # fmt: skip
def test_options_and_arguments_that_there_are_none_of(words: tuple[str, ...], said: str, preflight: Line) -> None:
    run = preflight(*words)
    assert (run.code, run.out, len(run.err.splitlines())) == (2, "", 1)
    assert said in run.err


def test_what_is_typed_is_harmless_on_a_terminal(preflight: Line) -> None:
    for word in ("a\x1b[31m", "\x1b]0;x\x07.json", "a\nb", "\udcff"):
        (said,) = preflight(word).err.splitlines()
        assert said.isprintable()


def test_a_shell_that_completes_is_refused_nothing() -> None:
    with click.Context(cli, resilient_parsing=True) as parent:
        cli.commands["check"].make_context("check", ["some", "words"], parent=parent, resilient_parsing=True)
