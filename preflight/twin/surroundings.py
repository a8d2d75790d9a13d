"""What the host's rules are surrounded by: interfaces, addresses, routing, neighbours, sysctls. Read once."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from msgspec import Struct
from msgspec.structs import replace

from preflight.facts.twin import Unseen
from preflight.packets import nlmsg as nl
from preflight.twin import links, programs, routes, sysctls
from preflight.twin.links import FAMILIES, Address, Link, Neighbour
from preflight.twin.routes import Routing, Way
from preflight.twin.sysctls import Sysctls
from preflight.twin.wire import Refused, Wire

# Addresses that everybody goes to by the way to the Internet. Nothing is sent there: the kernel is asked for the way.
PROBES = {4: ("1.1.1.1", "9.9.9.9", "8.8.8.8"), 6: ("2606:4700:4700::1111", "2620:fe::fe", "2001:4860:4860::8888")}
SOURCES = 8  # of the host's addresses that are tried
_GETQDISC, _GETFILTER = 38, 46  # RTM_GETQDISC, RTM_GETTFILTER
_INGRESS, _EGRESS = 0xFFFFFFF2, 0xFFFFFFF3  # TC_H_CLSACT with TC_H_MIN_INGRESS, …_EGRESS


class Surroundings(Struct, frozen=True, kw_only=True):
    """The network of a host. `ways`: to the Internet, by version, where there is one."""

    links: tuple[Link, ...]
    addresses: tuple[Address, ...] = ()
    routing: Routing = Routing()
    neighbours: tuple[Neighbour, ...] = ()
    ways: dict[int, Way]
    sysctls: Sysctls
    unseen: tuple[Unseen, ...] = ()

    def link(self, index: int) -> Link | None:
        """Return the interface with an index."""
        return next((link for link in self.links if link.index == index), None)

    def named(self, name: str) -> Link | None:
        """Return the interface with a name."""
        return next((link for link in self.links if link.name == name), None)

    def below(self, *names: str) -> frozenset[str]:
        """Return what interfaces are made of: a bridge's ports, a bond's members, what a VLAN is on; by their names."""
        waiting = [link for link in self.links if link.title in names]
        found: set[Link] = set()
        while waiting:
            upper = waiting.pop()
            lower = {link for link in self.links if link.master == upper.index or link.index == upper.parent} - found
            found |= lower
            waiting += lower
        return frozenset(link.title for link in found)


def read(wire: Wire) -> Surroundings:
    """Read the namespace that the process is in, to which the wire (of rtnetlink) belongs; raise `OSError`."""
    found, own, routing = links.read(wire), links.addresses(wire), routes.read(wire)
    asked = {version: _way(wire, version, own) or _listed(routing, version, own) for version in FAMILIES}
    return Surroundings(
        links=found,
        addresses=own,
        routing=routing,
        neighbours=links.neighbours(wire),
        ways={version: way for version, way in asked.items() if way},
        sysctls=sysctls.read(),
        unseen=tuple(_unseen(wire, found)),
    )


def _way(wire: Wire, version: int, own: Iterable[Address]) -> Way | None:
    """Return the way to the Internet; where only rules about where packets come from lead there, that of an address."""
    lasting = [one.local for one in own if one.family == FAMILIES[version] and one.scope == 0]
    for source in (b"", *lasting[:SOURCES]):
        for probe in PROBES[version]:
            try:
                found = routes.way(wire, ip_address(probe).packed, source)
            except Refused:  # a kernel without IPv6
                return None
            if found and found.index != links.LOOPBACK:
                return replace(found, source=found.source or source)
    return None


def _listed(routing: Routing, version: int, own: Iterable[Address]) -> Way | None:
    """Return the way of a default route that the host's own packets may not take: rules deny them, and not others'."""
    family = FAMILIES[version]
    there = [one for one in routing.routes if (one.family, one.kind, one.prefix) == (family, routes.UNICAST, 0)]
    for route in sorted(there, key=lambda one: one.table != routes.MAIN):
        for index, of, gateway in route.hops:
            sources = [one.local for one in own if (one.family, one.index, one.scope) == (family, index, 0)]
            if sources and index != links.LOOPBACK:
                return Way(index, of, gateway, sources[0], denied=True)
    return None


def _unseen(wire: Wire, found: tuple[Link, ...]) -> Iterator[Unseen]:
    for link in found:
        if link.xdp:
            yield Unseen("xdp", link.title)
    filtering = {index for index in _classified(wire) if any(_filters(wire, index, one) for one in (_INGRESS, _EGRESS))}
    filtering |= programs.attached(link.index for link in found)
    yield from (Unseen("tc", link.title) for link in found if link.index in filtering)
    if _balanced():
        yield Unseen("ipvs")


def _classified(wire: Wire) -> list[int]:
    """Return the interfaces with a qdisc that packets pass on their way in."""
    try:
        messages = wire.dump(_GETQDISC, bytes(20))
    except Refused:  # a kernel without
        return []
    bodies = [message.body for message in messages if len(message.body) >= 20]
    kinds = ((struct.unpack_from("=i", body, 4)[0], nl.text(nl.by_type(body[20:]).get(1, b""))) for body in bodies)
    return sorted({index for index, kind in kinds if kind in ("clsact", "ingress")})


def _filters(wire: Wire, index: int, parent: int) -> bool:
    try:
        return bool(wire.dump(_GETFILTER, struct.pack("=B3xiIII", 0, index, 0, parent, 0)))
    except Refused:  # no such parent: an ingress qdisc has no egress
        return False


def _balanced() -> bool:
    """Say whether IPVS has services here: lines below the three of its heading."""
    try:
        with open("/proc/self/net/ip_vs", "rb") as file:
            return len(file.read(4096).splitlines()) > 3
    except OSError:
        return False
