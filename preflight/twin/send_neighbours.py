"""Ask for a neighbour's link address over IPv6, as a router does: a rule that drops such packets cuts the family off.

No connection shows that here: the stage's control has already made the neighbours known to each other.
"""

from __future__ import annotations

import fcntl
import select
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path

from msgspec import Struct

from preflight.twin.send_settled import Rounds, pinned
from preflight.twin.spaces import Space

SOLICIT, ADVERT = 135, 136  # RFC 4861, 4.3 and 4.4
GET_MAC, FILTER = 0x8927, 1  # SIOCGIFHWADDR, ICMP6_FILTER
TRIES = 2
SECONDS = 0.015  # for an answer, after the kernel has dealt with the question
MOST = 50  # packets of others meanwhile
UNICAST_HOPS = 16  # IPV6_UNICAST_HOPS
NEAR = 255  # hops that are left where no router was passed: others are believed by nobody (RFC 4861, 7.1)
LINK = 0x20  # the scope of fe80::/10 in /proc/net/if_inet6


class Discovery(Struct, frozen=True):
    """Whether the host's rules leave neighbour discovery alone.

    answers: the neighbour, a router or a container, gets the host's link address. hears: the host gets the neighbour's.
    known: where one of them does not, who knows the other's link address already gets an answer, as it asks there, or
    gets to know it otherwise.
    """

    answers: bool
    hears: bool
    known: bool = False


def discovery(twin: Space, other: Space, interface: str, host: str, far: str = "") -> Discovery | None:
    """Ask from another namespace for an IPv6 address of the host, and from the twin for that one's; None: it has none.

    `interface`: of the twin, that leads there. `far`: the other's address, '' = that of its link. Who forwards asks
    from the address of its link, who answers for itself from that of its packet (Linux, ndisc_solicit); other routers
    may ask from either (RFC 4861, 7.2.2). Raises `OSError`: EPERM without CAP_NET_RAW.
    """
    with other.entered():
        there = _links()
    if not there:
        return None
    index, address = there[0]
    with twin.entered():
        own = socket.if_nametoindex(interface)
    local = not far or ip_address(far).is_link_local
    sources = (("", ""),) if local else (("", ""), (far, host))
    with pinned():
        rounds = Rounds(other)
        try:
            return _agreed(
                _both(
                    partial(_asked, other, index, host, rounds, theirs),
                    partial(_asked, twin, own, address if local else far, rounds, ours),
                )
                for theirs, ours in sources
            )
        finally:
            rounds.close()


def discovery_inside(twin: Space, inner: Space, bridge: str, gateway: str, container: str) -> Discovery:
    """Ask from a container's address for its gateway, and from the twin for the container; raise `OSError`.

    The cable between them knows no neighbours: groups are joined, and the twin is answered, by hand. It asks from the
    bridge's address of its link, as for what it forwards, and from the gateway's, as docker-proxy's connections do.
    """
    with twin.entered():
        own = socket.if_nametoindex(bridge)
        joined = _member(own, gateway)
    with inner.entered():
        index = next(number for number, name in socket.if_nameindex() if name != "lo")
        listening = _member(index, container)
        listening.setsockopt(socket.IPPROTO_ICMPV6, FILTER, _only(SOLICIT))
        listening.setsockopt(socket.IPPROTO_IPV6, UNICAST_HOPS, NEAR)
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        listening.bind((container, 0))
        mac = _mac(listening, index)

    def answer() -> None:
        _advertise(listening, mac, container)

    with joined, listening, pinned():
        rounds = Rounds(inner)
        try:
            return _agreed(
                _both(
                    partial(_asked, inner, index, gateway, rounds, container),
                    partial(_asked, twin, own, container, rounds, source, answer),
                )
                for source in ("", gateway)
            )
        finally:
            rounds.close()


def _both(answers: Callable[..., bool], hears: Callable[..., bool]) -> Discovery:
    """Ask in both directions; again where that is in vain, as who knows the other already.

    A question tells of who asks (RFC 4861, 7.2.3): the twin gets to know a neighbour that asks for it.
    """
    asks = (answers, hears)
    found = [ask() for ask in asks]
    missed = [ask for ask, heard in zip(asks, found, strict=True) if not heard]
    known = bool(missed) and (found[0] or all(ask(known=True) for ask in missed))
    return Discovery(answers=found[0], hears=found[1], known=known)


def _agreed(found: Iterable[Discovery]) -> Discovery:
    """Return what came of questions from several addresses: where one is answered and another is not, it depends."""
    every = tuple(found)
    answers, hears = all(one.answers for one in every), all(one.hears for one in every)
    whole = [one.answers and one.hears for one in every]
    known = not all(whole) and (any(whole) or any(one.known for one in every))
    return Discovery(answers=answers, hears=hears, known=known)


def _member(index: int, address: str) -> socket.socket:
    """Return a socket that has joined the group in which an address is asked for, on an interface."""
    made = socket.socket(
        socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, socket.IPPROTO_ICMPV6
    )
    made.setsockopt(socket.IPPROTO_ICMPV6, FILTER, bytes([255]) * 32)
    made.setsockopt(
        socket.IPPROTO_IPV6,
        socket.IPV6_JOIN_GROUP,
        socket.inet_pton(socket.AF_INET6, _group(address)) + struct.pack("=I", index),
    )
    return made


def _advertise(listening: socket.socket, mac: bytes, container: str) -> None:
    """Answer what has been asked."""
    wanted = socket.inet_pton(socket.AF_INET6, container)
    answer = struct.pack(">BBHI", ADVERT, 0, 0, 0x60000000) + wanted + b"\x02\x01" + mac
    for _ in range(MOST):
        if not select.select([listening], [], [], 0)[0]:
            return
        data, source = _heard(listening)
        if len(data) >= 24 and data[8:24] == wanted:
            with suppress(OSError):
                listening.sendto(answer, source)


def _group(address: str) -> str:
    """Return the group that a neighbour with an address listens to (RFC 4291, 2.7.1)."""
    last = socket.inet_pton(socket.AF_INET6, address)[13:]
    return socket.inet_ntop(socket.AF_INET6, bytes.fromhex("ff0200000000000000000001ff") + last)


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


def _asked(
    space: Space,
    index: int,
    target: str,
    rounds: Rounds,
    source: str = "",
    answer: Callable[[], None] = lambda: None,
    *,
    known: bool = False,
) -> bool:
    """Ask on an interface who has an address, from another one ('' = that of the link). Return whether an answer came.

    `answer`: called when the question has arrived, where the kernel does not answer. `known`: the address itself is
    asked, as by who has its link address, and not the group in which it is looked for.
    """
    wanted = socket.inet_pton(socket.AF_INET6, target)
    with space.entered():
        asking = socket.socket(
            socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, socket.IPPROTO_ICMPV6
        )
        question = struct.pack(">BBHI", SOLICIT, 0, 0, 0) + wanted + b"\x01\x01" + _mac(asking, index)
    with asking:
        if source:
            asking.bind((source, 0))
        asking.setsockopt(socket.IPPROTO_ICMPV6, FILTER, _only(ADVERT))
        for hops in (socket.IPV6_MULTICAST_HOPS, UNICAST_HOPS):
            asking.setsockopt(socket.IPPROTO_IPV6, hops, NEAR)
        asking.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        for _ in range(TRIES):
            try:
                asking.sendto(question, (target if known else _group(target), 0, 0, index))
            except OSError:  # a rule of its own namespace drops it
                continue
            rounds.settle()
            answer()
            rounds.settle()
            if _answered(asking, wanted):
                return True
    return False


def _answered(asking: socket.socket, wanted: bytes) -> bool:
    for _ in range(MOST):
        if not select.select([asking], [], [], SECONDS)[0]:
            return False
        data, _ = _heard(asking)
        if len(data) >= 24 and data[0] == ADVERT and data[8:24] == wanted:
            return True
    return False


def _heard(one: socket.socket) -> tuple[bytes, tuple[str, int, int, int]]:
    """Return the next packet, and from where; b'' = one from afar, or that a rule makes look so."""
    data, notes, _, source = one.recvmsg(512, 64)
    hops = [value for level, kind, value in notes if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)]
    return data if [struct.unpack("=i", value)[0] for value in hops] == [NEAR] else b"", (source[0], 0, *source[2:])


def _mac(any_socket: socket.socket, index: int) -> bytes:
    name = socket.if_indextoname(index).encode()
    return fcntl.ioctl(any_socket, GET_MAC, struct.pack("16s24x", name))[18:24]


def _only(kind: int) -> bytes:
    """Return a filter that lets one type of ICMPv6 through (RFC 3542, 3.2)."""
    words = [0xFFFFFFFF] * 8
    words[kind >> 5] &= ~(1 << (kind & 31)) & 0xFFFFFFFF
    return struct.pack("=8I", *words)
