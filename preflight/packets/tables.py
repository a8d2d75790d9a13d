"""What a host's rules and tables of routes make of a packet, gone through as the kernel does. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from msgspec import Struct

from preflight.facts import Host, Route, RoutingRule
from preflight.net import addresses
from preflight.net.addresses import IpAddress

LOCAL, MAIN, DEFAULT = 255, 254, 253
# The rules that every host has until somebody adds others.
STANDARD = (
    RoutingRule(version=4, priority=0, action="table", table=LOCAL),
    RoutingRule(version=4, priority=32766, action="table", table=MAIN),
    RoutingRule(version=4, priority=32767, action="table", table=DEFAULT),
    RoutingRule(version=6, priority=0, action="table", table=LOCAL),
    RoutingRule(version=6, priority=32766, action="table", table=MAIN),
)
_STEPS = 10_000  # rules that are asked for one packet


class Packet(Struct, frozen=True):
    """A packet that no mark, user or port singles out.

    `source` None: it is not settled yet. `incoming`: the interface that it came in by, 'lo' = it is the host's own,
    '' = one that no rule names.
    """

    destination: IpAddress
    source: IpAddress | None = None
    incoming: str = "lo"


def rules_of(host: Host, version: int) -> tuple[RoutingRule, ...]:
    """Return the rules that a host goes by. Raise `MissingFact` where it has tables of its own, and they are unknown.

    Who recorded only the main table's routes knew nothing of rules; it is judged as a host without them.
    """
    if not host.rules.known and all(route.table in (MAIN, DEFAULT, LOCAL) for route in host.routes.or_(())):
        return tuple(rule for rule in STANDARD if rule.version == version)
    return tuple(rule for rule in host.rules.get() if rule.version == version)


def lookup(rules: Sequence[RoutingRule], routes: Iterable[Route], packet: Packet) -> Route | None:
    """Return the route that a packet takes, None for no route; one that refuses has the interface '*'.

    `rules` by priority, of the packet's IP version. Of routes that are as good the first is taken.
    """
    version = packet.destination.version
    tables: dict[int, list[tuple[int, Route]]] = {}
    for route in routes:
        if (length := _length(route.destination, packet.destination)) is not None:
            tables.setdefault(route.table, []).append((length, route))
    at = steps = 0
    while at < len(rules) and steps < _STEPS:
        rule, at, steps = rules[at], at + 1, steps + 1
        if rule.action == "nop" or not matches(rule, packet):
            continue
        if rule.action == "goto":
            at = next((n for n, other in enumerate(rules) if other.priority >= rule.goto and n >= at), len(rules))
        elif rule.action == "table":
            length, found = max(tables.get(rule.table, ()), key=lambda row: (row[0], -row[1].metric), default=(0, None))
            if found and found.kind != "throw" and (rule.suppress is None or length > rule.suppress):
                return found
        else:
            everywhere = "0.0.0.0/0" if version == 4 else "::/0"
            return Route(rule.destination or everywhere, "*", "", 0, kind=rule.action)
    return None


def matches(rule: RoutingRule, packet: Packet) -> bool:
    """Say whether a rule holds for a packet. What is not known of it (users, ports) does not match."""
    held = (
        not rule.others
        and not rule.outgoing
        and rule.mark == 0
        and rule.incoming in ("", packet.incoming)
        and (not rule.destination or _length(rule.destination, packet.destination) is not None)
        and (not rule.source or (packet.source is not None and _length(rule.source, packet.source) is not None))
    )
    return held is not rule.inverted


def _length(network: str, address: IpAddress) -> int | None:
    """Return the prefix length of a network that holds an address; None: it does not, or is none."""
    version, first, length = _network(network)
    shift = address.max_prefixlen - length
    return length if version == address.version and int(address) >> shift == first >> shift else None


@lru_cache(1 << 16)
def _network(text: str) -> tuple[int, int, int]:
    """Return version (0 where it is none), first address and prefix length of a network."""
    parsed = addresses.network(text)
    return (parsed.version, int(parsed.network_address), parsed.prefixlen) if parsed else (0, 0, 0)
