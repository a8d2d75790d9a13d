"""The stage on which packets are played: the host's twin, the world beyond its routers, and mailcow's containers.

Three namespaces, joined by cables: in the twin interfaces have the host's names and indices. The world has no route but
to the host, so that an answer whose source was not masqueraded is lost, as it is in the world.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_address, ip_network

from msgspec.structs import replace

from preflight.twin import control, links, routes, spaces, stage_plan, sysctls
from preflight.twin import wire as w
from preflight.twin.control import Call
from preflight.twin.links import FAMILIES, LOOPBACK, Address, Neighbour
from preflight.twin.request import Request
from preflight.twin.routes import LOCAL, LOCALS
from preflight.twin.spaces import Space
from preflight.twin.stage_plan import NEAR, Plan, Side, Uplink
from preflight.twin.surroundings import Surroundings
from preflight.twin.wire import Refused, Wire

__all__ = ["Side", "Stage", "build"]

_MODULES = ("veth", "bridge")
_INNER = "eth0"


class Stage:
    """The namespaces, and the families that can be judged in them (`absent`: those that cannot, and why)."""

    def __init__(self, request: Request, around: Surroundings, plan: Plan) -> None:
        self.sides: dict[int, Side] = plan.sides
        self.absent: dict[int, str] = plan.absent
        self._request, self._around, self._plan = request, around, plan
        self._unmade: dict[int, list[str]] = {4: [], 6: [], 0: []}
        self._ruled = False
        with ExitStack() as held:
            self.twin, self.world, self.inner = _space(held), _space(held), _space(held)
            self._held = held.pop_all()

    def close(self) -> None:
        """Let the namespaces go."""
        self._held.close()

    def control(self) -> set[int]:
        """Return the versions whose packets do not arrive where no rule is in place yet.

        Where the host's routes alone do not lead there – rules may, or nothing does –, they are led.
        """
        failed = {side.version for side in self.sides.values() if control.failing(self._calls(side))}
        for version in list(failed):
            side = self.sides[version]
            with suppress(OSError), _wired(self.twin) as wire, control.led(wire, side, self._around.ways[version]):
                if not control.failing(self._calls(side)):
                    failed.discard(version)
        return failed

    def _calls(self, side: Side) -> list[Call]:
        calls = [Call(self.world, one, self.twin, side.host) for one in (side.sources[0], side.neighbour) if one]
        return calls + [Call(self.twin, "", self.inner, one) for one in side.containers.values()]

    def load_rules(self) -> None:
        """Make the host's `ip rule`s; raise `OSError`."""
        with _wired(self.twin) as wire:
            for family in routes.make_rules(wire, self._around.routing.rules):
                self._unmade[_version(family)].append("ip rule")
            for side in self.sides.values():
                if not self._leads(wire, side):
                    self._unmade[side.version].append("ip route")

    def _leads(self, wire: Wire, side: Side) -> bool:
        """Say whether the twin goes to the Internet by the way by which the host does, or by another that it has."""
        found = control.way(wire, side.targets[0])
        host = self._around.ways[side.version]
        if found is None:
            return False
        return found.index == host.index or any(found.index == uplink.link.index for uplink in self._plan.uplinks)

    def unwritten(self, version: int) -> tuple[str, ...]:
        """Return what is not as on the host, and cannot be made so: sysctls, routes, rules; raise `OSError`."""
        side = self.sides[version]
        with self.twin.entered(), Wire(w.ROUTE) as wire:
            found = sysctls.unwritten(wire, wanted(self._around), _devices(self._around, self._plan, judged=True))
        told = [*found[0], *found[version], *self._unmade[version], *self._unmade[0]]
        return tuple(dict.fromkeys(told if side.ordinary else [*told, "no ordinary address"]))

    def raise_(self) -> None:
        """Make everything: interfaces, sysctls, addresses, routes; raise `OSError`."""
        for space in (self.twin, self.world, self.inner):
            with space.entered():
                sysctls.hush()
        with _wired(self.twin) as twin, _wired(self.world) as world, _wired(self.inner) as inner:
            self._link(twin, world, inner)
            for space in (self.twin, self.world, self.inner):
                with space.entered():
                    sysctls.wake()
            self._write(twin)
            self._furnish(twin)
            self._furnish_world(twin, world)
            self._furnish_inner(inner)

    def _link(self, twin: Wire, world: Wire, inner: Wire) -> None:
        """Make the interfaces of all three, up or down as they are to stay."""
        plan = self._plan
        with self.twin.entered():
            sysctls.write(wanted(self._around), awake=False)
        with self.world.entered():
            sysctls.relax()
        with self.inner.entered():
            sysctls.relax("ipv6/ip_nonlocal_bind")
        for wire in (world, inner, *([twin] if _lo_is_up(self._around) else [])):
            links.up(wire, LOOPBACK)
        for number, uplink in enumerate(plan.uplinks):
            links.cable(twin, uplink.link, self.world.descriptor, f"w{number}", uplink.far)
            links.up(world, links.index(world, f"w{number}"))
            links.wake(twin, uplink.link.index)
        for link in plan.others:
            links.bridge(twin, link)
        # Nobody in there asks for hardware addresses: both ends have the same.
        near = plan.bridge.address if links.usable(plan.bridge.address) else NEAR
        plan.bridge = replace(plan.bridge, address=near)
        links.cable(twin, plan.bridge, self.inner.descriptor, _INNER, near, links.NOARP)
        links.up(inner, links.index(inner, _INNER), links.NOARP)
        index = plan.bridge.index or links.index(twin, plan.bridge.name)
        links.wake(twin, index)
        plan.bridge = replace(plan.bridge, index=index)

    def _write(self, twin: Wire) -> None:
        with self.twin.entered():
            sysctls.write(wanted(self._around), awake=True)
            sysctls.write_devices(twin, _devices(self._around, self._plan, judged=False))

    def _furnish(self, twin: Wire) -> None:
        """Give the twin the host's addresses and routes."""
        there = {link.index for link in self._plan.others} | {uplink.link.index for uplink in self._plan.uplinks}
        there |= {LOOPBACK, self._plan.bridge.index}
        own = [one for one in self._around.addresses if one.index in there]
        for version, more in self._plan.inner.items():
            had = {one.local for one in own if one.index == self._plan.bridge.index}
            own += [
                Address(FAMILIES[version], self._plan.bridge.index, one.packed, one.network.prefixlen)
                for one in more if one.packed not in had
            ]  # fmt: skip
        for address in own:
            with suppress(Refused):  # what is missing then shows in the control, or is nothing that is asked
                links.give(twin, address)
        routing = self._around.routing
        kept = tuple(one for one in routing.routes if not one.hops or any(hop[0] in there for hop in one.hops))
        for route in routes.make(twin, replace(routing, routes=kept)):
            if self._matters(route):
                self._unmade[_version(route.family)].append("ip route")
        for more in self._plan.inner.values():
            # Where the bridge is there, its routes are copied, or somebody has taken them away.
            for one in () if self._around.named(self._request.bridge) else more:
                network = one.network
                routes.add(twin, network.network_address.packed, network.prefixlen, self._plan.bridge.index)

    def _matters(self, route: routes.Route) -> bool:
        side = self.sides.get(_version(route.family))
        if side is None:
            return False
        asked = (*side.sources, *side.targets, side.host, *side.containers.values(), *filter(None, (side.neighbour,)))
        return any(route.covers(ip_address(one).packed) for one in asked)

    def _furnish_world(self, twin: Wire, world: Wire) -> None:
        """Let the world answer for its addresses and the gateways, and know the way to the host."""
        for number, one in enumerate(self._plan.uplinks):
            _join(twin, world, one, links.index(world, f"w{number}"))
        for side in self.sides.values():
            way = self._around.ways[side.version]
            uplink = next(one for one in self._plan.uplinks if one.link.index == way.index)
            beyond = dict.fromkeys((*side.sources, *side.targets))
            for address in beyond:
                links.give(world, _single(ip_address(address).packed, LOOPBACK))
            if side.neighbour:
                links.give(world, _single(ip_address(side.neighbour).packed, LOOPBACK))
            for near in filter(None, (side.neighbour, *(beyond if not way.gateway else ()))):
                _introduce(twin, way.index, ip_address(near).packed, uplink.far)

    def _furnish_inner(self, inner: Wire) -> None:
        """Let the containers' end answer for every address of mailcow's networks but the bridge's."""
        index = links.index(inner, _INNER)
        for version, own in self._plan.inner.items():
            for address in own:
                # The table of local addresses comes first: there it stands before the network.
                routes.add(inner, address.packed, address.max_prefixlen, index, table=LOCALS)
            network = ip_network(self._request.subnet4 if version == 4 else self._request.subnet6, strict=False)
            routes.add(inner, network.network_address.packed, network.prefixlen, LOOPBACK, kind=LOCAL, table=LOCALS)
            for one in self.sides[version].containers.values() if version in self.sides else ():
                links.give(inner, _single(ip_address(one).packed, LOOPBACK))
            gateway = own[0]
            routes.add(inner, bytes(len(gateway.packed)), 0, index, gateway=gateway.packed)


def build(request: Request, around: Surroundings, ordinary: Callable[[str], bool]) -> Stage:
    """Build a stage for a host; `ordinary` says whether no rule singles an address out.

    Raises `OSError`: EPERM where the kernel refuses namespaces, EOPNOTSUPP where it has not loaded what they take.
    """
    for module in _MODULES:
        if not request.there(module):
            raise OSError(f"module {module} is not loaded")
    stage = Stage(request, around, stage_plan.plan(request, around, ordinary))
    try:
        stage.raise_()
    except BaseException:
        stage.close()
        raise
    return stage


def wanted(around: Surroundings) -> sysctls.Sysctls:
    """Return the sysctls that are no single interface's."""
    return around.sysctls


def _devices(around: Surroundings, plan: Plan, *, judged: bool) -> dict[int, links.Link]:
    """Return the host's interfaces, or only those that packets pass, by their index in the twin."""
    passed = {uplink.link.index for uplink in plan.uplinks} | {plan.bridge.index, LOOPBACK}
    found = {link.index: link for link in around.links if not judged or link.index in passed}
    if plan.bridge.index not in found:
        found[plan.bridge.index] = replace(plan.bridge, conf4=_fresh(around, 4), conf6=_fresh(around, 6))
    return found


def _fresh(around: Surroundings, version: int) -> tuple[int, ...]:
    """Return what a new interface of the host would have; nothing but what is known of it is ever compared."""
    host = around.link(LOOPBACK)
    values = list((host.conf4 if version == 4 else host.conf6) if host else ())
    for name, number in (sysctls.DEVICE4 if version == 4 else sysctls.DEVICE6).items():
        place = number - int(version == 4)
        value = around.sysctls.default(version, name)
        if place < len(values) and value is not None:
            values[place] = value
    return tuple(values)


def _lo_is_up(around: Surroundings) -> bool:
    lo = around.link(LOOPBACK)
    return lo is None or lo.up


def _join(twin: Wire, world: Wire, uplink: Uplink, far: int) -> None:
    """Give the world's end of a cable the gateways' addresses, and routes to the host; let them know each other."""
    near = uplink.link.address if links.usable(uplink.link.address) else b""
    if not near:
        found = links.parse(twin.ask(links.GETLINK, _about(uplink.link.index)).body)
        near = found.address if found else b""
    for gateway in uplink.gateways:
        with suppress(Refused):
            links.give(world, _single(gateway, far))
        _introduce(twin, uplink.link.index, gateway, uplink.far)
    for address, prefix in uplink.networks:
        with suppress(Refused):
            routes.add(world, address, prefix, far)
    for host in uplink.hosts:
        with suppress(Refused):
            routes.add(world, host, 8 * len(host), far)
        _introduce(world, far, host, near)


def _introduce(wire: Wire, index: int, address: bytes, hardware: bytes) -> None:
    with suppress(Refused):  # they find each other by asking, then
        links.introduce(wire, Neighbour(_family(address), index, address, hardware))


def _about(index: int) -> bytes:
    return bytes(4) + w.u32(index) + bytes(8)


def _single(address: bytes, index: int) -> Address:
    local = 253 if address[:2] == b"\xfe\x80" and len(address) == 16 else 0
    return Address(_family(address), index, address, 8 * len(address), local)


def _family(address: bytes) -> int:
    return {4: socket.AF_INET, 16: socket.AF_INET6}[len(address)]


def _version(family: int) -> int:
    return 4 if family == socket.AF_INET else 6


def _space(held: ExitStack) -> Space:
    space = spaces.make()
    held.callback(os.close, space.descriptor)
    return space


@contextmanager
def _wired(space: Space) -> Iterator[Wire]:
    with space.entered():
        wire = Wire(w.ROUTE)
    with wire:
        yield wire
