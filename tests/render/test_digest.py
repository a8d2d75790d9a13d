"""What a reader is told once: results that call for the same, and nothing of what they call for is lost."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from preflight.render.digest import digest
from preflight.report.model import DnsRecord, Remedy, WrittenFile
from tests.render import reports

ENTER = Remedy("Enter these.", ("dig a",), "dns", "last", records=(DnsRecord("a.example", "A", "192.0.2.1", 60),))
WRITE = Remedy("Write it.", ("echo a > /a",), "docker-run", "cloned", files=(WrittenFile("/a", "a\n"),))


def merged(first: Remedy, second: Remedy, *, checks: tuple[str, str] = ("dns.a", "dns.a"), status: str = "fail") -> Any:
    """Return the remedies that are told of two results."""
    rows = [
        reports.result(check, status, subject=str(number), remedy=remedy)
        for number, (check, remedy) in enumerate(zip(checks, (first, second), strict=True))
    ]
    found = digest(reports.report(*rows))
    return [entry.remedy for entry in (found.unclear if status == "unknown" else found.blocks)]


def test_commands_and_records_of_one_check_are_told_together() -> None:
    other = msgspec.structs.replace(
        ENTER, commands=("dig b",), records=(*ENTER.records, DnsRecord("b.example", "A", "192.0.2.2", 60))
    )
    assert merged(ENTER, other) == [msgspec.structs.replace(other, commands=("dig a", "dig b"))]


@pytest.mark.parametrize("checks", [("x.a", "x.a"), ("x.a", "x.b")])
@pytest.mark.parametrize("remedy", [ENTER, WRITE])
def test_one_remedy_of_several_results_stays_whole(remedy: Remedy, checks: tuple[str, str]) -> None:
    assert merged(remedy, remedy, checks=checks) == [remedy]
    assert merged(remedy, remedy, checks=checks, status="unknown") == [remedy]


@pytest.mark.parametrize(
    "change", [{"place": "host"}, {"when": "now"}, {"files": (WrittenFile("/b", "a\n"),)}, {"text": "Write this."}]
)
@pytest.mark.parametrize("checks", [("x.a", "x.a"), ("x.a", "x.b")])
@pytest.mark.parametrize("status", ["fail", "unknown"])
def test_what_is_done_elsewhere_or_at_another_time_or_writes_something_else_is_told_apart(
    change: dict[str, Any], checks: tuple[str, str], status: str
) -> None:
    other = msgspec.structs.replace(WRITE, **change)
    assert merged(WRITE, other, checks=checks, status=status) == [WRITE, other]


def test_records_of_several_checks_are_told_apart() -> None:
    other = msgspec.structs.replace(ENTER, records=())
    assert merged(ENTER, other, checks=("dns.a", "dns.b")) == [ENTER, other]
