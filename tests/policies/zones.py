"""Zones for tests: records as a table, and answers as a resolver would give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from preflight.facts import Answer, absolute
from preflight.facts.records import Txt
from preflight.net.hostnames import bare
from preflight.report.older_answers import record

# A name's records, each a type and its data; `TIMEOUT` in place of one: silence for what stands in no other.
Zone = Mapping[str, Sequence[tuple[str, str | tuple[str, ...]] | str]]


def lookup(zone: Zone) -> Callable[[str, str], Answer]:
    """Return what answers from a zone, aliases followed."""
    names = {bare(name): rows for name, rows in zone.items()}

    def ask(name: str, kind: str) -> Answer:
        here = bare(name)
        for _ in range(10):
            rows = names.get(here)
            if rows is None:
                return Answer(absolute(name), kind, "NXDOMAIN")
            alias = next((row[1] for row in rows if row[0] == "CNAME"), None)
            if alias is None or kind == "CNAME":
                break
            here = bare(str(alias))
        found = [row[1] for row in rows or () if not isinstance(row, str) and row[0] == kind]
        if "TIMEOUT" in found or (not found and "TIMEOUT" in (rows or ())):
            return Answer(absolute(name), kind, "timeout")
        made = [
            Txt((one,) if isinstance(one, str) else one) if kind == "TXT" else record(kind, str(one)) for one in found
        ]
        return Answer(absolute(name), kind, "NOERROR", tuple(sorted(made)))  # type: ignore[type-var]

    return ask
