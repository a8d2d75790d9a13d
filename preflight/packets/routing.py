"""The host's way to the Internet, and the address that mail is sent from, as the kernel decides. Pure.

The kernel's own answers come first. Where it was not asked, and for packets that it cannot be asked about (those of
mailcow's network, before there is one), its rules and tables are gone through as it does.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable

from preflight.facts import Host, Link, Way
from preflight.mailcow.layout import BRIDGE, IPV4_NETWORK, IPV6_NETWORK
from preflight.net import addresses
from preflight.net.addresses import IpAddress
from preflight.packets.tables import Packet, lookup, rules_of

# mailcow's resolver and its health check go to these: public resolvers, then root servers (c and k). Several, in both
# halves of the Internet, as one of them may have a route of its own.
INTERNET = (
    "1.1.1.1", "8.8.8.8", "9.9.9.9", "192.33.4.12", "193.0.14.129",
    "2606:4700:4700::1111", "2001:4860:4860::8888", "2620:fe::fe", "2001:500:2::c", "2001:7fd::1",
)  # fmt: skip


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
