"""What a text leaves out, as something else says it, and what it never leaves out."""

from __future__ import annotations

from typing import Any

import pytest

from preflight.checks.dns import names
from preflight.render import terse
from preflight.render.digest import causes, digest
from preflight.report.model import DnsRecord, Remedy, Result
from tests.render import reports

A = DnsRecord("a.example", "CNAME", "mail.example.", 3600)
B = DnsRecord("b.example", "CNAME", "mail.example.", 3600)
WAIT = "Do this when mailcow runs."


def enter(*records: DnsRecord, say: str = "Enter this record at your DNS provider:", **more: Any) -> Remedy:
    lines = " · ".join(record.line for record in records)
    return Remedy(f"{WAIT} {say} {lines}", place="dns", when="last", records=records, **more)


def advice(*remedies: Remedy | None) -> list[terse.Advice | None]:
    """Return what is advised on results with these remedies, each of a check of its own."""
    rows = [reports.result(f"dns.n{number}", "warn", remedy=remedy) for number, remedy in enumerate(remedies)]
    return [terse.advice(entry.remedy) for entry in digest(reports.report(*rows)).warnings]


def test_records_stand_on_lines_of_their_own() -> None:
    assert advice(enter(A)) == [terse.Advice(f"{WAIT} Enter this record at your DNS provider:", (), (A.line,))]


def test_the_same_advice_with_other_records_is_one_step() -> None:
    [step] = advice(enter(A), enter(B))
    assert step == terse.Advice(f"{WAIT} Enter these records at your DNS provider:", (), (A.line, B.line))


def test_the_same_record_of_two_checks_stays_one() -> None:
    assert advice(enter(A), enter(A)) == advice(enter(A))


@pytest.mark.parametrize(
    "other",
    [
        Remedy("Something else."), enter(B, commands=("true",)), None, Remedy(enter(B).text, records=(B,)),
        enter(B, removes=(A,)),
    ],
)  # fmt: skip
def test_other_advice_is_a_step_of_its_own(other: Remedy | None) -> None:
    assert len(advice(enter(A), other)) == 2


def test_every_sentence_that_a_check_says_before_records_is_known_for_one_and_for_several() -> None:
    for when in ("now", "last"):
        one, other = (names.enter((record,), when=when) for record in (A, B))  # type: ignore[arg-type]  # a `When`
        assert advice(one, other) == [terse.advice(names.enter((A, B), when=when))]  # type: ignore[arg-type]


def test_a_provider_asks_for_a_name_and_no_record() -> None:
    remedy = Remedy("Set the PTR record to a.", place="provider", records=(A,))
    assert advice(remedy) == [terse.Advice(remedy.text)]


def test_a_sentence_that_goes_on_behind_its_record_is_left_whole() -> None:
    remedy = Remedy(f"Enter {A.line} and wait.", records=(A,))
    [step] = advice(remedy)
    assert step == terse.Advice(remedy.text, (), (A.line,))


def bad(message: str, expected: str | None, found: str | None, *commands: str, subject: str | None = None) -> Result:
    return reports.result(
        "a.b", "fail", message, expected=expected, found=found, subject=subject, remedy=Remedy("Do it.", commands)
    )


@pytest.mark.parametrize(
    ("row", "adds"),
    [
        (bad("The command git is not on this host.", "installed", "missing"), False),
        (bad("This host has 3.8 GiB, but mailcow needs 6.0 GiB.", "6.0 GiB", "3.8 GiB"), False),
        (bad("This host has too little memory.", "6.0 GiB", "3.8 GiB"), True),
        (bad("25/tcp is held by exim4.", "free", "127.0.0.1:25"), True),
        (bad("25/tcp is held by exim4 on 127.0.0.1, ::1.", "free", "127.0.0.1:25"), False),
        (bad("25/tcp is held by exim4 on ::1.", "free", "[::1]:25"), False),
        (bad("26/tcp is held by exim4 on ::1.", "free", "[::1]:25"), True),
        (bad("The limit is low.", "1024", "low", "ulimit -n 1024"), False),
        (bad("Mail for example.org goes elsewhere.", None, "smtp.example.com."), True),
        (bad("Mail goes to SMTP.example.com.", None, "1 smtp.example.com."), True),
        (bad("This host has 2 GiB, but mailcow needs 6 GiB.", "6.0 GiB", "2.0 GiB"), False),
        (bad("25/tcp is held by exim4.", "free", "0.0.0.0:25"), False),
        (bad("It is so.", None, None), False),
        (bad("It is so.", "<ipv4-1>", None), True),
    ],
)
def test_values_are_told_where_nothing_else_has_them(row: Result, adds: bool) -> None:
    assert terse.adds(row) is adds


def unknown(check: str, reason: str, subject: str | None = None) -> Result:
    return reports.result(check, "unknown", reason=reason, subject=subject, remedy=Remedy("Ask again."))


def test_reasons_that_say_the_same_of_other_objects_are_one() -> None:
    rows = (
        unknown("dns.spf", "The DNS was not queried for example.org TXT.", "example.org"),
        unknown("dns.caa", "The DNS was not queried for mail.example.org CAA.", "mail.example.org"),
        unknown("dns.srv", "The DNS was not queried for _imap._tcp.example.org SRV.", "_imap"),
        unknown("dns.srv", "The DNS was not queried for _smtp._tcp.example.org SRV.", "_smtp"),
        unknown("dns.mx", "The DNS did not answer for example.org MX.", "example.org"),
    )
    told = terse.alike(causes(rows))
    assert [(reason.text, more) for reason, more in told] == [
        ("The DNS was not queried for example.org TXT.", 3),
        ("The DNS did not answer for example.org MX.", 0),
    ]
    assert [(check.check, check.subjects) for check in told[0][0].checks] == [
        ("dns.spf", ("example.org",)), ("dns.caa", ("mail.example.org",)), ("dns.srv", ("_imap", "_smtp")),
    ]  # fmt: skip


def remark(subject: str, *commands: str) -> Result:
    return reports.result(
        "a.b", "pass", f"{subject} is low.", subject=subject, remedy=Remedy(f"Raise {subject}.", commands)
    )


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (("echo 1", "load"), ("echo 2", "load"), ("echo 1", "echo 2", "load")),
        (("cat <<X", "a", "X"), ("cat <<X", "b", "X"), ("cat <<X", "a", "X", "cat <<X", "b", "X")),
    ],
)
def test_remarks_of_one_check_load_the_settings_once(
    first: tuple[str, ...], second: tuple[str, ...], told: tuple[str, ...]
) -> None:
    [step] = terse.notes(digest(reports.report(remark("x", *first), remark("y", *second))).notes)
    assert [entry.first.message for entry in step.entries] == ["x is low.", "y is low."]
    assert step.advice is not None
    assert step.advice.commands == told
