"""Rules of a nat table, whoever wrote them and in whichever form: what a rule asks of a packet, and what comes of it.

Only what matters for a TCP connection to a port of the host is told apart. All else is a condition of which nothing
but its name is known, so that nobody takes it for met or for not met.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from preflight.net.addresses import with_port

TCP = 6
NEW = 8  # of a connection's states, as a bit


class Condition(NamedTuple):
    """What a rule asks. `values` by kind: ports (first, last); destination, source: networks; interface: names.

    `family` has 4 or 6, `other` the name of what is not understood. `never` holds for no TCP packet to this host.
    """

    kind: str
    values: tuple[Any, ...] = ()
    negated: bool = False


NEVER = Condition("never")


class Rule(NamedTuple):
    """A rule. `verdict`: jump, goto (to the chain `target`), return, accept, drop, divert (to `target`) or next."""

    conditions: tuple[Condition, ...]
    verdict: str
    target: str = ""
    handle: int = 0


class Base(NamedTuple):
    """A chain that the kernel enters with each packet that comes in, and how the rules of its table are looked up."""

    backend: str  # nf_tables, ip_tables
    family: str  # ip, ip6, inet
    table: str
    chain: str
    priority: int
    rules: Callable[[str], Iterable[Rule]]


def other(name: str) -> Condition:
    """Make a condition that is not understood."""
    return Condition("other", (name,))


def network(raw: bytes, mask: bytes | int) -> str:
    """Write an address and its mask, or the length of it, as a network; '' where the mask is no prefix."""
    address = ipaddress.ip_address(raw)
    if isinstance(mask, int):
        length = mask
    else:
        bits = int.from_bytes(mask, "big")
        length = bits.bit_count()
        if bits != ((1 << length) - 1) << (8 * len(mask) - length):
            return ""
    return str(ipaddress.ip_network((int(address), length), strict=False)) if length or int(address) else ""


# --- extensions of iptables: the same bytes in its own tables and in those of nf_tables -----------------------------


def match(name: str, revision: int, data: bytes) -> Condition | None:
    """Read a match; None: it asks nothing."""
    try:
        reader = _MATCHES.get((name, revision)) or _MATCHES.get((name, -1))
        return reader(data) if reader else other(name)
    except (struct.error, IndexError):
        return other(name)


def _tcp(data: bytes) -> Condition | None:
    source_first, source_last, first, last, option, mask, _, inverted = struct.unpack_from("=HHHHBBBB", data)
    if (source_first, source_last) != (0, 65535) or option or inverted & 0b1001:
        return other("tcp")
    if mask:
        return other("flags")
    if (first, last) == (0, 65535) and not inverted & 2:
        return None
    return Condition("ports", ((first, last),), bool(inverted & 2))


def _multiport(data: bytes) -> Condition | None:
    flags, count = data[0], min(data[1], 15)
    if flags == 0:
        return other("sport")
    ports = struct.unpack_from("=15H", data, 2)
    ranged, inverted = data[32:47], bool(data[47])
    found: list[tuple[int, int]] = []
    at = 0
    while at < count:
        wide = bool(ranged[at]) and at + 1 < count
        found.append((ports[at], ports[at + 1] if wide else ports[at]))
        at += 2 if wide else 1
    return Condition("ports", tuple(found), inverted)


def _old_multiport(data: bytes) -> Condition | None:
    return _multiport(data[:32] + bytes(16)) if len(data) >= 32 else other("multiport")


_LOCAL, _INVERT_DESTINATION, _OF_INTERFACE = 1 << 2, 2, 4 | 8


def _addrtype(data: bytes) -> Condition | None:
    source, destination, flags = struct.unpack_from("=HHI", data)
    if source or flags & _OF_INTERFACE or not destination:
        return other("addrtype")
    local = bool(destination & _LOCAL) is not bool(flags & _INVERT_DESTINATION)
    return None if local else NEVER


def _old_addrtype(data: bytes) -> Condition | None:
    source, destination, _, inverted = struct.unpack_from("=HHII", data)
    return _addrtype(struct.pack("=HHI", source, destination, _INVERT_DESTINATION if inverted else 0))


def _state(data: bytes) -> Condition | None:
    return None if struct.unpack_from("=I", data)[0] & NEW else NEVER


def _conntrack(data: bytes) -> Condition | None:
    flags, inverted, states = struct.unpack_from("=HHH", data, 146)
    if flags & ~(1 << 13) != 1:  # more than the state is asked for
        return other("conntrack")
    return None if bool(states & NEW) is not bool(inverted & 1) else NEVER


def _nothing(_: bytes) -> None:
    return None


_MATCHES: dict[tuple[str, int], Callable[[bytes], Condition | None]] = {
    ("comment", -1): _nothing,
    ("tcp", 0): _tcp,
    ("udp", -1): lambda _: NEVER,
    ("sctp", -1): lambda _: NEVER,
    ("icmp", -1): lambda _: NEVER,
    ("icmp6", -1): lambda _: NEVER,
    ("multiport", 1): _multiport,
    ("multiport", 0): _old_multiport,
    ("addrtype", 1): _addrtype,
    ("addrtype", 0): _old_addrtype,
    ("state", 0): _state,
    ("conntrack", 2): _conntrack,
    ("conntrack", 3): _conntrack,
}  # fmt: skip


def target(name: str, revision: int, data: bytes, version: int) -> tuple[str, str]:
    """Read a target: its verdict, and where it sends packets. Those that only mark or log go on to the next rule."""
    if name not in ("DNAT", "REDIRECT", "NETMAP"):
        return "next", ""
    try:
        flags, address, port = _range(data, old=version == 4 and (revision == 0))
        sent = place(address if flags & 1 and name != "REDIRECT" else b"", port if flags & 2 else 0, version)
    except (struct.error, ValueError):  # shorter than it should be
        return "divert", ""
    return "divert", sent


def _range(data: bytes, *, old: bool) -> tuple[int, bytes, int]:
    """Read a range of addresses and ports: its flags (1: addresses, 2: ports), and the first of each."""
    if old:
        flags = struct.unpack_from("=I", data, 4)[0]
        return flags, data[8:12], int.from_bytes(data[16:18], "big")
    return struct.unpack_from("=I", data)[0], data[4:20], int.from_bytes(data[36:38], "big")


def place(address: bytes, port: int, version: int) -> str:
    """Write where packets are sent: `10.42.0.8:443`, `[fd00::8]:443`, `:8443` on this host; '' where not known."""
    if address:
        parsed = str(ipaddress.ip_address(address[:4] if version == 4 else address[:16]))
        return with_port(parsed, port) if port else parsed
    return f":{port}" if port else ""
