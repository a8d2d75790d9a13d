"""Help pages and the man page: everything is in them, nothing is cut, at every width."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from preflight.cli.commands import EXIT, cli
from preflight.cli.helping import EXAMPLES, EXIT_CODES, MOST_USED
from preflight.report.model import Verdict

PAGE = Path(__file__).parent.parent / "docs" / "preflight.1"
COMMANDS = sorted(cli.commands)
# A command, an environment name: no line can be narrower than these.
WHOLE = re.compile(r"PREFLIGHT_\w+|https?://\S+")


def said(*words: str, columns: int = 80) -> str:
    command = [sys.executable, "-m", "preflight", *words]
    environ = {**os.environ, "COLUMNS": str(columns)}
    run = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=True)
    assert not run.stderr
    return run.stdout


def options(name: str) -> Iterator[click.Option]:
    return (one for one in cli.commands[name].params if isinstance(one, click.Option))


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("columns", [40, 50, 80, 200])
@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_no_help_is_wider_than_the_terminal(words: list[str], columns: int) -> None:
    text = said(*words, columns=columns)
    examples = {command for command, _ in EXAMPLES}
    wide = [line for line in text.splitlines() if len(line) > min(columns, 80) and line.strip() not in examples]
    assert [line for line in wide if not WHOLE.search(line)] == []
    assert "..." not in text.replace("[ARGS]...", "")


@pytest.mark.parametrize("columns", [40, 80])
def test_what_a_newcomer_types_shows_what_there_is(columns: int) -> None:
    text = flat(said("--help", columns=columns))
    for name in COMMANDS:
        assert flat(cli.commands[name].get_short_help_str(1000)) in text
    for command, meaning in EXAMPLES:
        assert f"{command} {meaning}" in text
    for code, meaning in EXIT_CODES:
        assert f"{code} {meaning}" in text
    for name in MOST_USED:
        (option,) = (one for one in options("check") if one.name == name)
        assert f"{option.opts[0]}" in text
        assert flat(option.help or "") in text
    assert "PREFLIGHT_" not in text


@pytest.mark.parametrize("name", ["check", "facts", "reach"])
def test_every_option_has_its_meaning_and_its_variable(name: str) -> None:
    text = flat(said(name, "--help"))
    for option in options(name):
        assert f"{option.opts[0]}" in text
        assert flat(option.help or "") in text
        if option.envvar:
            assert re.search(rf"\[env: {option.envvar}[;\]]", text), option.name


def test_the_options_of_a_check_stand_in_groups() -> None:
    groups = [getattr(option, "group", "") for option in options("check")]
    assert {group for group in groups if groups.count(group) > 1} == {*groups} - {""}
    assert [option.name for option in options("check") if not getattr(option, "group", "")] == ["help"]
    text = said("check", "--help")
    for group in {*groups} - {""}:
        assert f"\n{group}:\n" in text


@pytest.mark.parametrize("name", [*COMMANDS, ""])
def test_help_is_a_command_too(name: str) -> None:
    assert said("help", *filter(None, [name])) == said(*filter(None, [name]), "--help")


def test_every_exit_code_is_told() -> None:
    told = dict(EXIT_CODES)
    for verdict in Verdict:
        assert verdict.value in told[str(EXIT[verdict])]


def plain(text: str) -> str:
    """Undo what roff takes for itself."""
    return re.sub(r"\\f[BIR]|\\&", "", text).replace("\\-", "-").replace("\\e", "\\")


def test_the_man_page_has_everything() -> None:
    page = PAGE.read_text()
    assert re.fullmatch(r'\.TH PREFLIGHT 1 "" "mailcow preflight \S+" "User Commands"', page.splitlines()[0])
    text = plain(page)
    for name in COMMANDS:
        assert re.search(rf"^\.TP\n{name}\b.*\n{re.escape(flat(cli.commands[name].help or ''))}$", text, re.MULTILINE)
        for option in options(name):
            assert all(one in text for one in (*option.opts, *option.secondary_opts))
            assert flat(option.help or "") in text
    for option in options("check"):
        assert option.envvar is None or f"\n{option.envvar}\nAs {option.opts[0]}.\n" in text
    for code, meaning in (*EXIT_CODES, *EXAMPLES):
        assert f"\n{code}\n{meaning}\n" in text
    for group in filter(None, {getattr(option, "group", "") for name in COMMANDS for option in options(name)}):
        assert f"\n.SS {group}\n" in text
    titles = ["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES", "NOTES"]
    sections = [line.removeprefix(".SH ") for line in text.splitlines() if line.startswith(".SH ")]
    assert [title for title in sections if "OPTIONS" not in title] == [*titles, "SEE ALSO"]
    assert next(title for title in sections if "OPTIONS" in title) == '"OPTIONS OF CHECK"'


def test_roff_takes_nothing_of_the_man_page_for_itself() -> None:
    """Each line is a macro that man(7) has, or text whose hyphens and backslashes are written out."""
    for line in PAGE.read_text().splitlines():
        if line.startswith((".", "'")):
            assert line.split()[0] in (".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".br")
        if not line.startswith((".TH", ".SS")):
            assert "-" not in line.replace("\\-", "")
            assert not re.search(r"\\(?![-&e]|f[BIR])", line)


def test_groff_warns_of_nothing() -> None:
    if not (groff := shutil.which("groff")):
        pytest.skip("groff is not here")
    run = subprocess.run(
        [groff, "-man", "-ww", "-z", str(PAGE)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_ranges_and_defaults_in_words(name: str) -> None:
    """No sign of a programmer's; what takes seconds says the range, the unit and the default."""
    command = cli.commands[name]
    with command.make_context(name, [], resilient_parsing=True) as context:
        for option in options(name):
            _, told = option.get_help_record(context) or ("", "")
            assert not re.search(r"<=|\bx\b|default: |\[(?!env)", told), told
            assert (option.help or "").endswith("."), option.name
            if isinstance(option.type, click.FloatRange):
                assert f"{option.type.min:g} to {option.type.max:g} seconds" in told
                assert "Default: " in told
            if isinstance(option.type, click.Choice):
                assert all(choice in told for choice in option.type.choices)
