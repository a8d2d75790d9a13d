"""One world: a twin with the host's rules in place, and what became of the packets that were sent through it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from preflight.facts.twin import Family
from preflight.twin import copies, derive, policies, send
from preflight.twin.legacy_worlds import World
from preflight.twin.request import Port, Request
from preflight.twin.send_aims import Transport
from preflight.twin.send_verdicts import Outcome
from preflight.twin.stage import Side, Stage, build
from preflight.twin.surroundings import Surroundings

Source = Literal["internet", "neighbour"]
SOURCES: tuple[Source, ...] = ("internet", "neighbour")
Doubt = Literal["control", "rules", "sysctls", "modules", "derivation"]


class Host(Struct, frozen=True):
    """What was read of the host, and what is asked of it."""

    request: Request
    around: Surroundings
    rules: copies.Copies


class Played(Struct):
    """A world, its packets sent. `doubts`: why a family's were not: facts of `Family`, by version."""

    stage: Stage
    loaded: copies.Loaded
    doubts: dict[int, Family] = field(default_factory=dict)
    arrivals: dict[tuple[int, Port, Source], tuple[Outcome, ...]] = field(default_factory=dict)
    exits: dict[tuple[int, Transport, int], Outcome] = field(default_factory=dict)

    @property
    def sides(self) -> list[Side]:
        """Return the families whose packets were sent."""
        return [side for version, side in sorted(self.stage.sides.items()) if version not in self.doubts]


def play(host: Host, world: World, *, swapped: bool = False) -> Played:
    """Make a world and send all packets through it; raise `OSError`. `swapped`: nf_tables come before ip_tables."""
    stage = build(host.request, host.around, host.rules.ordinary())
    failing = stage.control()
    loaded = copies.load(host.rules, stage, world, swapped=swapped)
    stage.load_rules()
    played = Played(stage, loaded)
    for version, side in stage.sides.items():
        if version in failing:
            played.doubts[version] = _blind(side, "control")
        elif lacking := _lacking(host, side):
            played.doubts[version] = _blind(side, "rules", lacking)
        elif loaded.blind:
            played.doubts[version] = _blind(side, "rules", loaded.blind)
        elif stage.unwritten(version):
            played.doubts[version] = _blind(side, "sysctls", " ".join(stage.unwritten(version)))
    if played.sides and not host.request.present:
        _derive(host, played)
    for side in played.sides:
        _send(host.request, played, side)
    return played


def _lacking(host: Host, side: Side) -> str:
    """Say what decides about packets of a side on the host, and cannot in the twin; '' = nothing."""
    rules, bridge = host.rules, host.request.bridge
    if rules.bridged():
        return "bridge"
    # Without IPv6 of mailcow's own, what docker-proxy takes goes on by IPv4.
    if (side.version == 4 or not host.request.subnet6) and rules.asking(bridge):
        return "arp"
    if rules.early(host.around.below(side.interface, bridge)):
        return "ingress"
    return "xfrm" if policies.meet(rules.policies, addresses_of(side)) else ""


def _derive(host: Host, played: Played) -> None:
    """Add what the engine would; where it is not known, or fails, no family is judged."""
    request = host.request
    doubt: Doubt = "derivation"
    lacking = [names[0] for names in derive.needs(request) if not request.there(*names)]
    if lacking:
        failed, doubt = " ".join(lacking), "modules"
    else:
        try:
            failed = derive.apply(request, played.stage)
        except derive.Underivable as error:
            failed = str(error) or "unknown"
    doubts = {given.version: given.doubt for given in request.given if given.doubt}
    for side in played.sides:
        if words := doubts.get(side.version):  # type: ignore[call-overload]  # 4 or 6
            played.doubts.setdefault(side.version, _blind(side, "derivation", words[-500:]))
    if failed:
        played.doubts |= {side.version: _blind(side, doubt, failed[-500:]) for side in played.sides}


def _send(request: Request, played: Played, side: Side) -> None:
    stage, ports = played.stage, [port for port in request.ports if published(request, port, side.version)]
    places = dict[str, Source].fromkeys(side.sources, "internet")
    if side.neighbour:
        places[side.neighbour] = "neighbour"

    def own(port: Port) -> tuple[str, ...]:
        return (*sources_of(request, side, port), *filter(None, (side.neighbour,)))

    found = send.arrivals(stage, side, ports, own, request.userland_proxy)
    for port in ports:
        for source in SOURCES:
            outcomes = tuple(
                outcome for (one, address), outcome in found.items() if one == port and places[address] == source
            )
            if outcomes:
                played.arrivals[side.version, port, source] = outcomes
    for (protocol, number), outcome in send.exits(stage, side).items():
        played.exits[side.version, protocol, number] = outcome


def sources_of(request: Request, side: Side, port: Port) -> tuple[str, ...]:
    """Return the addresses of the Internet from which a port is tried: others than its neighbours, as far as they go.

    A list that learns whom it has seen at one port, and keeps them from another, would mix up what they are told of.
    """
    first, number = side.each * request.ports.index(port), len(side.sources)
    return tuple(dict.fromkeys(side.sources[(first + place) % number] for place in range(side.each)))


def addresses_of(side: Side) -> tuple[str, ...]:
    """Return all addresses that packets of a side come from or go to."""
    own = (*side.sources, *side.targets, side.neighbour, side.host, *side.containers.values())
    return tuple(filter(None, own))


def published(request: Request, port: Port, version: int) -> bool:
    """Say whether the engine publishes a port for a family: for one that mailcow's network lacks, docker-proxy does."""
    if port.address and (":" in port.address) != (version == 6):
        return False
    return version == 4 or bool(request.subnet6) or request.userland_proxy


def _blind(side: Side, doubt: Doubt, detail: str = "") -> Family:
    return Family(
        version=side.version,  # type: ignore[arg-type]  # 4 or 6
        state="blind",
        doubt=doubt,
        detail=detail,
        interface=side.interface,
        address=side.host,
    )
