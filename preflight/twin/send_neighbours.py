"""Ask for a neighbour's link address over IPv6, as a router does: a rule that drops such packets cuts the family off.

No connection shows that here: the stage's control has already made the neighbours known to each other.
"""

from __future__ import annotations

import fcntl
import select
import socket
import struct
from pathlib import Path

from msgspec import Struct

from preflight.twin.send_settled import Rounds, pinned
from preflight.twin.spaces import Space

SOLICIT, ADVERT = 135, 136  # RFC 4861, 4.3 and 4.4
GET_MAC, FILTER = 0x8927, 1  # SIOCGIFHWADDR, ICMP6_FILTER
TRIES = 2
SECONDS = 0.015  # for an answer, after the kernel has dealt with the question
MOST = 50  # packets of others meanwhile
LINK = 0x20  # the scope of fe80::/10 in /proc/net/if_inet6


class Discovery(Struct, frozen=True):
    """Whether the host's rules leave neighbour discovery alone.

    answers: a router gets the host's link address. hears: the host gets a router's.
    """

    answers: bool
    hears: bool


def discovery(twin: Space, world: Space, interface: str, host: str) -> Discovery | None:
    """Ask from the world for the host's IPv6 address, and from the twin for the world's; None where neither has one.

    `interface`: of the twin's default route. Raises `OSError`: EPERM without CAP_NET_RAW.
    """
    with world.entered():
        there = _links()
    if not there:
        return None
    index, address = there[0]
    with twin.entered():
        own = socket.if_nametoindex(interface)
    with pinned():
        rounds = Rounds(world)
        try:
            return Discovery(_asked(world, index, host, rounds), _asked(twin, own, address, rounds))
        finally:
            rounds.close()


def _links() -> list[tuple[int, str]]:
    """Return the namespace's interfaces that have IPv6, each with an address: that of its link, where it has one."""
    found: dict[int, tuple[bool, str]] = {}
    for line in Path("/proc/self/net/if_inet6").read_text("ascii").splitlines():
        words = line.split()
        if len(words) == 6 and words[5] != "lo":
            address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(words[0]))
            local = int(words[3], 16) == LINK
            found[int(words[1], 16)] = max(found.get(int(words[1], 16), (False, "")), (local, address))
    return [(index, address) for index, (_, address) in sorted(found.items())]


def _asked(space: Space, index: int, target: str, rounds: Rounds) -> bool:
    """Ask on an interface who has an address. Return whether an answer came."""
    wanted = socket.inet_pton(socket.AF_INET6, target)
    group = socket.inet_ntop(socket.AF_INET6, bytes.fromhex("ff0200000000000000000001ff") + wanted[13:])
    with space.entered():
        asking = socket.socket(
            socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, socket.IPPROTO_ICMPV6
        )
        question = struct.pack(">BBHI", SOLICIT, 0, 0, 0) + wanted + b"\x01\x01" + _mac(asking, index)
    with asking:
        asking.setsockopt(socket.IPPROTO_ICMPV6, FILTER, _only(ADVERT))
        asking.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        for _ in range(TRIES):
            try:
                asking.sendto(question, (group, 0, 0, index))
            except OSError:  # a rule of its own namespace drops it
                continue
            rounds.settle()
            if _answered(asking, wanted):
                return True
    return False


def _answered(asking: socket.socket, wanted: bytes) -> bool:
    for _ in range(MOST):
        if not select.select([asking], [], [], SECONDS)[0]:
            return False
        data = asking.recv(512)
        if len(data) >= 24 and data[0] == ADVERT and data[8:24] == wanted:
            return True
    return False


def _mac(any_socket: socket.socket, index: int) -> bytes:
    name = socket.if_indextoname(index).encode()
    return fcntl.ioctl(any_socket, GET_MAC, struct.pack("16s24x", name))[18:24]


def _only(kind: int) -> bytes:
    """Return a filter that lets one type of ICMPv6 through (RFC 3542, 3.2)."""
    words = [0xFFFFFFFF] * 8
    words[kind >> 5] &= ~(1 << (kind & 31)) & 0xFFFFFFFF
    return struct.pack("=8I", *words)
