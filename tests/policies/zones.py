"""Zones for tests: records as a table, and answers as a resolver would give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from preflight.facts import Answer, absolute
from preflight.facts.records import Caa, Record, Srv, Tlsa, Txt
from preflight.net.hostnames import bare
from preflight.report.older_answers import record

# A name's records, each a type and its data; `TIMEOUT` in place of one: silence for what stands in no other.
Zone = Mapping[str, Sequence[tuple[str, str | tuple[str, ...]] | str]]


def _made(kind: str, data: str | tuple[str, ...]) -> Record:
    """Read a record; `data` is what a zone file has, of a TXT record its texts."""
    if kind == "TXT":
        return Txt((data,) if isinstance(data, str) else data)
    words = str(data).split(" ", 3)
    match kind:
        case "SRV":
            return Srv(int(words[0]), int(words[1]), int(words[2]), words[3])
        case "TLSA":
            return Tlsa(int(words[0]), int(words[1]), int(words[2]), words[3])
        case "CAA":
            flags, tag, value = str(data).split(" ", 2)
            return Caa(int(flags), tag, value[1:-1])
        case _:
            return record(kind, str(data))


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
        made = [_made(kind, one) for one in found]
        alias = absolute(here) if here != bare(name) else None
        return Answer(absolute(name), kind, "NOERROR", tuple(sorted(made)), alias)  # type: ignore[type-var]

    return ask
