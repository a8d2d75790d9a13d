"""The interfaces of the host that lead to the Internet, and what is at their other ends."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface

from msgspec import Struct, field

from preflight.twin import links
from preflight.twin.links import Address, Link
from preflight.twin.request import Request
from preflight.twin.routes import UNICAST
from preflight.twin.surroundings import Surroundings

HALF = 1  # bits: VPNs replace the default route by two halves of it
MOST = 8  # that are joined with the world
GATEWAYS = 64  # of one
FAR = bytes.fromhex("0200005e0001")  # hardware address of a gateway that has none, or none that is known


class Uplink(Struct):
    """An interface whose other end is in the world: with its gateways there, and the host's addresses on this side."""

    link: Link
    far: bytes = FAR  # hardware address of the other end
    gateways: set[bytes] = field(default_factory=set)
    hosts: set[bytes] = field(default_factory=set)  # to which the world sends over it
    networks: set[tuple[bytes, int]] = field(default_factory=set)


def interface(address: Address) -> IPv4Interface | IPv6Interface:
    """Return an address with its network."""
    return ip_interface(f"{ip_address(address.local)}/{address.prefix}")


def find(request: Request, around: Surroundings, hosts: dict[int, bytes]) -> list[Uplink]:
    """Return those of the ways to the Internet, and others with a default route or with objects of next hops.

    `hosts`: the address to which packets are sent, by version.
    """
    found = _leading(request, around, hosts)
    for version, host in hosts.items():
        way = around.ways[version]
        if way.index in found:
            found[way.index].hosts.add(host)
            found[way.index].gateways |= {way.gateway} if way.gateway else set()
    _gateways(around, found)
    _own(around, found)
    _bound(request, around, hosts, found)
    for uplink in found.values():
        uplink.far = _hardware(around, uplink)
    return list(found.values())


def _leading(request: Request, around: Surroundings, versions: Iterable[int]) -> dict[int, Uplink]:
    indices = [around.ways[version].index for version in versions]
    for route in around.routing.routes:
        if route.kind == UNICAST and route.prefix <= HALF:
            indices += [hop[0] for hop in route.hops if hop[0] != links.LOOPBACK]
    # The kernel takes objects of next hops only where the interface has a carrier, which an empty bridge has not.
    indices += [hop[0] for route in around.routing.routes if route.object for hop in route.hops]
    known = [link for index in dict.fromkeys(indices) if (link := around.link(index))]
    return {link.index: Uplink(link) for link in [link for link in known if link.name != request.bridge][:MOST]}


def _gateways(around: Surroundings, found: dict[int, Uplink]) -> None:
    own = {address.local for address in around.addresses}
    for route in around.routing.routes:
        for index, _, gateway in route.hops:
            if gateway and gateway not in own and index in found and len(found[index].gateways) < GATEWAYS:
                found[index].gateways.add(gateway)


def _own(around: Surroundings, found: dict[int, Uplink]) -> None:
    """Let the world know the host's addresses on these interfaces, each over one, and their networks."""
    for address in around.addresses:
        if address.index in found and address.scope == 0:
            if not _known(address.local, found):
                found[address.index].hosts.add(address.local)
            network = interface(address).network
            found[address.index].networks.add((network.network_address.packed, network.prefixlen))


def _bound(request: Request, around: Surroundings, versions: Iterable[int], found: dict[int, Uplink]) -> None:
    """Let the world know the addresses that ports are bound to, on whatever interface they are."""
    own = {address.local for address in around.addresses if address.scope == 0}
    for port in request.ports:
        address = ip_address(port.address) if port.address else None
        if address is None or address.version not in versions or _known(address.packed, found):
            continue
        uplink = found.get(around.ways[address.version].index)
        if address.packed in own and uplink is not None:
            uplink.hosts.add(address.packed)


def aside(address: bytes, around: Surroundings, found: Iterable[Uplink]) -> bool:
    """Say whether an address is on none of these, but on another interface that packets from outside may come by."""
    there = {one.index for one in around.addresses if one.local == address}
    if not there.isdisjoint(uplink.link.index for uplink in found):
        return False
    return any(link is not None and _open(link, around) for link in map(around.link, there))


def _open(link: Link, around: Surroundings) -> bool:
    """Say whether anything can come in: on a bridge without ports no more than on lo."""
    if link.kind == "bridge":
        return any(one.master == link.index for one in around.links)
    return link.index != links.LOOPBACK and link.kind != "dummy"


def _known(address: bytes, found: dict[int, Uplink]) -> bool:
    return any(address in uplink.hosts for uplink in found.values())


def _hardware(around: Surroundings, uplink: Uplink) -> bytes:
    """Return the gateway's hardware address, that of the way first."""
    index = uplink.link.index
    ways = [way.gateway for way in around.ways.values() if way.index == index]
    for gateway in (*ways, *sorted(uplink.gateways)):
        for one in around.neighbours:
            if one.index == index and one.address == gateway and links.usable(one.hardware):
                return one.hardware
    return FAR
