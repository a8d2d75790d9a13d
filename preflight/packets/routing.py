"""The host's way to the Internet, and the address that mail is sent from, as the kernel decides. Pure.

The kernel's own answers come first. Where it was not asked, and for packets that it cannot be asked about (those of
mailcow's network, before there is one), its rules and tables are gone through as it does.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from msgspec import Struct

from preflight.facts import Host, Link, Route, RoutingRule, Way
from preflight.mailcow.layout import BRIDGE, IPV4_NETWORK, IPV6_NETWORK
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
# mailcow's resolver and its health check go to these: public resolvers, then root servers (c and k). Several, in both
# halves of the Internet, as one of them may have a route of its own.
INTERNET = (
    "1.1.1.1", "8.8.8.8", "9.9.9.9", "192.33.4.12", "193.0.14.129",
    "2606:4700:4700::1111", "2001:4860:4860::8888", "2620:fe::fe", "2001:500:2::c", "2001:7fd::1",
)  # fmt: skip
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


def way_out(host: Host, version: int, network: str = "") -> Way | None:
    """Return the way that mailcow's packets of IP version 4 or 6 take to the Internet; None: there is none.

    It is the way of the host's own packets, unless a rule holds for mailcow's `network` ('' = the default one) or its
    bridge. Raise `MissingFact` where it cannot be known.
    """
    own = _asked(host, version) if host.ways.known else _looked_up(host, version, Packet)
    if not (host.rules.known or host.routes.known) or not _singled_out(host, version):
        return own
    usual = f"{IPV4_NETWORK}.0/24" if version == 4 else IPV6_NETWORK
    inside = ipaddress.ip_network(network or usual, strict=False)[1]
    mailcows = _looked_up(host, version, lambda address: Packet(address, inside, BRIDGE))
    hosts = _looked_up(host, version, Packet)
    return own if mailcows == hosts else mailcows


def _singled_out(host: Host, version: int) -> bool:
    """Say whether a rule may hold for packets of some source or interface alone."""
    return any(
        (rule.source or rule.incoming) and rule.version == version and host.routes.known for rule in host.rules.or_(())
    )


def _asked(host: Host, version: int) -> Way | None:
    return _usual(way for way in host.ways.get() if addresses.version(way.destination) == version)


def _looked_up(host: Host, version: int, packet: Callable[[IpAddress], Packet]) -> Way | None:
    routes, rules = host.routes.get(), rules_of(host, version)
    ways = []
    for text in INTERNET:
        address = ipaddress.ip_address(text)
        found = lookup(rules, routes, packet(address)) if address.version == version else None
        if found is not None and found.interface not in ("", "*"):
            ways.append(Way(destination=text, interface=found.interface, gateway=found.gateway, table=found.table))
    return _usual(ways)


def _usual(ways: Iterable[Way]) -> Way | None:
    """Return the way that most of the addresses asked about have in common, the first where two are as usual."""
    rows = [way for way in ways if not way.error and way.interface]
    if not rows:
        return None
    counted = Counter((way.interface, way.gateway, way.source, way.table) for way in rows)
    (usual, _), *_ = counted.most_common(1)
    return next(way for way in rows if (way.interface, way.gateway, way.source, way.table) == usual)


def sent_from(host: Host, version: int, network: str = "") -> str | None:
    """Return the address that mailcow's mail leaves this host with, before any NAT beyond it; None: not known.

    Docker masquerades what its containers send, and for IPv4 that takes the interface's address in the network of
    the gateway, else its first one, whatever source the route names for the host's own packets (inet_select_addr).
    For IPv6 it chooses as the host itself does. Raise `MissingFact` where routes or addresses are not known.
    """
    way = way_out(host, version, network)
    if way is None:
        return None
    if version == 6:
        return way.source or None
    links = {link.name: link for link in host.links.get()}
    return _masqueraded(links.get(way.interface), way.gateway) or way.source or None


def _masqueraded(link: Link | None, gateway: str) -> str | None:
    rows = [
        address
        for address in (link.addresses if link else ())
        if addresses.version(address.address) == 4 and address.scope == "global" and not address.secondary
    ]
    for address in rows:
        if addresses.within(gateway, (f"{address.address}/{address.prefix}",)):
            return address.address
    return rows[0].address if rows else None
