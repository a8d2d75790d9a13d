"""Tables of iptables' own kernel interface as the kernel holds them: read, taken apart, changed, put in place.

All of it is about the network namespace that the process is in.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from preflight.gather.nat import legacy as kernel
from preflight.packets.nlmsg import text

HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
_ORDER = ("raw", "mangle", "nat", "filter", "security")
TRIES = 4  # of a table that changes while it is read
DROP, ACCEPT, QUEUE, RETURN = -1, -2, -4, -5  # verdicts; from 0 on: where in the table it goes on
_REPLACE = 64  # IPT_SO_SET_REPLACE
_HEAD = "=32sIII5I5II"  # ipt_replace, up to its pointer to counters


class Row(NamedTuple):
    """An entry of a table: where it, its target and the next one start, and whose it is.

    `number`: its line in its chain, from 1, as iptables counts; 0: the policy or end of a chain, or its name (ERROR).
    `target`: '' = the standard one, with `verdict`.
    """

    at: int
    data: int
    end: int
    chain: str
    number: int
    target: str
    verdict: int


class Blob(Struct, frozen=True):
    """A table: which of the five hooks it has, where their chains start, where their policies are, and its entries."""

    version: int
    table: str
    hooks: int
    starts: tuple[int, ...]
    policies: tuple[int, ...]
    data: bytes
    rows: tuple[Row, ...]


class Part(NamedTuple):
    """A match or target of an entry: its name and revision, and its bytes, from the 33rd on its own data."""

    name: str
    revision: int
    raw: bytes

    @property
    def data(self) -> bytes:
        """Return its own data."""
        return self.raw[32:]

    def having(self, data: bytes) -> Part:
        """Return it with other data of the same length."""
        return self._replace(raw=self.raw[:32] + data)


@cache
def layout(version: int) -> kernel.Layout:
    """Return where the parts of an entry are."""
    return kernel.Layout(version)


# --- read -------------------------------------------------------------------------------------------------------------


def tables(version: int) -> tuple[str, ...]:
    """Return which tables there are, as packets meet them; asking the kernel for any other would make it."""
    path = Path("/proc/self/net/" + ("ip_tables_names" if version == 4 else "ip6_tables_names"))
    try:
        return tuple(sorted(path.read_text("ascii").split(), key=order))
    except FileNotFoundError:
        return ()


def order(table: str) -> int:
    """Return in which place a packet meets a table where several have a chain at the same hook."""
    return _ORDER.index(table) if table in _ORDER else len(_ORDER)


def read(version: int, table: str, like: Blob | None = None) -> Blob:
    """Read a table; raise `OSError`: EBADMSG where it is damaged. `like`: how it may look, which saves time."""
    if struct.calcsize("P") != 8:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))  # entries are aligned otherwise
    for _ in range(TRIES):
        try:
            info, data = kernel.fetch(version, table)
        except BlockingIOError:  # EAGAIN: it has another size by now
            continue
        if info == _info(version, table):
            return parsed(version, table, info, data, like)
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def _info(version: int, table: str) -> bytes:
    family, level = _level(version)
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asked:
        return kernel.option(asked, level, kernel.GET_INFO, table.encode().ljust(32, b"\0") + bytes(52))


def _level(version: int) -> tuple[int, int]:
    return (socket.AF_INET, 0) if version == 4 else (socket.AF_INET6, socket.IPPROTO_IPV6)


def parsed(version: int, table: str, info: bytes, data: bytes, like: Blob | None = None) -> Blob:
    """Take apart what the kernel says of a table (ipt_getinfo) and its entries; raise `OSError` (EBADMSG)."""
    hooks, *places = struct.unpack_from("=11I", info, 32)
    starts, policies = tuple(places[:5]), tuple(places[5:])
    if like and (like.hooks, like.starts, like.policies) == (hooks, starts, policies) and _alike(like, data):
        return Blob(version, table, hooks, starts, policies, data, like.rows)
    return Blob(version, table, hooks, starts, policies, data, _rows(version, hooks, starts, policies, data))


def _alike(blob: Blob, data: bytes) -> bool:
    """Say whether other data is that of the same entries, but for their counters."""
    if len(data) != len(blob.data):
        return False
    counters, matches = layout(blob.version).counters, layout(blob.version).matches
    return all(
        data[row.at : row.at + counters] == blob.data[row.at : row.at + counters]
        and data[row.at + matches : row.end] == blob.data[row.at + matches : row.end]
        for row in blob.rows
    )


def _rows(version: int, hooks: int, starts: tuple[int, ...], policies: tuple[int, ...], data: bytes) -> tuple[Row, ...]:
    bases = {starts[hook]: HOOKS[hook] for hook in range(5) if hooks >> hook & 1}
    ends = {policies[hook] for hook in range(5) if hooks >> hook & 1}
    rows: list[Row] = []
    chain, number, ended = "", 0, False
    for at, end, target, rest in kernel.entries(data, layout(version)):
        if target == "ERROR":
            if not ended and rows and number:  # the RETURN at the end of a chain is no rule
                rows[-1] = rows[-1]._replace(number=0)
            chain, number, ended = rest[:30].split(b"\0", 1)[0].decode("utf-8", "replace"), 0, False
            rows.append(Row(at, end - 32 - len(rest), end, chain, 0, target, 0))
            continue
        if at in bases:
            chain, number = bases[at], 0
        ended = at in ends
        number = 0 if ended else number + 1
        verdict = 0 if target else struct.unpack_from("=i", rest)[0]
        rows.append(Row(at, end - 32 - len(rest), end, chain, number, target, verdict))
    if not rows or rows[-1].end != len(data):
        raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG))
    return tuple(rows)


def parts(blob: Blob, row: Row) -> tuple[list[Part], Part]:
    """Return the matches and the target of a row; raise `OSError` (EBADMSG)."""
    return apart(blob.version, blob.data[row.at : row.end])


def apart(version: int, entry: bytes) -> tuple[list[Part], Part]:
    """Return the matches and the target of an entry; raise `OSError` (EBADMSG)."""
    where, found = layout(version), []
    at, target = where.matches, struct.unpack_from("=H", entry, where.offsets)[0]
    while at < target:
        size = struct.unpack_from("=H", entry, at)[0]
        if size < 32 or at + size > target:
            raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG))
        found.append(_part(entry[at : at + size]))
        at += size
    return found, _part(entry[target:])


def _part(raw: bytes) -> Part:
    return Part(_name(raw[2:31]), raw[31], raw)


_name = cache(text)  # there are few, in many rules


# --- write ------------------------------------------------------------------------------------------------------------


def standard(verdict: int) -> bytes:
    """Return a standard target."""
    return struct.pack("=H29sBi4x", 40, b"", 0, verdict)


def entry(blob: Blob, row: Row, matches: list[Part], target: bytes) -> bytes:
    """Return an entry with the addresses, interfaces and protocol of a row, and other matches and target."""
    where = layout(blob.version)
    body = b"".join(match.raw for match in matches)
    offsets = struct.pack("=HH", where.matches + len(body), where.matches + len(body) + len(target))
    head = bytearray(blob.data[row.at : row.at + where.offsets] + offsets)
    if target[2:31] == bytes(29):  # only a jump can be a goto
        verdict = struct.unpack_from("=i", target, 32)[0]
        if verdict in (row.end, DROP, ACCEPT):
            head[where.flags] &= ~where.goto & 0xFF
    return bytes(head).ljust(where.matches, b"\0") + body + target


def rebuilt(blob: Blob, changed: Mapping[int, bytes]) -> Blob:
    """Return a table with other entries in the place of some rows, or none. They jump by places of the old table."""
    if not changed:
        return blob
    places, at, entries = {}, 0, []
    for index, row in enumerate(blob.rows):
        places[row.at] = at
        entries.append(changed[index] if index in changed else blob.data[row.at : row.end])
        at += len(entries[-1])
    data = bytearray(b"".join(entries))
    where = layout(blob.version)
    at = 0
    for one in entries:
        target = at + struct.unpack_from("=H", one, where.offsets)[0] if one else 0
        if one and not data[target + 2] and (verdict := struct.unpack_from("=i", data, target + 32)[0]) >= 0:
            if verdict not in places:
                raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG))
            struct.pack_into("=i", data, target + 32, places[verdict])
        at += len(one)
    starts = tuple(places.get(start, start) for start in blob.starts)
    policies = tuple(places.get(policy, policy) for policy in blob.policies)
    result = bytes(data)
    rows = _rows(blob.version, blob.hooks, starts, policies, result)
    return Blob(blob.version, blob.table, blob.hooks, starts, policies, result, rows)


def replace(blob: Blob) -> None:
    """Put a table in the place of the one of its name; raise `OSError` as the kernel refuses it."""
    # It wants room for the counters of the old table, by their number.
    old = struct.unpack_from("=I", _info(blob.version, blob.table), 76)[0]
    counters = ctypes.create_string_buffer(16 * old or 16)
    head = struct.pack(
        _HEAD, blob.table.encode(), blob.hooks, len(blob.rows), len(blob.data), *blob.starts, *blob.policies, old
    )  # fmt: skip
    family, level = _level(blob.version)
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asked:
        asked.setsockopt(level, _REPLACE, head + struct.pack("=Q", ctypes.addressof(counters)) + blob.data)
