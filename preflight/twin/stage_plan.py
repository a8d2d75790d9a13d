"""What the stage is to look like: worked out from the host's surroundings, before anything is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface, ip_network

from msgspec import Struct, field

from preflight.twin import candidates, links
from preflight.twin.links import FAMILIES, TEMPORARY, Address, Link
from preflight.twin.request import Request
from preflight.twin.routes import UNICAST, Route, Way
from preflight.twin.surroundings import Surroundings

SOURCES, TARGETS = 3, 2
HALF = 1  # bits: VPNs replace the default route by two halves of it
UPLINKS = 8  # that are joined with the world
LINKS = 2000  # interfaces: more are not copied
PORTS = 256  # interfaces from which on containers' ends are left out
FAR = bytes.fromhex("0200005e0001")  # hardware address of a gateway that has none, or none that is known
NEAR = bytes.fromhex("0200005e0002")
# Whoever sends to the Internet: mailcow's containers without a port of their own.
OTHERS = {"unbound-mailcow": 254, "acme-mailcow": 99}


class Side(Struct, frozen=True, kw_only=True):
    """A family's side of the stage.

    host: the address to which packets are sent; interface: that of its way to the Internet; sources, targets: of the
    world, public ones; neighbour: of the host's own network ('' = none); containers: by service.
    """

    version: int
    host: str
    interface: str
    sources: tuple[str, ...]
    neighbour: str
    targets: tuple[str, ...]
    containers: dict[str, str]
    ordinary: bool = True  # rules single out none of the public ones


class Uplink(Struct):
    """An interface whose other end is in the world: with its gateways there, and the host's addresses on this side."""

    link: Link
    far: bytes = FAR  # hardware address of the other end
    gateways: set[bytes] = field(default_factory=set)
    hosts: set[bytes] = field(default_factory=set)  # to which the world sends over it
    networks: set[tuple[bytes, int]] = field(default_factory=set)


class Plan(Struct, kw_only=True):
    """All of the stage. `others`: interfaces that are nothing but there."""

    sides: dict[int, Side]
    absent: dict[int, str]
    uplinks: list[Uplink]
    bridge: Link
    others: list[Link]
    inner: dict[int, tuple[IPv4Interface | IPv6Interface, ...]]  # the bridge's addresses, gateways of the containers


def plan(request: Request, around: Surroundings, ordinary: Callable[[str], bool]) -> Plan:
    """Work out the stage; raise `OSError` where the host has more interfaces than can be copied."""
    if len(around.links) > LINKS:
        raise OSError(f"more than {LINKS} interfaces")
    absent = {version: "route" for version in FAMILIES if version not in around.ways}
    sides = {}
    inner = _inner(request, around)
    for version, way in around.ways.items():
        own = _own(around, version, way)
        if own is None or around.link(way.index) is None:
            absent[version] = "address"
        else:
            sides[version] = _side(request, around, version, way, own, ordinary)
    named = around.named(request.bridge)
    uplinks = _uplinks(request, around, sides)
    index = named.index if named else 0
    used = {uplink.link.index for uplink in uplinks} | {index, links.LOOPBACK}
    return Plan(
        sides=sides,
        absent=absent,
        uplinks=[uplink for uplink in uplinks if uplink.link.index != index],
        bridge=named or Link(index=0, name=request.bridge),
        others=[link for link in around.links if link.index not in used and _wanted(link, around)],
        inner=inner,
    )


def _wanted(link: Link, around: Surroundings) -> bool:
    return len(around.links) < PORTS or not (link.kind == "veth" and link.master)


def _own(around: Surroundings, version: int, way: Way) -> Address | None:
    """Return the host's address that the world sends to: that of its way, or its lasting one beside it."""
    own = [one for one in around.addresses if one.family == FAMILIES[version] and one.scope == 0]
    found = next((one for one in own if one.local == way.source), None)
    if found is None or not found.flags & TEMPORARY or version == 4:
        return found
    lasting = (
        one for one in own
        if one.index == way.index and not one.flags & (TEMPORARY | links.DEPRECATED | links.TENTATIVE)
        and ip_address(one.local).is_private == ip_address(found.local).is_private
    )  # fmt: skip
    return next(lasting, found)


def _side(
    request: Request, around: Surroundings, version: int, way: Way, own: Address, ordinary: Callable[[str], bool]
) -> Side:
    link = around.link(way.index)
    own_ip = interface(own)
    hosts = {str(ip_address(one.local)) for one in around.addresses}
    narrow = [one for one in around.routing.routes if one.family == FAMILIES[version] and one.prefix > HALF]
    public = [one for one in candidates.public(version) if one not in hosts]
    found = _first(
        (one for one in public if ordinary(one) and not _elsewhere(narrow, ip_address(one).packed)), SOURCES + TARGETS
    )
    chosen = found or public[: SOURCES + TARGETS]
    gateways = {str(ip_address(hop[2])) for one in around.routing.routes for hop in one.hops if len(hop[2]) in (4, 16)}
    known = {str(ip_address(one.address)) for one in around.neighbours if one.index == own.index}
    near = candidates.neighbour(own_ip, hosts | gateways | known, ordinary) if own.index == way.index else ""
    return Side(
        version=version,
        host=str(own_ip.ip),
        interface=link.title if link else "",
        sources=tuple(chosen[:SOURCES]),
        neighbour="" if own.peer else near,
        targets=tuple(chosen[SOURCES:] or chosen[-1:]),
        containers=_containers(request, version),
        ordinary=bool(found),
    )


def interface(address: Address) -> IPv4Interface | IPv6Interface:
    """Return an address with its network."""
    return ip_interface(f"{ip_address(address.local)}/{address.prefix}")


def _first(found: Iterable[str], most: int) -> list[str]:
    taken: list[str] = []
    for one in found:
        if len(taken) == most:
            break
        taken.append(one)
    return taken


def _elsewhere(narrow: Iterable[Route], address: bytes) -> bool:
    """Say whether a route of any table other than a default one is an address's."""
    return any(one.covers(address) for one in narrow)


def _containers(request: Request, version: int) -> dict[str, str]:
    """Return the containers' addresses; empty where mailcow has none of this family."""
    subnet = request.subnet4 if version == 4 else request.subnet6
    if not subnet:
        return {}
    found = {
        port.service: address
        for port in request.ports if (address := port.container4 if version == 4 else port.container6)
    }  # fmt: skip
    first = ip_network(subnet, strict=False).network_address
    for service, number in OTHERS.items():
        address = str(first + number)
        if service not in found and address not in found.values() and ip_address(address) in ip_network(subnet, False):
            found[service] = address
    return found


def _inner(request: Request, around: Surroundings) -> dict[int, tuple[IPv4Interface | IPv6Interface, ...]]:
    """Return the bridge's addresses on mailcow's networks: its own, or the first ones, as the engine will give it."""
    named = around.named(request.bridge)
    found: dict[int, tuple[IPv4Interface | IPv6Interface, ...]] = {}
    for version, subnet in ((4, request.subnet4), (6, request.subnet6)):
        if not subnet:
            continue
        network = ip_network(subnet, strict=False)
        own = tuple(
            interface(one) for one in around.addresses
            if named and one.index == named.index and ip_address(one.local) in network
        )  # fmt: skip
        found[version] = own or (ip_interface(f"{network.network_address + 1}/{network.prefixlen}"),)
    return found


def _uplinks(request: Request, around: Surroundings, sides: dict[int, Side]) -> list[Uplink]:
    """Return the interfaces that lead to the Internet: those of the ways, and all others with a default route."""
    ways = [around.ways[version].index for version in sides]
    wide = [
        hop[0] for one in around.routing.routes
        if one.kind == UNICAST and one.prefix <= HALF for hop in one.hops if hop[0] != links.LOOPBACK
    ]  # fmt: skip
    found: dict[int, Uplink] = {}
    for index in dict.fromkeys((*ways, *wide)):
        link = around.link(index)
        if link is not None and link.name != request.bridge and len(found) < UPLINKS:
            found[index] = Uplink(link)
    for version, side in sides.items():
        way = around.ways[version]
        found[way.index].gateways |= {way.gateway} if way.gateway else set()
        found[way.index].hosts.add(ip_address(side.host).packed)
    for one in around.routing.routes:
        for index, _, gateway in one.hops:
            if gateway and index in found:
                found[index].gateways.add(gateway)
    for address in around.addresses:
        if address.index in found and address.scope == 0:
            uplink = found[address.index]
            if not any(address.local in other.hosts for other in found.values()):
                uplink.hosts.add(address.local)
            uplink.networks.add((interface(address).network.network_address.packed, address.prefix))
    _asked(request, around, sides, found)
    own = {address.local for address in around.addresses}
    for index, uplink in found.items():
        uplink.gateways -= own
        uplink.far = _hardware(around, index, uplink)
    return list(found.values())


def _asked(request: Request, around: Surroundings, sides: dict[int, Side], found: dict[int, Uplink]) -> None:
    """Have the world know the addresses that ports are bound to, on whatever interface they are."""
    own = {address.local for address in around.addresses if address.scope == 0}
    for port in request.ports:
        address = ip_address(port.address) if port.address else None
        if address is None or address.packed not in own or address.version not in sides:
            continue
        if not any(address.packed in uplink.hosts for uplink in found.values()):
            found[around.ways[address.version].index].hosts.add(address.packed)


def _hardware(around: Surroundings, index: int, uplink: Uplink) -> bytes:
    """Return the gateway's hardware address, that of the way first."""
    ways = [way.gateway for way in around.ways.values() if way.index == index]
    for gateway in (*ways, *sorted(uplink.gateways)):
        for one in around.neighbours:
            if one.index == index and one.address == gateway and links.usable(one.hardware):
                return one.hardware
    return FAR
