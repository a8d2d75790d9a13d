"""Routes of all tables, and objects of next hops: read them, and make them again almost as they came."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from preflight.packets import nlmsg as nl
from preflight.twin import rules
from preflight.twin.links import BYTES, FAMILIES, tolerant
from preflight.twin.wire import Refused, Wire

NEWROUTE, GETROUTE, NEWNEXTHOP, GETNEXTHOP = 24, 26, 104, 106  # RTM_…
UNICAST, LOCAL = 1, 2  # RTN_…
_OWN = {2, 3, 4, 5}  # RTN_LOCAL, BROADCAST, ANYCAST, MULTICAST: what comes with an address, where the kernel made it
_KERNEL = 2  # RTPROT_KERNEL
_STATIC = 4  # RTPROT_STATIC
ONLINK = 0x4  # RTNH_F_ONLINK
_CLONED = 0x200  # RTM_F_CLONED
LINK, UNIVERSE = 253, 0  # RT_SCOPE_…
MAIN, LOCALS = 254, 255  # tables
_DST, _SRC, _OIF, _GATEWAY, _PREFSRC, _MULTIPATH, _CACHEINFO, _TABLE, _VIA, _EXPIRES, _NH_ID = (
    1, 2, 4, 5, 7, 9, 12, 15, 18, 23, 30,
)  # fmt: skip
_HOPS = {_OIF, _GATEWAY, _MULTIPATH, _VIA, 21, 22}  # 21, 22: RTA_ENCAP_TYPE, RTA_ENCAP
_GROUP = 2  # NHA_GROUP
_TAKEN = {1, 2, 3, 4, 5, 6, 7, 8, 11, 12}  # NHA_…, of a request

Hop = tuple[int, int, bytes]  # index of the interface, family of the gateway, gateway (0, b'' = none)


class Route(Struct, frozen=True):
    """A route, as the kernel takes it again. `object`: the number of that with its next hops, 0 = none has them."""

    family: int
    kind: int  # RTN_…
    table: int
    destination: bytes  # as many bytes as the family has
    prefix: int
    hops: tuple[Hop, ...]
    scope: int
    body: bytes
    object: int = 0

    def covers(self, address: bytes) -> bool:
        """Say whether an address of its family is behind it."""
        return covers(self.destination, self.prefix, address)


class Way(Struct, frozen=True):
    """How the kernel goes to the Internet: over which interface, by which gateway (b'' = none), from which address.

    denied: not with packets of its own, by its rules; others' may go there.
    """

    index: int
    family: int  # of the gateway
    gateway: bytes
    source: bytes
    denied: bool = False


class Routing(Struct, frozen=True):
    """Everything that a host's routing is made of. `rules`, `objects`: bodies of messages, in their order."""

    routes: tuple[Route, ...] = ()
    objects: tuple[bytes, ...] = ()
    rules: tuple[tuple[int, bytes], ...] = ()  # with their family


def covers(network: bytes, bits: int, address: bytes) -> bool:
    """Say whether an address is in a network of its family."""
    shift = 8 * len(address) - bits
    return int.from_bytes(address, "big") >> shift == int.from_bytes(network, "big") >> shift


def read(wire: Wire) -> Routing:
    """Return the routing of both families; raise `OSError`."""
    found: list[Route] = []
    ruled: list[tuple[int, bytes]] = []
    for family in FAMILIES.values():
        try:
            found += [route for one in wire.dump(GETROUTE, bytes([family]) + bytes(11)) if (route := parse(one.body))]
        except Refused:
            if family == socket.AF_INET:  # a kernel without IPv6 has no IPv6 routes
                raise
        try:
            ruled += rules.read(wire, family)
        except Refused as refused:  # a kernel without IPv6, or with one table alone
            if refused.errno not in (errno.EAFNOSUPPORT, errno.EOPNOTSUPP):
                raise
    objects = _objects(wire)
    known = dict(hops for body in objects if (hops := _object_hops(body)))
    return Routing(tuple(_resolved(route, known) for route in found), objects, tuple(ruled))


def parse(body: bytes) -> Route | None:
    """Read an rtmsg; None: it is none, or one that the kernel makes itself for an address."""
    if len(body) < 12:
        return None
    family, prefix, _, _, number, protocol, scope, kind, flags = struct.unpack_from("=BBBBBBBBI", body)
    values = nl.attributes(body[12:])
    found = {key & nl.MASK: value for key, value in values}
    size = BYTES.get(family, 0)
    destination = found.get(_DST, bytes(size))
    if not size or len(destination) != size or prefix > 8 * size or flags & _CLONED:
        return None
    table = nl.number(found.get(_TABLE)) or number
    if not table or (kind in _OWN and protocol == _KERNEL):
        return None
    head = struct.pack("=BBBBBBBBI", *body[:4], number, protocol, scope, kind, flags & ONLINK)
    dropped = {_CACHEINFO, _EXPIRES} | (_HOPS if _NH_ID in found else set())
    parts = [_again(key, value) for key, value in values if key & nl.MASK not in dropped]
    object_ = nl.number(found.get(_NH_ID)) or 0
    hops = () if object_ else tuple(_hops(found))
    return Route(family, kind, table, destination, prefix, hops, scope, head + b"".join(parts), object_)


def _again(key: int, value: bytes) -> bytes:
    if key & nl.MASK != _MULTIPATH:
        return nl.attribute(key, value)
    parts = [
        struct.pack("=HBBi", length, flags & ONLINK, weight, index) + rest + bytes(-len(rest) % 4)
        for length, flags, weight, index, rest in _legs(value)
    ]
    return nl.attribute(key, b"".join(parts))


def _legs(value: bytes) -> Iterator[tuple[int, int, int, int, bytes]]:
    at = 0
    while at + 8 <= len(value):
        length, flags, weight, index = struct.unpack_from("=HBBi", value, at)
        if length < 8 or at + length > len(value):
            return
        yield length, flags, weight, index, value[at + 8 : at + length]
        at += length + 3 & ~3


def _hops(found: dict[int, bytes]) -> Iterator[Hop]:
    if _OIF in found:
        yield (nl.number(found[_OIF]) or 0, *_gateway(found))
    for _, _, _, index, rest in _legs(found.get(_MULTIPATH, b"")):
        yield (index, *_gateway(nl.by_type(rest)))


def _gateway(found: dict[int, bytes]) -> tuple[int, bytes]:
    plain, other = found.get(_GATEWAY, b""), found.get(_VIA, b"")  # RTA_VIA: its family, and an address of that
    if plain:
        return {4: int(socket.AF_INET), 16: int(socket.AF_INET6)}.get(len(plain), 0), plain
    return (struct.unpack_from("=H", other)[0], other[2:]) if len(other) > 2 else (0, b"")


def _objects(wire: Wire) -> tuple[bytes, ...]:
    """Return the objects of next hops, groups last; none from kernels that do not know them."""
    try:
        found = [_object(one.body) for one in wire.dump(GETNEXTHOP, bytes(8)) if len(one.body) >= 8]
    except Refused as refused:
        if refused.errno in (errno.EOPNOTSUPP, errno.EINVAL):
            return ()
        raise
    return tuple(sorted(found, key=lambda body: _GROUP in nl.by_type(body[8:])))


def _object(body: bytes) -> bytes:
    """Return a nhmsg as the kernel takes it again: without its scope, flags of the moment, and what is for answers."""
    head = body[:1] + b"\0" + body[2:4] + nl.u32(struct.unpack_from("=I", body, 4)[0] & ONLINK)
    return head + b"".join(nl.attribute(*one) for one in nl.attributes(body[8:]) if one[0] & nl.MASK in _TAKEN)


def _object_hops(body: bytes) -> tuple[int, tuple[Hop, ...] | tuple[int, ...]] | None:
    """Read a nhmsg: its number, and its hop, or the numbers of those that it is a group of."""
    found = nl.by_type(body[8:])
    if 1 not in found:  # NHA_ID
        return None
    if _GROUP in found:
        return nl.number(found[1]) or 0, tuple(member for (member,) in struct.iter_unpack("=I4x", found[_GROUP]))
    index, gateway = nl.number(found.get(5)) or 0, found.get(6, b"")  # NHA_OIF, NHA_GATEWAY
    return nl.number(found[1]) or 0, (((index, body[0] if gateway else 0, gateway),) if index else ())


def _resolved(route: Route, known: dict[int, tuple[Hop, ...] | tuple[int, ...]]) -> Route:
    """Return a route with the hops of its object."""
    hops: list[Hop] = []
    for one in known.get(route.object, ()) if route.object else ():
        hops += [one] if isinstance(one, tuple) else [hop for hop in known.get(one, ()) if isinstance(hop, tuple)]
    return replace(route, hops=tuple(hops)) if route.object else route


def way(wire: Wire, target: bytes, source: bytes = b"") -> Way | None:
    """Ask for the way to an address, from an own one; None: there is none; raise `OSError`: no such family."""
    try:
        answer = wire.ask(GETROUTE, _question(target, source)).body
    except Refused as refused:
        # Only blackholes and the like have other errors than "unreachable".
        if refused.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL, errno.EAGAIN):
            return None
        raise
    found = nl.by_type(answer[12:])
    if len(answer) < 12 or answer[7] != UNICAST or _OIF not in found:
        return None
    return Way(nl.number(found[_OIF]) or 0, *_gateway(found), found.get(_PREFSRC, b""))


def local(wire: Wire, address: bytes, index: int) -> bool:
    """Say whether what comes by an interface for an address is the namespace's own."""
    body = _question(address)
    if address[:2] == b"\xfe\x80":
        body += nl.attribute(_OIF, nl.u32(index))
    try:
        return wire.ask(GETROUTE, body).body[7] == LOCAL
    except Refused:
        return False


def _question(target: bytes, source: bytes = b"") -> bytes:
    family = {4: socket.AF_INET, 16: socket.AF_INET6}[len(target)]
    head = struct.pack("=BBBBBBBBI", family, 8 * len(target), 8 * len(source), 0, 0, 0, 0, 0, 0)
    return head + nl.attribute(_DST, target) + (nl.attribute(_SRC, source) if source else b"")


def make(wire: Wire, routing: Routing) -> list[Route]:
    """Make all routes; return those that the kernel refuses.

    What leads to a gateway comes before what goes through it; what is refused nonetheless is tried again after all
    others, and then as what it is on the host: a gateway that is believed to be there.
    """
    left = sorted(routing.routes, key=lambda route: -route.scope)
    near = [route for route in left if not any(hop[2] for hop in route.hops)]
    far = [route for route in left if any(hop[2] for hop in route.hops)]
    # Objects of next hops may be of the first sort, and of the second.
    plain = attrgetter("body")
    refused = _tried(wire, near, plain)
    _make_objects(wire, routing.objects)
    for again in (plain, plain, _onlink):
        refused, far = _tried(wire, [*far, *refused], again), []
    return refused


def _make_objects(wire: Wire, objects: Iterable[bytes]) -> None:
    """Make objects of next hops; the routes that use one that the kernel refuses are refused then."""
    for body in objects:
        for head in (body[:8], body[:4] + nl.u32(ONLINK)):
            try:
                tolerant(wire, NEWNEXTHOP, head + body[8:], nl.CREATE | nl.EXCL)
                break
            except Refused:
                continue


def _tried(wire: Wire, wanted: Iterable[Route], body: Callable[[Route], bytes]) -> list[Route]:
    refused = []
    for route in wanted:
        try:
            tolerant(wire, NEWROUTE, body(route), nl.CREATE | nl.APPEND)
        except Refused:
            refused.append(route)
    return refused


def _onlink(route: Route) -> bytes:
    return route.body[:8] + nl.u32(ONLINK) + route.body[12:]


def add(
    wire: Wire, destination: bytes, prefix: int, index: int, *, kind: int = UNICAST, table: int = MAIN,
    gateway: bytes = b"", other: int = 0, last: bool = False,
) -> None:  # fmt: skip
    """Make a route; raise `Refused`. `other`: the family of the gateway, where it is another one.

    `last`: after those to the same destination that are there, as the kernel does for the network of a new address.
    """
    family = {4: socket.AF_INET, 16: socket.AF_INET6}[len(destination)]
    scope = UNIVERSE if gateway or family == socket.AF_INET6 else 254 if kind == LOCAL else LINK
    head = struct.pack("=BBBBBBBBI", family, prefix, 0, 0, 0, _STATIC, scope, kind, ONLINK if gateway else 0)
    body = (
        head + nl.attribute(_DST, destination) + nl.attribute(_OIF, nl.u32(index)) + nl.attribute(_TABLE, nl.u32(table))
    )
    if gateway and other not in (0, family):
        body += nl.attribute(_VIA, struct.pack("=H", other) + gateway)
    elif gateway:
        body += nl.attribute(_GATEWAY, gateway)
    tolerant(wire, NEWROUTE, body, nl.CREATE | (nl.APPEND if last else nl.EXCL))
