"""Which addresses the rules and sets of nf_tables single out, and which interfaces."""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Callable, Iterable

from preflight.packets.nlmsg import MASK, attributes, by_type, name, text
from preflight.twin.nft import elements, kernel
from preflight.twin.nft.conditions import xt
from preflight.twin.nft.read import Chain, Expression, Rule, Ruleset, Set
from preflight.twin.nft.steps import number, units

# By the number of nft's own type, of which a key's type holds 6 bits each: how long its part of a key is, padded.
_IPV4, _IPV6 = 7, 8
_ADDRESSES = {_IPV4: 4, _IPV6: 16}
_LENGTHS = {**_ADDRESSES, 9: 8, 41: 16}  # Ethernet's addresses and interfaces' names; the others have 4
_WIDE = 1  # half of the Internet singles nobody out
_NETWORK_HEADER = 1
# Where IPv4's and IPv6's headers have their addresses.
_PLACES = ((12, 4), (16, 4), (8, 16), (24, 16))
_CT_ADDRESSES = {8: 0, 9: 0, 19: 4, 20: 4, 21: 16, 22: 16}  # by the key; 0: of the table's family
_EQUAL, _UNEQUAL, _BELOW, _UP_TO, _ABOVE, _FROM = range(6)  # NFT_CMP_…


_INTERFACES = (6, 7)  # NFT_META_IIFNAME, NFT_META_OIFNAME
_NAME = 16  # IFNAMSIZ: names are compared whole, with their zeros, or as far as the rule has them


class Mentioned:
    """Ranges of addresses, by their length in bits."""

    def __init__(self) -> None:
        self._ranges: dict[int, set[tuple[int, int]]] = {32: set(), 128: set()}
        self._merged: dict[int, tuple[list[int], list[int]]] | None = None

    def network(self, value: bytes, prefix: int) -> None:
        """Add a network."""
        bits = 8 * len(value)
        first = int.from_bytes(value, "big") >> bits - prefix << bits - prefix
        self._add(bits, first, first | (1 << bits - prefix) - 1)

    def span(self, first: bytes, last: bytes, *, whole: bool = True) -> None:
        """Add a range; `whole`: its last address belongs to it."""
        self._add(8 * len(first), int.from_bytes(first, "big"), int.from_bytes(last, "big") - (not whole))

    def _add(self, bits: int, first: int, last: int) -> None:
        if bits in self._ranges and first <= last and last - first < (1 << bits - _WIDE) - 1:
            self._ranges[bits].add((first, last))

    def hold(self, address: str) -> bool:
        """Say whether an address is among them."""
        if self._merged is None:
            self._merged = {bits: _merged(ranges) for bits, ranges in self._ranges.items()}
        parsed = ipaddress.ip_address(address)
        firsts, lasts = self._merged[parsed.max_prefixlen]
        at = bisect_right(firsts, int(parsed)) - 1
        return at >= 0 and int(parsed) <= lasts[at]


def _merged(ranges: set[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Return where ranges start and end, in order and apart from each other."""
    firsts: list[int] = []
    lasts: list[int] = []
    for first, last in sorted(ranges):
        if lasts and first <= lasts[-1]:
            lasts[-1] = max(lasts[-1], last)
        else:
            firsts.append(first)
            lasts.append(last)
    return firsts, lasts


def of(ruleset: Ruleset) -> Callable[[str], bool]:
    """Return a function that says whether a rule or a set singles an address out."""
    found = Mentioned()
    for rule in ruleset.rules:
        _rule(rule, found)
    for one in ruleset.sets:
        _set(one, found)
    return found.hold


def enters(chain: Chain, interfaces: Iterable[str]) -> bool:
    """Say whether packets come to a chain at one of these interfaces: to those of ingress and egress they do."""
    place = by_type(by_type(chain.body).get(4, b""))  # NFTA_CHAIN_HOOK
    listed = [(kind & MASK, text(value)) for kind, value in attributes(place.get(4, b""))]  # NFTA_HOOK_DEVS
    names = {text(place.get(3, b"")), *(one for kind, one in listed if kind == 1)}  # NFTA_HOOK_DEV
    beginnings = tuple(one for kind, one in listed if kind == 2)  # NFTA_DEVICE_PREFIX
    return any(one in names or one.startswith(beginnings) for one in interfaces)


def of_others(rule: Rule, interface: str) -> bool:
    """Say whether a rule holds for other interfaces alone, by a name that it compares with theirs."""
    whole = name(interface).ljust(_NAME, b"\0")
    loaded = b""
    for step in rule.expressions:
        fields = step.fields
        compared = step.kind == "cmp" and loaded and fields.get(1) == loaded and number(fields.get(2)) == _EQUAL
        if compared and not whole.startswith(by_type(fields.get(3, b"")).get(1, b"")):
            return True
        loaded = fields.get(1, b"") if step.kind == "meta" and number(fields.get(2)) in _INTERFACES else b""
    return False


# --- rules ------------------------------------------------------------------------------------------------------------


class _Load:
    """What a register holds of an address: which bytes of what was loaded, and how they were masked since."""

    def __init__(self, parts: tuple[tuple[int, int, int], ...]) -> None:
        self.parts = parts  # where in the register an address starts, how many of its bytes are there, its length
        self.mask: bytes = b""
        self.first: bytes = b""


def _rule(rule: Rule, found: Mentioned) -> None:
    """Add the addresses that a rule compares with those of a packet."""
    loads: dict[int, _Load] = {}  # by the first unit of their registers
    for step in rule.expressions:
        fields = step.fields
        match step.kind:
            case "payload" | "ct" if 1 in fields:
                loads[_unit(fields[1])] = _Load(_header(fields) if step.kind == "payload" else _tuple(rule, fields))
            case "bitwise" if (load := loads.get(_unit(fields.get(1)))) and _unit(fields.get(2)) == _unit(fields[1]):
                load.mask = by_type(fields.get(4, b"")).get(1, b"")
            case "cmp" if load := loads.get(_unit(fields.get(1))):
                _compared(load, number(fields.get(2)), by_type(fields.get(3, b"")).get(1, b""), found)
            case "range" if load := loads.get(_unit(fields.get(1))):
                first, last = (by_type(fields.get(kind, b"")).get(1, b"") for kind in (3, 4))
                _spanned(load, first, last, found)
            case "match":
                _extension(step, rule.family, found)
            case _:
                continue


def _unit(register: bytes | None) -> int:
    return min(units(register), default=-1)


def _header(fields: dict[int, bytes]) -> tuple[tuple[int, int, int], ...]:
    """Return what of addresses is loaded of a packet: nft loads neighbours at once, and of networks the first bytes."""
    base, offset, size = (number(fields.get(kind)) for kind in (2, 3, 4))
    if base != _NETWORK_HEADER:
        return ()
    return tuple(
        (at - offset, min(length, offset + size - at), length)
        for at, length in _PLACES
        if offset <= at < offset + size and (length == 16) == (size > 8 or offset in (8, 24))
    )


def _tuple(rule: Rule, fields: dict[int, bytes]) -> tuple[tuple[int, int, int], ...]:
    """Return what of addresses is loaded of a connection."""
    key = number(fields.get(2))
    if key not in _CT_ADDRESSES:
        return ()
    length = _CT_ADDRESSES[key] or (4 if rule.family == 2 else 16)
    return ((0, length, length),)


def _compared(load: _Load, operation: int, value: bytes, found: Mentioned) -> None:
    for at, size, length in load.parts:
        part = value[at : at + size]
        if len(part) < size:
            continue
        mask = load.mask[at : at + size] if len(load.mask) == len(value) else b"\xff" * size
        whole = part.ljust(length, b"\0")
        if operation in (_EQUAL, _UNEQUAL):
            found.network(whole, _prefix(mask))
        elif operation in (_FROM, _ABOVE):
            load.first = whole
        elif load.first:
            found.span(load.first, whole)


def _spanned(load: _Load, first: bytes, last: bytes, found: Mentioned) -> None:
    for at, size, length in load.parts:
        if size == length and len(first) == len(last) == at + size:
            found.span(first[at:], last[at:])


def _prefix(mask: bytes) -> int:
    """Return the length of a mask's leading ones: of another mask, of as much as it begins with."""
    inverted = ~int.from_bytes(mask, "big") & (1 << 8 * len(mask)) - 1
    return 8 * len(mask) - inverted.bit_length()


def _extension(step: Expression, family: int, found: Mentioned) -> None:
    """Add the addresses of a match of iptables."""
    part = xt(step)
    size = 16 if family == 10 else 4
    if part.name == "iprange" and part.revision == 1 and len(part.data) >= 65:
        for bit, at in ((1, 0), (2, 32)):
            if part.data[64] & bit:
                found.span(part.data[at : at + size], part.data[at + 16 : at + 16 + size])
    elif part.name == "conntrack" and len(part.data) >= 128:
        for at in range(0, 128, 32):
            mask = part.data[at + 16 : at + 16 + size]
            if any(mask):
                found.network(part.data[at : at + size], _prefix(mask))


# --- sets -------------------------------------------------------------------------------------------------------------


def _set(one: Set, found: Mentioned) -> None:
    """Add the addresses of a set's elements, at their places in concatenations."""
    places = _places(one)
    if not places:
        return
    if one.flags & kernel.INTERVAL and not one.flags & kernel.CONCATENATION and len(places) == 1:
        _intervals(one, found)
        return
    for chunk in one.elements:
        for key, last, _ in elements.keys(chunk):
            for at, length in places:
                first, end = key[at : at + length], (last or key)[at : at + length]
                if len(first) == len(end) == length:
                    found.span(first, end)


def _intervals(one: Set, found: Mentioned) -> None:
    """Add the intervals of a set: their ends are in order."""
    start = b""
    for chunk in one.elements:
        for key, _, flags in elements.keys(chunk):
            if start and key:
                found.span(start, key, whole=False)
            start = b"" if flags & kernel.END else key
    if start:
        found.span(start, b"\xff" * len(start))


def _places(one: Set) -> list[tuple[int, int]]:
    """Return where the addresses are in a set's keys: offset and length."""
    kinds, rest = [], one.key_type
    while rest:
        kinds.append(rest & 0x3F)
        rest >>= 6
    kinds.reverse()
    if sum(_LENGTHS.get(kind, 4) for kind in kinds) == one.key_length or len(kinds) == 1:
        at = 0
        found = []
        for kind in kinds:
            if kind in _ADDRESSES and at + _ADDRESSES[kind] <= one.key_length:
                found.append((at, _ADDRESSES[kind]))
            at += _LENGTHS.get(kind, 4)
        return found
    # Who made it says nothing of its type: what may be an address counts as one.
    words = range(0, one.key_length - 3, 4)
    return [(at, length) for length in (4, 16) for at in words if at + length <= one.key_length]
