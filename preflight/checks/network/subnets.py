"""Which networks of a host meet one that mailcow wants, and which are free. Pure arithmetic on networks."""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable, Iterator

from msgspec import UNSET, Struct

from preflight.checks import Look
from preflight.facts import NO_ENGINE, EngineNetwork, Route
from preflight.mailcow.plan import IPV4_NETWORK
from preflight.net import addresses
from preflight.net.addresses import IpNetwork
from preflight.packets.tables import MAIN, Packet, lookup, matches
from preflight.report.evidence.network import ConflictEvidence
from preflight.text.sentences import noted, phrase

EDGES = 512  # addresses of a network that are looked up

PRIVATE = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
UNIQUE_LOCAL = ipaddress.IPv6Network("fc00::/7")
# What the engine takes networks from where it is not told otherwise: a free network outside is taken by nobody later.
POOLS = (
    "172.17.0.0/16",
    "172.18.0.0/16",
    "172.19.0.0/16",
    "172.20.0.0/14",
    "172.24.0.0/14",
    "172.28.0.0/14",
    "192.168.0.0/16",
)
# Where a free /24 is looked for, in this order.
CANDIDATES = ("172.22.0.0/16", "172.16.0.0/16", "10.22.0.0/16", "172.16.0.0/12", "10.0.0.0/8")


_NAMED = {
    "docker network": noted("the Docker network {name} ({subnet})"),
    "route": noted("the route to {subnet} ({name})"),
    "routed": noted("the route to {subnet} ({name}, table {table})"),
    "rule": noted("the routing rule with priority {table} for {subnet}"),
    "address": noted("the address {subnet} ({name})"),
    "interface": noted("the interface {name} of the Docker network {subnet}"),
}


class Family(Struct, frozen=True):
    """One of the two networks that mailcow asks for: `subject` is the version's name, `variable` sets it."""

    subject: str
    version: int
    variable: str
    wanted: IpNetwork


def families(look: Look) -> tuple[Family, Family]:
    """Return both networks, as mailcow.conf or mailcow's defaults have them."""
    return (
        Family("IPv4", 4, "IPV4_NETWORK", ipaddress.IPv4Network(look.plan.ipv4_network)),
        Family("IPv6", 6, "IPV6_NETWORK", ipaddress.IPv6Network(look.plan.ipv6_network)),
    )


class Neighbour(Struct, frozen=True):
    """A network that meets mailcow's. `wider`: it only contains it, so that mailcow's is the more specific one."""

    what: str  # docker network, route, address, interface, rule
    name: str
    subnet: str  # for an interface, the Docker network that it belongs to
    wider: bool = False
    table: int = MAIN  # of a route; of a rule its priority

    @property
    def text(self) -> str:
        """Name it in a list."""
        what = "routed" if self.what == "route" and self.table != MAIN else self.what
        return phrase(_NAMED[what], subnet=self.subnet, name=self.name, table=self.table)

    @property
    def evidence(self) -> ConflictEvidence:
        """Return it as the report's evidence has it."""
        table = UNSET if self.table == MAIN else self.table
        return ConflictEvidence(what=self.what, name=self.name, subnet=self.subnet, wider=self.wider, table=table)


def mailcow_networks(look: Look) -> tuple[EngineNetwork, ...]:
    """Return the networks of the mailcow that runs here already; none where the engine cannot be asked."""
    known = look.host.engine.or_(NO_ENGINE).networks
    return tuple(network for network in known if network.project == look.plan.project)


def neighbours(look: Look, wanted: IpNetwork) -> list[Neighbour]:
    """Return everything on the host that meets a network: one row for each thing, its most exact name first.

    An engine's network, the route to it and the address of its bridge are one thing.
    """
    found: list[Neighbour] = []
    covered = {network.interface for network in mailcow_networks(look)}
    if look.host.engine.known and all(entry.interface != look.plan.bridge for entry in look.host.engine.get().networks):
        covered.add(look.plan.bridge)  # nobody's: the engine takes it over with its address
    for network in look.host.engine.or_(NO_ENGINE).networks:
        if network in mailcow_networks(look) or network.run:
            covered.add(network.interface)  # mailcow's, or a probe's, which is gone in a moment
            continue
        for subnet in network.subnets:
            if meet(wanted, addresses.network(subnet)):
                found.append(Neighbour("docker network", network.name, subnet))
                covered.add(network.interface)
    covered.discard("")
    found += [row for row in _routed(look, wanted) if row.name not in covered]
    covered |= {row.name for row in found if row.what == "route" and not row.wider}
    for interface, address in _addresses(look):
        if interface not in covered and meet(wanted, addresses.network(address)):
            found.append(Neighbour("address", interface or "?", address))
    return list(dict.fromkeys(found))


def _routed(look: Look, wanted: IpNetwork) -> Iterator[Neighbour]:
    """Yield the routes that meet a network, but for those to everywhere; a refusal matters only where it wins.

    Of the main table they are told from mailcow's own by their length; what is asked before it wins at any length.
    """
    taken = list(_captured(look, wanted))
    yield from taken
    asked = _asked_tables(look, wanted) if any(route.table != MAIN for route in _routes(look)) else {MAIN}
    for route in _routes(look):
        network = addresses.network(route.destination)
        if network is None or network.prefixlen <= everywhere(wanted) or not meet(wanted, network):
            continue
        wider = network.prefixlen < wanted.prefixlen
        row = Neighbour("route", route.interface or "?", route.destination, wider, route.table)
        if route.table not in asked or (wider and route.interface == "*") or (route.table != MAIN and not wider):
            continue
        if not any(other.subnet == row.subnet and other.table == row.table for other in taken):
            yield row


def everywhere(wanted: IpNetwork) -> int:
    """Return the length of the halves of a default route: what is as short or shorter is everywhere."""
    return 1 if wanted.version == 4 else 3


def _captured(look: Look, wanted: IpNetwork) -> Iterator[Neighbour]:
    """Yield the routes of other tables that take packets away from mailcow's network, once its own route is there."""
    routes, rules = _routes(look), look.host.rules.or_(())
    if all(route.table == MAIN for route in routes) and all(rule.action in ("table", "nop") for rule in rules):
        return
    if not look.host.rules.known:
        return  # and then nothing passes
    met = [route for route in routes if (net := addresses.network(route.destination)) is not None and meet(wanted, net)]
    ours = Route(str(wanted), look.plan.bridge, "", 0)
    held = [rule for rule in rules if rule.version == wanted.version]
    # In between these nothing changes.
    edges = {wanted[0]}
    for text in (*(route.destination for route in met), *(rule.destination for rule in held)):
        network = addresses.network(text) if text else None
        if network is not None and meet(wanted, network):
            edges.add(max(network[0], wanted[0]))
            if network[-1] < wanted[-1]:  # type: ignore[operator]  # they are of one version
                edges.add(network[-1] + 1)
    for address in sorted(edges)[:EDGES]:
        found = lookup(held, (ours, *met), Packet(address, incoming=""))
        if found is None or found == ours or found.interface == ours.interface:
            continue
        if found.table != MAIN:
            yield Neighbour("route", found.interface or "?", found.destination, table=found.table)
        elif found not in met:
            refusing = next((rule.priority for rule in held if rule.action == found.kind), 0)
            yield Neighbour("rule", found.kind, found.destination, table=refusing)


def _asked_tables(look: Look, wanted: IpNetwork) -> set[int]:
    """Return the tables that packets may be led to which nothing singles out."""
    if not look.host.rules.known:
        return {MAIN}
    packet = Packet(wanted[0], incoming="")
    rules = (rule for rule in look.host.rules.get() if rule.version == wanted.version and rule.action == "table")
    return {rule.table for rule in rules if matches(rule, packet)}


def capturing(look: Look, wanted: IpNetwork, neighbours: Iterable[Neighbour]) -> int | None:
    """Return the priority of the first rule that leads to one of these routes; None: there is none."""
    tables = {row.table for row in neighbours if row.what == "route" and row.table != MAIN}
    found = [
        rule.priority
        for rule in look.host.rules.or_(())
        if rule.version == wanted.version and rule.action == "table" and rule.table in tables
    ] + [row.table for row in neighbours if row.what == "rule"]
    return min(found, default=None)


def _routes(look: Look) -> tuple[Route, ...]:
    return look.host.routes.or_(())


def _addresses(look: Look) -> Iterator[tuple[str, str]]:
    for link in look.host.links.or_(()):
        for address in link.addresses:
            yield link.name, address.address


def meet(one: IpNetwork, other: IpNetwork | None) -> bool:
    """Say whether two networks have addresses in common."""
    if isinstance(one, ipaddress.IPv4Network):
        return isinstance(other, ipaddress.IPv4Network) and one.overlaps(other)
    return isinstance(other, ipaddress.IPv6Network) and one.overlaps(other)


def taken(look: Look) -> list[IpNetwork]:
    """Return every network that the host knows of, but for its default routes and mailcow's own."""
    ours = mailcow_networks(look)
    mine = {network.interface for network in ours}
    texts = [route.destination for route in _routes(look) if route.interface not in mine]
    texts += [address for interface, address in _addresses(look) if interface not in mine]
    networks = look.host.engine.or_(NO_ENGINE).networks
    texts += [subnet for entry in networks if entry not in ours for subnet in entry.subnets]
    # Default routes (and halves of one) are everywhere.
    return [network for text in texts if (network := addresses.network(text)) is not None and network.prefixlen > 3]


def propose(look: Look, wanted: IpNetwork) -> str | None:
    """Return a free network of the same kind: the same for the same host. None: there is none."""
    held = taken(look)
    if wanted.version == 6:
        return _propose_ipv6(held)
    default = ipaddress.IPv4Network(f"{IPV4_NETWORK}.0/24")
    if not any(meet(default, network) for network in held):
        return str(default)
    told = look.host.engine.or_(NO_ENGINE).address_pools
    pools = [network for text in told or POOLS if (network := addresses.network(text)) is not None]
    for avoided in ([*held, *pools], held):
        if free := _first_free(avoided):
            return free
    return None


def _first_free(avoided: Iterable[IpNetwork]) -> str | None:
    spans = sorted(
        (int(network.network_address), int(network.broadcast_address)) for network in avoided if network.version == 4
    )
    merged: list[tuple[int, int]] = []
    for first, last in spans:
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    starts = [first for first, _ in merged]
    for text in CANDIDATES:
        pool = ipaddress.IPv4Network(text)
        # The first /24 of a pool is left out: people take that for something else.
        for start in range(int(pool.network_address) + 256, int(pool.broadcast_address), 256):
            before = bisect_right(starts, start + 255) - 1
            if before < 0 or merged[before][1] < start:
                return str(ipaddress.IPv4Network((start, 24)))
    return None


def _propose_ipv6(held: Iterable[IpNetwork]) -> str | None:
    others = [network for network in held if isinstance(network, ipaddress.IPv6Network)]
    first = int(ipaddress.IPv6Address("fd4d:6169:6c63:6f77::"))
    for number in range(256):
        network = ipaddress.IPv6Network((first + (number << 64), 64))
        if not any(network.overlaps(other) for other in others):
            return str(network)
    return None
