"""The DNS records of a report as tables and as a block to paste."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from preflight.render import html_words, record_words, render
from preflight.render.context import Context
from preflight.report.model import DnsRecord, Remedy, Result, Severity
from tests.render import reports
from tests.render.hostile import ANY

ADDRESS = DnsRecord("mail.example.org", "A", "192.0.2.7", 3600)
OLD = DnsRecord("mail.example.org", "A", "192.0.2.9", 3600)
POINTER = DnsRecord("7.2.0.192.in-addr.arpa", "PTR", "mail.example.org.", 3600)
MX = DnsRecord("example.org", "MX", "10 mail.example.org.", 300)
NOW = Remedy("Enter it.", place="dns", records=(ADDRESS,), removes=(OLD,))
REVERSE = Remedy("Set it.", place="provider", records=(POINTER,))
LATER = Remedy("Wait.", place="dns", when="last", records=(MX,))
ALONE = Remedy("Remove it.", place="dns", removes=(OLD,))


def rows(*remedies: Remedy) -> list[Result]:
    return [
        reports.result("dns.address", "fail", subject=str(number), remedy=remedy)
        for number, remedy in enumerate(remedies)
    ]


def test_records_stand_in_tables_by_who_enters_them_and_when() -> None:
    text = render(reports.report(*rows(NOW, REVERSE, LATER)), "markdown")
    section = text.partition("## DNS records\n")[2].partition("\n---\n")[0]
    titles = (record_words.RECORDS_NOW, record_words.RECORDS_REVERSE, record_words.RECORDS_LAST)
    assert [section.count(title) for title in titles] == [1, 1, 1]
    now, reverse, last = (section.split(title)[1] for title in titles)
    assert "| `mail.example.org` | `A`  | `192.0.2.7` | 3600 |" in now
    assert f"```text\n{ADDRESS.line}\n```" in now
    assert now.index("In the same step, remove these records:") < now.index("mail.example.org. IN A 192.0.2.9")
    assert "| `PTR`" in reverse  # whose provider asks for the name in a form
    assert POINTER.line not in reverse
    assert f"```text\n{MX.line}\n```" in last
    assert MX.line not in now.partition(record_words.RECORDS_REVERSE)[0]


def test_what_no_check_asks_for_stands_apart_and_is_no_comment_of_a_zone() -> None:
    service = DnsRecord("_imaps._tcp.example.org", "SRV", "0 1 993 mail.example.org.", 3600)
    row = reports.result("dns.srv", "pass", subject="s", severity=Severity.INFO, remedy=Remedy("x", records=(service,)))
    made = reports.report(*rows(NOW), row)
    now, optional = render(made, "markdown").split(record_words.RECORDS_OPTIONAL)
    assert (service.line in now, service.line in optional) == (False, True)
    assert [line for line in (ADDRESS.line, service.line) if line in render(made, "zone").splitlines()] == [
        ADDRESS.line, service.line,
    ]  # fmt: skip


def test_the_page_has_the_same_tables_and_blocks_to_copy() -> None:
    page = re.sub("</?bdi>", "", render(reports.report(*rows(NOW, REVERSE, LATER)), "html"))
    for record in (ADDRESS, POINTER, MX):
        assert f">{record.name}</code></th>" in page
        assert (f"<code>{record.line}</code>" in page) is (record is not POINTER)
    assert page.count(f'aria-label="{html_words.COPY_VALUE}"') == 3  # a form takes the value
    assert "<code>mail.example.org. IN A 192.0.2.9</code>" in page


def test_what_is_only_removed_has_no_table() -> None:
    text = render(reports.report(*rows(ALONE)), "markdown")
    section = text.partition("## DNS records\n")[2]
    assert record_words.RECORDS_REMOVE_ALONE in section
    assert "| Name" not in section


@pytest.mark.parametrize("format", ["markdown", "html"])
def test_a_report_without_records_has_no_such_section(format: str) -> None:
    assert record_words.RECORDS not in render(reports.report(*rows(Remedy("Do it."))), format)


def test_a_redacted_report_has_no_lines_to_paste() -> None:
    text = render(reports.report(*rows(NOW)), "markdown", Context(redacted=True))
    assert "| `mail.example.org` |" in text
    assert record_words.RECORDS_PASTE not in text


@given(ANY)
def test_what_a_name_server_would_take_for_an_order_is_not_pasted(value: str) -> None:
    hostile = DnsRecord(value, "A", f"{value}\n$INCLUDE /etc/passwd", 3600)
    text = render(
        reports.report(*rows(Remedy("Enter it.", place="dns", records=(hostile,), removes=(hostile,)))), "markdown"
    )
    assert not any(line.startswith("$INCLUDE") for line in text.splitlines())
    assert record_words.RECORDS_PASTE not in text
