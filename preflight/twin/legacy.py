"""Tables of iptables' own kernel interface (ip_tables, ip6_tables) and their copies in the twin.

All but what is pure is about the network namespace that the process is in. An example:

    blobs = [read(4, table) for table in tables(4)]                        # on the host
    copied = ipsets.load(ipsets.read(host, {index for blob in blobs for index in sets(blob)}), twin)
    loaded = [load(blob, copied.indices, "as-is", queues()) for blob in blobs]   # in the twin
    before = counters(4, loaded)
    …                                                                      # a packet
    after = counters(4, loaded, before)
    culprit(before, after), met(before, after), diverted(before, after), depends(before, after)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path

from preflight.facts.twin import Chain, Table
from preflight.twin.ipset_elements import Networks
from preflight.twin.legacy_blame import Counts, counters, culprit, depends, diverted, grown, met
from preflight.twin.legacy_blob import ACCEPT, DROP, HOOKS, Blob, layout, parts, read, tables
from preflight.twin.legacy_load import Loaded, Refusal, load
from preflight.twin.legacy_worlds import sets

__all__ = [
    "Blob", "Counts", "Loaded", "Refusal", "counters", "culprit", "depends", "diverted", "grown", "load", "mentions",
    "met", "outline", "queues", "read", "sets", "tables",
]  # fmt: skip

# Of a table's chains, by the table; those of nat hang at -100 and 100.
_PRIORITIES = {"raw": -300, "mangle": -150, "filter": 0, "security": 50}
_SOURCE_NAT = ("INPUT", "POSTROUTING")


def queues() -> frozenset[int]:
    """Return the numbers of the queues that programs of this namespace read (NFQUEUE)."""
    try:
        lines = Path("/proc/self/net/netfilter/nfnetlink_queue").read_text("ascii").splitlines()
    except (FileNotFoundError, PermissionError):
        return frozenset()
    return frozenset(int(words[0]) for line in lines if (words := line.split()) and words[0].isdecimal())


def outline(blob: Blob) -> Table:
    """Return a table in outline."""
    rules: dict[str, int] = {}
    policies: dict[str, str] = {}
    for row in blob.rows:
        rules[row.chain] = rules.get(row.chain, 0) + bool(row.number)
        if row.at in blob.policies and not row.number and not row.target:
            policies[row.chain] = {DROP: "drop", ACCEPT: "accept"}.get(row.verdict, "")
    rules.pop("ERROR", None)  # the end of every table
    chains = [_chain(blob.table, name, count, policies.get(name)) for name, count in rules.items()]
    return Table("ip_tables", "ip" if blob.version == 4 else "ip6", blob.table, tuple(chains))


def _chain(table: str, name: str, rules: int, policy: str | None) -> Chain:
    if policy is None or name not in HOOKS:
        return Chain(name, rules)
    priority = _PRIORITIES.get(table, 100 if name in _SOURCE_NAT else -100)
    return Chain(name, rules, name.lower(), priority, policy)


# --- which addresses are meant ----------------------------------------------------------------------------------------


def mentions(blob: Blob) -> Callable[[str], bool]:
    """Return a function that says whether a rule singles an address out, by its network or range.

    Sets are asked on their own. Raises `OSError` (EBADMSG).
    """
    found = _Mentioned(blob.version)
    size = layout(blob.version).address
    for pair in {blob.data[row.at : row.at + 4 * size] for row in blob.rows}:
        for at in (0, size):
            found.masked(pair[at : at + size], pair[at + 2 * size : at + 3 * size])
    for row in blob.rows:
        if row.target == "ERROR" or row.data == row.at + layout(blob.version).matches:
            continue
        for match in parts(blob, row)[0]:
            if match.name == "iprange" and len(match.data) >= 64:
                found.ranges(match.data)
            elif match.name == "conntrack" and len(match.data) >= 128:
                for at in range(0, 128, 32):
                    found.masked(match.data[at : at + size], match.data[at + 16 : at + 16 + size])
    return found.hold


class _Mentioned:
    """Networks, masked addresses and ranges of one version."""

    def __init__(self, version: int) -> None:
        self._size = layout(version).address
        self._networks = Networks()
        self._masked: set[tuple[int, int]] = set()
        self._ranges: set[tuple[int, int]] = set()

    def masked(self, address: bytes, mask: bytes) -> None:
        """Add an address with its mask."""
        bits, number, cut = 8 * self._size, int.from_bytes(address, "big"), int.from_bytes(mask, "big")
        length = cut.bit_count()
        if cut == ((1 << length) - 1) << bits - length:
            self._networks.put(number, bits, length)
        else:
            self._masked.add((number & cut, cut))

    def ranges(self, data: bytes) -> None:
        """Add the ranges of a match `iprange`."""
        flags = data[64] if len(data) > 64 else 0
        for bit, at in ((1, 0), (2, 32)):
            if flags & bit:
                first, last = (data[place : place + self._size] for place in (at, at + 16))
                self._ranges.add((int.from_bytes(first, "big"), int.from_bytes(last, "big")))

    def hold(self, address: str) -> bool:
        """Say whether an address is among them."""
        parsed = ipaddress.ip_address(address)
        if parsed.max_prefixlen != 8 * self._size:
            return False
        number = int(parsed)
        return (
            self._networks.hold(address)
            or any(number & mask == value for value, mask in self._masked)
            or any(first <= number <= last for first, last in self._ranges)
        )
