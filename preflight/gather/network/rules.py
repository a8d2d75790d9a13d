"""The rules of the host's policy routing: which tables are asked for a route, and in which order."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
import struct

from preflight.facts import Fact, Route, RoutingRule
from preflight.gather.access.advice import the_hosts_network
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.network import netlink
from preflight.packets.nlmsg import by_type, number
from preflight.packets.tables import STANDARD
from preflight.text.sentences import say

GETRULE = 34
_ACTIONS = {1: "table", 2: "goto", 3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
_DST, _SRC, _IIF, _GOTO, _PRIORITY, _MARK, _SUPPRESS, _TABLE, _MASK, _OIF = 1, 2, 3, 4, 6, 10, 14, 15, 16, 17
_TOS = "tos"
# Selectors that are only told to be there: tunnel id, VRF, users, protocol, ports, DSCP and what came after it.
_OTHERS = {
    12: "tun_id", 13: "suppress_ifgroup", 19: "l3mdev", 20: "uidrange", 22: "ipproto", 23: "sport", 24: "dport",
    25: "dscp", 26: "flowlabel",
}  # fmt: skip
_TABLES = re.compile(r"^(Main|Local|Id (\d{1,10})):\n", re.MULTILINE)
_LEAF = re.compile(r"\|-- ([0-9.]{7,15})\n((?:\s+/\d+ .*\n?)+)")
_ENTRY = re.compile(r"/(\d{1,2}) \w+ (UNICAST|BLACKHOLE|UNREACHABLE|PROHIBIT|THROW)\b")
TRIE_BYTES = 16 << 20
RULES = 10_000


def rules(roots: Roots) -> Fact[tuple[RoutingRule, ...]]:
    """Return the rules by priority. Only the kernel tells them; its tables tell at least whether there can be more."""
    if roots.view.network:
        try:
            return Fact.of("rtnetlink", dumped())
        except OSError:
            pass
    source = roots.process_file("net/fib_trie")
    try:
        trie = roots.text(source, TRIE_BYTES)
    except Unreadable as error:
        return roots.unknown(source, error)
    if not other_tables(trie):
        return Fact.of(source, STANDARD)
    reason = say("The host uses its own routing rules and tables, which are visible only in its own network.")
    help = the_hosts_network(roots.view)
    return Fact.unknown(source, reason, help.text, "ip rule", cause="network", place=help.place)


def dumped() -> tuple[RoutingRule, ...]:
    """Ask the kernel for its rules; raise `OSError`. One without policy routing has the tables that all have."""
    found: list[RoutingRule] = []
    for family, version in ((socket.AF_INET, 4), (socket.AF_INET6, 6)):
        try:
            found += [
                rule
                for payload in netlink.dump(netlink.ROUTE, GETRULE, bytes([family]) + bytes(11))
                if (rule := read_rule(payload))
            ]
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EAFNOSUPPORT):
                raise
            found += [rule for rule in STANDARD if rule.version == version]
    return tuple(found[:RULES])


def read_rule(payload: bytes) -> RoutingRule | None:
    """Read a fib_rule_hdr and its attributes; None: it is none that this program knows."""
    if len(payload) < 12:
        return None
    family, to_length, from_length, tos, table, _, _, action, flags = struct.unpack_from("=BBBBBBBBI", payload)
    found = by_type(payload[12:])
    if family not in (socket.AF_INET, socket.AF_INET6) or action not in _ACTIONS:
        return None
    mark, suppress = number(found.get(_MARK)) or 0, number(found.get(_SUPPRESS))
    return RoutingRule(
        version=4 if family == socket.AF_INET else 6,
        priority=number(found.get(_PRIORITY)) or 0,
        action=_ACTIONS[action],
        table=number(found.get(_TABLE)) or table,
        goto=number(found.get(_GOTO)) or 0,
        source=_network(found.get(_SRC, b""), from_length),
        destination=_network(found.get(_DST, b""), to_length),
        mark=mark,
        mask=number(found.get(_MASK)) or (0xFFFFFFFF if mark else 0),
        incoming=_name(found.get(_IIF, b"")),
        outgoing=_name(found.get(_OIF, b"")),
        others=(*((_TOS,) if tos else ()), *(_OTHERS[number] for number in sorted(found) if number in _OTHERS)),
        inverted=bool(flags & 2),
        suppress=None if suppress in (None, 0xFFFFFFFF) else suppress,
    )


def _network(raw: bytes, length: int) -> str:
    if len(raw) not in (4, 16) or length > 8 * len(raw):
        return ""
    return str(ipaddress.ip_network((raw, length), strict=False))


def _name(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace")


def other_tables(trie: str) -> tuple[Route, ...]:
    """Read the routes of /proc/net/fib_trie that are in no table of every host's: where to, not over what."""
    found = []
    marks = list(_TABLES.finditer(trie))
    ends = [*(mark.start() for mark in marks), len(trie)][1:]
    for mark, end in zip(marks, ends, strict=True):
        if mark[2] is None or int(mark[2]) >= 1 << 32:
            continue
        for leaf in _LEAF.finditer(trie, mark.end(), end):
            for length, kind in _ENTRY.findall(leaf[2]):
                try:
                    network = ipaddress.IPv4Network(f"{leaf[1]}/{length}")
                except ValueError:
                    continue
                name = "" if kind == "UNICAST" else "*"
                found.append(Route(str(network), name, "", 0, int(mark[2]), kind.lower()))
    return tuple(found[:RULES])
