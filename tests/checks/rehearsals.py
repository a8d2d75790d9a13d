"""Rehearsals for tests: one in which all goes well, and what differs from it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from preflight.facts import ContainerRun, NetworkRun, PortRun, Rehearsal, Reply, WayOut
from preflight.mailcow.layout import CONTAINERS
from preflight.mailcow.plan import Plan
from tests.build import look

NETWORK = NetworkRun(True, "br-mailcow", ("172.22.1.0/24", "fd4d:6169:6c63:6f77::/64"), "made")
GATEWAY = WayOut("bridge", "172.22.1.1", 1, "refused", 0.001)
TARGET = WayOut("target", "203.0.113.80", 443, "reached", 0.02)
TARGET6 = WayOut("target", "2001:db8::80", 443, "reached", 0.02)


def containers() -> tuple[ContainerRun, ...]:
    return tuple(
        ContainerRun(
            name=one.name, health=one.healthcheck, address=f"172.22.1.{one.address}" if one.address else "",
            states=((0.3, "starting"), (1.5, "healthy")) if one.healthcheck else ((0.5, "running"),),
            given=(f"172.22.1.{one.address or 2}",),
        )
        for one in CONTAINERS
    )  # fmt: skip


def ports(plan: Plan) -> tuple[PortRun, ...]:
    return tuple(
        PortRun(
            binding.address, binding.port, binding.published[0].service, True,
            (Reply(binding.address or "198.51.100.7", "answered", 0.01, "172.22.1.1"),),
        )
        for binding in plan.bindings
    )  # fmt: skip


def rehearsal(**changed: Any) -> Rehearsal:
    """Return one in which all goes well, but for what is named."""
    parts: dict[str, Any] = {
        "network": NETWORK, "containers": containers(), "ports": ports(look().plan), "exits": (GATEWAY, TARGET),
        "asked": True, "seconds": 7.5,
    }  # fmt: skip
    return Rehearsal(**(parts | changed))


def with_port(number: int, **changed: Any) -> Rehearsal:
    """Return one in which a port went otherwise."""
    whole = rehearsal()
    return replace(whole, ports=tuple(replace(one, **changed) if one.port == number else one for one in whole.ports))


def with_container(name: str, **changed: Any) -> Rehearsal:
    """Return one in which a container went otherwise."""
    whole = rehearsal()
    return replace(
        whole,
        containers=tuple(replace(one, **changed) if one.name == name else one for one in whole.containers),
    )
