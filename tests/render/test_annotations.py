"""Long lists in annotations, and in the other formats for machines: what is left out is said, and the rest is whole."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import msgspec
import pytest

from preflight.render import Context, render, words
from preflight.render.github import LINES, SHOWN
from preflight.render.limits import SUBJECTS
from preflight.report.model import Remedy, Report, Result, Severity, Status
from tests.render import reports
from tests.render.test_github import commands

FIX = Remedy("Fix it.", ("fix --all",))


def annotations(*rows: Result) -> list[tuple[str, str, str]]:
    return commands(render(reports.report(*rows), "github"))


def bad(number: int, message: str = "{n} is bad.", **more: object) -> Result:
    given: dict[str, object] = {"subject": f"s{number}", "remedy": FIX, "reason": None} | more
    return reports.result("a.one", "fail", message.format(n=f"s{number}"), **given)


@pytest.mark.parametrize("count", [1, 2, LINES, LINES + 1, LINES + 33])
def test_of_findings_that_differ_the_first_are_told(count: int) -> None:
    rows = [bad(number, f"{{n}} is bad since {number} days.") for number in range(count)]
    ((kind, _, message),) = annotations(*rows)
    told = message.splitlines()
    assert kind == "error"
    assert [line for line in told if "is bad" in line] == [row.message for row in rows[:LINES]]
    assert [line for line in told if re.fullmatch("and [0-9]+ more", line)] == (
        [f"and {count - LINES} more"] if count > LINES else []
    )
    assert told[-3:] == ["What to do: Fix it.", "    fix --all", words.about("a.one")]


@pytest.mark.parametrize("count", [1, 2, SUBJECTS, SUBJECTS + 1, 200])
def test_of_findings_that_are_alike_one_message_tells_all(count: int) -> None:
    ((_, title, message),) = annotations(*(bad(number) for number in range(count)))
    assert message.splitlines()[0] == "s0 is bad."
    assert message.count("is bad") == 1
    shown = [f"s{number}" for number in range(min(count, SUBJECTS))]
    more = [f"and {count - SUBJECTS} more"] if count > SUBJECTS else []
    assert title == f"a.one ({', '.join([*shown, *more])})"


@pytest.mark.parametrize("count", [1, LINES, LINES + 1, LINES + 9])
def test_of_reasons_the_first_are_told(count: int) -> None:
    rows = [reports.result(f"a.n{number}", "unknown", reason=f"Reason {number}", remedy=FIX) for number in range(count)]
    ((kind, title, message),) = annotations(*rows)
    told = message.splitlines()
    assert kind == "notice"
    assert title.split(", ") == [row.check for row in rows]
    assert [line for line in told if "Reason" in line] == [
        f"a.n{number}: Reason {number}." for number in range(min(count, LINES))
    ]
    assert (f"and {count - LINES} more" in told) is (count > LINES)
    assert told[-2:] == ["What to do: Fix it.", "    fix --all"]


@pytest.mark.parametrize(("expected", "found"), [("6 GiB", "1 GiB"), (None, "1 GiB"), ("6 GiB", None), (None, None)])
def test_what_was_found_is_told_of_one_result_alone(expected: str | None, found: str | None) -> None:
    ((_, _, one),) = annotations(bad(1, expected=expected, found=found))
    ((_, _, two),) = annotations(*(bad(number, expected=expected, found=found) for number in (1, 2)))
    line = f"Expected: {expected or '–'} · Found: {found or '–'}"
    assert (line in one.splitlines()) is bool(expected or found)
    assert "Expected" not in two


def test_each_check_of_a_cause_is_explained() -> None:
    rows = [reports.result(f"a.n{number}", "fail", "It is bad.", remedy=FIX) for number in range(SUBJECTS + 5)]
    ((_, title, message),) = annotations(*rows)
    explained = re.findall(r"preflight explain (\S+),", message)
    assert explained == [row.check for row in rows[:SUBJECTS]]
    assert title.split(", ") == [row.check for row in rows]


def test_each_kind_has_room_of_its_own() -> None:
    """GitHub shows ten annotations of each kind; what is left stands in the last of its kind, whole."""
    rows = [
        reports.result(f"a.{name}", status, f"It is {name}.", reason=f"For {name}.", remedy=Remedy(f"Fix {name}."))
        for number in range(SHOWN + 4)
        for status in ("fail", "warn", "unknown")
        for name in [f"{status}{number}"]
    ]
    found = annotations(*rows)
    assert [kind for kind, _, _ in found] == [*["error"] * SHOWN, *["warning"] * SHOWN, *["notice"] * SHOWN]
    for kind, status in (("error", "fail"), ("warning", "warn"), ("notice", "unknown")):
        own = [(title, message) for one, title, message in found if one == kind]
        for number in range(SHOWN + 4):
            title, message = own[min(number, SHOWN - 1)]
            assert f"a.{status}{number}" in title.split(", ")
            assert f"Fix {status}{number}." in message
        assert own[-1][1].count("\n\n") == 4  # a line of space between the causes


@pytest.mark.parametrize(
    ("report", "first"),
    [
        (reports.report(), "Nothing was judged"),
        (reports.report(reports.result("a.one")), "Ready for mailcow: 1 passed"),
        (reports.report(bad(1), reports.result("a.two"), reports.result("a.three", "skip")),
         "Not ready for mailcow: 1 passed · 1 failed · 1 skipped"),
    ],
)  # fmt: skip
def test_the_first_line_is_the_verdict(report: Report, first: str) -> None:
    lines = render(report, "github").splitlines()
    assert lines[0] == first
    redacted = render(report, "github", Context(redacted=True)).splitlines()
    assert redacted == [lines[0], words.REDACTED, *lines[1:]]


def test_percent_signs_and_line_ends_come_back_whole() -> None:
    hostile = "100%0A::error::x%25\r\n%"
    ((_, title, message),) = annotations(bad(1, subject=hostile, message=hostile, detail=hostile))
    assert title == "a.one (100%0A::error::x%25  %)"
    assert message.splitlines()[0] == "100%0A::error::x%25  %"
    assert message.splitlines()[1:4] == [words.DETAIL, "    100%0A::error::x%25", "    %"]


# --- JUnit -----------------------------------------------------------------------------------------------------


def suites(report: Report, **context: bool) -> ElementTree.Element:
    return ElementTree.fromstring(render(report, "junit", Context(**context)))


@pytest.mark.parametrize("redacted", [True, False])
def test_that_it_was_redacted_stands_in_every_suite(redacted: bool) -> None:
    root = suites(reports.failing(), redacted=redacted)
    told = [suite.find("properties/property") for suite in root]
    assert [one is not None and dict(one.attrib) for one in told] == [
        {"name": "redacted", "value": words.REDACTED} if redacted else False for _ in root
    ]
    if redacted:
        assert {suite[0].tag for suite in root} == {"properties"}  # the schema wants it first


@pytest.mark.parametrize(("name", "shown"), [("vm1", "vm1"), (None, "unknown"), ("", "unknown"), ("v\x1bm", "v\\x1bm")])
def test_a_suite_names_its_host(name: str | None, shown: str) -> None:
    root = suites(reports.report(reports.result("a.one"), reports.result("b.one"), name=name))
    assert [suite.get("hostname") for suite in root] == [shown, shown]
    assert [suite.get("name") for suite in root] == ["a", "b"]


def test_results_of_one_section_are_one_suite_wherever_they_stand() -> None:
    rows = [reports.result(f"{section}.{number}") for number, section in enumerate("abcab")]
    root = suites(reports.report(*rows))
    assert [(suite.get("name"), suite.get("tests")) for suite in root] == [("a", "2"), ("b", "2"), ("c", "1")]


@pytest.mark.parametrize("subject", [None, "", "x", "[::1]:25/tcp", "a[b]"])
def test_a_case_is_named_as_pytest_would(subject: str | None) -> None:
    (case,) = suites(reports.report(reports.result("a.one", subject=subject))).iter("testcase")
    assert (case.get("classname"), case.get("name")) == ("a.one", "a.one" if subject is None else f"a.one[{subject}]")


@pytest.mark.parametrize(
    ("status", "severity", "kind"),
    [
        (Status.FAIL, Severity.REQUIRED, "required.fail"),
        (Status.UNKNOWN, Severity.RECOMMENDED, "recommended.unknown"),
        (Status.SKIP, Severity.INFO, "info.skip"),
    ],
)  # fmt: skip
def test_weight_and_status_are_the_type(status: Status, severity: Severity, kind: str) -> None:
    row = msgspec.structs.replace(reports.result("a.one", status.value), severity=severity)
    (case,) = suites(reports.report(row)).iter("testcase")
    assert [child.get("type") for child in case] == [kind]


def test_a_reason_of_a_finding_stands_below_it() -> None:
    (case,) = suites(reports.report(bad(1, reason="The waiver ended.", expected="a", found=None))).iter("testcase")
    lines = (case.findtext("failure") or "").splitlines()
    assert lines[:4] == [
        "s1 is bad.", "Expected: a · Found: –", "No longer waived: The waiver ended.", "What to do: Fix it.",
    ]  # fmt: skip
    assert lines[-2:] == [f"Read more: {reports.DOCS}", words.about("a.one")]
