"""See packets that open a connection where they arrive in a namespace, and the errors about those that left it.

Raw sockets see what is for an address of the namespace, before anybody answers it. Packet sockets would see more, but
to close one takes the kernel a grace period, several milliseconds each. A TCP connection is known again behind any NAT
by its first sequence number, a datagram by its first two bytes.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Iterable

from msgspec import Struct

from preflight.twin.spaces import Space

ATTACH, FORCED = 26, 33  # SO_ATTACH_FILTER, SO_RCVBUFFORCE
ROOM = 4 << 20
MOST = 20_000  # packets of one look
SYN, ACK = 0x02, 0x10
TCP, UDP = socket.IPPROTO_TCP, socket.IPPROTO_UDP
ICMP = {4: 1, 6: 58}
UNREACHABLE = {1: 3, 58: 1}  # the type that says so
TOO_LARGE = (1, 4)  # the code of ICMP's type 3 that refuses nothing

# Takes of TCP only SYN without ACK: code, jump if true, if false, value (bpf(4)). Of IPv6 there is no header before it.
_SYN = ((0x50, 0, 0, 13), (0x54, 0, 0, SYN | ACK), (0x15, 0, 1, SYN), (0x06, 0, 0, 256), (0x06, 0, 0, 0))
_FILTERS = {4: ((0xB1, 0, 0, 0), *_SYN), 6: ((0x01, 0, 0, 0), *_SYN)}


class Sight(Struct, frozen=True):
    """A packet that arrived. `mark`: what it is known again by. `error`: it is an ICMP error, as type/code.

    Of an error, protocol, addresses and ports are those of the packet that it quotes.
    """

    protocol: int
    source: str
    source_port: int
    target: str
    target_port: int
    mark: int = -1
    error: str = ""


class Sights:
    """Raw sockets of one family in a namespace; raises `OSError`: EPERM without CAP_NET_RAW."""

    def __init__(self, space: Space, version: int, protocols: Iterable[int]) -> None:
        self._version = version
        self._sockets: list[tuple[int, socket.socket]] = []
        with space.entered():
            try:
                for protocol in protocols:
                    self._sockets.append((protocol, _raw(version, protocol)))
            except OSError:
                self.close()
                raise

    def fresh(self) -> list[Sight]:
        """Return what was seen since the last look."""
        found = []
        for protocol, raw in self._sockets:
            for _ in range(MOST):
                try:
                    data, notes, _, sender = raw.recvmsg(512, 128)
                except OSError:  # no more, or an error that was noted for the socket
                    break
                header = read_header(data) if self._version == 4 else (protocol, sender[0], _own(notes), data)
                if header is not None and (sight := read(*header)) is not None:
                    found.append(sight)
        return found

    def close(self) -> None:
        """Close the sockets."""
        for _, raw in self._sockets:
            raw.close()
        self._sockets.clear()


def read_header(data: bytes) -> tuple[int, str, str, bytes] | None:
    """Return protocol, source, target and what follows, of a packet of either family that is no later fragment."""
    if len(data) >= 20 and data[0] >> 4 == 4:
        length = (data[0] & 15) * 4
        if length < 20 or int.from_bytes(data[6:8], "big") & 0x1FFF:
            return None
        ends = (socket.inet_ntop(socket.AF_INET, data[12:16]), socket.inet_ntop(socket.AF_INET, data[16:20]))
        return data[9], *ends, data[length:]
    if len(data) >= 40 and data[0] >> 4 == 6:
        ends = (socket.inet_ntop(socket.AF_INET6, data[8:24]), socket.inet_ntop(socket.AF_INET6, data[24:40]))
        return data[6], *ends, data[40:]
    return None


def read(protocol: int, source: str, target: str, rest: bytes) -> Sight | None:
    """Read what follows a packet's header; None where it opens nothing and is no error about one."""
    if protocol in UNREACHABLE:
        return _error(protocol, rest)
    if protocol == TCP and len(rest) >= 14 and rest[13] & (SYN | ACK) == SYN:
        mark = int.from_bytes(rest[4:8], "big")
    elif protocol == UDP and len(rest) >= 10:
        mark = int.from_bytes(rest[8:10], "big")
    else:
        return None
    ports = struct.unpack_from(">HH", rest)
    return Sight(protocol, source, ports[0], target, ports[1], mark)


def _error(protocol: int, rest: bytes) -> Sight | None:
    if len(rest) < 8 or rest[0] != UNREACHABLE[protocol] or (protocol, rest[1]) == TOO_LARGE:
        return None
    quoted = read_header(rest[8:])
    if quoted is None or len(quoted[3]) < 4:
        return None
    ports = struct.unpack_from(">HH", quoted[3])
    return Sight(quoted[0], quoted[1], ports[0], quoted[2], ports[1], error=f"{rest[0]}/{rest[1]}")


def _raw(version: int, protocol: int) -> socket.socket:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    made = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
    if version == 6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    if protocol == TCP:
        program = b"".join(struct.pack("=HBBI", *step) for step in _FILTERS[version])
        kept = ctypes.create_string_buffer(program)
        steps = len(_FILTERS[version])
        made.setsockopt(socket.SOL_SOCKET, ATTACH, struct.pack("HP", steps, ctypes.addressof(kept)))
    try:
        made.setsockopt(socket.SOL_SOCKET, FORCED, ROOM)
    except OSError:  # not in every user namespace: some hundred packets have room anyhow
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
    return made


def _own(notes: list[tuple[int, int, bytes]]) -> str:
    """Return the address at which a packet of IPv6 arrived (in6_pktinfo)."""
    for level, kind, value in notes:
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO) and len(value) >= 16:
            return socket.inet_ntop(socket.AF_INET6, value[:16])
    return ""
