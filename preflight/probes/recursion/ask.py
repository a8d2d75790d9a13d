"""The program of the containers that ask as mailcow's resolver does: name servers, UDP and TCP, and who answers pings.

    python3 -I -m preflight.probes.recursion.ask {"servers": [[address, zone]…], "canaries": […], "pings": […]}

Prints JSON: {"queries": […], "pings": […]}. Everything is asked at once; what is silent is asked again. Imports the
standard library alone.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from preflight.probes.recursion import packets

PORT = 53
WAITS = (1.2, 1.8)  # seconds for an answer, for each attempt
CONNECT = 3.0  # seconds for a TCP connection and its answer
CANARY = (0.4, 0.5)  # on a good host nobody ever answers
PINGS = (1.0, 1.0, 1.0)  # as many as mailcow's health check sends (`ping -c3`), where nobody answers
ERRORS = {
    errno.EPERM: "denied",  # by a rule of this very host
    errno.EACCES: "prohibited",
    errno.ECONNREFUSED: "refused",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unsent",
    errno.EADDRNOTAVAIL: "unsent",
}
IP_RECVERR, IPV6_RECVERR = 11, 25  # linux/in.h, linux/in6.h
ERRQUEUE = 0x2000  # linux/socket.h
AT_MOST = 4.5  # seconds for all; what is not known then is silent
Row = dict[str, Any]


def family(address: str) -> int:
    """Return the family of sockets of an address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def told(error: OSError) -> Row:
    """Say how a packet was stopped."""
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return {"outcome": "silent"}
    number = error.errno or 0
    return {"outcome": ERRORS.get(number, "failed"), "error": errno.errorcode.get(number, "")}


def over_udp(address: str, port: int, asked: bytes, waits: tuple[float, ...] = WAITS) -> Row:
    """Ask over UDP, as often as there are waits; return the last that came of it."""
    with socket.socket(family(address), socket.SOCK_DGRAM) as sock:
        report(sock, address)
        sock.connect((address, port))
        row: Row = {"outcome": "silent"}
        for wait in waits:
            try:
                sock.send(asked)
                if (found := hear(sock, asked, wait)) is not None:
                    return {"outcome": "answered", **found}
            except OSError as error:
                row = told(error)
        return row


def report(sock: socket.socket, address: str) -> None:
    """Receive every ICMP error about our packets, whoever sends it (ip(7), IP_RECVERR)."""
    if ":" in address:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)


def hear(sock: socket.socket, asked: bytes, seconds: float) -> Row | None:
    """Wait for an answer to a question; None: there is none in this time. Raises OSError."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if not select.select([sock], [], [], left)[0]:
            return None
        if (found := packets.answer(received(sock)[0], asked)) is not None:
            return found
    return None


def received(sock: socket.socket) -> tuple[bytes, str]:
    """Return a packet that has come, and from whom: none where it was but word of an error. Raises OSError.

    That stays readable after a send has told it, and a plain recv would then wait endlessly.
    """
    try:
        said, sender = sock.recvfrom(65535, socket.MSG_DONTWAIT)
    except BlockingIOError:
        with contextlib.suppress(BlockingIOError):
            sock.recvmsg(1, 0, ERRQUEUE | socket.MSG_DONTWAIT)
        return b"", ""
    return said, sender[0] if sender else ""


def over_tcp(address: str, port: int, asked: bytes) -> Row:
    """Ask over TCP; `mute`: a connection came about, and no answer."""
    until, connected = time.monotonic() + CONNECT, False
    try:
        with socket.create_connection((address, port), CONNECT) as sock:
            connected = True
            sock.sendall(struct.pack("!H", len(asked)) + asked)
            length = struct.unpack("!H", whole(sock, 2, until))[0]
            found = packets.answer(whole(sock, length, until), asked)
            return {"outcome": "answered", **found} if found else {"outcome": "garbled"}
    except OSError as error:
        return {"outcome": "mute"} if connected else told(error)


def whole(sock: socket.socket, length: int, until: float) -> bytes:
    """Read so many bytes; raise OSError where they do not come."""
    said = b""
    while len(said) < length:
        sock.settimeout(max(0.01, until - time.monotonic()))
        more = sock.recv(length - len(said))
        if not more:
            raise ConnectionResetError
        said += more
    return said


def ping(address: str, waits: tuple[float, ...] = PINGS) -> Row:
    """Send echo requests until one is answered, as often as there are waits."""
    version, row = (6 if ":" in address else 4), {"outcome": "silent"}
    try:
        sock, number = icmp(address)
    except OSError:
        return {"outcome": "unable"}  # this process may not; that says nothing of the network
    with sock:
        for sequence, wait in enumerate(waits, 1):
            try:
                sock.sendto(packets.echo(version, number or 1, sequence), (address, 0))
                if echoed(sock, address, number, wait):
                    return {"outcome": "answered", "sent": sequence}
            except OSError as error:
                row = told(error)
    return {**row, "sent": len(waits)}


def icmp(address: str) -> tuple[socket.socket, int | None]:
    """Open a socket for echo requests, and return the number that ours have (None: the kernel's choice)."""
    protocol = socket.IPPROTO_ICMPV6 if ":" in address else socket.IPPROTO_ICMP
    try:
        sock = socket.socket(family(address), socket.SOCK_DGRAM, protocol)
        report(sock, address)
        return sock, None
    except OSError:
        return socket.socket(family(address), socket.SOCK_RAW, protocol), int.from_bytes(os.urandom(2))


def echoed(sock: socket.socket, address: str, number: int | None, seconds: float) -> bool:
    """Wait for the reply; raises OSError."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if not select.select([sock], [], [], left)[0]:
            return False
        said, sender = received(sock)
        if sender == address and packets.echoed(6 if ":" in address else 4, said, number):
            return True
    return False


def tasks(asked: Row) -> list[tuple[Row, Callable[[], Row]]]:
    """Return all that is to be done, each with what it says of itself."""
    port, made = asked.get("port", PORT), []

    def add(address: str, over: str, what: str, act: Callable[..., Row], *given: Any) -> None:
        row = {"address": address, "protocol": over, "question": what}
        made.append((row, partial(act, address, port, *given)))

    for address, zone in asked["servers"]:
        add(address, "udp", "zone", over_udp, packets.question(number(), zone, packets.SOA))
        # Only the root's are a large answer: other zones have small keys.
        if not zone:
            add(address, "udp", "keys", over_udp, packets.question(number(), zone, packets.DNSKEY))
        add(address, "tcp", "keys", over_tcp, packets.question(number(), zone, packets.DNSKEY))
        who = packets.question(number(), "hostname.bind", packets.TXT, packets.CHAOS)
        add(address, "udp", "who", over_udp, who, CANARY)
    for address in asked["canaries"]:
        add(address, "udp", "canary", over_udp, packets.question(number(), "", packets.SOA), CANARY)
    return made + [({"target": address}, partial(ping, address)) for address in asked["pings"]]


def number() -> int:
    """Return a number for a question."""
    return int.from_bytes(os.urandom(2))


def main(asked: Row) -> str:
    """Ask all at once; return it as JSON."""
    made = tasks(asked)
    rows: list[Row] = [{**row, "outcome": "silent"} for row, _ in made]

    def do(place: int) -> None:
        row, act = made[place]
        began = time.monotonic()
        try:
            came = act()
        except OSError as error:
            came = told(error)
        rows[place] = {**row, **came, "seconds": round(time.monotonic() - began, 3)}

    threads = [threading.Thread(target=do, args=(place,), daemon=True) for place in range(len(made))]
    for thread in threads:
        thread.start()
    until = time.monotonic() + AT_MOST
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return json.dumps({
        "queries": [row for row in rows if "address" in row], "pings": [row for row in rows if "target" in row],
    })  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(main(json.loads(sys.argv[1])) + "\n")
