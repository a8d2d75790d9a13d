"""Who asks from the Internet, and who is asked there: of every part of it that the host's routing treats otherwise."""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import partial
from ipaddress import ip_address
from itertools import islice

from msgspec import Struct

from preflight.packets import nlmsg as nl
from preflight.twin import candidates
from preflight.twin.links import FAMILIES
from preflight.twin.routes import UNICAST, Route, Routing, covers
from preflight.twin.surroundings import Surroundings
from preflight.twin.uplinks import HALF

PORTS = 12  # of mailcow, that each have addresses of their own
EACH, TARGETS = 3, 2  # addresses that try a port, and that are called; more where there are more parts
PARTS = 8  # of the Internet: with more, some would not be asked
# Bits of what is a part of the Internet, and not one network of many: a prefix as short is in nobody's routes but those
# who divide the Internet by hand (IANA has given nothing larger than an IPv4 /8 or an IPv6 /12 to anybody).
WIDE = {4: 7, 6: 12}
_DST, _SRC = 1, 2  # FRA_…


class Chosen(Struct, frozen=True):
    """Addresses of the world: of each part one among every `each` sources in a row, and among the targets.

    ordinary: rules single out none of them; whole: they are of all parts that routing tells apart.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    each: int
    ordinary: bool = True
    whole: bool = True


class _Parts(Struct):
    """What routing says of wide prefixes, by which addresses are told apart."""

    tables: dict[int, list[Route]]
    ruled: list[tuple[bytes, int]]

    def of(self, address: bytes) -> tuple[Hashable, ...]:
        """Return what each table's longest prefix among them, and each rule, does with an address."""
        return (
            *(_leading(table, address) for table in self.tables.values()),
            *(covers(network, bits, address) for network, bits in self.ruled),
        )


def choose(around: Surroundings, version: int, ordinary: Callable[[str], bool]) -> Chosen:
    """Choose them: addresses to which no narrow route leads, if there are such, and that no rule singles out."""
    parts = _parts(around.routing, version)
    groups: dict[tuple[bool, tuple[Hashable, ...]], list[str]] = {}
    for one in candidates.public(version):
        raw = ip_address(one).packed
        # IPv4 is halved in any case: that costs nothing.
        groups.setdefault((version == 4 and raw[0] >= 128, parts.of(raw)), []).append(one)
    free = {key: partial(_free, around, version, group) for key, group in groups.items()}
    if all(next(one(), None) is None for one in free.values()):  # a router that knows all networks
        free = {key: partial(_foreign, around, group) for key, group in groups.items()}
    there = {key: tuple(islice(filter(ordinary, one()), _most(len(free)))) for key, one in free.items()}
    found = [group for group in there.values() if group]
    asked = {part for (_, part), group in there.items() if group}
    lost = [key for key, one in free.items() if key[1] not in asked and next(one(), None)]
    every = [group for one in free.values() if (group := tuple(islice(one(), _most(len(free)))))]
    whole = not found or (not lost and len(found) <= PARTS)
    return _spread((found or every)[:PARTS], ordinary=bool(found), whole=whole)


def _most(parts: int) -> int:
    """Return how many addresses of a part are needed."""
    return -(-PORTS * max(EACH, parts) // parts) + TARGETS


def _spread(groups: Sequence[tuple[str, ...]], *, ordinary: bool, whole: bool) -> Chosen:
    """Take turns; those of a part that has few come again."""
    kept = -(-TARGETS // max(1, len(groups)))
    last = [group[-kept:] if len(group) > kept else group[-1:] for group in groups]
    rest = [group[:-kept] or group for group in groups]
    each = max(EACH, len(groups))
    length = min(PORTS * each, len(rest) * max(map(len, rest), default=0))
    turns = [divmod(place, len(rest)) for place in range(length)]
    return Chosen(
        sources=tuple(rest[part][turn % len(rest[part])] for turn, part in turns),
        targets=tuple(one for group in last for one in group),
        each=each,
        ordinary=ordinary,
        whole=whole,
    )


def _parts(routing: Routing, version: int) -> _Parts:
    family = FAMILIES[version]
    tables: dict[int, list[Route]] = {}
    for route in routing.routes:
        if route.family == family and route.prefix <= WIDE[version]:
            tables.setdefault(route.table, []).append(route)
    bodies = [body for of, body in routing.rules if of == family]
    return _Parts(tables, [one for body in bodies for one in _named(body) if one[1] <= WIDE[version]])


def _named(body: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the networks to or from which packets are that a rule is about."""
    found = nl.by_type(body[12:])
    for kind, bits in zip((_DST, _SRC), struct.unpack_from("=BB", body, 1), strict=True):
        if bits and kind in found:
            yield found[kind], bits


def _leading(table: Iterable[Route], address: bytes) -> Hashable:
    there = [route for route in table if route.covers(address)]
    longest = max((route.prefix for route in there), default=0)
    return frozenset((route.kind, route.hops, route.object) for route in there if route.prefix == longest)


def _foreign(around: Surroundings, addresses: Iterable[str]) -> Iterator[str]:
    hosts = {address.local for address in around.addresses}
    return (one for one in addresses if ip_address(one).packed not in hosts)


def _free(around: Surroundings, version: int, addresses: Iterable[str]) -> Iterator[str]:
    """Yield those to which no other route leads than a default one, or one that denies a part of the Internet."""
    narrow = [
        one for one in around.routing.routes
        if one.family == FAMILIES[version] and one.prefix > (HALF if _leads(one) else WIDE[version])
    ]  # fmt: skip
    for one in _foreign(around, addresses):
        raw = ip_address(one).packed
        if not any(route.covers(raw) for route in narrow):
            yield one


def _leads(route: Route) -> bool:
    """Say whether a route leads anywhere: others are blackholes and the like, be it by an object of next hops."""
    return route.kind == UNICAST and bool(route.hops)
