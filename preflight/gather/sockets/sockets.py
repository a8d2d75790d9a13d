"""Sockets on the ports that mailcow wants, and who holds them.

Where our network is the host's, the kernel is asked for them. Elsewhere the anchor process's tables are read, so that a
network namespace of our own does not fool us. Beside listeners both show what may keep a port from being bound as
well: clients with that local port, TIME_WAIT.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import struct
import sys
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from preflight.facts import Fact, Holder, Sockets
from preflight.facts.sockets import HOLDING
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.packages.owners import owners as packages_of
from preflight.gather.services.socket_units import Streams, unit_of
from preflight.gather.sockets.owners import walk
from preflight.gather.sockets.processes import describe, parent_of
from preflight.net.addresses import is_loopback, unmapped
from preflight.text.sentences import say

TABLE_BYTES = 64 << 20  # the listeners come first in it
OTHERS = 16  # sockets of a port that do not listen
LISTENERS = 64
SIZE = 1 << 16  # of a list of reserved ports

STATES = {
    "01": "established", "02": "syn-sent", "03": "syn-received", "04": "fin-wait-1", "05": "fin-wait-2",
    "06": "time-wait", "07": "closed", "08": "close-wait", "09": "last-ack", "0A": "listening", "0B": "closing",
    "0C": "syn-received",
}  # fmt: skip


class Row(Struct, frozen=True):
    """A socket: its local end, and the inode that its owners' files lead to (0 = the kernel alone has it)."""

    version: int  # of the table it stands in: an IPv4-mapped address stands in that of IPv6
    address: str
    port: int
    state: str
    inode: int
    v6only: bool | None = None  # of IPv6: it leaves IPv4 alone; None: not told
    client: str = ""  # the other end of a connection, '' = none
    peer_port: int = 0  # its port there


def sockets(roots: Roots, ports: tuple[int, ...]) -> Fact[Sockets]:
    """Return the sockets whose local port is one of these, with their owners where those can be seen."""
    if not roots.view.live:
        return Fact.unknown("sockets", say("The root is a copy, which has no sockets."), cause="copy")
    if not roots.view.network:
        return _from_tables(roots, ports)
    try:
        rows, bound = ask(ports)
    except OSError:  # refused: the tables show less
        return _from_tables(roots, ports)
    return Fact.of("sock_diag(7)", _seen(roots, rows, ports, bound=bound))


def _given_out(roots: Roots) -> dict[str, Any]:
    """Read which ports the kernel gives out: it tells the reader's own network's, so only where that is the host's."""
    if not roots.view.network:
        return {}
    reserved = ranges(roots.try_text("/proc/sys/net/ipv4/ip_local_reserved_ports", SIZE))
    given = ranges(roots.try_text("/proc/sys/net/ipv4/ip_local_port_range", 64).strip().replace("\t", "-"))
    return {"fleeting": given[0] if given else None, "reserved": reserved}


def ranges(text: str) -> tuple[tuple[int, int], ...]:
    """Read ports and ranges of them: `80,1000-2000`."""
    found = re.findall(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", text)
    return tuple((int(first), int(last or first)) for first, last in found)


def _from_tables(roots: Roots, ports: tuple[int, ...]) -> Fact[Sockets]:
    source = roots.process_file("net/tcp")
    try:
        rows = parse_table(roots.read(source, TABLE_BYTES), ports)
    except Unreadable as error:
        return roots.unknown(source, error)
    try:
        rows += parse_table(roots.read(f"{source}6", TABLE_BYTES), ports)
    except Unreadable as error:
        if not error.absent:  # a kernel without IPv6 has no such table
            return roots.unknown(source, error)
    return Fact.of(source, _seen(roots, rows, ports, bound=False))


def _seen(roots: Roots, rows: list[Row], ports: tuple[int, ...], *, bound: bool) -> Sockets:
    served = clients(rows)
    rows = few(rows, ports)
    owners, hidden = walk(roots, {row.inode for row in rows if row.inode})
    return Sockets(_holders(roots, rows, owners, served), not hidden, hidden, bound, **_given_out(roots))


def parse_table(table: bytes, ports: tuple[int, ...]) -> list[Row]:
    """Read the rows of /proc/net/tcp or tcp6 with these local ports; lines that are none are left out."""
    if not ports:
        return []
    fields = rb"([0-9A-F]{8}|[0-9A-F]{32}):(%s) ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]{2})" % b"|".join(
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
            client=address(remote.decode()) if state in _OPEN and len(remote) in (8, 32) else "",
            peer_port=int(there, 16) if state in _OPEN else 0,
        )
        for local, port, remote, there, state, inode in found
    ]


_OPEN = (b"01", b"08")  # established, close-wait


def address(digits: str, order: str = sys.byteorder) -> str:
    """Decode an address of /proc/net/tcp*: 32-bit words in the machine's byte order; IPv4-mapped becomes IPv4."""
    raw = bytes.fromhex(digits)
    if order == "little":
        raw = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    return _plain(raw)


def _plain(raw: bytes) -> str:
    return str(unmapped(ipaddress.ip_address(raw)))


def ask(ports: tuple[int, ...]) -> tuple[list[Row], bool]:
    """Ask the kernel for the sockets with these local ports, and whether it shows those that are only bound.

    Unlike the tables, its answers tell those as well (Linux 6.8 and newer; a socket of our own shows it), and
    whether an IPv6 socket has taken IPv4. What is not asked for is not even written down: hosts have many sockets.
    Raises `OSError` where netlink is refused.
    """
    from preflight.gather.network import netlink

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as own:
        own.bind(("127.0.0.1", 0))
        number = int(own.getsockname()[1])
        rows = []
        for family in (socket.AF_INET, socket.AF_INET6):
            request = (
                struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, ALL) + bytes(48) + narrow((*ports, number))
            )
            try:
                rows += [read(answer) for answer in netlink.dump(netlink.SOCK_DIAG, netlink.BY_FAMILY, request)]
            except FileNotFoundError:  # a kernel without IPv6
                if family == socket.AF_INET:
                    raise
        inode = os.fstat(own.fileno()).st_ino
    found = [row for row in rows if row]
    return [row for row in found if row.port in ports and row.inode != inode], any(row.inode == inode for row in found)


ALL = 0xFFFFFFFF  # states
_BYTECODE, _JUMP, _AT_LEAST, _AT_MOST = 1, 1, 2, 3  # INET_DIAG_REQ_BYTECODE, INET_DIAG_BC_*


def narrow(ports: tuple[int, ...]) -> bytes:
    """Write the attribute that lets through these local ports alone: for each, two comparisons and a jump to the end.

    A comparison is two operations, the second of which holds the port; it tells how far to go on in bytes where it
    is true and where it is false. To end at the very end is to accept, to go beyond it is to refuse.
    """
    code = b""
    for number, port in enumerate(ports, 1):
        rest = (len(ports) - number) * 20
        code += struct.pack("=BBHHHBBHHH", _AT_LEAST, 8, 20, 0, port, _AT_MOST, 8, 12, 0, port)
        code += struct.pack("=BBH", _JUMP, 4, rest) if rest else b""
    return struct.pack("=HH", 4 + len(code), _BYTECODE) + code


def read(answer: bytes) -> Row | None:
    """Read an inet_diag_msg; None: it is none. Sockets that are bound alone are called closed by older kernels."""
    from preflight.packets.nlmsg import by_type

    if len(answer) < 72 or answer[0] not in (socket.AF_INET, socket.AF_INET6):
        return None
    state = "bound" if answer[1] in (7, 13) else STATES.get(f"{answer[1]:02X}", "other")
    raw = answer[8:12] if answer[0] == socket.AF_INET else answer[8:24]
    alone = by_type(answer[72:]).get(_V6ONLY, b"")[:1]
    connected = state in ("established", "close-wait")
    return Row(
        version=4 if answer[0] == socket.AF_INET else 6,
        address=_plain(raw),
        port=int.from_bytes(answer[4:6], "big"),
        state=state,
        inode=struct.unpack_from("=I", answer, 68)[0],
        v6only=alone == b"\1" if alone else None,
        client=_plain(answer[24:28] if answer[0] == socket.AF_INET else answer[24:40]) if connected else "",
        peer_port=int.from_bytes(answer[6:8], "big") if connected else 0,
    )


_V6ONLY = 11  # INET_DIAG_SKV6ONLY


def clients(rows: Iterable[Row]) -> dict[int, int]:
    """Count for each port the connections that came from other machines."""
    found: dict[int, int] = {}
    for row in rows:
        # From this host itself: from loopback, or from the address that it goes to.
        if row.state == "established" and row.client and row.client != row.address and not is_loopback(row.client):
            found[row.port] = found.get(row.port, 0) + 1
    return found


def few(rows: Iterable[Row], ports: tuple[int, ...]) -> list[Row]:
    """Leave out what does not matter: the connections that a listener of the same table has taken."""
    found: list[Row] = []
    rows = list(dict.fromkeys(rows))
    for port in dict.fromkeys(ports):
        here = [row for row in rows if row.port == port]
        holding = [row for row in here if row.state in HOLDING]
        served = {row.version for row in holding if row.state == "listening"}
        others = {
            (row.address, row.state, row.peer_port): row
            for row in here
            if row not in holding and row.version not in served
        }
        found += sorted(holding, key=_order)[:LISTENERS] + sorted(others.values(), key=_order)[:OTHERS]
    return found


def _order(row: Row) -> tuple[int, int, str, int]:
    return HOLDING.index(row.state) if row.state in HOLDING else 2, row.version, row.address, row.inode


def _opened_by_systemd(roots: Roots) -> Streams:
    """Return the ports of the .socket units; {} where none can be read."""
    from preflight.gather.services.systemd import Systemd  # 2.5 ms, for the few hosts whose ports systemd holds

    try:
        return Systemd(roots).streams()
    except Unreadable:
        return {}


def _holders(roots: Roots, rows: list[Row], owners: dict[int, int], served: dict[int, int]) -> tuple[Holder, ...]:
    processes = {pid: describe(roots, pid) for pid in dict.fromkeys(owners.values())}
    by_systemd = any(process and process.name == "systemd" for process in processes.values())
    streams = _opened_by_systemd(roots) if by_systemd else {}
    # What runs in a container came with its image, whatever the host has under that name.
    binaries = {process.binary for process in processes.values() if process and not process.container}
    brought = packages_of(roots, {binary for binary in binaries if binary})
    holders = []
    for row in rows:
        pid = owners.get(row.inode)
        process = processes.get(pid) if pid is not None else None
        unit = process.unit if process else None
        if process and process.name == "systemd":
            unit = unit_of(streams, row.address, row.port) or unit
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
                v6only=row.v6only,
                binary=process.binary if process else None,
                package=brought.get(process.binary or "") if process and not process.container else None,
                parent=parent_of(roots, pid) if process and pid and not unit else None,
                runtime=process.runtime if process else None,
                clients=served.get(row.port, 0) if row.state == "listening" else 0,
                peer=row.client,
                peer_port=row.peer_port,
            )
        )
    return tuple(holders)
