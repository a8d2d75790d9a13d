"""Make the stage that was worked out: interfaces, sysctls, addresses, routes."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from ipaddress import ip_address, ip_network

from msgspec.structs import replace

from preflight.twin import links, routes, spaces, sysctls
from preflight.twin import wire as w
from preflight.twin.links import FAMILIES, LOOPBACK, Address, Link, Neighbour
from preflight.twin.request import Request
from preflight.twin.routes import LOCAL, LOCALS, Route
from preflight.twin.spaces import Space
from preflight.twin.stage_plan import NEAR, Plan, Side
from preflight.twin.surroundings import Surroundings
from preflight.twin.uplinks import Uplink
from preflight.twin.wire import Refused, Wire

# The index of the first end of a cable in the world, and with the containers. Where both ends of one have the same, the
# kernel takes up to a second to notice that it is up.
_FAR = 1_000_000
# As Docker up to 26.1 gives it (libnetwork: bridgeIPv6Str). The kernel chooses another one later, alike to most rules.
_BRIDGE_LINK = "fe80::1"
_ROUTERS_LINK = "fe80::5e:1"
_SECONDS = 1.5  # until the kernel's workers are through


class Made:
    """The namespaces, as they are made. `unmade`: routes that the kernel refuses, and that packets may need."""

    def __init__(self, request: Request, around: Surroundings, plan: Plan) -> None:
        self.request, self.around, self.plan = request, around, plan
        self.unmade: list[Route] = []
        with ExitStack() as held:
            self.twin, self.world, self.inner = space(held), space(held), space(held)
            # Where cables end that lead nowhere: bridges in their place would let the whole machine wait for 20 ms each
            # when they go (the kernel lets go of a bridge's VLANs only after all processors took notice).
            self._aside = space(held)
            self.held = held.pop_all()

    def make(self) -> None:
        """Make everything; raise `OSError`."""
        # Without IPv6 until all cables have both ends up: the kernel's log is told of every one that comes up later.
        for one in (self.twin, self.world, self.inner, self._aside):
            with one.entered():
                sysctls.hush()
        with wired(self.twin) as twin, wired(self.world) as world, wired(self.inner) as inner:
            self._prepare()
            self._link(twin, world, inner)
            self._wake(twin)
            self._furnish(twin)
            self._furnish_world(twin, world)
            self._furnish_inner(inner)
            _await(partial(routes.local, *own) for own in self._own(twin, world, inner))

    def _own(self, twin: Wire, world: Wire, inner: Wire) -> Iterator[tuple[Wire, bytes, int]]:
        """Yield the IPv6 addresses that packets go to: a worker of the kernel's makes them the namespace's own."""
        uplinks = self.plan.uplinks
        if side := self.plan.sides.get(6):
            yield twin, ip_address(side.host).packed, self.around.ways[6].index
            for address in (*side.sources, *side.targets, side.neighbour):
                if address:
                    yield world, ip_address(address).packed, LOOPBACK
            for address in side.containers.values():
                yield inner, ip_address(address).packed, LOOPBACK
            for one in self.plan.inner.get(6, ()):
                yield twin, one.packed, self.plan.bridge.index
            for place, uplink in enumerate(uplinks):
                yield from ((world, router, _FAR + place) for router in _routers(uplink) if len(router) == 16)
                yield from ((twin, host, uplink.link.index) for host in uplink.hosts if len(host) == 16)

    def _prepare(self) -> None:
        """Set what new interfaces get, before there are any."""
        with self.twin.entered():
            sysctls.write(self.around.sysctls, awake=False)
        with self.world.entered():
            sysctls.relax()
        with self.inner.entered():
            sysctls.relax("ipv6/ip_nonlocal_bind")

    def _link(self, twin: Wire, world: Wire, inner: Wire) -> None:
        plan = self.plan
        lo = self.around.link(LOOPBACK)
        for wire in (world, inner, *([twin] if lo is None or lo.up else [])):
            links.up(wire, LOOPBACK)
        for place, uplink in enumerate(plan.uplinks):
            far = Link(index=_FAR + place, name=f"w{place}", address=uplink.far, mtu=uplink.link.mtu)
            links.cable(twin, uplink.link, far, self.world.descriptor)
            links.up(world, far.index)
        for place, link in enumerate(plan.others):
            far = Link(index=_FAR + place, name=f"a{place}", mtu=link.mtu)
            links.cable(twin, link, far, self._aside.descriptor, links.UP if link.up else 0)
        index = plan.bridge.index or max(link.index for link in self.around.links) + 1
        near = plan.bridge.address if links.usable(plan.bridge.address) else NEAR
        plan.bridge = replace(plan.bridge, index=index, address=near)
        # Nobody asks for hardware addresses in there: each of the many addresses has that of both ends.
        far = Link(index=_FAR, name="eth0", address=near, mtu=plan.bridge.mtu)
        links.cable(twin, plan.bridge, far, self.inner.descriptor, links.UP | links.NOARP)
        links.up(inner, far.index, links.NOARP)
        ends = [(twin, index), (inner, _FAR), *((twin, uplink.link.index) for uplink in plan.uplinks)]
        ends += [(world, _FAR + place) for place in range(len(plan.uplinks))]
        _await(partial(links.ready, *end) for end in ends)

    def _wake(self, twin: Wire) -> None:
        for one in (self.world, self.inner):
            with one.entered():
                sysctls.wake()
        with self.twin.entered():
            sysctls.wake()
            sysctls.write(self.around.sysctls, awake=True)
            sysctls.write_devices(twin, self.devices())

    def devices(self, *, judged: bool = False) -> dict[int, Link]:
        """Return the host's interfaces, or only those that packets pass, by their index in the twin."""
        plan = self.plan
        passed = {uplink.link.index for uplink in plan.uplinks} | {plan.bridge.index, LOOPBACK}
        found = {link.index: link for link in self.around.links if not judged or link.index in passed}
        own = found.get(plan.bridge.index)
        if own is None:
            new = sysctls.fresh(self.around.sysctls, self.around.link(LOOPBACK))
            own = replace(plan.bridge, conf4=new[4], conf6=new[6])
        if any(one.family == FAMILIES[6] for one in self._fresh()):
            own = replace(own, conf6=sysctls.awake(own.conf6))  # the engine sees to that
        return found | {plan.bridge.index: own}

    def domains(self) -> bool:
        """Say whether interfaces that packets pass are in a routing domain of their own (VRF): these are not copied."""
        masters = {self.around.link(link.master) for link in self.devices(judged=True).values() if link.master}
        return any(master is not None and master.kind == "vrf" for master in masters)

    def _furnish(self, twin: Wire) -> None:
        """Give the twin the host's addresses and routes."""
        plan = self.plan
        there = {link.index for link in (*plan.others, plan.bridge, *(one.link for one in plan.uplinks))} | {LOOPBACK}
        fresh = list(self._fresh())
        for address in (*self.around.addresses, *fresh):
            if address.index in there:
                with suppress(Refused):  # where one is missing that is asked, nothing passes the control
                    links.give(twin, address)
        routing = self.around.routing
        kept = tuple(one for one in routing.routes if not one.hops or any(hop[0] in there for hop in one.hops))
        self.unmade = routes.make(twin, replace(routing, routes=kept))
        for address in fresh:
            network = ip_network((address.local, address.prefix), strict=False)
            with suppress(Refused):
                last = network.version == 4
                routes.add(twin, network.network_address.packed, network.prefixlen, address.index, last=last)

    def _fresh(self) -> Iterator[Address]:
        """Yield the addresses that mailcow's bridge has not yet, or without routes as it is down.

        Whatever is judged, a docker-proxy goes to IPv4. A bridge that gets IPv6 gets an address of its link, too: from
        there the host asks for containers when it forwards.
        """
        idle = not (self.plan.bridge.up or self.request.present)
        known = () if idle else self.around.addresses
        there = {address.local for address in known if address.index == self.plan.bridge.index}
        for version, own in self.plan.inner.items():
            for one in own if version == 4 or version in self.plan.sides else ():
                if one.packed not in there:
                    yield Address(FAMILIES[version], self.plan.bridge.index, one.packed, one.network.prefixlen)
                    if version == 6 and not any(ip_address(local).is_link_local for local in there):
                        yield Address(FAMILIES[6], self.plan.bridge.index, ip_address(_BRIDGE_LINK).packed, 64)

    def _furnish_world(self, twin: Wire, world: Wire) -> None:
        """Let the world answer for its addresses and the gateways, and know the way to the host."""
        for place, uplink in enumerate(self.plan.uplinks):
            _join(twin, world, uplink, _FAR + place)
        for side in self.plan.sides.values():
            for address in dict.fromkeys((*side.sources, *side.targets, side.neighbour)):
                if address:
                    links.give(world, _single(address, LOOPBACK))
            for address in self._beside(side):
                way = self.around.ways[side.version]
                far = next(one.far for one in self.plan.uplinks if one.link.index == way.index)
                _introduce(twin, way.index, ip_address(address).packed, far)
            self._lead_back(world, side)

    def _lead_back(self, world: Wire, side: Side) -> None:
        """Let the world know the way to mailcow's network where that is led to the host: of IPv6 without NAT."""
        subnet = self.request.subnet4 if side.version == 4 else self.request.subnet6
        network = ip_network(subnet, strict=False) if subnet else None
        index = self.around.ways[side.version].index
        place, uplink = next(one for one in enumerate(self.plan.uplinks) if one[1].link.index == index)
        # Within the uplink's own network, routers ask for each address.
        if network and network.is_global and not any(network.overlaps(ip_network(one)) for one in uplink.networks):
            host = ip_address(side.host).packed
            routes.add(world, network.network_address.packed, network.prefixlen, _FAR + place, gateway=host)

    def _beside(self, side: Side) -> tuple[str, ...]:
        """Return what the twin sends to without a gateway."""
        beyond = () if self.around.ways[side.version].gateway else (*side.sources, *side.targets)
        return tuple(filter(None, (side.neighbour, *beyond)))

    def _furnish_inner(self, inner: Wire) -> None:
        """Let the containers' end answer for every address of mailcow's networks but the bridge's."""
        for version, own in self.plan.inner.items():
            if version == 6 and sysctls.ASLEEP not in self.around.sysctls.values:
                continue  # a kernel without IPv6
            for gateway in own:
                # The table of local addresses comes first, and there the network is one.
                routes.add(inner, gateway.packed, gateway.max_prefixlen, _FAR, table=LOCALS)
            network = ip_network(self.request.subnet4 if version == 4 else self.request.subnet6, strict=False)
            routes.add(inner, network.network_address.packed, network.prefixlen, LOOPBACK, kind=LOCAL, table=LOCALS)
            side = self.plan.sides.get(version)
            for address in side.containers.values() if side else ():
                links.give(inner, _single(address, LOOPBACK))
            routes.add(inner, bytes(len(own[0].packed)), 0, _FAR, gateway=own[0].packed)


def _await(conditions: Iterable[Callable[[], bool]]) -> None:
    """Wait until all is so; where that takes too long, the control tells."""
    until = time.monotonic() + _SECONDS
    for condition in conditions:
        while not condition() and time.monotonic() < until:
            time.sleep(0.0005)


def _join(twin: Wire, world: Wire, uplink: Uplink, far: int) -> None:
    """Give the world's end of a cable the gateways' addresses, and routes to the host; let them know each other."""
    index = uplink.link.index
    for router in _routers(uplink):
        with suppress(Refused):  # without IPv6, one of IPv6
            links.give(world, _single(str(ip_address(router)), far))
        _introduce(twin, index, router, uplink.far)
    near = links.hardware(twin, index)
    for address, prefix in (*uplink.networks, *((host, 8 * len(host)) for host in uplink.hosts)):
        with suppress(Refused):
            routes.add(world, address, prefix, far)
    for host in uplink.hosts:
        _introduce(world, far, host, near)


def _routers(uplink: Uplink) -> tuple[bytes, ...]:
    """Return the gateways' addresses, of IPv6 one of the link among them: every router has one (RFC 4291, 2.8)."""
    six = [gateway for gateway in uplink.gateways if len(gateway) == 16]
    lacks = six and not any(ip_address(gateway).is_link_local for gateway in six)
    return (*uplink.gateways, *([ip_address(_ROUTERS_LINK).packed] if lacks else ()))


def _introduce(wire: Wire, index: int, address: bytes, hardware: bytes) -> None:
    with suppress(Refused):  # they find each other by asking, then
        links.introduce(wire, Neighbour(_family(address), index, address, hardware))


def _single(address: str, index: int) -> Address:
    read = ip_address(address)
    return Address(_family(read.packed), index, read.packed, read.max_prefixlen, 253 if read.is_link_local else 0)


def _family(address: bytes) -> int:
    return {4: socket.AF_INET, 16: socket.AF_INET6}[len(address)]


def space(held: ExitStack) -> Space:
    """Make a namespace that goes with the others; raise `OSError`."""
    made = spaces.make()
    held.callback(os.close, made.descriptor)
    return made


@contextmanager
def wired(space: Space) -> Iterator[Wire]:
    """Talk rtnetlink with a namespace."""
    with space.entered():
        wire = Wire(w.ROUTE)
    with wire:
        yield wire
