"""The records that the DNS lacks, as lines of a zone file: to be pasted, grouped by the zone they belong into."""

from __future__ import annotations

import re
from collections.abc import Iterable

from preflight.render import words
from preflight.render.context import Context
from preflight.render.escape import terminal
from preflight.render.records import wanted
from preflight.report.model import DnsRecord, Report, Result

# What a record is made of, and nothing that a name server would take for an order ($INCLUDE) or a second line.
_NAME = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})")
_TYPE = re.compile(r"[A-Z][A-Z0-9]{0,9}")
_DATA = re.compile(r"[ -~]+")
_TTL = range(1 << 31)  # RFC 2181, 8
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
    removed, entered = (*found.now.removed, *found.reverse.removed), (*found.now.entered, *found.reverse.entered)
    made += _comments(removed, entered) if context.redacted else _grouped(removed, entered, results)
    if found.last:
        made += [f"; {words.ZONE_LATER}", *_comments(found.last.removed, found.last.entered)]
    if not found:
        made.append(f"; {words.ZONE_NOTHING if _looked(results) else words.ZONE_UNKNOWN}")
    made += [f"; {_open(result)}" for result in results if result.status.open]
    return "\n".join(made).strip("\n") + "\n"


def _comments(removed: Iterable[DnsRecord], entered: Iterable[DnsRecord]) -> list[str]:
    return [*map(_removal, removed), *(f"; {terminal(record.line)}" for record in entered)]


def _removal(record: DnsRecord) -> str:
    return f"; {words.ZONE_REMOVE.format(line=terminal(record.plain, LINE))}"


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
            strange.append(f"; {words.ZONE_STRANGE.format(line=terminal(record.line))}")
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
        return words.ZONE_REVERSE
    own = next((domain for domain in domains if f".{name}".lower().endswith(f".{domain}".lower())), None)
    host = re.sub(r"^(?:_[^.]*\.|\*\.)+", "", name)
    return f"{own or (host if host.count('.') < 2 else host.partition('.')[2])}."


def is_sound(record: DnsRecord) -> bool:
    """Say whether a record is one, and ends with its line: no quotation that goes on, no comment inside."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", record.value)
    fields = ((_NAME, record.name), (_TYPE, record.type), (_DATA, record.value))
    sound = all(form.fullmatch(text) for form, text in fields) and record.ttl in _TTL
    return sound and not re.search(r'["();\\]', bare)
