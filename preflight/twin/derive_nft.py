"""What Docker adds to nf_tables for mailcow's network and its ports, where it has that backend (29 and later).

Read from moby/moby at 29.0.0 and 29.7.2: daemon/libnetwork/drivers/bridge/internal/nftabler/{network,endpoint,port}.go,
and daemon/libnetwork/internal/nftables/incremental_update.nft.gotmpl.
"""

from __future__ import annotations

import re
from typing import Literal

from preflight.twin.derive_state import Change
from preflight.twin.derive_wanted import (
    address_of,
    concerned,
    container_of,
    containers_of,
    engine_of,
    loopback,
    ports_of,
    subnet_of,
    target,
)
from preflight.twin.request import Port, Request

TABLE = "docker-bridges"
NAT = "nat-prerouting-and-output"
RAW = "raw-PREROUTING"
# Each of the network's chains, and the map by which packets of its bridge get there
CHAINS = {
    "filter-forward-in": "filter-forward-in-jumps",
    "filter-forward-out": "filter-forward-out-jumps",
    "nat-postrouting-in": "nat-postrouting-in-jumps",
    "nat-postrouting-out": "nat-postrouting-out-jumps",
}


_COUNTED = re.compile(r" packets \d+ bytes \d+")
_ELEMENT = re.compile(r'"[^"]+" : jump [\w.:@-]+')


def text(request: Request, version: Literal[4, 6]) -> str:
    """Write the engine's commands for `nft -f`, '' where it has none; raise `Underivable`.

    Where the table was flushed, they make its maps and what they change of it, as the engine does, and nothing leads
    there.
    """
    engine_of(request)
    if not concerned(request, version):
        return ""
    table, bridge = table_of(version), request.bridge
    lines = [f"table {table} {{"]
    lines += [f"\tmap {jumps} {{ type ifname : verdict; }}" for jumps in CHAINS.values()]
    lines += [f"\tchain {NAT} {{ }}", f"\tchain {RAW} {{ type filter hook prerouting priority raw; policy accept; }}"]
    lines += [f"\tchain {chain}__{bridge} {{ }}" for chain in CHAINS]
    lines.append("}")
    lines += [
        f'add element {table} {jumps} {{ "{bridge}" : jump {chain}__{bridge} }}' for chain, jumps in CHAINS.items()
    ]
    lines += [f"add rule {table} {chain} {rule}" for chain, rule in _rules(request, version)]
    return "\n".join(lines) + "\n"


def changes(request: Request, version: Literal[4, 6]) -> list[Change]:
    """Return the same as changes of chains and of maps; raise `Underivable`."""
    engine_of(request)
    if not concerned(request, version):
        return []
    table, bridge = table_of(version), request.bridge
    found = [Change("-N", table, f"{chain}__{bridge}") for chain in CHAINS]
    found += [Change("-A", table, jumps, f'"{bridge}" : jump {chain}__{bridge}') for chain, jumps in CHAINS.items()]
    return found + [Change("-A", table, chain, rule) for chain, rule in _rules(request, version)]


def table_of(version: Literal[4, 6]) -> str:
    """Return the engine's table, with its family."""
    return f"{'ip' if version == 4 else 'ip6'} {TABLE}"


def listed(version: Literal[4, 6], listing: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """Read the rules of chains, without counters, and the elements of maps, as `nft list table` prints them."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for kind, name, body in _blocks(listing):
        if kind == "map":
            rules = [rule for line in body for rule in _ELEMENT.findall(line)]
        else:
            rules = [_COUNTED.sub("", line) for line in body if not line.startswith("type ")]
        found[table_of(version), name] = tuple(rules)
    return found


def _blocks(listing: str) -> list[tuple[str, str, list[str]]]:
    """Return chains and maps with their lines."""
    found: list[tuple[str, str, list[str]]] = []
    for line in map(str.strip, listing.splitlines()):
        words = line.split(" ")
        if words[0] in ("chain", "map") and words[-1] == "{":
            found.append((words[0], words[1], []))
        elif found and line not in ("", "}"):
            found[-1][2].append(line)
    return found


def _rules(request: Request, version: Literal[4, 6]) -> list[tuple[str, str]]:
    family = "ip" if version == 4 else "ip6"
    bridge = request.bridge
    into, out, nat_in, nat_out = (f"{chain}__{bridge}" for chain in CHAINS)
    ports = ports_of(request, version)
    found = [
        (into, "ct state established,related counter accept"),
        (into, f'iifname "{bridge}" counter accept comment "ICC"'),
        *((into, rule) for rule in dict.fromkeys(_opened(family, port, version) for port in ports)),
        (into, 'counter drop comment "UNPUBLISHED PORT DROP"'),
        (out, "ct state established,related counter accept"),
        (out, 'counter accept comment "OUTGOING"'),
        (
            nat_out,
            f'oifname != "{bridge}" {family} saddr {subnet_of(request, version)} counter masquerade '
            'comment "MASQUERADE"',
        ),
    ]
    if not request.userland_proxy:
        found.append((nat_in, 'fib saddr type local counter masquerade comment "MASQUERADE FROM HOST"'))
        found += [(nat_in, rule) for rule in dict.fromkeys(_to_itself(family, port, version) for port in ports)]
    found += [
        (RAW, f'{family} daddr {container} iifname != "{bridge}" counter drop comment "DROP DIRECT ACCESS"')
        for container in containers_of(request, version)
    ]
    for port in ports:
        found.append((NAT, _redirected(request, family, port, version)))
        if loopback(port, version):
            local = f'iifname != "lo" ip daddr {port.address} tcp dport {port.port}'
            found.append((RAW, f'{local} counter drop comment "DROP REMOTE LOOPBACK"'))
    return found


def _opened(family: str, port: Port, version: Literal[4, 6]) -> str:
    return f"{family} daddr {container_of(port, version)} tcp dport {port.inside} counter accept"


def _to_itself(family: str, port: Port, version: Literal[4, 6]) -> str:
    container = container_of(port, version)
    both = f"{family} saddr {container} {family} daddr {container}"
    return f'{both} tcp dport {port.inside} counter masquerade comment "MASQ TO OWN PORT"'


def _redirected(request: Request, family: str, port: Port, version: Literal[4, 6]) -> str:
    address = address_of(port)
    conditions = [
        f'iifname != "{request.bridge}"' if request.userland_proxy else "",
        "ip6 saddr != fe80::/10" if version == 6 else "",
        f"{family} daddr {address}" if address else "",
        f"tcp dport {port.port} counter dnat to {target(container_of(port, version), port.inside)}",
        'comment "DNAT"',
    ]
    return " ".join(condition for condition in conditions if condition)
