"""Workflow commands of GitHub Actions: read back as the runner reads them, whatever a host is called."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from preflight.render import render
from preflight.report.model import Remedy, Severity
from tests.render import reports
from tests.render.hostile import ANY, VALUES

# The runner's own reading: `::name key=value,key=value::data`; then the escapes are undone, `%25` last.
COMMAND = re.compile(r"::(?P<name>[a-z-]+)(?: (?P<properties>[^:]*))?::(?P<data>.*)")


def undone(text: str, *escapes: tuple[str, str]) -> str:
    for escape, character in (*escapes, ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(escape, character)
    return text


def commands(text: str) -> list[tuple[str, str, str]]:
    """Return kind, title and message of every annotation; nothing else may be a command."""
    assert text.endswith("\n")
    head, *lines = text.removesuffix("\n").split("\n")
    assert "::" not in head
    assert "##[" not in head
    found = []
    for line in lines:
        match = COMMAND.fullmatch(line)
        assert match, line
        properties = dict(pair.split("=", 1) for pair in (match["properties"] or "").split(","))
        assert list(properties) == ["title"]
        title = undone(properties["title"], ("%3A", ":"), ("%2C", ","))
        found.append((match["name"], title, undone(match["data"])))
    return found


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_each_cause_is_one_annotation(name: str) -> None:
    from preflight.render.digest import digest

    report = reports.SAMPLES[name]()
    found = digest(report)
    assert [kind for kind, _, _ in commands(render(report, "github"))] == [
        *["error"] * len(found.blocks), *["warning"] * len(found.warnings), *["notice"] * len(found.unclear),
    ]  # fmt: skip


def test_an_annotation_names_check_and_subjects_and_tells_the_remedy() -> None:
    remedy = Remedy("Stop it: 100 %.", ("systemctl stop exim4", "true"))
    rows = [
        reports.result("ports.free", "fail", f"{port}/tcp is held by exim4.", subject=f"{port}/tcp", remedy=remedy)
        for port in (25, 465)
    ]
    text = render(reports.report(*rows), "github")
    assert text.splitlines()[0] == "Not ready for mailcow: 2 failed"
    assert text.splitlines()[1] == (
        "::error title=ports.free (25/tcp%2C 465/tcp)::25/tcp is held by exim4."
        "%0AWhat to do: Stop it: 100 %25.%0A    systemctl stop exim4%0A    true"
        "%0AAbout this check: preflight explain ports.free, or docs/checks.md#ports.free"
    )


@pytest.mark.parametrize("count", [9, 10, 11, 30])
def test_of_more_causes_than_github_shows_the_last_tells_the_rest(count: int) -> None:
    rows = [reports.result(f"test.{n}", "fail", f"It is {n}.", remedy=Remedy(f"Mend {n}.")) for n in range(count)]
    made = commands(render(reports.report(*rows), "github"))
    assert len(made) == min(count, 10)
    for number in range(count):
        _, title, message = made[min(number, 9)]
        assert f"test.{number}" in title.split(", ")
        assert f"It is {number}.\nWhat to do: Mend {number}.\nAbout this check: " in message


def test_what_is_unknown_is_a_notice_with_its_reason() -> None:
    row = reports.result("clock.offset", "unknown", reason="no server answered", remedy=Remedy("Let UDP 123 out."))
    ((kind, title, message),) = commands(render(reports.report(row), "github"))
    assert (kind, title) == ("notice", "clock.offset")
    assert message == "clock.offset: no server answered.\nWhat to do: Let UDP 123 out."


def test_colons_and_commas_in_a_title_are_escaped() -> None:
    rows = [
        reports.result("ports.free", "warn", subject=subject, remedy=Remedy("x"), severity=Severity.RECOMMENDED)
        for subject in ("[::1]:25/tcp", "a,b=c%3A")
    ]
    text = render(reports.report(*rows), "github")
    assert "title=ports.free ([%3A%3A1]%3A25/tcp%2C a%2Cb=c%253A)::" in text
    ((_, title, _),) = commands(text)
    assert title == "ports.free ([::1]:25/tcp, a,b=c%3A)"


@pytest.mark.parametrize("value", [*VALUES, "x\n::error::y", "%0A::error::y", "##[add-path]/tmp", "::stop-commands::x"])
def test_hostile_values_are_no_commands(value: str) -> None:
    hostile(value)


@given(ANY)
def test_no_value_is_a_command(value: str) -> None:
    hostile(value)


def hostile(value: str) -> None:
    text = render(reports.hostile(value), "github")
    assert {kind for kind, _, _ in commands(text)} == {"error", "warning", "notice"}
    assert all(character.isprintable() or character == "\n" for character in text)
