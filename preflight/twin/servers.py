"""Servers in the twin's namespaces: each answers with who it is and whom it saw, so that an answer has an author.

An answer is one line, `PLACE ADDRESS PORT PEER PEERPORT`. Over UDP there are two, as rules may ask how long a packet
is: the question's own bytes alone, and these, the line and as much more as a name server's longest answer may have.
"""

from __future__ import annotations

import selectors
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Literal, cast, get_args

from msgspec import Struct

from preflight.twin.spaces import Space

Place = Literal["world", "twin", "inner"]
_PLACES = get_args(Place)
WAITING = 1024  # connections that a listener may have open
FREEBIND, V6ONLY = 15, 26  # IP_FREEBIND, IPV6_V6ONLY
ABORT = struct.pack("ii", 1, 0)  # linger: a closed connection ends with one packet, and leaves nothing that waits
ANY = {4: "0.0.0.0", 6: "::"}
LONG = 1200  # bytes of an answer over UDP: what resolvers ask of name servers, 1232, and every way's MTU have room for


class Answer(Struct, frozen=True):
    """Who answered, and from where the question came in their eyes."""

    place: Place
    address: str
    port: int
    peer: str
    peer_port: int


class Servers:
    """Servers that answer while somebody looks at the selector. Its keys hold what is to be called."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._open: list[socket.socket] = []
        self._taken: list[socket.socket] = []

    def tcp(self, space: Space, place: Place, where: Iterable[tuple[str, int]]) -> None:
        """Listen at addresses and ports of a namespace; raise `OSError`."""
        with space.entered():
            for address, port in where:
                listener = bound(address, port, socket.SOCK_STREAM)
                listener.listen(WAITING)
                self._open.append(listener)
                self._selector.register(listener, selectors.EVENT_READ, lambda made=listener: self._accept(place, made))

    def udp(self, space: Space, place: Place, where: Iterable[tuple[str, int]]) -> None:
        """Answer datagrams at addresses and ports of a namespace, from the address that was asked; raise `OSError`."""
        with space.entered():
            for address, port in where:
                server = bound(address, port, socket.SOCK_DGRAM)
                self._open.append(server)
                self._selector.register(server, selectors.EVENT_READ, lambda made=server: self._echo(place, made))

    def close(self) -> None:
        """Close all that was opened and accepted."""
        for one in self._open:
            self._selector.unregister(one)
        for one in (*self._open, *self._taken):
            one.close()
        self._open.clear()
        self._taken.clear()

    def _accept(self, place: Place, listener: socket.socket) -> None:
        while True:
            try:
                taken, peer = listener.accept()
            except OSError:  # none is left, or one has gone before it was taken
                return
            self._taken.append(taken)
            taken.setblocking(False)
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            try:
                taken.send(line(place, taken.getsockname(), peer))
            except OSError:  # the other side has gone: it will say so
                continue

    def _echo(self, place: Place, server: socket.socket) -> None:
        while True:
            try:
                question, peer = server.recvfrom(512)
            except OSError:  # none is left, or an earlier answer was refused
                return
            long = (question + line(place, server.getsockname(), peer)).ljust(LONG, b"\0")
            for answer in (question, long):
                with suppress(OSError):  # no way back
                    server.sendto(answer, peer)


def bound(address: str, port: int, kind: int) -> socket.socket:
    """Make a socket at an address and port of the namespace entered, for its family alone; raise `OSError`."""
    made = unbound(address, kind)
    try:
        made.bind((address, port))
    except OSError:
        made.close()
        raise
    return made


def unbound(address: str, kind: int) -> socket.socket:
    """Make a socket of an address's family, which does not wait and ends abruptly."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, V6ONLY, 1)
    made.setsockopt(socket.IPPROTO_IP, FREEBIND, 1)
    if kind == socket.SOCK_STREAM:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    return made


def line(place: Place, own: tuple[object, ...], peer: tuple[object, ...]) -> bytes:
    """Write an answer: where the server is, and whom it saw."""
    return f"{place} {own[0]} {own[1]} {peer[0]} {peer[1]}\n".encode()


def read(data: bytes) -> Answer | None:
    """Read an answer; None where it is none, or not yet whole."""
    words = data.decode("ascii", "replace").split(" ")
    if len(words) != 5 or not words[4].endswith("\n") or words[0] not in _PLACES:
        return None
    try:
        return Answer(cast("Place", words[0]), words[1], int(words[2]), words[3], int(words[4]))
    except ValueError:
        return None
