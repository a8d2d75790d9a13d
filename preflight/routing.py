"""The host's way to the Internet, and the address that mail is sent from, as the kernel decides. Pure."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable

from preflight.facts import Host, Link, Route, Way

_EVERYWHERE = {4: ("0.0.0.0/1", "0.0.0.0/0"), 6: ("::/0", "::/1", "2000::/3")}


def way_out(host: Host, version: int) -> Way | None:
    """Return the way that packets of IP version 4 or 6 take to the Internet; None: there is none.

    What the kernel answered decides; where it was not asked, the first of the main table's default routes. Raise
    `MissingFact` where neither is known.
    """
    if host.ways.known:
        return _usual(way for way in host.ways.get() if _version(way.destination) == version)
    return _main(host.routes.get(), version)


def _usual(ways: Iterable[Way]) -> Way | None:
    """Return the way that most of the addresses asked about have in common, the first where two are as usual."""
    rows = [way for way in ways if not way.error and way.interface]
    if not rows:
        return None
    counted = Counter((way.interface, way.gateway, way.source, way.table) for way in rows)
    (usual, _), *_ = counted.most_common(1)
    return next(way for way in rows if (way.interface, way.gateway, way.source, way.table) == usual)


def _main(routes: Iterable[Route], version: int) -> Way | None:
    """Return the default route that is taken first: a VPN that takes all traffic adds two halves of one."""
    rows = list(routes)
    for destination in _EVERYWHERE[version]:
        found = [route for route in rows if route.destination == destination and route.interface != "*"]
        if found:
            route = min(found, key=lambda route: route.metric)
            return Way(destination=destination, interface=route.interface, gateway=route.gateway)
    return None


def sent_from(host: Host, version: int) -> str | None:
    """Return the address that mailcow's mail leaves this host with, before any NAT beyond it; None: not known.

    Docker masquerades what its containers send, and for IPv4 that takes the interface's address in the network of
    the gateway, else its first one, whatever source the route names for the host's own packets (inet_select_addr).
    For IPv6 it chooses as the host itself does. Raise `MissingFact` where routes or addresses are not known.
    """
    way = way_out(host, version)
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
        if ":" not in address.address and address.scope == "global" and not address.secondary
    ]
    for address in rows:
        if gateway and _within(gateway, address.address, address.prefix):
            return address.address
    return rows[0].address if rows else None


def _within(address: str, network: str, prefix: int) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network((network, prefix), strict=False)
    except ValueError:
        return False


def _version(address: str) -> int:
    return 6 if ":" in address else 4
