"""The report for a terminal."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import settings as limits
from rich.cells import cell_len

from preflight.render import Context, render
from preflight.render.plan import run_line
from preflight.render.text import text
from preflight.report.model import Remedy
from tests.render import reports
from tests.render.hostile import ANY, VALUES

COMMAND = "      "


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_the_report_is_as_it_was(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{name}.txt", render(reports.SAMPLES[name](), "text", Context(why=reports.WHY)))


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_every_line_fits(name: str) -> None:
    report = reports.SAMPLES[name]()
    pasted = {line for row in report.results if row.remedy for line in row.remedy.commands} | {run_line(report)}
    for width in (40, 80, 100):
        for line in render(report, "text", Context(width=width, show_passed=True)).splitlines():
            assert cell_len(line) <= width or line.strip() in pasted
            assert line == line.rstrip()


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_colour_is_there_only_where_it_was_asked_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    plain = text(reports.SAMPLES[name](), Context())
    assert "\x1b" not in plain
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    colored = text(reports.SAMPLES[name](), Context(color=True))
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == plain


def test_the_width_of_the_terminal_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = text(reports.failing(), Context())
    monkeypatch.setenv("COLUMNS", "40")
    assert text(reports.failing(), Context()) == before


@pytest.mark.parametrize("value", VALUES)
def test_hostile_values_are_shown_and_obeyed_by_nobody(value: str) -> None:
    check(value)


@given(ANY)
@limits(deadline=None, max_examples=50)
def test_no_value_at_all_is_obeyed(value: str) -> None:
    check(value)


def check(value: str) -> None:
    made = text(reports.hostile(value), Context(why={"clock.service": value}))
    for line in made.split("\n"):
        assert line.isprintable()
        assert cell_len(line) <= 80 or line.startswith(COMMAND)
    assert len(made) < 60_000


def test_markup_is_not_read_from_values() -> None:
    assert "[bold red]x[/]" in text(reports.hostile("[bold red]x[/]"), Context(color=True))


def test_every_status_has_its_place() -> None:
    made = text(reports.report(*[reports.result("a.b", s, f"It is {s}.", subject=s, reason=f"for {s}") for s in (
        "pass", "warn", "fail", "unknown", "skip", "ignored", "error",
    )]), Context(show_passed=True))  # fmt: skip
    for told in (
        "✓ It is pass.",
        "! It is warn.",
        "✗ It is fail.",
        "for unknown",
        "for skip",
        "It is ignored.",
        "for error",
    ):
        assert told in made


def test_long_lists_are_cut_and_say_so() -> None:
    many = [
        reports.result(
            "docker.leftovers", "warn", f"The container {n} is left.", subject=str(n), remedy=Remedy("Remove it.")
        )
        for n in range(300, 500)
    ]
    assert "and 150 more" in text(reports.report(*many), Context())


def test_what_is_true_of_several_objects_is_said_once_beside_what_is_not() -> None:
    rows = [
        reports.result(f"system.{name}", "fail", f"The command {name} is {how}.", subject=name, remedy=Remedy("Do it."))
        for name, how in (("git", "missing"), ("grep", "BusyBox's"), ("jq", "missing"), ("cp", "BusyBox's"))
    ]
    made = " ".join(text(reports.report(*rows), Context()).split())
    assert "✗ The command git is missing. This also applies to jq." in made
    assert "✗ The command grep is BusyBox's. This also applies to cp." in made
    assert "command jq" not in made


def test_no_line_begins_as_an_order_to_a_ci_runner() -> None:
    row = reports.result("a.b", "fail", f"It said: {'x' * 70} ::error::planted ::warning::too.")
    lines = [line.strip() for line in text(reports.report(row), Context()).splitlines()]
    assert any("\\::error::planted" in line for line in lines)
    assert not [line for line in lines if line.startswith("::")]


def test_names_of_any_length_are_looked_at_once() -> None:
    long = "x" * 200_000
    begun = time.process_time()
    text(reports.hostile(long), Context())
    assert time.process_time() - begun < 3
