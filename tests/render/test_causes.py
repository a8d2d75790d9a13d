"""How a report is sorted for readers: which findings become one, in which order, and what of them is told once."""

from __future__ import annotations

from typing import Any

import pytest

from preflight.render.digest import DETAILS, CheckSubjects, Digest, Entry, Passed, Reason, digest, with_reasons
from preflight.report.model import Remedy, Result, Severity, Status
from tests.render import reports

MOVE = "Move it elsewhere."


def sorted_(*results: Result) -> Digest:
    return digest(reports.report(*results))


def fail(check: str, subject: str | None, message: str, *commands: str, text: str = MOVE, **more: Any) -> Result:
    given: dict[str, Any] = {"reason": None, "remedy": Remedy(text, commands)} | more
    return reports.result(check, "fail", message, subject=subject, **given)


def subjects(entries: tuple[Entry, ...]) -> list[list[str | None]]:
    return [[result.subject for result in entry.results] for entry in entries]


# --- which findings become one ---------------------------------------------------------------------------------


def test_findings_of_one_check_with_one_sentence_share_their_commands() -> None:
    """Each list of commands stands whole and once, in the order of the results: one may be a here-document."""
    document = ("cat > /etc/a <<'EOF'", "port 25", "EOF")
    found = sorted_(
        fail("ports.free", "25/tcp", "25/tcp is in use.", *document),
        fail("ports.free", "80/tcp", "80/tcp is in use.", "true"),
        fail("ports.free", "465/tcp", "465/tcp is in use.", *document),
        fail("ports.free", "443/tcp", "443/tcp is in use.", "true", "sync"),
    )
    (entry,) = found.blocks
    assert subjects(found.blocks) == [["25/tcp", "80/tcp", "465/tcp", "443/tcp"]]
    assert entry.remedy == Remedy(MOVE, (*document, "true", "true", "sync"))


@pytest.mark.parametrize(
    ("commands", "wanted"),
    [
        (((), ()), [["25/tcp", "exim4"]]),
        ((("stop exim4",), ("stop exim4",)), [["25/tcp", "exim4"]]),
        ((("stop exim4",), ("stop nginx",)), [["25/tcp"], ["exim4"]]),
        ((("stop exim4",), ()), [["25/tcp"], ["exim4"]]),
    ],
)
def test_findings_of_two_checks_become_one_only_with_the_same_commands(
    commands: tuple[tuple[str, ...], tuple[str, ...]], wanted: list[list[str]]
) -> None:
    found = sorted_(
        fail("ports.free", "25/tcp", "25/tcp is in use.", *commands[0]),
        fail("services.mail", "exim4", "exim4 runs.", *commands[1]),
    )
    assert subjects(found.blocks) == wanted
    assert sum((entry.checks for entry in found.blocks), ()) == (
        CheckSubjects("ports.free", ("25/tcp",)), CheckSubjects("services.mail", ("exim4",)),
    )  # fmt: skip


def test_the_first_result_of_a_cause_gives_it_its_place() -> None:
    found = sorted_(
        fail("a.one", "1", "1 is bad.", text="First."),
        fail("a.two", None, "It is bad.", text="Second."),
        fail("a.one", "2", "2 is bad.", text="First."),
    )
    assert [entry.remedy and entry.remedy.text for entry in found.blocks] == ["First.", "Second."]


def test_findings_without_a_remedy_stay_apart() -> None:
    found = sorted_(
        fail("a.one", "1", "1 is bad.", remedy=None),
        fail("a.one", "2", "2 is bad.", remedy=None),
        fail("a.two", None, "It is bad.", remedy=None),
        fail("a.three", None, "It is bad.", remedy=None),
    )
    assert subjects(found.blocks) == [["1"], ["2"], [None], [None]]
    assert [entry.remedy for entry in found.blocks] == [None] * 4


def test_a_failure_and_a_warning_with_one_remedy_stay_apart() -> None:
    warning = reports.result("a.one", "warn", subject="2", remedy=Remedy(MOVE, ("x",)))
    found = sorted_(fail("a.one", "1", "1 is bad.", "x"), warning)
    assert (subjects(found.blocks), subjects(found.warnings)) == ([["1"]], [["2"]])


# --- what is said of them --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "alike"),
    [
        ([("a", "a is in use.")], True),
        ([("a", "a is in use."), ("b", "b is in use.")], True),
        ([("eth0", "eth0 is in use by eth0."), ("eth1", "eth1 is in use by eth1.")], True),
        ([("a", "a is in use by x."), ("b", "b is in use by y.")], False),
        ([("a", "a is in use by b."), ("b", "b is in use by b.")], False),
        ([(None, "It is in use."), (None, "It is in use.")], True),
        ([("a", "It is in use."), ("b", "It is in use.")], True),
        ([("", "It is in use."), ("b", "b is in use.")], False),
    ],
)
def test_results_are_alike_where_only_their_subjects_differ(told: list[tuple[str | None, str]], alike: bool) -> None:
    (entry,) = (Entry(tuple(fail("a.one", *pair) for pair in told), None),)
    assert entry.alike is alike
    assert entry.first.message == told[0][1]


def test_what_several_results_say_is_told_once_and_in_their_order() -> None:
    rows = [
        fail("a.one", "1", "1 is bad.", detail="second", docs=("https://x", "https://y"), reason="over"),
        fail("a.one", "2", "2 is bad.", detail="first", docs=("https://y", "https://z"), reason="gone"),
        fail("a.one", "3", "3 is bad.", detail="second", docs=(), reason="over"),
        fail("a.one", "4", "4 is bad.", detail=None, docs=("https://x",), reason=None),
    ]
    (entry,) = sorted_(*rows).blocks
    assert entry.details == ("second", "first")
    assert entry.docs == ("https://x", "https://y", "https://z")
    assert entry.reasons == ("over", "gone")
    assert entry.checks == (CheckSubjects("a.one", ("1", "2", "3", "4")),)


@pytest.mark.parametrize("status", ["fail", "unknown"])
def test_of_very_many_messages_of_other_programs_the_first_are_told(status: str) -> None:
    rows = [reports.result("a.one", status, subject=str(n), detail=f"said {n}", remedy=Remedy(MOVE)) for n in range(9)]
    found = sorted_(*rows)
    (entry,) = found.blocks or found.unclear
    assert entry.details == tuple(f"said {n}" for n in range(DETAILS))


def test_why_a_check_matters_is_told_where_it_comes_first() -> None:
    entries = sorted_(
        fail("a.one", "1", "It is so.", text="First."),
        fail("a.two", None, "It is so.", text="Second."),
        fail("a.three", None, "It is so.", text="Second."),
        fail("a.one", "2", "It is so.", text="Third."),
    ).blocks
    why = {"a.one": "One.", "a.three": "Three.", "a.four": "Four.", "a.two": ""}
    assert [reasons for _, reasons in with_reasons(entries, why)] == [("One.",), ("Three.",), ()]
    assert [entry for entry, _ in with_reasons(entries, {})] == list(entries)


# --- what nobody knows -----------------------------------------------------------------------------------------


def unknown(check: str, reason: str | None, help: Remedy | None, **more: Any) -> Result:
    return reports.result(check, "unknown", "It is not known.", reason=reason, remedy=help, **more)


def test_what_one_remedy_would_tell_is_one_entry_with_its_reasons() -> None:
    flag, root = Remedy("Add the flag."), Remedy("Be root.", ("sudo",))
    found = sorted_(
        unknown("a.one", "It is out of sight.", flag, subject="1"),
        unknown("b.one", "It is denied.", root),
        unknown("a.one", "It is out of sight.", flag, subject="2"),
        unknown("a.two", "It is elsewhere.", flag),
        unknown("a.three", "It is out of sight.", flag),
        unknown("b.two", None, None),
        unknown("b.three", "It is denied.", Remedy("Be root.")),
    ).unclear  # fmt: skip
    assert [entry.remedy for entry in found] == [
        flag, root, None, Remedy("Be root."),
    ]  # fmt: skip
    assert found[0].reasons == (
        Reason("It is out of sight.", (CheckSubjects("a.one", ("1", "2")), CheckSubjects("a.three", ()))),
        Reason("It is elsewhere.", (CheckSubjects("a.two", ()),)),
    )
    assert found[2].reasons == (Reason("It is not known.", (CheckSubjects("b.two", ()),)),)


def test_what_decides_on_the_verdict_comes_first_and_else_the_order_stays() -> None:
    light, heavy = Severity.RECOMMENDED, Severity.REQUIRED
    rows = [
        unknown("a.one", "so", Remedy("1"), severity=light), unknown("a.two", "so", Remedy("2"), severity=heavy),
        unknown("a.three", "so", Remedy("3"), severity=light), unknown("a.four", "so", Remedy("4"), severity=heavy),
        unknown("a.five", "so", Remedy("3"), severity=heavy),
    ]  # fmt: skip
    found = sorted_(*rows).unclear
    assert [(entry.remedy and entry.remedy.text, entry.required) for entry in found] == [
        ("2", True), ("3", True), ("4", True), ("1", False),
    ]  # fmt: skip


def test_a_check_that_broke_off_is_among_what_nobody_knows() -> None:
    found = sorted_(reports.result("a.one", "error", reason="It ended.", remedy=Remedy("Report it.")))
    assert [entry.reasons[0].text for entry in found.unclear] == ["It ended."]
    assert not found.judged


# --- what passed, was skipped or waived ------------------------------------------------------------------------


def test_what_passed_stands_by_section_and_remarks_stand_apart() -> None:
    remark = Remedy("Mind it.")
    found = sorted_(
        reports.result("dns.mx", message="a has one.", subject="a"),
        reports.result("clock.zone", message="It is UTC."),
        reports.result("dns.mx", message="b has one.", subject="b"),
        reports.result("dns.mx", message="c has two.", subject="c", remedy=remark),
        reports.result("dns.mx", message="d has two.", subject="d", remedy=remark),
        reports.result("dns.spf", message="e has one.", subject="e"),
        reports.port("SMTP_PORT"),
    )
    assert found.passed == (
        ("dns", (Passed("dns.mx", "a has one.", ("a", "b")), Passed("dns.spf", "e has one.", ()))),
        ("clock", (Passed("clock.zone", "It is UTC.", ()),)),
    )  # fmt: skip
    assert [result.message for entry in found.notes for result in entry.results] == ["c has two.", "d has two."]
    assert [port.port for port in found.ports] == ["25"]


def test_what_was_skipped_for_one_reason_is_told_once() -> None:
    rows = [reports.result(f"dns.{name}", "skip", reason=why) for name, why in (("a", "x"), ("b", "y"), ("c", "x"))]
    assert sorted_(*rows).skipped == (
        Reason("x", (CheckSubjects("dns.a", ()), CheckSubjects("dns.c", ()))),
        Reason("y", (CheckSubjects("dns.b", ()),)),
    )


@pytest.mark.parametrize(
    ("status", "was", "judged"),
    [
        ("pass", None, True), ("warn", None, True), ("fail", None, True), ("unknown", None, False),
        ("skip", None, False), ("error", None, False), ("ignored", Status.FAIL, True), ("ignored", Status.WARN, True),
        ("ignored", Status.UNKNOWN, False),
    ],
)  # fmt: skip
def test_only_what_is_known_was_judged(status: str, was: Status | None, judged: bool) -> None:
    found = sorted_(reports.result("a.one", status, was=was))
    assert found.judged is judged
    assert len(found.waived) == (status == "ignored")
