"""The stage on which packets are played: the host's twin, the world beyond its routers, and mailcow's containers.

Three namespaces, joined by cables: in the twin interfaces have the host's names and indices. The world has no route but
to the host, so that an answer whose source was not masqueraded is lost, as it is in the world.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address

from preflight.twin import connections, control, routes, rules, stage_plan, sysctls, uplinks
from preflight.twin import wire as w
from preflight.twin.control import Call
from preflight.twin.links import FAMILIES
from preflight.twin.request import Request
from preflight.twin.routes import Route
from preflight.twin.spaces import Space
from preflight.twin.stage_making import Made, wired
from preflight.twin.stage_plan import Side
from preflight.twin.surroundings import Surroundings
from preflight.twin.wire import Wire

__all__ = ["Side", "Stage", "build"]

_MODULE = "veth"


class Stage:
    """The namespaces, and the families that can be judged in them.

    `absent`: the versions that cannot, and what the host lacks: 'route' (to the Internet), 'address' (for that).
    """

    def __init__(self, made: Made) -> None:
        self._made = made
        self.twin: Space = made.twin
        self.world: Space = made.world
        self.inner: Space = made.inner
        self.tracked = made.request.there(connections.MODULE)
        self.sides: dict[int, Side] = made.plan.sides
        self.absent: dict[int, str] = made.plan.absent
        self.gateways = {version: str(own[0].ip) for version, own in made.plan.inner.items() if own}  # of containers
        self._ruled: set[str] = set()  # what is not as on the host, of routing

    def router(self, version: int) -> str:
        """Return the host's gateway; '' = none, or one of the other family."""
        way = self._made.around.ways[version]
        return str(ip_address(way.gateway)) if way.gateway and way.family == FAMILIES[version] else ""

    def close(self) -> None:
        """Let the namespaces go."""
        self._made.held.close()

    def control(self) -> set[int]:
        """Return the versions whose packets do not arrive where no rule is in place yet.

        Where the host's routes alone do not lead there – its `ip rule`s may, or nothing does –, they are led.
        """
        return {version for version, side in self.sides.items() if not self._passes(side)}

    def _passes(self, side: Side) -> bool:
        with wired(self.twin) as wire:
            if self._leads(wire, side) and not control.failing(self._calls(side)):
                return True
            with suppress(OSError), control.led(wire, self._made.around.ways[side.version], side):
                return not control.failing(self._calls(side))
        return False

    def _calls(self, side: Side) -> list[Call]:
        calls = [Call(self.world, one, self.twin, side.host) for one in (side.sources[0], side.neighbour) if one]
        return calls + [Call(self.twin, "", self.inner, one) for one in side.containers.values()]

    def load_rules(self) -> None:
        """Make the host's `ip rule`s; raise `OSError`."""
        with wired(self.twin) as wire:
            for family in rules.make(wire, self._made.around.routing.rules):
                self._ruled.add(f"{_version(family)} ip rule")
            for version, side in self.sides.items():
                if not self._made.around.ways[version].denied and not self._leads(wire, side):
                    self._ruled.add(f"{version} ip route")

    def _leads(self, wire: Wire, side: Side) -> bool:
        """Say whether the twin goes to the Internet by a way that the host has."""
        own, out = ip_address(side.host).packed, {uplink.link.index for uplink in self._made.plan.uplinks}
        for target in (ip_address(one).packed for one in side.targets):
            found = routes.way(wire, target) or routes.way(wire, target, own)
            if found and found.index in out:
                return True
        return False

    def aside(self, address: str) -> bool:
        """Say whether an address is on an interface of its own, by which packets may come that here come by another."""
        return uplinks.aside(ip_address(address).packed, self._made.around, self._made.plan.uplinks)

    def unwritten(self, version: int) -> tuple[str, ...]:
        """Return what is not as on the host, and cannot be made so: sysctls, routes, rules; raise `OSError`."""
        side, made = self.sides[version], self._made
        with self.twin.entered(), Wire(w.ROUTE) as wire:
            found = sysctls.unwritten(wire, made.around.sysctls, made.devices(judged=True))
        told = [*found[0], *found[version]]
        told += [one.partition(" ")[2] for one in sorted(self._ruled) if one.startswith(str(version))]
        if any(_version(route.family) == version and _matters(route, side) for route in made.unmade):
            told.append("ip route")
        if made.domains():
            told.append("vrf")
        if not side.ordinary:
            told.append("no address that no rule singles out")
        if not side.whole:
            told.append("no address of a part of the Internet")
        return tuple(dict.fromkeys(told))


def build(request: Request, around: Surroundings, ordinary: Callable[[str], bool]) -> Stage:
    """Build a stage for a host; `ordinary` says whether no rule singles an address out.

    Raises `OSError`: EPERM where the kernel refuses namespaces; without a number where a module is missing.
    """
    if not request.there(_MODULE):
        raise OSError(f"module {_MODULE} is not loaded")
    made = Made(request, around, stage_plan.plan(request, around, ordinary))
    try:
        made.make()
    except BaseException:
        made.held.close()
        raise
    return Stage(made)


def _matters(route: Route, side: Side) -> bool:
    """Say whether packets of a family may take a route."""
    asked = (*side.sources, *side.targets, side.neighbour, side.host, *side.containers.values())
    return any(route.covers(ip_address(one).packed) for one in asked if one)


def _version(family: int) -> int:
    return 4 if family == socket.AF_INET else 6
