"""The records that the DNS lacks, as lines of a zone file: to be pasted, grouped by the zone they belong into."""

from __future__ import annotations

import re
from collections.abc import Iterable

from preflight.render import record_words, words
from preflight.render.context import Context
from preflight.render.escape import terminal
from preflight.render.records import is_sound, wanted
from preflight.report.model import DnsRecord, Report, Result

LINE = 6000  # characters of a record that has to go: a message of the DNS may have more
_REVERSE = (".in-addr.arpa", ".ip6.arpa")


def zone(report: Report, context: Context) -> str:
    """Return the missing lines under a comment for each zone; what could not be found out is a comment too.

    What has to go before a line is entered stands above it as a comment, as no zone file can say so. Where names were
    replaced by placeholders, no line is a record: all are comments.
    """
    results = [result for result in report.results if result.check.startswith("dns.")]
    found = wanted(results)
    made = [f"; {words.REDACTED}"] if context.redacted else []
    today = found.now, found.optional, found.reverse
    removed = tuple(record for rows in today for record in rows.removed)
    entered = tuple(record for rows in today for record in rows.entered)
    made += _comments(removed, entered) if context.redacted else _grouped(removed, entered, results)
    if found.last:
        made += [f"; {record_words.ZONE_LATER}", *_comments(found.last.removed, found.last.entered)]
    if not found:
        made.append(f"; {record_words.ZONE_NOTHING if _looked(results) else record_words.ZONE_UNKNOWN}")
    made += [f"; {_open(result)}" for result in results if result.status.open]
    return "\n".join(made).strip("\n") + "\n"


def _comments(removed: Iterable[DnsRecord], entered: Iterable[DnsRecord]) -> list[str]:
    return [*map(_removal, removed), *(f"; {terminal(record.line)}" for record in entered)]


def _removal(record: DnsRecord) -> str:
    return f"; {record_words.ZONE_REMOVE.format(line=terminal(record.plain, LINE))}"


def _grouped(removed: Iterable[DnsRecord], entered: Iterable[DnsRecord], results: Iterable[Result]) -> list[str]:
    """Return records under a comment for each zone, and behind them as comments what no name server would take."""
    own = _domains(results)
    groups: dict[str, list[str]] = {}
    strange = []
    for record in removed:
        groups.setdefault(_zone(record.name, own), []).append(_removal(record))
    for record in entered:
        if is_sound(record):
            groups.setdefault(_zone(record.name, own), []).append(record.line)
        else:
            strange.append(f"; {record_words.ZONE_STRANGE.format(line=terminal(record.line))}")
    return [*(line for name, lines in groups.items() for line in (f"; {terminal(name)}", *lines, "")), *strange]


def _looked(results: Iterable[Result]) -> bool:
    return any(not (result.was or result.status).undecided for result in results)


def _open(result: Result) -> str:
    name = f"{result.check} ({result.subject})" if result.subject is not None else result.check
    return words.BECAUSE_OF.format(checks=terminal(name, 200), reason=terminal(result.reason or result.message))


def _domains(results: Iterable[Result]) -> list[str]:
    """Return the mail domains, the longest first: they are zones, or in one; no report knows where zones are cut."""
    found = {result.subject for result in results if result.check == "dns.mx" and result.subject}
    return sorted(found, key=lambda name: (-len(name), name))


def _zone(name: str, domains: Iterable[str]) -> str:
    """Return the heading of the zone that a name belongs into."""
    if name.lower().endswith(_REVERSE):
        return record_words.ZONE_REVERSE
    own = next((domain for domain in domains if f".{name}".lower().endswith(f".{domain}".lower())), None)
    host = re.sub(r"^(?:_[^.]*\.|\*\.)+", "", name)
    return f"{own or (host if host.count('.') < 2 else host.partition('.')[2])}."
