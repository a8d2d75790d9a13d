"""Which addresses the rules and sets of nf_tables single out."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable, Iterable, Iterator

from preflight.twin.ipset_elements import WIDE, Networks
from preflight.twin.nft import kernel
from preflight.twin.nft.read import Expression, Ruleset, Set
from preflight.twin.wire import attributes, table

# The types of nft's own that a set's key is made of (6 bits each), and how many bytes each has, where it is an address.
_ADDRESSES = {7: 4, 8: 16}
_NETWORK_HEADER = 1
_EQUAL, _UNEQUAL, _UP_TO, _FROM = 0, 1, 3, 5  # NFT_CMP_…
_PLACES = {(12, 4), (16, 4), (8, 16), (24, 16)}  # of the addresses in IPv4's and IPv6's headers: offset, length


class Mentioned:
    """Networks and ranges."""

    def __init__(self) -> None:
        self._networks = Networks()
        self._ranges: set[tuple[int, int, int]] = set()  # bits, first, last

    def network(self, value: bytes, prefix: int) -> None:
        """Add a network."""
        self._networks.put(int.from_bytes(value, "big"), 8 * len(value), prefix)

    def span(self, first: bytes, last: bytes, *, whole: bool) -> None:
        """Add a range; `whole`: its last address belongs to it. One of half the Internet singles nobody out."""
        start, end, bits = int.from_bytes(first, "big"), int.from_bytes(last, "big") - (not whole), 8 * len(first)
        if start <= end and end - start < 1 << bits - WIDE - 1:
            self._ranges.add((bits, start, end))

    def hold(self, address: str) -> bool:
        """Say whether an address is among them."""
        parsed = ipaddress.ip_address(address)
        number, bits = int(parsed), parsed.max_prefixlen
        return self._networks.hold(address) or any(
            size == bits and first <= number <= last for size, first, last in self._ranges
        )


def of(ruleset: Ruleset) -> Callable[[str], bool]:
    """Return a function that says whether a rule or a set singles an address out."""
    found = Mentioned()
    seen: set[bytes] = set()
    for rule in ruleset.rules:
        if rule.raw not in seen:
            seen.add(rule.raw)
            _rule(rule.expressions, found)
    for one in ruleset.sets:
        _set(one, found)
    return found.hold


def _rule(steps: Iterable[Expression], found: Mentioned) -> None:
    """Add the addresses that a rule compares with those of a packet."""
    length, mask, first = 0, b"", b""
    for step in steps:
        data = table(step.data)
        match step.kind:
            case "payload" if 1 in data:
                length, mask, first = _loaded(data), b"", b""
            case "bitwise" if length:
                mask = table(data.get(4, b"")).get(1, b"")
            case "cmp" if length:
                value = table(data.get(3, b"")).get(1, b"")
                operation = int.from_bytes(data.get(2, b""), "big")
                if operation == _FROM:
                    first = value
                elif operation == _UP_TO and len(first) == len(value) == length:
                    found.span(first, value, whole=True)
                elif operation in (_EQUAL, _UNEQUAL):
                    found.network(value.ljust(length, b"\0"), _length(value, mask))
            case "range" if length:
                first, last = (table(data.get(kind, b"")).get(1, b"") for kind in (3, 4))
                if len(first) == len(last) == length:
                    found.span(first, last, whole=True)
                length = 0


def _length(value: bytes, mask: bytes) -> int:
    """Return how long the network is: nft loads but the first bytes of an address where it ends with one of them."""
    return _prefix(mask) if len(mask) == len(value) else 8 * len(value)


def _loaded(data: dict[int, bytes]) -> int:
    """Return how long the address is that a payload expression loads, or begins to; 0: it is none."""
    base, offset, size = (struct.unpack(">I", data.get(kind, bytes(4)))[0] for kind in (2, 3, 4))
    if base != _NETWORK_HEADER:
        return 0
    return next((length for at, length in _PLACES if at == offset and size <= length), 0)


def _prefix(mask: bytes) -> int:
    """Return the length of a mask's leading ones: of another mask, of as much as it begins with."""
    bits = f"{int.from_bytes(mask, 'big'):0{8 * len(mask)}b}"
    return len(bits) - len(bits.lstrip("1"))


def _set(one: Set, found: Mentioned) -> None:
    """Add the addresses of a set's elements, at their places in concatenations."""
    places = list(_places(one))
    if not places:
        return
    elements = [table(value) for chunk in one.elements for _, value in attributes(chunk)]
    keys = [(_key(element, 1), _key(element, 10), _flags(element)) for element in elements]
    if one.flags & kernel.INTERVAL and not one.flags & kernel.CONCATENATION:
        _intervals(sorted((key, not flags & kernel.END) for key, _, flags in keys if key), found)
        return
    for key, last, _ in keys:
        for at, length in places:
            first, end = key[at : at + length], (last or key)[at : at + length]
            if len(first) == len(end) == length:
                found.network(first, 8 * length) if first == end else found.span(first, end, whole=True)


def _intervals(ends: list[tuple[bytes, bool]], found: Mentioned) -> None:
    """Add the intervals of a set whose elements are their ends, sorted."""
    start: bytes | None = None
    for key, begins in ends:
        if start is not None:
            found.span(start, key, whole=False)
        start = key if begins else None
    if start is not None:
        found.span(start, b"\xff" * len(start), whole=True)


def _places(one: Set) -> Iterator[tuple[int, int]]:
    """Yield where the addresses are in a set's keys: offset and length."""
    if one.key_type in _ADDRESSES and one.key_length == _ADDRESSES[one.key_type]:
        yield 0, one.key_length
        return
    kinds, key_type = [], one.key_type
    while key_type:
        kinds.append(key_type & 0x3F)
        key_type >>= 6
    # The lengths of other types are not told: what is left over is theirs, where there is but one.
    rest = one.key_length - sum(_ADDRESSES.get(kind, 0) for kind in kinds)
    others = sum(kind not in _ADDRESSES for kind in kinds)
    at = 0
    for kind in reversed(kinds):
        if kind in _ADDRESSES:
            yield at, _ADDRESSES[kind]
        at += _ADDRESSES.get(kind, rest // others if others else 0)


def _key(element: dict[int, bytes], kind: int) -> bytes:
    return table(element.get(kind, b"")).get(1, b"")


def _flags(element: dict[int, bytes]) -> int:
    return int(struct.unpack(">I", element[3])[0]) if len(element.get(3, b"")) == 4 else 0
