"""Ask this process's network for its links, addresses, routes and sockets: rtnetlink(7) and sock_diag(7).

Only worth something where that network is the host's. Every dump is bounded in time and size.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
import time

from preflight.facts import Address, Link, Route
from preflight.packets import nlmsg as nl
from preflight.packets.nlmsg import by_type, error_number, number, text

ROUTE, SOCK_DIAG = 0, 4  # NETLINK_ROUTE, NETLINK_SOCK_DIAG
GETLINK, GETADDR, GETROUTE, BY_FAMILY = 18, 22, 26, 20
SECONDS = 3.0
TRIES = 4  # of a dump that is interrupted
MESSAGES = 200_000  # in answer to one request
SCOPES = {0: "global", 200: "site", 253: "link", 254: "host"}


def dump(protocol: int, kind: int, request: bytes) -> list[bytes]:
    """Return the payload of each message that answers a dump request; raise `OSError` where it is refused or late.

    One that the kernel calls interrupted is asked for again: it may hold something twice, and lack something. `EINTR`:
    it was each time.
    """
    deadline = time.monotonic() + SECONDS
    for _ in range(TRIES):
        if (found := _dump(protocol, kind, request, deadline)) is not None:
            return found
    raise OSError(errno.EINTR, os.strerror(errno.EINTR))


def _dump(protocol: int, kind: int, request: bytes, deadline: float) -> list[bytes] | None:
    """Ask for a dump once, on a socket of its own: nothing of an earlier one is left there. None: interrupted."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol) as sock:
        sock.settimeout(SECONDS)
        sock.bind((0, 0))
        sock.send(nl.message(kind, nl.REQUEST | nl.DUMP, 1, request))
        found: list[bytes] = []
        whole = True
        while True:
            for _, answer in nl.messages(sock.recv(1 << 17)):
                whole = whole and not answer.flags & nl.INTERRUPTED
                if answer.kind == nl.DONE:
                    return found if whole else None
                if answer.kind == nl.ERROR:
                    raise _refusal(answer.body)
                if len(found) >= MESSAGES:
                    raise OSError(f"more than {MESSAGES} answers")
                found.append(answer.body)
            if time.monotonic() > deadline:
                raise TimeoutError("netlink takes too long")


def ask(protocol: int, kind: int, request: bytes) -> bytes:
    """Return the payload of the one message that answers a request; raise `OSError` as the kernel refuses it."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol) as sock:
        sock.settimeout(SECONDS)
        sock.bind((0, 0))
        sock.send(nl.message(kind, nl.REQUEST, 1, request))
        for _, answer in nl.messages(sock.recv(1 << 17)):
            if answer.kind == nl.ERROR:
                raise _refusal(answer.body)
            return answer.body
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def _refusal(payload: bytes) -> OSError:
    return OSError(error_number(payload) or 0, "refused by netlink")


def links() -> tuple[Link, ...]:
    """Return the interfaces with their addresses; raise `OSError`."""
    found: dict[int, Link] = {}
    kinds: dict[int, str] = {}
    ports: dict[int, list[int]] = {}  # of bridges and the like, by what they hold
    for payload in dump(ROUTE, GETLINK, bytes(16)):
        if pair := read_link(payload):
            found[pair[0]] = pair[1]
            kinds[pair[0]], master = read_kind(payload)
            ports.setdefault(master, []).append(pair[0])
    held: dict[int, list[Address]] = {}
    for payload in dump(ROUTE, GETADDR, bytes(8)):
        if pair_ := read_address(payload):
            held.setdefault(pair_[0], []).append(pair_[1])
    return tuple(
        Link(
            link.name, link.mtu, link.up, tuple(held.get(index, ())),
            inner=kinds[index] == "bridge" and {kinds[port] for port in ports.get(index, ())} == {"veth"},
        )
        for index, link in sorted(found.items())
    )  # fmt: skip


def read_kind(payload: bytes) -> tuple[str, int]:
    """Return what kind of interface an ifinfomsg is about ('' = a device), and the number of the one that holds it."""
    found = by_type(payload[16:])
    return text(by_type(found.get(18, b"")).get(1, b"")), number(found.get(10)) or 0


def interfaces() -> dict[int, str]:
    """Return the names of the interfaces by their numbers; raise `OSError`."""
    return {pair[0]: pair[1].name for payload in dump(ROUTE, GETLINK, bytes(16)) if (pair := read_link(payload))}


def read_link(payload: bytes) -> tuple[int, Link] | None:
    """Read an ifinfomsg: its index, and the link without addresses; None: it is none."""
    if len(payload) < 16:
        return None
    index, flags = struct.unpack_from("=iI", payload, 4)
    found = by_type(payload[16:])
    return index, Link(text(found.get(3, b"")), number(found.get(4)), bool(flags & 1))


def read_address(payload: bytes) -> tuple[int, Address] | None:
    """Read an ifaddrmsg: the index of its link, and the address; None: it is none."""
    if len(payload) < 8:
        return None
    _, prefix, flags, scope, index = struct.unpack_from("=BBBBI", payload)
    found = by_type(payload[8:])
    raw = found.get(2) or found.get(1) or b""  # IFA_LOCAL, else IFA_ADDRESS: of a tunnel that is the other end
    if len(raw) not in (4, 16) or prefix > 8 * len(raw):
        return None
    return index, Address(str(ipaddress.ip_address(raw)), prefix, SCOPES.get(scope, "global"), bool(flags & 1))


def routes() -> tuple[Route, ...]:
    """Return the routes of all tables; raise `OSError`."""
    names = interfaces()
    found = []
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            found += [
                route
                for payload in dump(ROUTE, GETROUTE, bytes([family]) + bytes(11))
                if (route := read_route(payload, names))
            ]
        except OSError as error:  # a kernel without IPv6 has no IPv6 routes; one that is late may have some
            if family == socket.AF_INET or isinstance(error, (TimeoutError, InterruptedError)):
                raise
    return tuple(found)


KINDS = {1: "unicast", 2: "local", 6: "blackhole", 7: "unreachable", 8: "prohibit", 9: "throw"}


def read_route(payload: bytes, names: dict[int, str]) -> Route | None:
    """Read an rtmsg of any table, a route to somewhere else or to nowhere; None: it is none that counts."""
    if len(payload) < 12:
        return None
    family, length, _, _, table, _, _, kind, flags = struct.unpack_from("=BBBBBBBBI", payload)
    found = by_type(payload[12:])
    size = 4 if family == socket.AF_INET else 16
    raw = found.get(1, bytes(size))
    # Neither what the kernel cloned (RTM_F_CLONED) nor what leads over an interface that is down (RTNH_F_DEAD).
    if kind not in KINDS or flags & 0x201 or len(raw) != size or length > 8 * size:
        return None
    destination = ipaddress.ip_network((raw, length), strict=False)
    if KINDS[kind] == "local" and (length == 8 * size or destination.is_loopback):
        return None  # the host's own addresses are told with its links
    hop = {**_first_hop(found.get(9, b"")), **found}
    gateway = hop.get(5) or hop.get(18, b"")[2:]  # RTA_GATEWAY, else RTA_VIA: of the other family
    return Route(
        str(destination),
        names.get(number(hop.get(4)) or 0, "") if kind in (1, 2) else "*",
        str(ipaddress.ip_address(gateway)) if len(gateway) in (4, 16) else "",
        number(hop.get(6)) or 0,
        table if (told := number(found.get(15))) is None else told,
        KINDS[kind],
    )


def _first_hop(multipath: bytes) -> dict[int, bytes]:
    """Return the attributes of a multipath route's first next hop, its interface as RTA_OIF."""
    if len(multipath) < 8:
        return {}
    length, _, _, index = struct.unpack_from("=HBBi", multipath)
    return {**by_type(multipath[8:length]), 4: struct.pack("=i", index)}
