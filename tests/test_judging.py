"""How a report comes about: sums, times, subjects, waivers side by side, and checks that fool or break the program."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.assess import assess, summary
from preflight.assess.running import SUBJECTS
from preflight.assess.selection import NEAR, matching, meant
from preflight.assess.waivers import Waiver
from preflight.checks import Check, Look, catalogue
from preflight.facts import Asked, Engine, Fact, Host, MissingFact, OsRelease
from preflight.mailcow import plan
from preflight.mailcow.requirements import load
from preflight.report.model import Finding, Report, Result, Severity, Status
from tests import build
from tests.build import host

Run = Callable[..., Iterator[Finding]]
TODAY = datetime.date(2026, 11, 23)  # of the hosts that tests make
BEFORE, AFTER = datetime.date(2026, 11, 22), datetime.date(2026, 11, 24)


def made(run: Run, **changed: Any) -> Check:
    """Return a check of the test's own."""
    return msgspec.structs.replace(
        build.check("resources.memory"), **({"id": "test.one", "section": "test", "run": run} | changed)
    )


def says(status: Status, *subjects: str | None, message: str = "It is so.") -> Run:
    def run(look: Look, _subject: str | None = None) -> Iterator[Finding]:
        yield from (Finding(status=status, subject=subject, message=message) for subject in subjects or (None,))

    return run


def report(*checks: Check, given: Host | None = None, waivers: tuple[Waiver, ...] = (), **more: Any) -> Report:
    real = given or host()
    return assess(real, plan.make(None, Asked()), load("current"), checks, waivers, **more)


def one(check: Check, *waivers: Waiver) -> Result:
    (result,) = report(check, waivers=waivers).results
    return result


# --- sums and times --------------------------------------------------------------------------------------------

DEBIAN = OsRelease("debian", "13", (), "Debian GNU/Linux 13 (trixie)", "trixie", "Debian GNU/Linux")
KNOWN = host(
    name="vm1", os_release=DEBIAN, kernel="6.12.48", machine="x86_64", engine=Engine(version="28.5.2", api_version="1")
)


def test_a_report_sums_its_host_up() -> None:
    assert msgspec.to_builtins(summary(KNOWN)) == {
        "name": "vm1", "os": "Debian GNU/Linux 13 (trixie)", "kernel": "6.12.48", "architecture": "x86_64",
        "engine": "28.5.2",
    }  # fmt: skip
    assert report(given=KNOWN).host == summary(KNOWN)
    assert set(msgspec.to_builtins(summary(host())).values()) == {None}


def test_a_report_says_by_what_it_was_made() -> None:
    told = report(made(says(Status.PASS)), given=KNOWN)
    numbers = load("current")
    assert (told.schema, told.tool.name, told.started) == (1, "mailcow-preflight", KNOWN.started)
    assert (told.requirements.name, told.requirements.source) == ("current", numbers.source)
    assert told.requirements.read == numbers.read.isoformat()


def test_times_are_those_of_the_look_and_of_judging() -> None:
    """Each result has the time since the one before it; the report the seconds of the look and of all checks."""
    ticks = (tick / 8 for tick in count())
    told = report(made(says(Status.PASS, "a", "b")), made(says(Status.PASS), id="test.two"), timer=lambda: next(ticks))
    assert [result.seconds for result in told.results] == [0.125, 0.125, 0.125]
    assert told.seconds == pytest.approx(host().seconds + 6 / 8, abs=0.001)


@given(st.lists(st.sampled_from(list(Status)), max_size=20))
def test_each_result_is_counted_once(statuses: list[Status]) -> None:
    checks = [made(says(status), id=f"test.n{number}") for number, status in enumerate(statuses)]
    told = report(*checks)
    counted = msgspec.to_builtins(told.counts)
    assert counted == {status.value: statuses.count(status) for status in Status}


def test_requirements_may_weigh_a_check_otherwise() -> None:
    numbers = msgspec.structs.replace(load("current"), severities={"test.one": Severity.RECOMMENDED})
    checks = (made(says(Status.FAIL), severity=Severity.REQUIRED), made(says(Status.FAIL), id="test.two"))
    first, second = assess(host(), plan.make(None, Asked()), numbers, checks).results
    assert (first.severity, first.status) == (Severity.RECOMMENDED, Status.WARN)
    assert (second.severity, second.status) == (Severity.REQUIRED, Status.FAIL)


# --- subjects --------------------------------------------------------------------------------------------------


def test_a_subject_may_be_more_than_a_name() -> None:
    objects = (SimpleNamespace(subject="25/tcp", port=25), SimpleNamespace(subject="80/tcp", port=80))
    seen: list[int] = []

    def run(look: Look, subject: Any) -> Iterator[Finding]:
        seen.append(subject.port)
        yield Finding(status=Status.PASS, subject="whatever the check says", message="It is free.")

    results = report(made(run, subjects=lambda look: objects)).results
    assert (seen, [result.subject for result in results]) == ([25, 80], ["25/tcp", "80/tcp"])


def test_a_subject_that_is_named_twice_is_judged_once() -> None:
    results = report(made(says(Status.PASS), subjects=lambda look: ("a", "b", "a"))).results
    assert [(result.subject, result.status) for result in results] == [("a", Status.PASS), ("b", Status.PASS)]


@pytest.mark.parametrize("own", [True, False])
def test_a_host_cannot_make_a_report_endless(own: bool) -> None:
    def run(look: Look, subject: str | None = None) -> Iterator[Finding]:
        names = map(str, count()) if own else iter([""])
        yield from (Finding(status=Status.PASS, subject=name, message="It is so.") for name in names)

    subjects = None if own else lambda look: map(str, count())
    results = report(made(run, subjects=subjects)).results
    assert len(results) == SUBJECTS
    assert {result.status for result in results} == {Status.PASS}


def missing(look: Look, *_: object) -> Iterator[Finding]:
    yield Finding(status=Status.PASS, message=str(look.host.memory.get()))


def test_a_fact_that_is_missing_for_all_subjects_is_told_once() -> None:
    def subjects(look: Look) -> tuple[str, ...]:
        look.host.memory.get()
        return ("a", "b")

    result = one(made(says(Status.PASS), subjects=subjects))
    assert (result.subject, result.status, result.reason) == (None, Status.UNKNOWN, "The test gives no memory.")


def test_a_fact_that_is_missing_for_one_is_told_of_it() -> None:
    results = report(made(missing, subjects=lambda look: ("a", "b"))).results
    assert [(result.subject, result.status) for result in results] == [("a", Status.UNKNOWN), ("b", Status.UNKNOWN)]
    assert {result.message for result in results} == {"This could not be determined. The test gives no memory."}


# --- checks that break -----------------------------------------------------------------------------------------

BUG = "This is a bug in mailcow preflight, not in this host: please report it with the facts (preflight facts)."


def broken(error: BaseException) -> Run:
    def run(look: Look, _subject: str | None = None) -> Iterator[Finding]:
        yield from ()
        raise error

    return run


def nothing(look: Look, _subject: str | None = None) -> Iterator[Finding]:
    yield from ()


@pytest.mark.parametrize(
    ("check", "subject", "said"),
    [
        (made(broken(ValueError("odd."))), None, "It ended with ValueError: odd."),
        (made(broken(KeyError("x")), subjects=lambda look: ("a",)), "a", "It ended with KeyError: 'x'."),
        (made(nothing, subjects=lambda look: [1 / 0]), None, "It ended with ZeroDivisionError: division by zero."),
        (made(nothing), None, "The check produced no result."),
        (made(nothing, subjects=lambda look: ("a",)), "a", "The check produced no result."),
        (made(nothing, subjects=lambda look: ()), None, "The check had nothing to look at."),
        (made(says(Status.PASS, "a", "a")), "a", "The check judged a twice."),
        (made(says(Status.PASS, None, None)), None, "The check judged its one object twice."),
        (made(says(Status.FAIL, "", "")), "", "The check judged its one object twice."),
    ],
)  # fmt: skip
def test_a_check_that_breaks_is_a_result_that_says_how(check: Check, subject: str | None, said: str) -> None:
    result = one(check)
    assert (result.status, result.subject, result.reason) == (Status.ERROR, subject, said)
    assert result.message == f"The check itself failed. {said}"
    assert result.remedy is not None
    assert result.remedy.text == BUG


def test_what_an_exception_says_is_bounded() -> None:
    reason = one(made(broken(ValueError("x" * 5000)))).reason
    assert reason is not None
    assert len(reason) < 340


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_only_failures_are_caught(error: type[BaseException]) -> None:
    with pytest.raises(error):
        report(made(broken(error())))


# --- waivers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", list(Status))
def test_only_findings_are_waived(status: Status) -> None:
    result = one(made(says(status)), Waiver("test.one", reason="known"))
    waived = status in (Status.WARN, Status.FAIL, Status.UNKNOWN)
    assert (result.status is Status.IGNORED, result.was) == (
        waived or status is Status.IGNORED,
        status if waived else None,
    )
    assert (result.reason == "known") is waived


@pytest.mark.parametrize(
    ("waivers", "reason"),
    [
        ((Waiver("test.one"),), "no reason was given"),
        ((Waiver("test.one", until=TODAY),), "no reason was given (through 2026-11-23)"),
        ((Waiver("test.one", reason="a", until=AFTER),), "a (through 2026-11-24)"),
        ((Waiver("test.one", reason="a"), Waiver("test.*", reason="b")), "a"),
        ((Waiver("test.one", reason="a", until=BEFORE), Waiver("test.*", reason="b")), "b"),
        ((Waiver("test.two", reason="a"), Waiver("*", reason="b", until=TODAY)), "b (through 2026-11-23)"),
    ],
)
def test_the_first_waiver_that_holds_gives_the_reason(waivers: tuple[Waiver, ...], reason: str) -> None:
    result = one(made(says(Status.FAIL)), *waivers)
    assert (result.status, result.was, result.reason) == (Status.IGNORED, Status.FAIL, reason)


@pytest.mark.parametrize(
    ("waivers", "reason"),
    [
        ((Waiver("test.one", until=BEFORE),), "The waiver expired on 2026-11-22. This counts again."),
        (
            (Waiver("test.one", reason="a", until=datetime.date(2026, 1, 1)), Waiver("*", reason="b", until=BEFORE)),
            "The waiver (b) expired on 2026-11-22. This counts again.",
        ),
        (
            (Waiver("*", reason="b", until=BEFORE), Waiver("test.one", reason="a", until=datetime.date(2026, 1, 1))),
            "The waiver (b) expired on 2026-11-22. This counts again.",
        ),
        ((Waiver("test.two", until=BEFORE),), None),
    ],
)
def test_of_waivers_that_are_over_the_last_is_told(waivers: tuple[Waiver, ...], reason: str | None) -> None:
    result = one(made(says(Status.FAIL)), *waivers)
    assert (result.status, result.was, result.reason) == (Status.FAIL, None, reason)


def test_a_reason_stays_beside_what_is_said_of_a_waiver() -> None:
    result = one(made(missing), Waiver("test.one", reason="a", until=BEFORE))
    assert result.reason == ("The test gives no memory. The waiver (a) expired on 2026-11-22. This counts again.")


@pytest.mark.parametrize(
    ("pattern", "subject", "means"),
    [
        ("25/tcp", "25/tcp", True), ("25/tcp", "225/tcp", False), ("*5/tcp", "225/tcp", True),
        ("?5/tcp", "25/tcp", True), ("?5/tcp", "225/tcp", False),
        ("[::1]:25/tcp", "[::1]:25/tcp", True), ("[::1]:*", "[::1]:25/tcp", True), ("[12]5/tcp", "25/tcp", False),
        ("[!x]:25", "y:25", False), ("*", None, True), ("?*", None, False), ("x", None, False), ("A", "a", False),
    ],
)  # fmt: skip
def test_brackets_are_an_addresss_and_no_pattern(pattern: str, subject: str | None, means: bool) -> None:
    result = one(made(says(Status.FAIL, subject)), Waiver("test.one", pattern))
    assert (result.status is Status.IGNORED) is means


# --- which check is meant --------------------------------------------------------------------------------------


def test_a_pattern_means_the_checks_that_it_names() -> None:
    every = catalogue()
    assert [entry.id for entry in matching("resources.sw*", every)] == ["resources.swap"]
    assert matching("resources.swap", every) == (build.check("resources.swap"),)
    assert matching("Resources.swap", every) == matching("", every) == ()
    assert matching("*", every) == every


def test_of_a_section_with_very_many_checks_the_first_are_offered() -> None:
    every = [made(says(Status.PASS), id=f"test.n{number}") for number in range(NEAR + 3)]
    assert meant("test", every) == f"did you mean {', '.join(entry.id for entry in every[:NEAR])} (and 3 more)?"
    assert meant("test", every[:NEAR]).endswith(f"test.n{NEAR - 1}?")


def test_a_missing_fact_is_an_exception_that_tells_its_source() -> None:
    fact: Fact[str] = Fact.unknown("statvfs", "It was denied.")
    with pytest.raises(MissingFact) as caught:
        fact.get()
    assert (caught.value.source, caught.value.missing.reason) == ("statvfs", "It was denied.")
