"""What changed, as it is told: signs, colours, advice, long lists, and words that fit what was compared."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from markdown_it import MarkdownIt

from preflight.render import words
from preflight.render.changes import changes, counts, headline
from preflight.render.limits import ROWS, SUBJECTS
from preflight.report.compare import Comparison, compare
from preflight.report.model import Remedy, Report, Result, Severity, Status, Verdict
from tests.render import reports

RED, GREEN, BOLD_RED, BOLD_GREEN = "\x1b[31m", "\x1b[32m", "\x1b[1;31m", "\x1b[1;32m"
FIX = Remedy("Stop `exim4`.", ("systemctl disable --now exim4", "cat > /etc/x <<'EOF'", "a", "EOF"))


def row(check: str, status: str, message: str = "It is so.", **more: Any) -> Result:
    return reports.result(check, status, message, reason=None, **more)


def between(*pairs: tuple[Result | None, Result | None]) -> Comparison:
    """Compare two reports, given each result before and after."""
    before, after = zip(*pairs, strict=True)
    return compare(reports.report(*filter(None, before)), reports.report(*filter(None, after)))


def became(check: str, before: str, after: str, **more: Any) -> tuple[Result, Result]:
    return row(check, before, **more), row(check, after, **more)


ALL = between(
    became("a.broken", "pass", "fail", remedy=FIX),
    became("a.still", "fail", "fail", remedy=FIX),
    became("a.fixed", "fail", "pass"),
    became("a.other", "pass", "skip"),
    (None, row("a.alone", "fail", remedy=FIX)),
)


def test_every_kind_has_its_place_and_its_sign() -> None:
    told = changes(ALL, "text")
    lines = [line.strip() for line in told.splitlines()]
    wanted = [
        ("Broken", "✗ It is so. a.broken: pass → fail"),
        ("Still failing", "! It is so. a.still: fail"),
        ("Fixed", "✓ It is so. a.fixed: fail → pass"),
        ("Other changes", "– a.other: pass → skip"),
        ("Not in both reports", "– a.alone: not in the report → fail"),
    ]
    places = [(lines.index(heading), lines.index(line)) for heading, line in wanted]
    assert [place for pair in places for place in pair] == sorted(place for pair in places for place in pair)
    assert all(line - heading == 1 for heading, line in places)
    flat = " ".join(told.split())
    assert "1 broken · 1 still failing · 1 fixed · 1 other changes · 0 unchanged · 1 not in both" in flat


def test_only_what_broke_has_advice() -> None:
    text, document = changes(ALL, "text"), changes(ALL, "markdown")
    for told in (text, document):
        assert told.count("systemctl disable --now exim4") == 1
        assert told.index("a.broken") < told.index("systemctl disable") < told.index("a.still")
    assert "\n    What to do: Stop `exim4`.\n      systemctl disable --now exim4\n      cat > /etc/x <<'EOF'\n" in text


def test_commands_stay_one_block_below_their_finding() -> None:
    tokens = MarkdownIt("commonmark").parse(changes(ALL, "markdown"))
    (block,) = [token for token in tokens if token.type == "fence"]
    assert (block.info, block.content) == ("sh", "\n".join(FIX.commands) + "\n")
    assert block.level > 0  # within the list
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h1", *["h2"] * 5]
    assert [token.type for token in tokens].count("list_item_open") == 2 + 5


def test_advice_without_commands_has_no_empty_block() -> None:
    found = between(became("a.broken", "pass", "fail", remedy=Remedy("Ask your provider.")))
    document = changes(found, "markdown")
    assert "**What to do:** Ask your provider." in document
    assert "```" not in document
    assert changes(found, "text").endswith("    What to do: Ask your provider.\n")


# --- the headline ----------------------------------------------------------------------------------------------

PASSED = row("a.one", "pass")


@pytest.mark.parametrize(
    ("pairs", "said", "color"),
    [
        ([became("a.one", "pass", "fail")], words.WORSE, BOLD_RED),
        ([became("a.one", "pass", "fail"), became("a.two", "fail", "pass")], words.WORSE, BOLD_RED),
        ([became("a.one", "fail", "pass")], words.BETTER, BOLD_GREEN),
        ([became("a.one", "fail", "fail")], words.NOT_WORSE, BOLD_GREEN),
        ([became("a.one", "pass", "skip")], words.NOT_WORSE, BOLD_GREEN),
        ([(PASSED, PASSED)], words.NOT_WORSE, BOLD_GREEN),
        ([became("a.one", "fail", "pass"), (None, row("a.two", "fail"))], words.BETTER_IN_BOTH, BOLD_GREEN),
        ([(PASSED, PASSED), (row("a.two", "pass"), None)], words.NOT_WORSE_IN_BOTH, BOLD_GREEN),
        ([(PASSED, None), (None, row("a.two", "pass"))], words.NOT_COMPARED, BOLD_GREEN),
    ],
)
def test_the_headline_says_no_more_than_was_compared(
    pairs: list[tuple[Result | None, Result | None]], said: str, color: str
) -> None:
    found = between(*pairs)
    assert headline(found) == said
    assert changes(found, "markdown").startswith(f"# {said}\n")
    assert changes(found, "text").startswith(f"{said.upper()}\n")
    assert changes(found, "text", color=True).startswith(f"{color}{said.upper()}\x1b[0m\n")


def test_colours_are_an_addition() -> None:
    plain, colored = changes(ALL, "text"), changes(ALL, "text", color=True)
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == plain
    assert (f"{RED}✗" in colored, f"{GREEN}✓" in colored) == (True, True)
    for form in ("markdown", "json"):
        assert changes(ALL, form, color=True) == changes(ALL, form)


@pytest.mark.parametrize(
    ("name", "found", "said"),
    [
        ("vm1", Verdict.READY, "vm1, 2026-11-23 at 01:23 UTC: Ready for mailcow"),
        (None, Verdict.NOT_READY, "unknown, 2026-11-23 at 01:23 UTC: Not ready for mailcow"),
        ("", Verdict.UNDETERMINED, "unknown, 2026-11-23 at 01:23 UTC: Undetermined"),
    ],
)
@pytest.mark.parametrize("form", ["text", "markdown"])
def test_both_sides_are_named(name: str | None, found: Verdict, said: str, form: str) -> None:
    def side(report: Report) -> Report:
        return msgspec.structs.replace(report, verdict=found, host=msgspec.structs.replace(report.host, name=name))

    old = reports.report(PASSED)
    assert f"Before: {said}" in changes(compare(side(old), old), form)
    assert f"After: {said}" in changes(compare(old, side(old)), form)


# --- long lists ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "markdown"])
@pytest.mark.parametrize(
    "pair", [("pass", "fail"), ("fail", "fail"), ("fail", "pass"), ("pass", "skip"), (None, "pass")]
)
@pytest.mark.parametrize("more", [0, 1, 7])
def test_a_list_says_how_much_of_it_is_left_out(more: int, pair: tuple[str | None, str], form: str) -> None:
    rows = [
        (row(f"a.n{n}", pair[0], f"Message {n}.") if pair[0] else None, row(f"a.n{n}", pair[1], f"Message {n}."))
        for n in range(ROWS + more)
    ]
    told = changes(between(*rows), form)
    assert len(re.findall(r"\ba\.n[0-9]+", told)) == ROWS
    assert re.findall(r"and [0-9]+ more", told) == ([f"and {more} more"] if more else [])


@pytest.mark.parametrize("count", [1, SUBJECTS, SUBJECTS + 1, SUBJECTS + 30])
@pytest.mark.parametrize("form", ["text", "markdown"])
def test_of_many_subjects_the_first_are_named(count: int, form: str) -> None:
    found = between(*(became("a.one", "pass", "skip", subject=f"s{n}") for n in range(count)))
    told = " ".join(changes(found, form).split())
    assert len(re.findall(r"\bs[0-9]+\b", told)) == min(count, SUBJECTS)
    assert re.findall(r", and ([0-9]+) more\)", told) == ([str(count - SUBJECTS)] if count > SUBJECTS else [])
    assert counts(found).startswith(f"0 broken · 0 still failing · 0 fixed · {count} other changes")


def test_what_moved_otherwise_has_a_line_of_its_own() -> None:
    found = between(
        became("a.one", "pass", "skip", subject="x"), became("a.one", "fail", "skip", subject="y"),
        became("a.two", "pass", "skip"), became("a.one", "pass", "skip", subject="z"),
    )  # fmt: skip
    told = changes(found, "text")
    for line in ("– a.one (x, z): pass → skip", "– a.one (y): fail → skip", "– a.two: pass → skip"):
        assert line in told


# --- a report with a baseline ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_what_was_ignored_before_and_is_so_no_more_is_new(form: str) -> None:
    from preflight.render import Context, render

    was = reports.result("a.one", "ignored", "It is so.", was=Status.WARN)
    now = reports.report(row("a.one", "warn", severity=Severity.RECOMMENDED))
    told = " ".join(render(now, form, Context(since=compare(reports.report(was), now))).split())
    assert "1 new, 0 known, 0 fixed" in told
    assert "(new)" in told.replace("\\", "")


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_a_lesser_failure_is_known_and_counts_as_such(form: str) -> None:
    from preflight.render import Context, render

    now = reports.report(row("a.one", "warn"), row("a.two", "fail"), row("a.three", "skip"))
    old = reports.report(row("a.one", "fail"), row("a.two", "fail"), row("a.three", "pass"))
    told = " ".join(render(now, form, Context(since=compare(old, now))).split()).replace("\\", "")
    assert "0 new, 2 known, 0 fixed" in told
    assert told.count("(known)") == 1  # one remedy is one step
    assert "(new)" not in told
    assert "Fixed since" not in told


def test_a_comparison_fits_its_terminal() -> None:
    told = changes(ALL, "text", width=40, ascii=True)
    assert told.isascii()
    assert max(len(line) for line in told.splitlines()) <= 40
    assert "x It is so. a.broken: pass -> fail" in told
