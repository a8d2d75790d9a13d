"""Read the nat table of iptables' own kernel interface (ip_tables, ip6_tables). Asks only for a table that is there."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator

from preflight.gather.nat.matching import NEVER, TCP, Base, Condition, Rule, match, network, other, target

GET_INFO, GET_ENTRIES = 64, 65
TABLE_BYTES = 32 << 20  # of a table that is still read
_PREROUTING = 0
_SOURCE, _DESTINATION, _IN, _PROTOCOL = 0x08, 0x10, 0x01, 0x40  # of an entry's inverted flags


def base(version: int) -> Base | None:
    """Fetch the table for IPv4 or IPv6; None: it has no chain for what comes in; raise `OSError`."""
    info, table = fetch(version, "nat")
    hooks, entry = struct.unpack_from("=I", info, 32)[0], struct.unpack_from("=5I", info, 36)
    if not hooks >> _PREROUTING & 1:
        return None
    chains = read(table, entry[_PREROUTING], version)

    def rules(chain: str) -> Iterable[Rule]:
        return chains.get(chain, ())

    return Base("ip_tables", "ip" if version == 4 else "ip6", "nat", "PREROUTING", -100, rules)


def fetch(version: int, table: str) -> tuple[bytes, bytes]:
    """Fetch what the kernel says of a table (ipt_getinfo) and its entries; raise `OSError`: EAGAIN where it changed."""
    name = table.encode().ljust(32, b"\0")
    family, level = (socket.AF_INET, 0) if version == 4 else (socket.AF_INET6, socket.IPPROTO_IPV6)
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asked:
        info = option(asked, level, GET_INFO, name + bytes(52))
        size = struct.unpack_from("=I", info, 80)[0]
        if size > TABLE_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        data = option(asked, level, GET_ENTRIES, name + struct.pack("=I", size) + bytes(4 + size))
    return info, data[40:]


def option(asked: socket.socket, level: int, number: int, request: bytes) -> bytes:
    """Call getsockopt(2) with a question in its buffer, for which Python's own has no place; raise `OSError`."""
    buffer = ctypes.create_string_buffer(request, len(request))
    length = ctypes.c_uint32(len(request))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.getsockopt(asked.fileno(), level, number, buffer, ctypes.byref(length)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return buffer.raw[: length.value]


class Layout:
    """Where the parts of an entry are."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.address = 4 if version == 4 else 16
        self.names = 4 * self.address  # iniface, outiface, and their masks, 16 bytes each
        self.protocol = self.names + 64
        self.flags, self.inverted = (
            self.protocol + (2 if version == 4 else 3),
            self.protocol + (3 if version == 4 else 4),
        )
        self.goto = 2 if version == 4 else 4  # of the flags
        self.offsets = 88 if version == 4 else 140  # of the target, of the next entry
        self.counters = 96 if version == 4 else 152  # packets, bytes
        self.matches = 112 if version == 4 else 168


def read(table: bytes, start: int, version: int) -> dict[str, list[Rule]]:
    """Read a table's entries: the rules of PREROUTING, which starts there, and of the chains that users made.

    Raises `OSError` where an entry is damaged: nobody knows then what comes after it.
    """
    layout = Layout(version)
    names: dict[int, str] = {start: "PREROUTING"}
    rows = list(entries(table, layout))
    for _, end, name, data in rows:
        if name == "ERROR":
            names[end] = data[:30].split(b"\0", 1)[0].decode("utf-8", "replace")
    chains: dict[str, list[Rule]] = {}
    chain = ""
    for at, end, name, data in rows:
        chain = names.get(at, chain)
        if name == "ERROR":
            chain = ""
        elif chain:
            number = len(chains.setdefault(chain, [])) + 1
            chains[chain].append(_rule(table[at:end], layout, name, data, names)._replace(handle=number))
            # The policy ends a chain of the kernel's own; the entries after it are the next one's.
            if chain == "PREROUTING" and not name and _plain(table[at:end], layout):
                chain = ""
    return chains


def entries(table: bytes, layout: Layout) -> Iterator[tuple[int, int, str, bytes]]:
    """Yield where each entry starts and ends, its target's name ('' = the standard one) and data."""
    at = 0
    while at + layout.matches <= len(table):
        to_target, to_next = struct.unpack_from("=HH", table, at + layout.offsets)
        if to_next < to_target + 32 or to_target < layout.matches or at + to_next > len(table):
            raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG))
        name = _name(table[at + to_target + 2 : at + to_target + 31])
        if not name and to_next < to_target + 36:  # the standard one has a verdict; others, as TRACE, may have nothing
            raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG))
        yield at, at + to_next, name, table[at + to_target + 32 : at + to_next]
        at += to_next


def _name(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace")


def _plain(entry: bytes, layout: Layout) -> bool:
    """Say whether an entry holds for every packet and ends it, as a policy does."""
    to_target = struct.unpack_from("=H", entry, layout.offsets)[0]
    verdict = struct.unpack_from("=i", entry, to_target + 32)[0]
    return not any(entry[: layout.flags + 2]) and to_target == layout.matches and verdict < 0 and verdict != -5


def _rule(entry: bytes, layout: Layout, name: str, data: bytes, names: dict[int, str]) -> Rule:
    conditions = tuple(_conditions(entry, layout))
    if name:
        verdict, sent = target(
            name, entry[struct.unpack_from("=H", entry, layout.offsets)[0] + 31], data, layout.version
        )
        return Rule(conditions, verdict, sent)
    code = struct.unpack_from("=i", data)[0]
    if code >= 0:
        goto = bool(entry[layout.flags] & layout.goto)
        return Rule(conditions, "goto" if goto else "jump", names.get(code, ""))
    return Rule(conditions, {-5: "return", -2: "accept", -1: "drop"}.get(code, "accept"))


def _conditions(entry: bytes, layout: Layout) -> Iterator[Condition]:
    size, inverted = layout.address, entry[layout.inverted]
    addresses = [entry[size * number : size * (number + 1)] for number in range(4)]
    for kind, address, mask, bit in (
        ("source", addresses[0], addresses[2], _SOURCE),
        ("destination", addresses[1], addresses[3], _DESTINATION),
    ):
        if any(mask):
            found = network(address, mask)
            yield Condition(kind, (found,), bool(inverted & bit)) if found else other(kind)
    masked = entry[layout.names + 32 : layout.names + 48]
    if any(masked):
        whole = masked.rstrip(b"\0")
        interface = entry[layout.names : layout.names + 16][: len(whole)]
        wild = "" if interface.endswith(b"\0") else "*"
        yield Condition("interface", (_name(interface) + wild,), bool(inverted & _IN))
    protocol = struct.unpack_from("=H", entry, layout.protocol)[0]
    if protocol and (protocol == TCP) is bool(inverted & _PROTOCOL):
        yield NEVER
    at, end = layout.matches, struct.unpack_from("=H", entry, layout.offsets)[0]
    while at + 32 <= end:
        length = struct.unpack_from("=H", entry, at)[0]
        if length < 32 or at + length > end:
            yield other("match")
            return
        found_match = match(_name(entry[at + 2 : at + 31]), entry[at + 31], entry[at + 32 : at + length])
        if found_match:
            yield found_match
        at += length
