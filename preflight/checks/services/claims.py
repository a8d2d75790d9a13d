"""Which of mailcow's ports a service or a unit opens, or holds now."""

from __future__ import annotations

from preflight.checks import Look
from preflight.checks.holders.conflicts import examine
from preflight.facts import Holder, Service
from preflight.mailcow.plan import Binding, Plan
from preflight.net.addresses import overlap


def wanted(plan: Plan, streams: tuple[tuple[str, int], ...]) -> dict[int, Binding]:
    """Return the ports of mailcow's that a unit or server opens, in order; one on [::] takes IPv4 too, as a rule."""
    found: dict[int, Binding] = {}
    for binding in plan.bindings:
        opened = (address for address, port in streams if port == binding.port)
        if any(overlap("" if address == "::" else address, binding.address) for address in opened):
            found.setdefault(binding.port, binding)
    return dict(sorted(found.items()))


def in_the_way(look: Look) -> list[tuple[Holder, str]]:
    """Return who holds a port that `ports.free` fails for, with the port."""
    cases = ((binding, examine(look, binding)) for binding in look.plan.bindings)
    return [
        (entry.holder, binding.subject)
        for binding, case in cases
        if case.taken
        for entry in case.occupants
        if entry.container is None and entry.service is None
    ]


def holds(service: Service, holder: Holder) -> bool:
    """Say whether a holder of a port is a service's: its unit, an instance of it, its socket or its process."""
    if service.unit and holder.unit:
        instance = f"{service.unit.removesuffix('.service')}@"
        return holder.unit in (service.unit, *service.sockets) or holder.unit.startswith(instance)
    return service.pid is not None and holder.pid == service.pid
