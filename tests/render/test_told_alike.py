"""What every format for people tells of a report: nothing is lost on the way, long lists say what they leave out."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import unquote

import pytest

from preflight.render import Context, render, words
from preflight.render.limits import ROWS, SUBJECTS
from preflight.report.model import HostSummary, Remedy, Report, RequirementsSource, Result, Severity, Status, Tool
from tests.render import reports

PEOPLE = ("markdown", "text", "html", "github", "junit")
PAGES = ("markdown", "text", "html")  # which tell what passed, too
READ = Remedy("Be root.", ("sudo -i", "preflight --root /"))


def plain(text: str, form: str) -> str:
    """Return a report as it reads: without markup, escapes, marks of code and line ends."""
    if form == "html":
        body = re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL)
        text = unescape(re.sub(r"<[^>]*>", "", body))
    elif form == "markdown":
        text = re.sub(r"\\(?=[^\w\s])|[`*]", "", text)
    elif form == "github":
        text = unquote(text)
    elif form == "junit":
        text = unescape(re.sub(r'="([^"]*)"', r" \1 ", text))
    return " ".join(text.split())


def told(form: str, *rows: Result, **context: Any) -> str:
    return plain(render(reports.report(*rows), form, Context(**context)), form)


def bad(status: str = "fail", subject: str | None = None, message: str = "It is bad.", **more: Any) -> Result:
    given: dict[str, Any] = {"remedy": Remedy("Stop it.", ("stop it",)), "reason": None} | more
    return reports.result("services.mail", status, message, subject=subject, **given)


# --- nothing is lost -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", PEOPLE)
def test_what_nobody_could_find_out_is_told_with_what_helps(form: str) -> None:
    text = told(form, reports.result("clock.offset", "unknown", reason="Reading it was denied.", remedy=READ))
    for part in ("clock.offset", "Reading it was denied.", "Be root.", "sudo -i", "preflight --root /"):
        assert part in text


@pytest.mark.parametrize("form", PAGES)
def test_where_nothing_helps_that_is_said(form: str) -> None:
    rows = [reports.result("clock.offset", "unknown", reason=why, remedy=None) for why in ("It is late.", "It is odd.")]
    text = told(
        form, *(reports.result(f"clock.n{n}", "unknown", reason=r.reason, remedy=None) for n, r in enumerate(rows))
    )
    assert "No remedy is known." in text
    assert "It is late." in text
    assert "It is odd." in text
    assert "No remedy is known." not in told(form, reports.result("clock.offset", "unknown", remedy=READ))


@pytest.mark.parametrize("form", PEOPLE)
@pytest.mark.parametrize("status", ["fail", "warn"])
@pytest.mark.parametrize(
    ("expected", "found", "said"),
    [
        ("6 GiB", "1 GiB", "Expected: 6 GiB · Found: 1 GiB"),
        (None, "1 GiB", "Expected: – · Found: 1 GiB"),
        ("6 GiB", None, "Expected: 6 GiB · Found: –"),
        (None, None, None),
    ],
)
def test_what_was_expected_and_found_is_told_as_far_as_it_is_known(
    expected: str | None, found: str | None, said: str | None, status: str, form: str
) -> None:
    text = told(form, bad(status, expected=expected, found=found))
    assert (said in text) if said else ("Expected:" not in text)


@pytest.mark.parametrize("form", PEOPLE)
@pytest.mark.parametrize("reason", ["The waiver (zram) ended on 2026-11-22, so that this counts again", "It is over!"])
def test_that_a_waiver_is_over_is_a_whole_sentence(reason: str, form: str) -> None:
    text = told(form, bad(reason=reason))
    assert f"{words.REMARK} {reason}" in text
    if form != "junit":
        assert f"{reason if reason.endswith('!') else reason + '.'} " in text


@pytest.mark.parametrize("form", PAGES)
def test_what_is_ignored_is_told_with_its_reason_and_object(form: str) -> None:
    text = told(form, bad("ignored", "exim4.service", "exim4 runs.", was=Status.WARN, reason="a relay"))
    assert "exim4 runs." in text
    assert "a relay." in text
    assert "exim4.service" in text.partition("a relay.")[2]


@pytest.mark.parametrize("form", PAGES)
def test_what_is_ignored_for_no_reason_says_so(form: str) -> None:
    text = told(form, bad("ignored", message="exim4 runs.", was=Status.WARN, reason=None))
    assert f"{words.BECAUSE} unknown." in text


@pytest.mark.parametrize("form", PEOPLE)
def test_a_redacted_report_says_so_and_another_one_does_not(form: str) -> None:
    assert words.REDACTED in told(form, bad(), redacted=True)
    assert words.REDACTED not in told(form, bad())


@pytest.mark.parametrize("form", PAGES)
def test_a_host_is_named_with_all_that_is_known_of_it(form: str) -> None:
    text = told(form, bad())
    for part in ("vm1", "Debian GNU/Linux 13 (trixie)", "x86_64", "28.5.2", "2026-08-22"):
        assert part in text
    for part in ("6.12.48+deb13-amd64", "current"):
        assert (part in text) is (form != "text")  # which has one line for all this


@pytest.mark.parametrize("form", PAGES)
def test_who_made_it_and_when_stands_at_its_end(form: str) -> None:
    report = reports.report(bad())
    report = Report(**{
        **{name: getattr(report, name) for name in report.__struct_fields__},
        "tool": Tool("mailcow-preflight", "1.2.3"), "started": "2027-02-28T23:59:59Z", "seconds": 3661.25,
        "host": HostSummary(None, None, None, None, None), "requirements": RequirementsSource("x", "y", "z"),
    })  # fmt: skip
    text = plain(render(report, form), form)
    made = "preflight 1.2.3 · 2027-02-28 23:59 UTC · 3661.2 s · requirements x"
    assert (made if form == "text" else "Made by mailcow-preflight 1.2.3 on 2027-02-28 at 23:59 UTC, in 3661.") in text


# --- long lists ------------------------------------------------------------------------------------------------


def left_out(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"and ([0-9]+) more", text)]


@pytest.mark.parametrize("form", PAGES)
@pytest.mark.parametrize("count", [2, SUBJECTS + 1, SUBJECTS + 2, SUBJECTS + 40])
def test_of_many_objects_with_one_finding_the_first_are_named(count: int, form: str) -> None:
    rows = [bad(subject=f"unit{n}", message=f"unit{n} runs.") for n in range(count)]
    text = told(form, *rows)
    assert "unit0 runs. This also applies to unit1" in text
    more = count - 1 - SUBJECTS
    assert (more in left_out(text)) is (more > 0)
    assert f"unit{min(count - 1, SUBJECTS)}" in text


@pytest.mark.parametrize("form", ["markdown", "text"])
@pytest.mark.parametrize("count", [SUBJECTS, SUBJECTS + 1])
def test_of_many_objects_that_passed_or_were_skipped(count: int, form: str) -> None:
    skipped = [reports.result("dns.mx", "skip", subject=f"skip{n}", reason="So.") for n in range(count)]
    assert left_out(told(form, *skipped, show_passed=True)) == [1] * (count > SUBJECTS)
    passed = [reports.result("dns.mx", subject=f"pass{n}") for n in range(count)]
    if form == "text":
        assert left_out(told(form, *passed, show_passed=True)) == [1] * (count > SUBJECTS)


@pytest.mark.parametrize("form", PAGES)
@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("more", [0, 1, 5])
def test_of_many_findings_with_one_remedy_the_first_are_listed(more: int, alike: bool, form: str) -> None:
    rows = [
        bad("warn", f"u{n}", f"u{n} runs." if alike else f"u{n} runs since {n} days.", found="running")
        for n in range(ROWS + more)
    ]
    found = left_out(told(form, *rows))
    others = [ROWS + more - 1 - SUBJECTS] if alike else [] if form == "text" else [ROWS + more - 1]
    # Those that may be waived are listed too; in a text behind each, where all have a line of their own.
    last = [ROWS + more - SUBJECTS] if alike or more else []
    named = {"text": last, "markdown": [more] if more else [], "html": []}[form]
    assert sorted(found) == sorted([*others, *([more] if more else []), *named])


@pytest.mark.parametrize("form", PAGES)
def test_findings_that_differ_have_the_first_and_how_many_more(form: str) -> None:
    rows = [bad(subject=n, message=f"{n} since {m}.", title="No mail server runs") for n, m in (("a", 1), ("b", 2))]
    text = told(form, *rows)
    assert ("a since 1 (and 1 more)" in text) is (form != "text")  # which has each as a headline
    assert "a since 1." in text
    assert "b since 2." in text


# --- colours ---------------------------------------------------------------------------------------------------

COLOURS = {
    "fail": ("\x1b[1;31m", "\x1b[31m 1 ✗"), "warn": ("\x1b[1;33m", "\x1b[33m 1 !"),
    "unknown": ("\x1b[1;35m", "\x1b[35m 1 ?"), "pass": ("\x1b[1;32m", "\x1b[32m✓"),
}  # fmt: skip


@pytest.mark.parametrize("status", COLOURS)
def test_each_status_has_its_colour(status: str) -> None:
    row = reports.result("clock.zone", status, severity=Severity.REQUIRED)
    text = render(reports.report(row), "text", Context(color=True, show_passed=True))
    headline, mark = COLOURS[status]
    assert text.startswith(headline)
    assert mark in text
    assert not [other for name, (_, other) in COLOURS.items() if name != status and other in text]
