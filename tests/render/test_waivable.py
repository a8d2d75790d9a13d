"""What a report prints to waive a finding waives that one, and no other."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.cli.params import WaiverType
from preflight.render import Context, render
from preflight.render.waivable import waivable
from tests.render import reports
from tests.render.hostile import VALUES

SUBJECTS = (
    "25/tcp", "/var/lib/docker", "[2001:db8::25]:25", "2001:db8::25", "a b", "it's", "$(id)", "`id`", "!x", "a:b",
    "ä.example", "*", "25/*", "?", "a=b", "x@2027-01-31", "x@20270131", " x", "x ", "", "a\nb", "x" * 101, "a;b",
)  # fmt: skip


def holds(subject: str) -> bool:
    row = reports.result("ports.free", "fail", subject=subject)
    other = reports.result("ports.free", "fail", subject=f"{subject}0")
    told = waivable(row)
    if not told:
        return False
    (value,) = shlex.split(told)
    waiver = WaiverType().convert(value, None, None)
    assert waiver.covers(row)
    assert not waiver.covers(other)
    assert (waiver.until, waiver.reason) == (None, "")
    return True


@pytest.mark.parametrize("subject", [*SUBJECTS, *VALUES])
def test_it_waives_its_finding_and_no_other(subject: str) -> None:
    holds(subject)


@given(st.text(max_size=40))
def test_whatever_the_subject_is(subject: str) -> None:
    holds(subject)


@pytest.mark.parametrize("subject", ["25/tcp", "[2001:db8::25]:25", "a b", "it's", "$(id)"])
def test_subjects_of_hosts_can_be_named(subject: str) -> None:
    assert holds(subject)


@pytest.mark.parametrize("subject", ["*", "25/?", "a=b", "x@2027-01-31", " x", "", "a\nb", "x" * 101])
def test_what_would_match_more_or_nothing_is_not_told(subject: str) -> None:
    assert not holds(subject)


def test_a_placeholder_is_no_subject() -> None:
    row = reports.result("dns.reverse", "fail", subject="<ipv4-1>")
    assert waivable(row, redacted=True) == ""


@pytest.mark.parametrize("status", ["pass", "skip", "ignored", "error"])
def test_what_is_no_finding_is_not_waived(status: str) -> None:
    assert waivable(reports.result("a.b", status, subject="x")) == ""


def test_text_and_markdown_name_the_subject() -> None:
    rows = [
        reports.result("ports.free", "fail", "Port 25 is in use.", subject="25/tcp"),
        reports.result("docker.leftovers", "warn", "It is left.", subject="a b"),
        reports.result("resources.swap", "warn", "There is no swap."),
    ]
    text, markdown = (render(reports.report(*rows), form, Context()) for form in ("text", "markdown"))
    for told in ("[ports.free:25/tcp, ", "'docker.leftovers:a b', resources.swap]"):
        assert told in text
    for told in ("`--ignore ports.free:25/tcp`", "`--ignore 'docker.leftovers:a b'`", "`--ignore resources.swap`"):
        assert told in markdown
