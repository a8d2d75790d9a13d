"""The DNS records of a report: those to enter and those that go, by where and when that is done."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from preflight.report.model import DnsRecord, Result


class Records(Struct, frozen=True):
    """Records to enter, and those that have to go before that, each once, in the report's order."""

    entered: tuple[DnsRecord, ...] = ()
    removed: tuple[DnsRecord, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.entered or self.removed)


class Wanted(Struct, frozen=True):
    """What the DNS lacks: `now` in one's own zones, `reverse` at the provider, `last` with mailcow there."""

    now: Records
    reverse: Records
    last: Records

    def __bool__(self) -> bool:
        return bool(self.now or self.reverse or self.last)


def wanted(results: Iterable[Result]) -> Wanted:
    """Return the records of the checks of the DNS."""
    rows = [result for result in results if result.check.startswith("dns.") and result.remedy]
    last = [row for row in rows if row.remedy and row.remedy.when == "last"]
    today = [row for row in rows if row not in last]
    reverse = [row for row in today if row.remedy and row.remedy.place == "provider"]
    return Wanted(_of([row for row in today if row not in reverse]), _of(reverse), _of(last))


def _of(results: Iterable[Result]) -> Records:
    remedies = [result.remedy for result in results if result.remedy]
    entered = dict.fromkeys(record for remedy in remedies for record in remedy.records)
    removed = dict.fromkeys(record for remedy in remedies for record in remedy.removes)
    return Records(tuple(entered), tuple(record for record in removed if record not in entered))
