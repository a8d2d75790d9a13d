"""Widths, columns and comments: what makes a document of plain text one that can be read, and pasted from."""

from __future__ import annotations

import re
import shlex
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from preflight.checks import catalogue as every_check
from preflight.facts.parts import descriptions
from preflight.render import Context, record_words, render, words
from preflight.render.catalogue import catalogue, explain
from preflight.render.limits import WIDTH
from preflight.render.page import Page
from preflight.render.shell import folded
from preflight.render.tables import PADDED
from preflight.report.model import DnsRecord, Remedy, Status
from tests import build
from tests.render import reports
from tests.render.hostile import ANY

INDENT = 6  # blanks in front of a command

# --- a page for a terminal -------------------------------------------------------------------------------------


def lines_of(text: str, **how: Any) -> list[str]:
    page = Page(color=False)
    page.line(text, **how)
    return page.finish().removesuffix("\n").split("\n")


@pytest.mark.parametrize("letter", ["x", "é", "日", "e\u0301"])
@pytest.mark.parametrize("how", [{}, {"indent": 6}, {"indent": 2, "mark": "✗"}], ids=["plain", "indented", "marked"])
def test_no_line_is_wider_than_the_page(letter: str, how: dict[str, Any]) -> None:
    """Words are cut where nothing else helps; letters that take two cells count twice."""
    for text in (letter * 300, f"{letter} " * 200, f"short {letter * 100} short"):
        lines = lines_of(text, **how)
        assert max(map(cell_len, lines)) <= WIDTH
        assert max(map(cell_len, lines)) > WIDTH - 4
        shown = "".join(lines).replace(" ", "").removeprefix(how.get("mark", ""))
        assert shown == text.replace(" ", "")


def test_what_goes_on_stands_below_its_first_word() -> None:
    first, *rest = lines_of("word " * 60, indent=2, mark="–")
    assert first.startswith("  – word word")
    assert rest
    assert all(re.match(r" {4}word", line) for line in rest)


@given(ANY, st.integers(0, 12), st.sampled_from(["", "✓", "-"]))
def test_no_text_breaks_out_of_its_lines(text: str, indent: int, mark: str) -> None:
    for line in lines_of(text, indent=indent, mark=mark):
        assert line.isprintable()
        assert cell_len(line) <= WIDTH
        assert line == line.rstrip()
        assert not line.lstrip().startswith("::")


# --- commands --------------------------------------------------------------------------------------------------

WORD = st.text("abc-/.=", min_size=1, max_size=30)


@given(st.lists(WORD, min_size=1, max_size=30), st.integers(20, 100))
def test_commands_are_folded_as_far_as_their_words_allow(given_words: list[str], width: int) -> None:
    command = " ".join(given_words)
    lines = folded((command,), width)
    assert shlex.split("\n".join(lines).replace("\\\n", "")) == given_words
    room = max(map(len, given_words)) + len("    ") + len(" \\")
    assert all(len(line) <= max(width, room) for line in lines)
    assert [line.endswith(" \\") for line in lines] == [*[True] * (len(lines) - 1), False]
    assert all(line.startswith("    ") for line in lines[1:])
    assert (len(lines) == 1) is (len(command) <= width or len(given_words) == 1)


def test_a_command_on_a_page_fits_behind_its_indent() -> None:
    command = "apt-get install -y " + " ".join(f"package-{number}" for number in range(40))
    page = Page(color=False)
    page.line("Install them.")
    page.commands((command, "true"), INDENT)
    text = page.finish()
    block = text[text.index("      apt-get") : text.index("      true")]
    assert all(len(line) <= WIDTH for line in block.splitlines())
    assert shlex.split(block.replace("\\\n", "")) == shlex.split(command)
    assert all(line.startswith(" " * INDENT) for line in block.splitlines())


# --- tables ----------------------------------------------------------------------------------------------------


def table(*rows: reports.Result) -> list[list[str]]:
    """Return the lines of the first table of a Markdown report, each split at its bars, blanks and all."""
    lines = [line for line in render(reports.report(*rows), "markdown").splitlines() if line.startswith("|")]
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]


def passed(count: int, message: str) -> list[reports.Result]:
    return [reports.result(f"dns.n{number}", message=message * (number + 1)) for number in range(count)]


def test_columns_stand_below_one_another() -> None:
    rows = table(*passed(5, "word "))
    for column in zip(*rows, strict=True):
        assert len({len(cell) for cell in column}) == 1
        assert set(column[1].strip()) == {"-"}
    assert [row[0].strip() for row in rows] == ["Section", "-" * len(rows[1][0].strip()), "Names", "", "", "", ""]


def test_one_long_cell_does_not_widen_all_others() -> None:
    rows = table(*passed(40, "word "))
    assert {len(row[2]) for row in rows[:10]} == {PADDED + 2}
    assert len(rows[-1][2]) > PADDED + 2


def test_a_bar_in_a_value_is_no_column() -> None:
    rows = [
        reports.result("a.one", "warn", f"{n} is so.", subject=n, expected="a|b", found="|", remedy=Remedy("Do it."))
        for n in ("x|y", "||")
    ]
    shown = table(*rows)
    assert [len(row) for row in shown] == [3] * 4
    assert [cell.strip() for cell in shown[2]] == ["`x\\x7cy`", "`a\\x7cb`", "`\\x7c`"]


# --- the catalogue ---------------------------------------------------------------------------------------------


def test_an_identifier_that_is_too_long_has_a_line_of_its_own() -> None:
    entry = msgspec.structs.replace(build.check("resources.swap"), id=f"resources.{'x' * 40}")
    head, first, *rest = catalogue([entry], "text", {}).splitlines()
    assert (head, first) == ("Resources", f"  {entry.id} recommended")
    assert " ".join(" ".join(rest).split()) == entry.title
    assert all(line.startswith(" " * 41) for line in rest)


@pytest.mark.parametrize("identity", [entry.id for entry in every_check()])
def test_each_explanation_is_whole_and_fits(identity: str) -> None:
    entry = build.check(identity)
    text = explain(entry, descriptions())
    flat = " ".join(text.split())
    assert text.startswith(f"{identity}\n{entry.title[:20]}")
    for part in (entry.title, entry.why, entry.remedy, words.SEVERITIES[entry.severity]):
        assert " ".join(part.split()) in flat
    for url in entry.links:
        assert f"\n  {url}\n" in text
    assert max(len(line) for line in text.splitlines() if "://" not in line) <= WIDTH


# --- a zone ----------------------------------------------------------------------------------------------------


def entered(when: Any, *records: DnsRecord, subject: str = "example.org") -> reports.Result:
    remedy = Remedy("Enter it.", place="dns", when=when, records=records)
    return reports.result("dns.mx", "fail", subject=subject, remedy=remedy, reason=None)


MX = DnsRecord("example.org", "MX", "10 mail.example.org.", 3600)
ADDRESS = DnsRecord("mail.example.org", "A", "192.0.2.7", 3600)


def test_a_redacted_zone_has_comments_alone() -> None:
    """A name server would take `<domain-1>` for a name."""
    rows = (
        entered("now", ADDRESS), entered("last", MX, subject="example.net"),
        reports.result("dns.spf", "unknown", subject="example.org", reason="It is late."),
    )  # fmt: skip
    text = render(reports.report(*rows), "zone", Context(redacted=True))
    assert text.splitlines() == [
        f"; {words.REDACTED}", f"; {ADDRESS.line}", f"; {record_words.ZONE_LATER}", f"; {MX.line}",
        "; dns.spf (example.org): It is late.",
    ]  # fmt: skip
    plain = render(reports.report(*rows), "zone").splitlines()
    assert [line for line in plain if not line.startswith(";")] == [ADDRESS.line, ""]


def test_only_checks_of_names_enter_records() -> None:
    other = msgspec.structs.replace(entered("now", MX), check="network.mtu")
    assert render(reports.report(other), "zone") == f"; {record_words.ZONE_UNKNOWN}\n"


@pytest.mark.parametrize("was", [Status.FAIL, Status.WARN])
def test_what_is_ignored_is_still_missing(was: Status) -> None:
    row = msgspec.structs.replace(entered("now", MX), status=Status.IGNORED, was=was, reason="known")
    assert MX.line in render(reports.report(row), "zone").splitlines()
