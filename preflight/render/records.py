"""The DNS records of a report: those to enter and those that go, by where and when that is done."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from preflight.render import record_words
from preflight.render.context import Context
from preflight.report.model import DnsRecord, Remedy, Report, Result, Severity

ROWS = 100  # records of a table: sixteen mail domains lack no more
# What a record is made of, and nothing that a name server would take for an order ($INCLUDE) or a second line.
_NAME = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})")
_TYPE = re.compile(r"[A-Z][A-Z0-9]{0,9}")
_DATA = re.compile(r"[ -~]+")
_TTL = range(1 << 31)  # RFC 2181, 8


class Records(Struct, frozen=True):
    """Records to enter, and those that have to go before that, each once, in the report's order."""

    entered: tuple[DnsRecord, ...] = ()
    removed: tuple[DnsRecord, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.entered or self.removed)


class Wanted(Struct, frozen=True):
    """What the DNS lacks: `now` in one's own zones, `reverse` at the provider, `last` with mailcow there.

    `optional`: what makes things easier for some, and no check asks for.
    """

    now: Records
    optional: Records
    reverse: Records
    last: Records

    def __bool__(self) -> bool:
        return bool(self.now or self.optional or self.reverse or self.last)


def wanted(results: Iterable[Result]) -> Wanted:
    """Return the records of the checks of the DNS."""
    rows = [result for result in results if result.check.startswith("dns.") and result.remedy]
    last = [row for row in rows if row.remedy and row.remedy.when == "last"]
    today = [row for row in rows if row not in last]
    reverse = [row for row in today if row.remedy and row.remedy.place == "provider"]
    own = [row for row in today if row not in reverse]
    optional = [row for row in own if row.severity is Severity.INFO]
    return Wanted(_of([row for row in own if row not in optional]), _of(optional), _of(reverse), _of(last))


def _of(results: Iterable[Result]) -> Records:
    remedies = [result.remedy for result in results if result.remedy]
    entered = dict.fromkeys(record for remedy in remedies for record in remedy.records)
    removed = dict.fromkeys(record for remedy in remedies for record in remedy.gone)
    return Records(tuple(entered), tuple(record for record in removed if record not in entered))


class Part(Struct, frozen=True):
    """A table of records with what is said above it; `lines` are the same to be pasted, none where that may not be."""

    title: str
    records: tuple[DnsRecord, ...]
    lines: tuple[str, ...]
    removal: str
    removed: tuple[str, ...]
    place: Literal["dns", "provider", "last"]  # where, or when, they are entered
    copied: bool  # their values may be pasted


def parts(report: Report, context: Context) -> tuple[Part, ...]:
    """Return the records of a report as they are shown: those to enter now, those of the provider, and others."""
    found = wanted(report.results)
    titled: tuple[tuple[str, Records, Literal["dns", "provider", "last"]], ...] = (
        (record_words.RECORDS_NOW, found.now, "dns"),
        (record_words.RECORDS_REVERSE, found.reverse, "provider"),
        (record_words.RECORDS_LAST, found.last, "last"),
        (record_words.RECORDS_OPTIONAL, found.optional, "dns"),
    )
    return tuple(_part(title, rows, place, context) for title, rows, place in titled if rows)


def _part(title: str, rows: Records, place: Literal["dns", "provider", "last"], context: Context) -> Part:
    own = place != "provider"  # who asks for a name in a form, and replaces the old one
    sound = () if context.redacted else tuple(record.line for record in rows.entered if is_sound(record))
    lines = sound if own else ()
    removal = record_words.RECORDS_REMOVE if rows.entered else record_words.RECORDS_REMOVE_ALONE
    removed = rows.removed if own else ()
    return Part(
        title if rows.entered else "",
        rows.entered[:ROWS],
        lines[:ROWS],
        removal if removed else "",
        tuple(record.plain for record in removed[:ROWS]),
        place,
        bool(sound),
    )


def said(remedy: Remedy) -> str:
    """Return what a remedy says without the lines of its records, which stand at its end."""
    lines = _lines(remedy.records)
    return remedy.text.removesuffix(lines).rstrip() if lines else remedy.text


def alike(remedy: Remedy) -> object:
    """Return what remedies have in common that differ in nothing but the records to enter; None: it stands alone."""
    if not remedy.records or remedy.gone or said(remedy) == remedy.text:
        return None
    return replace(remedy, text=_of_several(said(remedy)), records=())


def joined(remedies: Sequence[Remedy]) -> Remedy:
    """Make one remedy of several that are alike: what it says, and the records of all."""
    first = remedies[0]
    if len(set(remedies)) == 1:
        return first
    entered = tuple(dict.fromkeys(record for remedy in remedies for record in remedy.records))
    text = _of_several(said(first)) if len(entered) > 1 else said(first)
    return replace(first, text=f"{text} {_lines(entered)}", records=entered) if entered else first


def _lines(records: Iterable[DnsRecord]) -> str:
    return " · ".join(record.line for record in records)


def _of_several(text: str) -> str:
    """Return the sentence that goes before several records."""
    for one, several in record_words.ONE_AND_SEVERAL:
        if text.endswith(one):
            return text.removesuffix(one) + several
    return text


def is_sound(record: DnsRecord) -> bool:
    """Say whether a record is one, and ends with its line: no quotation that goes on, no comment inside."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", record.value)
    fields = ((_NAME, record.name), (_TYPE, record.type), (_DATA, record.value))
    sound = all(form.fullmatch(text) for form, text in fields) and record.ttl in _TTL
    return sound and not re.search(r'["();\\]', bare)
