"""The records that the DNS lacks, as lines of a zone file: to be pasted, grouped by the zone they belong into."""

from __future__ import annotations

import re
from collections.abc import Iterable

from preflight.render import words
from preflight.render.context import Context
from preflight.render.escape import terminal
from preflight.report.model import Report, Result

_NAME = r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})\.)+"
# A record as the checks write it, and nothing that a name server would take for an order ($INCLUDE) or a second line.
_RECORD = re.compile(rf"(?P<name>{_NAME}) [0-9]{{1,10}} IN (?P<type>[A-Z][A-Z0-9]{{0,9}}) (?P<data>[ -~]+)")
_REVERSE = (".in-addr.arpa.", ".ip6.arpa.")


def zone(report: Report, context: Context) -> str:
    """Return the missing lines under a comment for each zone; what could not be found out is a comment too.

    Where names were replaced by placeholders, no line is a record: all are comments.
    """
    results = [result for result in report.results if result.check.startswith("dns.")]
    lines = dict.fromkeys(line for result in results for line in _lines(result) if not _is_last(result))
    last = dict.fromkeys(line for result in results for line in _lines(result) if _is_last(result))
    own = _domains(results)
    made = [f"; {words.REDACTED}"] if context.redacted else []
    groups: dict[str, list[str]] = {}
    strange = []
    for line in lines:
        match = _RECORD.fullmatch(line)
        if context.redacted:
            made.append(f"; {terminal(line)}")
        elif match is None or not _balanced(match["data"]):
            strange.append(line)
        else:
            groups.setdefault(_zone(match["name"], own), []).append(line)
    made += [line for name, records in groups.items() for line in (f"; {name}", *records, "")]
    made += [f"; {words.ZONE_STRANGE.format(line=terminal(line))}" for line in strange]
    if last:
        made += [f"; {words.ZONE_LATER}", *(f"; {terminal(line)}" for line in last)]
    if not lines and not last:
        made.append(f"; {words.ZONE_NOTHING if _looked(results) else words.ZONE_UNKNOWN}")
    made += [f"; {_open(result)}" for result in results if result.status.open]
    return "\n".join(made).strip("\n") + "\n"


def _lines(result: Result) -> list[str]:
    """Return the records that are still missing, a line each."""
    return [entry.line for entry in result.remedy.records] if result.remedy else []


def _is_last(result: Result) -> bool:
    """Say whether a result's records are entered last: pasted today, they would take away what works."""
    return result.remedy is not None and result.remedy.when == "last"


def _looked(results: Iterable[Result]) -> bool:
    return any(not (result.was or result.status).undecided for result in results)


def _open(result: Result) -> str:
    name = f"{result.check} ({result.subject})" if result.subject is not None else result.check
    return words.BECAUSE_OF.format(checks=terminal(name, 200), reason=terminal(result.reason or result.message))


def _domains(results: Iterable[Result]) -> list[str]:
    """Return the mail domains, the longest first: they are zones, or in one; no report knows where zones are cut."""
    found = {f"{result.subject}." for result in results if result.check == "dns.mx" and result.subject}
    return sorted(found, key=lambda name: (-len(name), name))


def _zone(name: str, domains: Iterable[str]) -> str:
    if name.lower().endswith(_REVERSE):
        return words.ZONE_REVERSE
    own = next((domain for domain in domains if f".{name}".lower().endswith(f".{domain}".lower())), None)
    host = re.sub(r"^(?:_[^.]*\.|\*\.)+", "", name)
    return own or (host if host.count(".") < 3 else host.partition(".")[2])


def _balanced(data: str) -> bool:
    """Say whether a record ends with its line: no parenthesis or quotation that goes on, no comment inside."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", data)
    return not re.search(r'["();\\]', bare)
