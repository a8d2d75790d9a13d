"""See packets that open a connection where they leave a namespace or arrive there, and the errors about them.

A packet socket sees what comes in before any rule of that namespace, and what goes out after the last one. A TCP
connection is known again behind any NAT by its first sequence number, a datagram by its first two bytes.
"""

from __future__ import annotations

import ctypes
import socket
import struct

from msgspec import Struct

from preflight.twin.spaces import Space

ALL = 0x0003  # ETH_P_ALL: other packet sockets do not see what goes out
OUTGOING = 4  # PACKET_OUTGOING
ATTACH, FORCED = 26, 33  # SO_ATTACH_FILTER, SO_RCVBUFFORCE
ROOM = 4 << 20
MOST = 20_000  # packets of one look
SYN, ACK = 0x02, 0x10
ICMP, ICMP6 = 1, 58
UNREACHABLE = {ICMP: 3, ICMP6: 1}
TOO_LARGE = (ICMP, 4)  # the code of ICMP's type 3 that refuses nothing

# Takes what is not lo's (index 1), and of TCP only SYN without ACK: code, jump if true, if false, value (bpf(4)).
_FILTER = (
    (0x20, 0, 0, 0xFFFFF008),  # 0: the interface's index
    (0x15, 15, 0, 1),  # lo: to 17
    (0x30, 0, 0, 0),
    (0x74, 0, 0, 4),  # version
    (0x15, 5, 0, 4),  # 4: IPv4: to 10
    (0x15, 0, 11, 6),  # not IPv6: to 17
    (0x30, 0, 0, 6),  # next header
    (0x15, 0, 8, 6),  # not TCP: to 16
    (0x01, 0, 0, 40),  # 8: length of the header
    (0x05, 0, 0, 3),  # to 13
    (0x30, 0, 0, 9),  # 10: protocol
    (0x15, 0, 4, 6),  # not TCP: to 16
    (0xB1, 0, 0, 0),  # 12: length of the header
    (0x50, 0, 0, 13),  # flags
    (0x54, 0, 0, SYN | ACK),
    (0x15, 0, 1, SYN),
    (0x06, 0, 0, 256),  # 16: its first bytes
    (0x06, 0, 0, 0),  # 17: nothing of it
)


class Sight(Struct, frozen=True):
    """A packet seen. `mark`: what it is known again by. `error`: it is an ICMP error, as type/code, about what is said.

    Of an error's packet only source, target and ports count: it is quoted as it was where the error was made.
    """

    outgoing: bool
    protocol: int
    source: str
    source_port: int
    target: str
    target_port: int
    mark: int
    error: str = ""


class Sights:
    """A packet socket in a namespace, on all of its interfaces but lo; raises `OSError`: EPERM without CAP_NET_RAW."""

    def __init__(self, space: Space) -> None:
        with space.entered():
            self._socket = socket.socket(
                socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, socket.htons(ALL)
            )
            program = b"".join(struct.pack("=HBBI", *step) for step in _FILTER)
            kept = ctypes.create_string_buffer(program)
            self._socket.setsockopt(socket.SOL_SOCKET, ATTACH, struct.pack("HP", len(_FILTER), ctypes.addressof(kept)))
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, FORCED, ROOM)
            except OSError:  # not in every user namespace: some hundred packets have room anyhow
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)

    def fresh(self) -> list[Sight]:
        """Return what was seen since the last look, in order."""
        found = []
        for _ in range(MOST):
            try:
                data, place = self._socket.recvfrom(512)
            except BlockingIOError:
                break
            except OSError:  # an interface has gone down
                continue
            if sight := parse(data, outgoing=place[2] == OUTGOING):
                found.append(sight)
        return found

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def parse(data: bytes, *, outgoing: bool) -> Sight | None:
    """Read a packet from its network header on; None where it opens nothing and is no error about one."""
    if (header := _header(data)) is None:
        return None
    protocol, source, target, rest = header
    if protocol in UNREACHABLE:
        return _error(protocol, rest, outgoing=outgoing)
    if protocol == socket.IPPROTO_TCP and len(rest) >= 14 and rest[13] & (SYN | ACK) == SYN:
        mark = int.from_bytes(rest[4:8], "big")
    elif protocol == socket.IPPROTO_UDP and len(rest) >= 10:
        mark = int.from_bytes(rest[8:10], "big")
    else:
        return None
    ports = struct.unpack_from(">HH", rest)
    return Sight(outgoing, protocol, source, ports[0], target, ports[1], mark)


def _header(data: bytes) -> tuple[int, str, str, bytes] | None:
    """Return protocol, source, target and what follows, of a packet of either family that is no later fragment."""
    if len(data) >= 20 and data[0] >> 4 == 4:
        length = (data[0] & 15) * 4
        if length < 20 or int.from_bytes(data[6:8], "big") & 0x1FFF:
            return None
        addresses = (socket.inet_ntop(socket.AF_INET, data[12:16]), socket.inet_ntop(socket.AF_INET, data[16:20]))
        return data[9], *addresses, data[length:]
    if len(data) >= 40 and data[0] >> 4 == 6:
        addresses = (socket.inet_ntop(socket.AF_INET6, data[8:24]), socket.inet_ntop(socket.AF_INET6, data[24:40]))
        return data[6], *addresses, data[40:]
    return None


def _error(protocol: int, rest: bytes, *, outgoing: bool) -> Sight | None:
    if len(rest) < 8 or rest[0] != UNREACHABLE[protocol] or (protocol, rest[1]) == TOO_LARGE:
        return None
    quoted = _header(rest[8:])
    if quoted is None or len(quoted[3]) < 4:
        return None
    ports = struct.unpack_from(">HH", quoted[3])
    error = f"{rest[0]}/{rest[1]}"
    return Sight(outgoing, quoted[0], quoted[1], ports[0], quoted[2], ports[1], 0, error)
