"""Zone lines: the missing records, to be pasted, and nothing that a name server would take for something else."""

from __future__ import annotations

import pytest
from dns.zone import from_text
from hypothesis import given

from preflight.render import render
from preflight.report.model import DnsRecord, Remedy, Result, Severity, When
from tests.render import reports
from tests.render.hostile import ANY, VALUES

UNJUDGED = "; Nothing was judged. Whether records are missing is unknown.\n"
PASSED = reports.result("dns.mx", subject="example.org")


def record(line: str) -> DnsRecord:
    """Read a record as the checks make them."""
    name, ttl, _, kind, value = line.split(" ", 4)
    return DnsRecord(name.removesuffix("."), kind, value, int(ttl))


def missing(
    check: str, subject: str | None, *lines: str | DnsRecord, status: str = "fail", when: When = "now"
) -> Result:
    records = tuple(record(line) if isinstance(line, str) else line for line in lines)
    remedy = Remedy("Enter it.", place="dns", when=when, records=records)
    return reports.result(check, status, subject=subject, remedy=remedy, reason="it is so")


def zone(*results: Result) -> str:
    return render(reports.report(*results), "zone")


def test_lines_stand_under_the_zone_they_belong_into() -> None:
    text = zone(
        missing("dns.address", "A", "mail.example.org. 3600 IN A 192.0.2.7"),
        missing("dns.reverse", "192.0.2.7", "7.2.0.192.in-addr.arpa. 3600 IN PTR mail.example.org."),
        missing("dns.mx", "example.org", "example.org. 3600 IN MX 10 mail.example.org."),
        missing("dns.mx", "lists.example.org", "lists.example.org. 3600 IN MX 10 mail.example.org."),
        missing("dns.spf", "example.org", 'example.org. 3600 IN TXT "v=spf1 mx -all; x"', status="warn"),
        missing("dns.srv", "_imaps._tcp", "_imaps._tcp.lists.example.org. 3600 IN SRV 0 1 993 mail.example.org."),
        missing("ports.free", "25/tcp", "example.net. 3600 IN A 192.0.2.9"),
    )  # fmt: skip
    assert text == (
        "; example.org.\n"
        "mail.example.org. 3600 IN A 192.0.2.7\n"
        "example.org. 3600 IN MX 10 mail.example.org.\n"
        'example.org. 3600 IN TXT "v=spf1 mx -all; x"\n'
        "\n"
        "; Reverse DNS (PTR) records: set them at your hosting provider\n"
        "7.2.0.192.in-addr.arpa. 3600 IN PTR mail.example.org.\n"
        "\n"
        "; lists.example.org.\n"
        "lists.example.org. 3600 IN MX 10 mail.example.org.\n"
        "_imaps._tcp.lists.example.org. 3600 IN SRV 0 1 993 mail.example.org.\n"
    )


def test_records_that_serve_somebody_today_are_not_pasted() -> None:
    line = "example.org. 3600 IN MX 10 mail.example.org."
    last = missing("dns.mx", "example.org", line, when="last")
    assert zone(last) == f"; Last, once mailcow runs and you have tested it\n; {line}\n"


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("mail.example.org.", "example.org."),
        ("example.org.", "example.org."),
        ("_25._tcp.mail.example.org.", "example.org."),
        ("_dmarc.example.org.", "example.org."),
        ("a.b.example.org.", "b.example.org."),
        ("1.0.0.2.ip6.arpa.", "Reverse DNS (PTR) records: set them at your hosting provider"),
    ],
)
def test_without_a_mail_domain_the_name_tells_the_zone(name: str, heading: str) -> None:
    assert zone(missing("dns.caa", None, f"{name} 3600 IN A 192.0.2.1")).startswith(f"; {heading}\n{name} ")


def test_each_line_stands_once_whatever_became_of_its_check() -> None:
    line = "mail.example.org. 3600 IN A 192.0.2.7"
    text = zone(
        *(
            missing(f"dns.x{n}", None, line, status=status)
            for n, status in enumerate(("fail", "warn", "pass", "ignored"))
        )
    )
    assert text.count(line) == 1


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ((), UNJUDGED),
        ((reports.result("dns.mx", "skip", reason="no --hostname"),), UNJUDGED),
        ((PASSED,), "; No missing records are known.\n"),
        (
            (PASSED, reports.result("dns.mx", "unknown", subject="b.org", reason="SERVFAIL")),
            "; No missing records are known.\n; dns.mx (b.org): SERVFAIL\n",
        ),
    ],
)  # fmt: skip
def test_nothing_missing_is_said_only_of_what_was_looked_at(results: tuple[Result, ...], said: str) -> None:
    assert zone(*results) == said


@pytest.mark.parametrize(
    "entry",
    [
        DnsRecord("$INCLUDE /etc/passwd", "A", "192.0.2.1", 3600),
        DnsRecord("$ORIGIN", "A", "192.0.2.1", 3600),
        DnsRecord("mail.example.org", "TXT", "(", 3600),
        DnsRecord("mail.example.org", "TXT", '"open', 3600),
        DnsRecord("mail.example.org", "A", "192.0.2.1 ; x", 3600),
        DnsRecord("mail.example.org", "A", "192.0.2.1\nevil.example. 3600 IN A 192.0.2.2", 3600),
        DnsRecord("evil.example. 3600 IN A 192.0.2.2\nmail.example.org", "A", "192.0.2.1", 3600),
        DnsRecord("mail.example.org", "A\n", "192.0.2.1", 3600),
        DnsRecord("mail.example.org", "A", "192.0.2.1", -1),
        DnsRecord("\u202email.example.org", "A", "192.0.2.1", 3600),
        DnsRecord("mail.example.org", "A", "", 3600),
        DnsRecord("", "", "", 0),
    ],
)
def test_what_is_no_record_is_a_comment(entry: DnsRecord) -> None:
    text = zone(missing("dns.mx", "example.org", entry))
    assert text.startswith("; Left out, because it is not a record: ")
    assert text.count("\n") == 1


def test_a_finding_without_records_lacks_none() -> None:
    assert zone(reports.result("dns.mx", "fail")) == "; No missing records are known.\n"


@pytest.mark.parametrize("value", VALUES)
def test_hostile_values_stay_comments(value: str) -> None:
    hostile(value)


@given(ANY)
def test_any_value_stays_a_comment(value: str) -> None:
    hostile(value)


def hostile(value: str) -> None:
    """A name server's own parser finds the one record, and nothing else."""
    rows = [
        missing(
            "dns.mx",
            value,
            DnsRecord(value, "TXT", value, 3600),
            DnsRecord(value, "TXT", f'"{value}"', 3600),
            "mail.example.org. 3600 IN A 192.0.2.7",
        ),
        reports.result("dns.spf", "unknown", subject=value, reason=value, severity=Severity.RECOMMENDED),
    ]
    text = zone(*rows)
    assert all(character.isprintable() or character == "\n" for character in text)
    records = [line for line in text.splitlines() if line and not line.startswith(";")]
    assert "mail.example.org. 3600 IN A 192.0.2.7" in records
    assert len(records) <= 3
    from_text(text, origin=".", relativize=False, check_origin=False, allow_include=False)
