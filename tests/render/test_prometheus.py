"""Metrics for Prometheus, read back by a strict parser, whatever a host is called."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.render import Context, render
from preflight.render.context import Coverage
from preflight.report.model import Report, Status, Verdict
from tests.render import reports
from tests.render.exposition import Group, parse
from tests.render.hostile import ANY, VALUES

P = "mailcow_preflight_"


def metrics(report: Report) -> dict[str, Group]:
    return parse(render(report, "prometheus"))


def true(group: Group) -> list[dict[str, str]]:
    """Return the labels of the series that are 1; all others of a set of states are 0."""
    assert set(group.samples.values()) <= {0.0, 1.0}
    return [dict(labels) for labels, value in group.samples.items() if value]


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_every_result_is_one_set_of_states(name: str) -> None:
    report = reports.SAMPLES[name]()
    group = metrics(report)[f"{P}result"]
    assert [(row["check"], row["subject"], row["severity"], row["status"]) for row in true(group)] == [
        (row.check, row.subject or "", row.severity.value, row.status.value) for row in report.results
    ]
    assert len(group.samples) == len(report.results) * len(Status)


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_the_verdict_and_the_numbers_are_the_reports(name: str) -> None:
    report = reports.SAMPLES[name]()
    made = metrics(report)
    assert true(made[f"{P}verdict"]) == [{"verdict": report.verdict.value}]
    assert len(made[f"{P}verdict"].samples) == len(Verdict)
    counted = {labels[0][1]: int(value) for labels, value in made[f"{P}results"].samples.items()}
    assert counted == msgspec.to_builtins(report.counts)
    assert counted == {s.value: Counter(row.status for row in report.results)[s] for s in Status}
    assert made[f"{P}duration_seconds"].samples == {(): pytest.approx(report.seconds)}
    assert made[f"{P}timestamp_seconds"].samples == {(): 1795397025.0}  # 2026-11-23T01:23:45Z, by date(1)
    ((labels, value),) = made[f"{P}build_info"].samples.items()
    used = report.requirements
    assert dict(labels) == {"version": "0.1.0", "requirements": used.name, "requirements_read": used.read}
    assert value == 1
    assert {group.type for group in made.values()} == {"gauge"}


def test_two_reports_on_one_host_have_the_same_series() -> None:
    """Only values change when something is fixed: a series that is gone would be no data to an alert."""
    before, after = (
        metrics(reports.report(*(reports.port("SMTP_PORT", status), reports.result("dns.mx", subject="a.example"))))
        for status in ("fail", "pass")
    )
    assert [list(group.samples) for group in before.values()] == [list(group.samples) for group in after.values()]


def test_a_time_that_is_none_is_left_out() -> None:
    for text in ("yesterday", "", "9999-99-99T00:00:00Z", "0001-01-01T00:00:00+14:00"):
        made = metrics(msgspec.structs.replace(reports.ready(), started=text))
        assert made.get(f"{P}timestamp_seconds") is None or text.startswith("0001")
    made = metrics(msgspec.structs.replace(reports.ready(), started="2026-11-23T01:23:45"))
    assert made[f"{P}timestamp_seconds"].samples == {(): 1795397025.0}  # UTC, whatever the zone here


def test_the_first_line_says_the_verdict_to_people() -> None:
    assert render(reports.failing(), "prometheus").startswith("# Not ready for mailcow\n")
    partly = render(reports.ready(), "prometheus", Context(coverage=Coverage(run=1, all=40)))
    assert not partly.startswith("# Ready for mailcow\n")


def test_labels_are_escaped() -> None:
    subject = 'a"b\\c\nd'
    report = reports.report(reports.result("dns.mx", subject=subject))
    assert r'subject="a\"b\\c d"' in render(report, "prometheus")
    assert true(metrics(report)[f"{P}result"])[0]["subject"] == 'a"b\\c d'


@pytest.mark.parametrize("value", VALUES)
def test_hostile_values_are_labels(value: str) -> None:
    hostile(value)


@given(ANY)
def test_any_value_is_a_label(value: str) -> None:
    hostile(value)


def hostile(value: str) -> None:
    report = reports.hostile(value)
    text = render(report, "prometheus")
    assert all(line.isprintable() for line in text.split("\n"))
    assert len(true(parse(text)[f"{P}result"])) == len(report.results)


@given(st.lists(st.one_of(st.none(), ANY, st.sampled_from(["\n", " ", "\x1b", "\\x1b", "x (number 2)"])), unique=True))
def test_subjects_that_look_the_same_stay_apart(subjects: list[str | None]) -> None:
    """The collector drops a file that has a series twice."""
    report = reports.report(*(reports.result("dns.mx", subject=subject) for subject in subjects))
    if subjects:
        assert len(true(metrics(report)[f"{P}result"])) == len(subjects)


def test_subjects_that_are_cut_stay_apart() -> None:
    long = "x" * 10_000
    report = reports.report(*(reports.result("dns.mx", subject=long + end) for end in "abc"))
    assert len({row["subject"] for row in true(metrics(report)[f"{P}result"])}) == 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# TYPE mailcow_preflight_verdict gauge\n", ""),
        ('status="pass"', 'status="pass\\x"'),
        ('status="pass"', 'status="fail"'),
        ('status="pass"', 'status="pa"ss"'),
        ('status="pass"', 'sta-tus="pass"'),
        ('status="pass"', 'check="pass"'),
        ("gauge\n", "gauges\n"),
        ("} 1\n", "} one\n"),
        ("} 1\n", "}  1\n"),
        ("mailcow_preflight_duration_seconds 1", "mailcow_preflight_other 1"),
    ],
)
def test_the_parser_is_strict(old: str, new: str) -> None:
    text = render(reports.failing(), "prometheus")
    parse(text)
    assert old in text
    with pytest.raises((AssertionError, ValueError)):
        parse(text.replace(old, new))
