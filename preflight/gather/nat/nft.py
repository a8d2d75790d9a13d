"""Read the nat chains of nf_tables that packets enter first, by netlink. Asks only where nf_tables is there."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from preflight.gather.nat.fields import number, text
from preflight.gather.nat.matching import Base, Rule
from preflight.gather.network import netlink
from preflight.packets.nlmsg import attributes, by_type

NETFILTER = 12  # NETLINK_NETFILTER
_TABLES = 10 << 8  # NFNL_SUBSYS_NFTABLES
GET_TABLE, GET_CHAIN, GET_RULE, GET_SET, GET_ELEMENTS = (_TABLES | number for number in (1, 4, 7, 10, 13))
FAMILIES = {1: "inet", 2: "ip", 10: "ip6"}
_DORMANT = 1
_INTERVAL = 4  # of a set's flags
_VERDICTS = 0xFFFFFF00  # the type of a map's data where these are verdicts


class Element:
    """An element of a set: its first and last key (the same of most), and the data of a map."""

    __slots__ = ("any", "data", "first", "last")

    def __init__(self, first: bytes, last: bytes, data: bytes, *, catch_all: bool = False) -> None:
        self.first, self.last, self.data, self.any = first, last, data, catch_all


class Table:
    """A table's chains and sets, each read when it is first asked for."""

    def __init__(self, family: int, name: str) -> None:
        self.family, self.name = family, name
        self.raw: dict[str, list[bytes]] = {}
        self._rules: dict[str, list[Rule]] = {}
        self._sets: dict[str, dict[int, bytes]] | None = None
        self._elements: dict[str, tuple[Element, ...]] = {}

    def request(self, *more: tuple[int, str]) -> bytes:
        """Write what asks for something of this table. The table's name is the first attribute in all of them."""
        named = b"".join(_named(kind, value) for kind, value in ((1, self.name), *more))
        return struct.pack("=BBH", self.family, 0, 0) + named

    def load(self) -> None:
        """Fetch the rules; raise `OSError`."""
        for payload in netlink.dump(NETFILTER, GET_RULE, self.request()):
            found = by_type(payload[4:])
            # Older kernels tell the rules of every table.
            if payload[0] == self.family and text(found.get(1)) == self.name:
                self.raw.setdefault(text(found.get(2)), []).append(payload[4:])

    def rules(self, chain: str) -> Iterable[Rule]:
        """Return the rules of a chain."""
        from preflight.gather.nat.expressions import read

        if chain not in self._rules:
            self._rules[chain] = [rule for raw in self.raw.get(chain, ()) for rule in read(raw, self)]
        return self._rules[chain]

    def verdicts(self, name: str) -> bool:
        """Say whether a map's data are verdicts."""
        return number(self._set(name).get(6)) == _VERDICTS

    def _set(self, name: str) -> dict[int, bytes]:
        if self._sets is None:
            rows = [by_type(payload[4:]) for payload in netlink.dump(NETFILTER, GET_SET, self.request())]
            self._sets = {text(row.get(2)): row for row in rows if text(row.get(1)) == self.name}
        return self._sets.get(name, {})

    def elements(self, name: str) -> tuple[Element, ...]:
        """Return the elements of a set; raise `OSError`."""
        if name not in self._elements:
            raw = [
                by_type(entry)
                for payload in netlink.dump(NETFILTER, GET_ELEMENTS, self.request((2, name)))
                for _, entry in attributes(by_type(payload[4:]).get(3, b""))
            ]
            interval = bool(number(self._set(name).get(3)) & _INTERVAL)
            self._elements[name] = tuple(_read_elements(raw, interval=interval))
        return self._elements[name]


def _named(kind: int, value: str) -> bytes:
    raw = value.encode("utf-8", "replace") + b"\0"
    return struct.pack("=HH", 4 + len(raw), kind) + raw + bytes(-len(raw) % 4)


def _read_elements(raw: list[dict[int, bytes]], *, interval: bool) -> Iterator[Element]:
    """Put elements together: those of most intervals come as a start, and an end that is not part of it."""
    starts, ends = [], []
    for entry in raw:
        key, last = (by_type(entry.get(kind, b"")).get(1, b"") for kind in (1, 10))
        data, flags = entry.get(2, b""), number(entry.get(3))
        if flags & 2:
            yield Element(b"", b"", data, catch_all=True)
        elif flags & 1:
            ends.append(key)
        elif interval and not last:
            starts.append((key, data))
        else:
            yield Element(key, last or key, data)
    ends.sort()
    at = 0
    for key, data in sorted(starts):
        while at < len(ends) and ends[at] <= key:
            at += 1
        last = _before(ends[at]) if at < len(ends) else b"\xff" * len(key)
        yield Element(key, last, data)


def _before(key: bytes) -> bytes:
    return (int.from_bytes(key, "big") - 1).to_bytes(len(key), "big")


def bases() -> list[Base]:
    """Fetch the chains of type nat that packets enter when they come in, in the order of their creation.

    Raises `OSError`. Nothing more than tables and chains is asked for where there are none of them.
    """
    dormant = set()
    for payload in netlink.dump(NETFILTER, GET_TABLE, bytes(4)):
        found = by_type(payload[4:])
        if number(found.get(2)) & _DORMANT:
            dormant.add((payload[0], text(found.get(1))))
    tables: dict[tuple[int, str], Table] = {}
    made = []
    for payload in netlink.dump(NETFILTER, GET_CHAIN, bytes(4)):
        found = by_type(payload[4:])
        hook = by_type(found.get(4, b""))
        key = (payload[0], text(found.get(1)))
        if 1 not in hook or number(hook[1]) != 0 or text(found.get(7)) != "nat" or key in dormant:
            continue
        if key[0] not in FAMILIES:
            continue
        if key not in tables:
            tables[key] = Table(*key)
            tables[key].load()
        priority = struct.unpack(">i", hook[2])[0] if len(hook.get(2, b"")) == 4 else 0
        made.append(Base("nf_tables", FAMILIES[key[0]], key[1], text(found.get(3)), priority, tables[key].rules))
    return made
