"""What comes of the resolver's questions: all well, and with one thing wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from preflight.facts import Asking, Ping, Query, RecursionRun
from preflight.mailcow.recursion import documented

Change = Callable[[Query], Query]
TABLE = documented()
SERVERS = tuple(next(address for address in one.addresses if ":" not in address) for one in TABLE.servers)


def good(number: int, address: str) -> tuple[Query, ...]:
    """Return a name server's answers."""

    def row(protocol: Any, question: Any, size: int, **more: Any) -> Query:
        given = {"outcome": "answered", "authoritative": True, "seconds": 0.02, "size": size, **more}
        return Query(address=address, protocol=protocol, question=question, **given)

    keys = row("udp", "keys", 1139, signed=True, records=4)
    return (
        row("udp", "zone", 400, signed=True, records=2), *([] if TABLE.servers[number].zone else [keys]),
        row("tcp", "keys", 1139, signed=True, records=4), row("udp", "who", 60, text=f"site{number}"),
    )  # fmt: skip


def asking(change: Change = lambda row: row, **pings: Any) -> Asking:
    """Return what a side asked, each answer changed; `pings`: how a ping ends that is not answered, as `a1_1_1_1`."""
    rows = [row for number, address in enumerate(SERVERS) for row in good(number, address)]
    rows += [Query(address=one, protocol="udp", question="canary", outcome="silent") for one in TABLE.canaries]
    targets = TABLE.pings.addresses
    return Asking(
        queries=tuple(map(change, rows)),
        pings=tuple(
            Ping(target=one, outcome=pings.get(f"a{one.replace('.', '_')}", "answered"), sent=1) for one in targets
        ),
    )


def recursed(bridge: Asking | None = None, host: Asking | None = None) -> RecursionRun:
    """Return a run of the probe."""
    return RecursionRun(bridge=bridge or asking(), host=host or asking())


def ended(outcome: Any, *protocols: str, questions: tuple[str, ...] = ()) -> Change:
    """Return what ends questions in another way: over these protocols, or those questions."""

    def change(row: Query) -> Query:
        if row.protocol in protocols and (not questions or row.question in questions):
            return Query(address=row.address, protocol=row.protocol, question=row.question, outcome=outcome)
        return row

    return change


closed = ended("silent", "udp", "tcp")


def stripped(row: Query) -> Query:
    return replace(row, signed=False)


def proxy(row: Query) -> Query:
    """Answer for everybody, with what the name servers themselves say."""
    return replace(row, outcome="answered", authoritative=False, recursive=True)


def resolver(row: Query) -> Query:
    """Answer as a resolver does that answers for everybody."""
    return replace(row, outcome="answered", authoritative=False, recursive=True, signed=False)
