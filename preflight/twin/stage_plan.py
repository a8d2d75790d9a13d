"""What the stage is to look like: worked out from the host's surroundings, before anything is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface, ip_network

from msgspec import Struct

from preflight.twin import candidates, links, senders, uplinks
from preflight.twin.links import DEPRECATED, FAMILIES, TEMPORARY, TENTATIVE, Address, Link
from preflight.twin.request import Request
from preflight.twin.routes import Way
from preflight.twin.surroundings import Surroundings
from preflight.twin.uplinks import Uplink, interface

LINKS = 2000  # interfaces: more are not copied
PORTS = 64  # interfaces from which on containers' ends are left out
NEAR = bytes.fromhex("0200005e0002")  # hardware address of mailcow's bridge, where it is not there yet
# Whoever sends to the Internet without a port of its own: postfix has one. The second has any address that is free.
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
    each: int = senders.EACH  # of the sources, that try a port
    ordinary: bool = True  # rules single out none of the public ones
    whole: bool = True  # they are of all parts of the Internet that routing tells apart


class Plan(Struct, kw_only=True):
    """All of the stage.

    bridge: mailcow's, index 0 where it is not there yet; others: interfaces that are nothing but there; inner: the
    bridge's addresses on mailcow's networks, gateways of the containers, by version.
    """

    sides: dict[int, Side]
    absent: dict[int, str]
    uplinks: list[Uplink]
    bridge: Link
    others: list[Link]
    inner: dict[int, tuple[IPv4Interface | IPv6Interface, ...]]


def plan(request: Request, around: Surroundings, ordinary: Callable[[str], bool]) -> Plan:
    """Work out the stage; raise `OSError` where the host has more interfaces than can be copied."""
    if len(around.links) > LINKS:
        raise OSError(f"more than {LINKS} interfaces")
    owns = {version: own for version, way in around.ways.items() if (own := _own(around, version, way))}
    found = uplinks.find(request, around, {version: own.local for version, own in owns.items()})
    joined = {uplink.link.index for uplink in found}
    sides = {
        version: _side(request, around, version, own, ordinary)
        for version, own in owns.items() if around.ways[version].index in joined
    }  # fmt: skip
    absent = {version: "address" if version in around.ways else "route" for version in FAMILIES if version not in sides}
    bridge = around.named(request.bridge) or Link(index=0, name=request.bridge)
    used = joined | {bridge.index, links.LOOPBACK}
    return Plan(
        sides=sides,
        absent=absent,
        uplinks=found,
        bridge=bridge,
        others=[link for link in around.links if link.index not in used and _wanted(link, around)],
        inner=dict(_inner(request, around, bridge)),
    )


def _wanted(link: Link, around: Surroundings) -> bool:
    return len(around.links) < PORTS or not (link.kind == "veth" and link.master)


def _own(around: Surroundings, version: int, way: Way) -> Address | None:
    """Return the host's address that the world sends to: that of its way, or its lasting one beside it."""
    own = [one for one in around.addresses if one.family == FAMILIES[version] and one.scope == 0]
    found = next((one for one in own if one.local == way.source), None)
    if found is None or version == 4 or not found.flags & TEMPORARY:
        return found
    private = ip_address(found.local).is_private
    lasting = (
        one for one in own
        if one.index == found.index and not one.flags & (TEMPORARY | DEPRECATED | TENTATIVE)
        and ip_address(one.local).is_private == private
    )  # fmt: skip
    return next(lasting, found)


def _side(request: Request, around: Surroundings, version: int, own: Address, ordinary: Callable[[str], bool]) -> Side:
    link = around.link(around.ways[version].index)
    chosen = senders.choose(around, version, ordinary)
    return Side(
        version=version,
        host=str(ip_address(own.local)),
        interface=link.title if link else "",
        sources=chosen.sources,
        neighbour=_neighbour(around, version, own, ordinary),
        targets=chosen.targets,
        containers=_containers(request, around, version),
        each=chosen.each,
        ordinary=chosen.ordinary,
        whole=chosen.whole,
    )


def _neighbour(around: Surroundings, version: int, own: Address, ordinary: Callable[[str], bool]) -> str:
    if own.index != around.ways[version].index or own.peer:
        return ""
    taken = {address.local for address in around.addresses}
    taken |= {hop[2] for route in around.routing.routes for hop in route.hops}
    taken |= {one.address for one in around.neighbours}
    return candidates.neighbour(interface(own), taken, ordinary)


def _containers(request: Request, around: Surroundings, version: int) -> dict[str, str]:
    """Return the containers' addresses; empty where mailcow has none of this family."""
    subnet = request.subnet4 if version == 4 else request.subnet6
    if not subnet:
        return {}
    found = {
        port.service: address
        for port in request.ports if (address := port.container4 if version == 4 else port.container6)
    }  # fmt: skip
    network = ip_network(subnet, strict=False)
    taken = {*found.values(), *(str(ip_address(one.local)) for one in around.addresses)}
    for service, number in OTHERS.items():
        other = network.network_address + number
        if service not in found and other in network and str(other) not in taken:
            found[service] = str(other)
    return found


def _inner(
    request: Request, around: Surroundings, bridge: Link
) -> Iterator[tuple[int, tuple[IPv4Interface | IPv6Interface, ...]]]:
    """Yield the bridge's addresses on mailcow's networks: its own, or the first ones, as the engine will give it."""
    for version, subnet in ((4, request.subnet4), (6, request.subnet6)):
        if subnet:
            network = ip_network(subnet, strict=False)
            own = tuple(
                interface(one) for one in around.addresses
                if one.index == bridge.index and ip_address(one.local) in network
            )  # fmt: skip
            yield version, own or (ip_interface(f"{network.network_address + 1}/{network.prefixlen}"),)
