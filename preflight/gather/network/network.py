"""Links, addresses, routes and IPv6 of the host: by netlink where its network is ours, else from its procfs."""

from __future__ import annotations

import ipaddress
import re
import socket
import sys
from typing import Any

from msgspec.structs import replace

from preflight.facts import Address, Fact, Ipv6, Link, Route
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.network.rules import other_tables
from preflight.text.sentences import say

LINES = 50_000  # of a table
TABLE_BYTES = 16 << 20
DEVICES = 500  # whose settings are read
_CONF = "/proc/sys/net/ipv6/conf"
_SCOPES = {0x00: "global", 0x10: "host", 0x20: "link", 0x40: "site"}


def links(roots: Roots) -> Fact[tuple[Link, ...]]:
    """Return the host's interfaces with MTU and addresses."""
    if roots.view.network:
        from preflight.gather.network import netlink

        try:
            return Fact.of("rtnetlink", netlink.links())
        except OSError:
            pass  # refused: procfs says nearly as much
    source = roots.process_file("net")
    try:
        names = devices(_table(roots, "dev"))
        local = ipv4_addresses(_table(roots, "fib_trie"), ipv4_routes(_table(roots, "route")))
    except Unreadable as error:
        return _unknown(roots, source, error)
    held = {**{name: [] for name in names}, **local}
    for name, address in ipv6_addresses(_optional(roots, "if_inet6")):
        held.setdefault(name, []).append(address)
    return Fact.of(source, tuple(Link(name, *_device(roots, name), tuple(found)) for name, found in held.items()))


def routes(roots: Roots) -> Fact[tuple[Route, ...]]:
    """Return the routes of the host's tables (from procfs: of IPv6 as if all were in the main one)."""
    if roots.view.network:
        from preflight.gather.network import netlink

        try:
            return Fact.of("rtnetlink", _with_learned(netlink.routes(), _optional(roots, "ipv6_route")))
        except OSError:
            pass
    source = roots.process_file("net/route")
    try:
        found = ipv4_routes(_table(roots, "route")) + other_tables(_optional(roots, "fib_trie"))
    except Unreadable as error:
        return _unknown(roots, source, error)
    return Fact.of(source, (*found, *ipv6_routes(_optional(roots, "ipv6_route"))))


def _with_learned(found: tuple[Route, ...], table: str) -> tuple[Route, ...]:
    """Mark the routes that the kernel took from routers: netlink tells them from no other program's ("proto ra")."""
    learned = {(route.interface, route.gateway) for route in ipv6_routes(table) if route.learned}
    return tuple(
        replace(route, learned=True)
        if route.destination == "::/0" and (route.interface, route.gateway) in learned
        else route
        for route in found
    )


def ipv6(roots: Roots) -> Fact[Ipv6]:
    """Return the kernel's word on IPv6 in the host's network."""
    source = roots.process_file("net/if_inet6")
    try:
        off = "ipv6.disable=1" in roots.text("/proc/cmdline", 1 << 16).split()
    except Unreadable:
        off = False
    try:
        table = _table(roots, "if_inet6")
    except Unreadable as error:
        if off or (error.absent and _has_network(roots)):
            return Fact.of(source, Ipv6(False, False, False))
        return _unknown(roots, source, error)
    loopback = any(address.address == "::1" for _, address in ipv6_addresses(table))
    forwarding, accept_ra = _advertised(roots)
    listenable = _listenable() if roots.view.network else loopback
    return Fact.of(source, Ipv6(not off, _disabled(roots, table), listenable, forwarding, accept_ra))


def _disabled(roots: Roots, table: str) -> bool:
    """Read the kernel's switch. Below a live /proc/sys/net lies the reader's network, so that must be the host's."""
    if roots.view.network or not roots.view.live:
        try:
            return roots.text("/proc/sys/net/ipv6/conf/all/disable_ipv6", 100).strip() == "1"
        except Unreadable:
            pass
    return not table.strip()


def _advertised(roots: Roots) -> tuple[bool | None, dict[str, int]]:
    """Read whether the host forwards, and by interface whether it takes routes that routers advertise."""
    if not roots.view.network and roots.view.live:
        return None, {}  # below a live /proc/sys/net lies the reader's network
    forwarding = roots.try_text(f"{_CONF}/all/forwarding", 100).strip()
    try:
        names = roots.entries(_CONF)[:DEVICES]
    except Unreadable:
        names = []
    held = {name: roots.try_text(f"{_CONF}/{name}/accept_ra", 100).strip() for name in names if "/" not in name}
    return (
        forwarding != "0" if forwarding.isascii() and forwarding.isdecimal() else None,
        {name: int(value) for name, value in held.items() if value in ("0", "1", "2")},
    )


def _listenable() -> bool:
    """Try what the engine tries when it starts: to bind a free port of ::1."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _has_network(roots: Roots) -> bool:
    """Say whether the anchor's network tables are there, so that a missing one means a missing feature."""
    try:
        return roots.exists(roots.process_file("net/dev")) or roots.exists(roots.process_file("net/route"))
    except Unreadable:
        return False


def _table(roots: Roots, name: str) -> str:
    try:
        return roots.text(roots.process_file(f"net/{name}"), TABLE_BYTES)
    except Unreadable:
        if roots.view.live:
            raise
    return roots.text(f"/proc/net/{name}", TABLE_BYTES)  # where a copy may have it


def _optional(roots: Roots, name: str) -> str:
    """Return a table that a kernel without IPv6 does not have."""
    try:
        return _table(roots, name)
    except Unreadable:
        return ""


def _unknown(roots: Roots, source: str, error: Unreadable) -> Fact[Any]:
    if not roots.view.live:
        return Fact.unknown(
            source, say("The root is a copy, which does not include the kernel's network tables."), cause="copy"
        )
    return roots.unknown(source, error)


def _device(roots: Roots, name: str) -> tuple[int | None, bool | None]:
    """Return MTU and whether the link is up; /sys shows the network namespace of whoever mounted it, here the host."""
    if "/" in name or name in ("", ".", ".."):
        return None, None
    try:
        mtu = roots.text(f"/sys/class/net/{name}/mtu", 100).strip()
        flags = roots.text(f"/sys/class/net/{name}/flags", 100).strip()
    except Unreadable:
        return None, None
    up = bool(int(flags, 16) & 1) if re.fullmatch(r"0x[0-9a-f]{1,8}", flags) else None
    return int(mtu) if mtu.isascii() and mtu.isdecimal() and len(mtu) < 10 else None, up


def devices(table: str) -> list[str]:
    """Read the names in /proc/net/dev, in its order."""
    return [line.rpartition(":")[0].strip() for line in table.splitlines()[2:LINES] if ":" in line]


def ipv4_routes(table: str) -> tuple[Route, ...]:
    """Read /proc/net/route: addresses are numbers in the machine's byte order. Lines that are none are left out."""
    found = []
    for line in table.splitlines()[1:LINES]:
        fields = line.split()
        try:
            name, destination, gateway, metric, mask = (
                fields[0],
                *(_ipv4(fields[n]) for n in (1, 2)),
                fields[6],
                fields[7],
            )
            network = ipaddress.IPv4Network((destination, str(_ipv4(mask))))
            via = str(gateway) if int(gateway) else ""
            found.append(Route(str(network), name, via, int(metric)))
        except (IndexError, ValueError):
            continue
    return tuple(found)


def _ipv4(digits: str) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(digits, 16).to_bytes(4, sys.byteorder)) if len(digits) == 8 else _wrong(digits)


def _wrong(text: str) -> ipaddress.IPv4Address:
    raise ValueError(text)


# Of /proc/net/ipv6_route's flags: local, anycast, cache; of its names: lo has only those and refusals.
_NOT_A_ROUTE = 0x80000000 | 0x00100000 | 0x01000000
_LEARNED = 0x00010000 | 0x00040000  # RTF_DEFAULT, RTF_ADDRCONF: a default route that the kernel took from a router


def ipv6_routes(table: str) -> tuple[Route, ...]:
    """Read /proc/net/ipv6_route without the kernel's own entries (local addresses, multicast, the last refusal)."""
    found = []
    for line in table.splitlines()[:LINES]:
        fields = line.split()
        try:
            network = ipaddress.IPv6Network((bytes.fromhex(fields[0]), int(fields[1], 16)), strict=False)
            gateway = ipaddress.IPv6Address(bytes.fromhex(fields[4]))
            metric, flags, name = int(fields[5], 16), int(fields[8], 16), fields[9]
        except (IndexError, ValueError):
            continue
        if flags & _NOT_A_ROUTE or network.is_multicast or name == "lo" or not flags & 1:
            continue
        learned = flags & _LEARNED == _LEARNED
        found.append(Route(str(network), name, str(gateway) if int(gateway) else "", metric, learned=learned))
    return tuple(found)


def ipv4_addresses(trie: str, table: tuple[Route, ...]) -> dict[str, list[Address]]:
    """Read the host's own addresses from /proc/net/fib_trie, by interface ('' where its routes do not tell which)."""
    local = dict.fromkeys(re.findall(r"\|-- ([0-9.]{7,15})\n(?:\s+/\d+ .*\n)*?\s+/32 host LOCAL", trie))
    on_link = [(ipaddress.IPv4Network(route.destination), route.interface) for route in table if not route.gateway]
    on_link = sorted((pair for pair in on_link if pair[0].prefixlen), key=lambda pair: -pair[0].prefixlen)
    on_link.append((ipaddress.IPv4Network("127.0.0.0/8"), "lo"))
    found: dict[str, list[Address]] = {}
    for text in list(local)[:LINES]:
        try:
            address = ipaddress.IPv4Address(text)
        except ValueError:
            continue
        network, name = next(
            (pair for pair in on_link if address in pair[0]), (ipaddress.IPv4Network((address, 32)), "")
        )
        scope = "host" if address.is_loopback else "link" if address.is_link_local else "global"
        found.setdefault(name, []).append(Address(text, network.prefixlen, scope))
    return found


def ipv6_addresses(table: str) -> list[tuple[str, Address]]:
    """Read /proc/net/if_inet6: interface and address. Lines that are none are left out."""
    found = []
    for line in table.splitlines()[:LINES]:
        fields = line.split()
        try:
            address = ipaddress.IPv6Address(bytes.fromhex(fields[0]))
            prefix, scope, name = int(fields[2], 16), int(fields[3], 16), fields[5]
        except (IndexError, ValueError):
            continue
        found.append((name, Address(str(address), min(prefix, 128), _SCOPES.get(scope & 0xF0, "global"))))
    return found
