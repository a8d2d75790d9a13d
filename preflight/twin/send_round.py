"""Send packets that open connections, many at once or one by one, until it is known what became of each."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Literal

from msgspec import Struct

from preflight.twin.send_settled import Rounds
from preflight.twin.send_sights import Sight, Sights
from preflight.twin.send_verdicts import Observed, Spot
from preflight.twin.servers import ANY, Place, Servers, bound, read
from preflight.twin.spaces import Space

SYN_COUNT = 7  # TCP_SYNCNT
LONGEST = 2.0  # seconds of one wait, however much news there is
TRIES = 20  # for a port that no other packet of the round has
# A question for the name servers of the root, without its identifier.
QUESTION = b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01"
PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}


class Shot(Struct, eq=False):
    """A packet that opens a connection: whence ('' = as the kernel chooses), where to, and what was seen of it."""

    protocol: Literal["tcp", "udp"]
    target: str
    port: int
    observed: Observed
    socket: socket.socket | None = None
    own: int = 0  # its port
    mark: int = -1  # what it is known again by
    data: bytes = b""

    @property
    def done(self) -> bool:
        """Whether nothing more is awaited."""
        return self.observed.answer is not None or bool(self.observed.error or self.observed.failed)


class Round:
    """Packets of one namespace, servers that answer them, and looks at what leaves and arrives.

    A context: all is closed at its end. Opening raises `OSError`.
    """

    def __init__(self, spaces: dict[Place, Space], sender: Place) -> None:
        self._sender = sender
        self._space = spaces[sender]
        self._selector = selectors.DefaultSelector()
        self._closing: list[Callable[[], None]] = [self._selector.close]
        self._shots: dict[int, Shot] = {}  # by their own port
        self._marks: dict[tuple[int, int], Shot] = {}  # by protocol and what they are known again by
        self._numbers = 0
        try:
            self.servers = Servers(self._selector)
            self._closing.insert(0, self.servers.close)
            self._rounds = Rounds(spaces["world"])
            self._closing.insert(0, self._rounds.close)
            self._sights: list[tuple[Place, Sights]] = []
            # what leaves is looked at before what arrives, so that it is known by then
            for place in sorted({"world", "inner"}, key=lambda place: place != sender):
                self._sights.append((place, Sights(spaces[place])))
                self._closing.insert(0, self._sights[-1][1].close)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Round:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        for close in self._closing:
            close()

    def send(self, shots: Iterable[Shot]) -> None:
        """Send packets at once. One that cannot be sent is noted as failed."""
        with self._space.entered():
            for one in shots:
                try:
                    self._start(one)
                except OSError as error:
                    one.observed.failed = _name(error)
                    self._drop(one)

    def wait(self, quiet: float) -> None:
        """Look at what comes back, until all is known or there has been no news for that many seconds."""
        ends = time.monotonic() + LONGEST
        while any(not one.done for one in self._shots.values()) and time.monotonic() < ends:
            if self._look(0.0):
                continue
            self._rounds.settle()
            if not self._look(0.0) and not self._look(quiet):
                break

    def settle(self) -> None:
        """Let all that is on its way arrive, and note it."""
        ends = time.monotonic() + LONGEST
        self._rounds.settle()
        while self._look(0.0) and time.monotonic() < ends:
            self._rounds.settle()

    def end(self) -> None:
        """End all connections and forget their packets."""
        for one in self._shots.values():
            self._drop(one)
        self._shots.clear()
        self._marks.clear()

    def _start(self, one: Shot) -> None:
        one.socket = self._opened(one)
        one.own = int(one.socket.getsockname()[1])
        self._shots[one.own] = one
        if one.protocol == "tcp":
            one.socket.setsockopt(socket.IPPROTO_TCP, SYN_COUNT, 1)
        code = one.socket.connect_ex((one.target, one.port))
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
        if one.protocol == "udp":
            self._numbers += 1
            self._know(one, self._numbers & 0xFFFF)
            one.socket.send(one.mark.to_bytes(2, "big") + QUESTION)
        self._selector.register(one.socket, selectors.EVENT_READ, lambda: self._read(one))

    def _opened(self, one: Shot) -> socket.socket:
        """Open a socket at a packet's source, at a port that no other has: NAT mostly leaves it alone."""
        kind = socket.SOCK_STREAM if one.protocol == "tcp" else socket.SOCK_DGRAM
        source = one.observed.source or ANY[6 if ":" in one.target else 4]
        for _ in range(TRIES):
            made = bound(source, 0, kind)
            if made.getsockname()[1] not in self._shots:
                return made
            made.close()
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    def _know(self, one: Shot, mark: int) -> None:
        one.mark = mark
        self._marks[PROTOCOLS[one.protocol], mark] = one

    def _drop(self, one: Shot) -> None:
        if one.socket is not None:
            with suppress(KeyError):
                self._selector.unregister(one.socket)
            one.socket.close()
            one.socket = None

    def _look(self, seconds: float) -> bool:
        """Deal with what has come, waiting so long for it. Return whether there was anything."""
        events = self._selector.select(seconds)
        for key, _ in events:
            key.data()
        news = [self._noted(place, sight) for place, sights in self._sights for sight in sights.fresh()]
        return bool(events) or any(news)

    def _read(self, one: Shot) -> None:
        """Read what came for a packet: an answer, an error, or the end."""
        if one.socket is None:
            return
        try:
            got = one.socket.recv(512)
        except BlockingIOError:
            return
        except OSError as error:
            one.observed.error = one.observed.error or _name(error)
            self._drop(one)
            return
        one.data += got
        told = one.data[2 + len(QUESTION) :] if one.protocol == "udp" else one.data
        if (answer := read(told)) is not None:
            one.observed.answer = answer
            self._selector.unregister(one.socket)
        elif not got or len(told) > 256:  # it was ended, or answered, by something that is no server of ours
            one.observed.error = one.observed.error or "EPROTO"
            self._drop(one)

    def _noted(self, place: Place, sight: Sight) -> bool:
        """Note what was seen of a packet in a namespace. Return whether it is one of ours."""
        if sight.outgoing or sight.error:
            if place != self._sender or (one := self._shots.get(sight.source_port)) is None:
                return False
            if (sight.target, sight.target_port) != (one.target, one.port):
                return False
            if sight.error and not sight.outgoing:
                one.observed.error = one.observed.error or f"ICMP {sight.error}"
            elif not sight.error:
                one.observed.left = True
                self._know(one, sight.mark)
            return True
        found = self._marks.get((sight.protocol, sight.mark)) or self._shots.get(sight.source_port)
        if found is None:
            return False
        found.observed.spots += (Spot(place, sight.target, sight.target_port),)
        return True


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, str(error.errno))
