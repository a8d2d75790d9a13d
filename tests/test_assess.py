"""Judging: whatever a check does, every subject has one result, and the verdict follows from them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import msgspec
import pytest

from preflight.assess import assess, verdict
from preflight.assess.running import run
from preflight.assess.selection import select
from preflight.assess.waivers import Waiver
from preflight.checks import Check, Look, catalogue
from preflight.facts import Asked, Fact, MissingFact, View
from preflight.facts.parts import PARTS
from preflight.mailcow import plan, requirements
from preflight.report.model import Finding, Remedy, Report, Result, Severity, Status, Verdict
from tests import build
from tests.build import host, look


def make(
    function: object, *, severity: Severity = Severity.REQUIRED, subjects: object = None, id: str = "test.one"
) -> Check:
    return Check(
        id,
        "test",
        severity,
        "One",
        "Because.",
        (),
        "Mend it.",
        ("https://example.org",),
        ("https://example.org/1",),
        "",
        subjects,
        False,
        function,
    )  # type: ignore[arg-type]


def results(function: object, **settings: object) -> list[Result]:
    return list(run(make(function, **settings), look()))  # type: ignore[arg-type]


def passing(look: Look) -> Iterator[Finding]:
    yield Finding(status=Status.PASS, message="Good.")


def test_a_result_tells_all_that_can_be_read_documentation_first() -> None:
    assert results(passing)[0].docs == ("https://example.org", "https://example.org/1")


@pytest.mark.parametrize(("gathering", "whole"), [(2.5, 3.75), (0.0, 1.25), (-1.0, 1.25)])
def test_a_run_takes_its_gathering_and_its_judging_and_no_negative_time(gathering: float, whole: float) -> None:
    clock = iter((10.0, 11.25))
    of = msgspec.structs.replace(host(), seconds=gathering)
    report = assess(of, plan.make(None, Asked()), requirements.load("current"), (), timer=lambda: next(clock))
    assert report.seconds == whole


def failing(look: Look) -> Iterator[Finding]:
    yield Finding(status=Status.FAIL, message="Bad.")


def test_what_another_program_said_is_bounded_and_nothing_where_it_said_nothing() -> None:
    def told(detail: str | None) -> str | None:
        def check(look: Look) -> Iterator[Finding]:
            yield Finding(status=Status.FAIL, message="Bad.", detail=detail)

        return results(check)[0].detail

    assert [told(None), told(" \n"), told(" oops\n"), told("x" * 2000)] == [None, None, "oops", "x" * 2000]
    assert told("x" * 2001) == "x" * 2000 + "…"


def test_a_missing_fact_tells_what_another_program_said_of_it() -> None:
    def reads(look: Look) -> Iterator[Finding]:
        yield Finding(status=Status.PASS, message=str(look.host.memory.get()))

    given = look(memory=Fact.unknown("probe", "It did not work.", detail="runc create failed"))
    [result] = run(make(reads), given)
    assert (result.status, result.message.endswith("It did not work."), result.detail) == (
        Status.UNKNOWN, True, "runc create failed",
    )  # fmt: skip


def test_a_missing_fact_ends_a_check_as_unknown_with_its_reason_and_help() -> None:
    def reads(look: Look) -> Iterator[Finding]:
        yield Finding(status=Status.PASS, message=str(look.host.memory.get().total_bytes))

    (result,) = results(reads)
    assert result.status is Status.UNKNOWN
    assert result.reason == "The test gives no memory."
    assert result.remedy == Remedy("Give it.")


def test_a_part_not_asked_for_is_skipped() -> None:
    def reads(look: Look) -> Iterator[Finding]:
        yield from ()
        raise MissingFact(Fact.skipped("test", "--offline was given.").missing, "test")  # type: ignore[arg-type]

    (result,) = results(reads)
    assert (result.status, result.reason, result.remedy) == (Status.SKIP, "--offline was given.", None)


def test_a_missing_fact_costs_one_subject_only() -> None:
    def each(look: Look, subject: str) -> Iterator[Finding]:
        if subject == "b":
            look.host.memory.get()
        yield Finding(status=Status.PASS, message="Good.")

    found = results(each, subjects=lambda look: ("a", "b", "c"))
    assert [(r.subject, r.status) for r in found] == [
        ("a", Status.PASS), ("b", Status.UNKNOWN), ("c", Status.PASS),
    ]  # fmt: skip


@pytest.mark.parametrize("error", [ValueError("x"), RecursionError(), KeyError("y")])
def test_a_bug_in_a_check_is_a_result(error: Exception) -> None:
    def broken(look: Look) -> Iterator[Finding]:
        yield Finding(status=Status.PASS, subject="a", message="Good.")
        raise error

    found = results(broken)
    assert [r.status for r in found] == [Status.PASS, Status.ERROR]
    assert type(error).__name__ in (found[1].reason or "")


def test_a_check_without_a_result_is_an_error_never_silence() -> None:
    def silent(look: Look) -> Iterator[Finding]:
        yield from ()

    assert [r.status for r in results(silent)] == [Status.ERROR]
    assert [r.status for r in results(silent, subjects=lambda look: ())] == [Status.ERROR]


def test_a_subject_judged_twice_is_an_error() -> None:
    def twice(look: Look) -> Iterator[Finding]:
        yield Finding(status=Status.PASS, subject="a", message="Good.")
        yield Finding(status=Status.FAIL, subject="a", message="Bad.")

    assert [(r.subject, r.status) for r in results(twice)] == [("a", Status.ERROR)]


def test_severity_bounds_what_a_check_may_say() -> None:
    assert results(failing, severity=Severity.RECOMMENDED)[0].status is Status.WARN
    assert results(failing, severity=Severity.INFO)[0].status is Status.PASS
    assert results(failing)[0].remedy == Remedy("Mend it.")


def report(*functions: object, waivers: tuple[Waiver, ...] = (), strict: bool = False) -> Report:
    numbers = requirements.load("current")
    checks = tuple(make(function, id=f"test.{number}") for number, function in enumerate(functions))
    return assess(host(), plan.make(None, Asked()), numbers, checks, waivers, strict=strict)


def test_the_report_counts() -> None:
    made = report(passing, failing, passing)
    assert (made.counts.pass_, made.counts.fail, made.verdict) == (2, 1, Verdict.NOT_READY)
    assert msgspec.to_builtins(made)["counts"]["pass"] == 2


@pytest.mark.parametrize(
    ("ignore", "status"),
    [
        (Waiver("test.0"), Status.IGNORED),
        (Waiver("test.*"), Status.IGNORED),
        (Waiver("TEST.0"), Status.FAIL),
        (Waiver("test.0", "a"), Status.FAIL),
        (Waiver("test.0", until=datetime.date(2026, 11, 23)), Status.IGNORED),
        (Waiver("test.0", until=datetime.date(2026, 11, 22)), Status.FAIL),
    ],
)
def test_ignored_findings_are_shown_with_what_they_were(ignore: Waiver, status: Status) -> None:
    (result,) = report(failing, waivers=(ignore,)).results
    assert result.status is status
    assert result.was is (Status.FAIL if status is Status.IGNORED else None)


@pytest.mark.parametrize(
    ("found", "strict", "word"),
    [
        ([], False, Verdict.READY),
        ([(Status.PASS, Severity.REQUIRED), (Status.SKIP, Severity.REQUIRED)], False, Verdict.READY),
        ([(Status.WARN, Severity.REQUIRED)], False, Verdict.READY_WITH_WARNINGS),
        ([(Status.WARN, Severity.RECOMMENDED)], True, Verdict.NOT_READY),
        ([(Status.UNKNOWN, Severity.RECOMMENDED)], False, Verdict.READY),
        ([(Status.UNKNOWN, Severity.REQUIRED)], False, Verdict.UNDETERMINED),
        ([(Status.ERROR, Severity.REQUIRED)], True, Verdict.UNDETERMINED),
        ([(Status.UNKNOWN, Severity.REQUIRED), (Status.FAIL, Severity.REQUIRED)], False, Verdict.NOT_READY),
        ([(Status.IGNORED, Severity.REQUIRED)], True, Verdict.READY),
    ],
)
def test_verdict(found: list[tuple[Status, Severity]], strict: bool, word: Verdict) -> None:
    (pattern,) = results(passing)
    rows = [msgspec.structs.replace(pattern, status=status, severity=severity) for status, severity in found]
    assert verdict(rows, strict=strict) is word


# --- the whole catalogue ---------------------------------------------------------------------------------------

CATALOGUE = catalogue()
BARE = host(view=View(container=True, root=None, live=True, network=None, privileged=False))


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.id)
def test_a_host_of_which_nothing_is_known_passes_nothing(entry: Check) -> None:
    """Never a false pass: without facts no check passes, and none breaks."""
    for asked in (Asked(), Asked(hostname="mail.example.org", domains=("example.org",))):
        for result in run(entry, look(BARE, asked=asked)):
            assert result.status in (Status.UNKNOWN, Status.SKIP), result
            assert result.reason


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.id)
def test_a_check_says_all_about_itself(entry: Check) -> None:
    assert entry.title
    assert not entry.title.endswith("."), "a title is a statement without a full stop"
    assert entry.why, "the docstring says nothing on why it matters to mailcow"
    assert entry.remedy
    assert entry.links
    assert all(url.startswith("https://") for url in entry.links)
    assert set(entry.reads) <= set(PARTS)
    assert entry.id == entry.id.lower()


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.id)
def test_a_check_reads_only_what_it_names(entry: Check) -> None:
    """What a check reads without naming it would not be gathered under --only: every test that runs one holds it so."""
    build.run(entry.id, look(BARE, asked=Asked(hostname="mail.example.org", domains=("example.org",))))


def test_a_check_that_reads_what_it_does_not_name_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    blind = msgspec.structs.replace(build.check("resources.memory"), reads=())
    monkeypatch.setattr(build, "check", lambda _: blind)
    with pytest.raises(AssertionError, match="does not name all that it reads"):
        build.run("resources.memory", look(BARE))


def test_ids_are_unique_and_selected_by_id_or_glob() -> None:
    ids = [entry.id for entry in CATALOGUE]
    assert len(set(ids)) == len(ids)
    assert {c.section for c in select(CATALOGUE, ("clock.*",), ())} == {"clock"}
    assert not select(CATALOGUE, ("clock.*",), ("clock.*",))
    assert not select(CATALOGUE, ("Clock.*",), ())
