"""Sockets on the ports that mailcow wants, and who holds them.

The tables are those of the anchor process, so that a network namespace of our own does not fool us. Beside
listeners they show what may keep a port from being bound as well: clients with that local port, TIME_WAIT.
"""

from __future__ import annotations

import ipaddress
import os
import re
import struct
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

from preflight.facts import Fact, Holder, Sockets
from preflight.gather.roots import Roots, Unreadable

LIMIT = 64 << 20  # bytes of a table; the listeners come first in it
SECONDS = 5.0  # for the walk over all open files
OTHERS = 16  # sockets of a port that do not listen
LISTENERS = 64

STATES = {
    "01": "established", "02": "syn-sent", "03": "syn-received", "04": "fin-wait-1", "05": "fin-wait-2",
    "06": "time-wait", "07": "closed", "08": "close-wait", "09": "last-ack", "0A": "listening", "0B": "closing",
    "0C": "syn-received",
}  # fmt: skip
HOLDING = ("listening", "bound")  # states of a socket that was opened on the port to stay there


@dataclass(frozen=True)
class Row:
    """A socket: its local end, and the inode that its owners' files lead to (0 = the kernel alone has it)."""

    version: int  # of the table it stands in: an IPv4-mapped address stands in that of IPv6
    address: str
    port: int
    state: str
    inode: int


def sockets(roots: Roots, ports: tuple[int, ...]) -> Fact[Sockets]:
    """Return the sockets whose local port is one of these, with their owners where those can be seen."""
    source = roots.process_file("net/tcp")
    if not roots.view.live:
        return Fact.unknown(source, "the root is a copy, which has no sockets")
    try:
        rows = parse(roots.read(source, LIMIT), ports)
    except Unreadable as error:
        if roots.why is not None:
            return Fact.unknown(source, roots.why.reason, roots.why.help, *roots.why.commands)
        return Fact.unknown(source, str(error), "Run the check as root.")
    try:
        rows += parse(roots.read(f"{source}6", LIMIT), ports)
    except Unreadable as error:
        if not error.absent:  # a kernel without IPv6 has no such table
            return Fact.unknown(source, str(error), "Run the check as root.")
    rows = few([*rows, *(bound(ports) if roots.view.network else ())], ports)
    owners, why = walk(roots, {row.inode for row in rows if row.inode})
    return Fact.of(source, Sockets(_holders(roots, rows, owners), not why, why))


def parse(table: bytes, ports: tuple[int, ...]) -> list[Row]:
    """Read the rows of /proc/net/tcp or tcp6 with these local ports; lines that are none are left out."""
    if not ports:
        return []
    fields = rb"([0-9A-F]{8}|[0-9A-F]{32}):(%s) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2})" % b"|".join(
        b"%04X" % port for port in ports
    )
    pattern = rb"^ *\d+: " + fields + rb" \S+ \S+ \S+ +\d+ +\d+ (\d{1,18})\b"
    found = re.findall(pattern, table, re.MULTILINE)
    return [
        Row(
            version=4 if len(local) == 8 else 6,
            address=address(local.decode()),
            port=int(port, 16),
            state=STATES.get(state.decode(), "other"),
            inode=int(inode),
        )
        for local, port, state, inode in found
    ]


def address(digits: str, order: str = sys.byteorder) -> str:
    """Decode an address of /proc/net/tcp*: 32-bit words in the machine's byte order; IPv4-mapped becomes IPv4."""
    raw = bytes.fromhex(digits)
    if order == "little":
        raw = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    return _plain(raw)


def _plain(raw: bytes) -> str:
    found = ipaddress.ip_address(raw)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def bound(ports: tuple[int, ...]) -> list[Row]:
    """Ask the kernel for sockets that are bound without listening, which no table shows (Linux 6.8 and newer)."""
    from preflight.gather import netlink

    rows = []
    for family in (2, 10):
        request = struct.pack("=BBBBI", family, 6, 0, 0, 1 << 13) + bytes(48)
        try:
            answers = list(netlink.dump(netlink.SOCK_DIAG, netlink.BY_FAMILY, request))
        except OSError:
            continue
        rows += [row for answer in answers if (row := read_bound(answer)) and row.port in ports]
    return rows


def read_bound(answer: bytes) -> Row | None:
    """Read an inet_diag_msg of a bound socket, which the kernel calls closed; None: it is none."""
    if len(answer) < 72 or answer[0] not in (2, 10) or answer[1] not in (7, 13):
        return None
    port = int.from_bytes(answer[4:6], "big")
    raw = answer[8:12] if answer[0] == 2 else answer[8:24]
    return Row(4 if answer[0] == 2 else 6, _plain(raw), port, "bound", struct.unpack_from("=I", answer, 68)[0])


def few(rows: Iterable[Row], ports: tuple[int, ...]) -> list[Row]:
    """Leave out what does not matter: the connections that a listener of the same table has taken."""
    found: list[Row] = []
    rows = list(dict.fromkeys(rows))
    for port in dict.fromkeys(ports):
        here = [row for row in rows if row.port == port]
        holding = [row for row in here if row.state in HOLDING]
        served = {row.version for row in holding if row.state == "listening"}
        others = {(row.address, row.state): row for row in here if row not in holding and row.version not in served}
        found += sorted(holding, key=_order)[:LISTENERS] + sorted(others.values(), key=_order)[:OTHERS]
    return found


def _order(row: Row) -> tuple[int, int, str, int]:
    return HOLDING.index(row.state) if row.state in HOLDING else 2, row.version, row.address, row.inode


def walk(roots: Roots, inodes: set[int]) -> tuple[dict[int, int], str]:
    """Find a process for each inode, the one with the lowest pid; say why where some may be hidden.

    One walk over all open files of the host, in order, that ends when the last one is found.
    """
    left = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, int] = {}
    if not left:
        return found, ""
    try:
        proc = roots.locate("/proc")
        pids = sorted(int(name) for name in roots.entries("/proc", 1_000_000) if name.isdecimal())
    except Unreadable as error:
        return found, f"{error.reason}. {_help(roots)}"
    hidden = pids[:1] != [1]  # where PID 1 is not shown, other users' processes are not either
    deadline = time.monotonic() + SECONDS
    for pid in pids:
        files = _open_files(f"{proc}/{pid}/fd")
        if files is None:
            hidden = True
            continue
        for file in files:
            inode = left.pop(file, None)
            if inode is not None:
                found[inode] = pid
        if not left:
            return found, ""
        if time.monotonic() > deadline:
            return found, f"looking through the open files of all processes took longer than {SECONDS:g} s."
    return found, f"other users' processes are hidden. {_help(roots)}" if hidden else ""


def _open_files(directory: str) -> list[str] | None:
    """Return where a process's open files lead to; [] where it has gone, None where they may not be seen."""
    found = []
    try:
        for name in os.listdir(directory):
            try:
                found.append(os.readlink(f"{directory}/{name}"))
            except FileNotFoundError:
                continue  # closed meanwhile
    except PermissionError:
        return None
    except OSError:
        return []
    return found


def _help(roots: Roots) -> str:
    return "Add --privileged to docker run." if roots.view.container else "Run the check as root."


def _holders(roots: Roots, rows: list[Row], owners: dict[int, int]) -> tuple[Holder, ...]:
    from preflight.gather import packages, socket_units
    from preflight.gather.processes import describe

    processes = {pid: describe(roots, pid) for pid in dict.fromkeys(owners.values())}
    by_systemd = any(process and process.name == "systemd" for process in processes.values())
    streams = socket_units.streams(roots) if by_systemd else {}
    # What runs in a container came with its image, whatever the host has under that name.
    binaries = {process.binary for process in processes.values() if process and not process.container}
    brought = packages.owners(roots, {binary for binary in binaries if binary})
    holders = []
    for row in rows:
        pid = owners.get(row.inode)
        process = processes.get(pid) if pid is not None else None
        unit = process.unit if process else None
        if process and process.name == "systemd":
            unit = socket_units.unit_of(streams, row.address, row.port) or unit
        holders.append(
            Holder(
                pid=pid,
                process=process.name if process else None,
                user=process.user if process else None,
                unit=unit,
                container=process.container if process else None,
                image=None,
                address=row.address,
                port=row.port,
                state=row.state,
                command=process.command if process else (),
                binary=process.binary if process else None,
                package=brought.get(process.binary or "") if process and not process.container else None,
            )
        )
    return tuple(holders)
