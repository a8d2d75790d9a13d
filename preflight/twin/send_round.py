"""Send packets that open connections, many at once or one by one, until it is known what became of each."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Literal

from msgspec import Struct

from preflight.twin.send_settled import Rounds
from preflight.twin.send_sights import ICMP, TCP, UDP, Sight, Sights
from preflight.twin.send_verdicts import Observed, Spot
from preflight.twin.servers import ANY, LONG, Answer, Place, Servers, bound, read
from preflight.twin.spaces import Space
from preflight.twin.wire import ROUTE, Wire

SYN_COUNT = 7  # TCP_SYNCNT
LONGEST = 2.0  # seconds of one wait, however much news there is
TRIES = 20  # for a port that no other packet of the round has
# A question for the name servers of the root, without its identifier.
QUESTION = b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01"
PROTOCOLS = {"tcp": TCP, "udp": UDP}
REPAIR, REPAIR_QUEUE, QUEUE_SEQ, SENT = 19, 20, 21, 2  # TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ, TCP_SEND_QUEUE
GET_NEIGHBOURS = 30  # RTM_GETNEIGH
UNANSWERED = 0x21  # NUD_INCOMPLETE, NUD_FAILED


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
    short: bool = False  # of two answers over UDP
    long: Answer | None = None
    watched: bool = False

    @property
    def done(self) -> bool:
        """Whether nothing more is awaited."""
        return self.observed.answer is not None or bool(self.observed.error or self.observed.failed)


class Round:
    """Packets of one namespace and family, servers that answer them, and looks at what arrives where.

    A context: all is closed at its end. Opening raises `OSError`. `sure`: each wait ended when the kernel had dealt
    with all packets, so that what had not come by then does not come.
    """

    def __init__(self, spaces: dict[Place, Space], sender: Place, version: int, *, sure: bool) -> None:
        self.sure = sure
        self._sender = sender
        self._space = spaces[sender]
        self._version = version
        self._selector = selectors.DefaultSelector()
        self._closing: list[Callable[[], None]] = [self._selector.close]
        self._shots: dict[int, Shot] = {}  # by their own port
        self._arrived: list[tuple[Place, Sight]] = []
        self._numbers = 0
        try:
            self.servers = Servers(self._selector)
            self._closing.insert(0, self.servers.close)
            self._rounds = Rounds(spaces["world"])
            self._closing.insert(0, self._rounds.close)
            self._errors = Sights(self._space, version, (ICMP[version],))
            self._closing.insert(0, self._errors.close)
            self._sights: dict[Place, Sights] = {}
            for place in ("world", "inner"):
                self._sights[place] = Sights(spaces[place], version, (TCP, UDP))
                self._closing.insert(0, self._sights[place].close)
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
            self._settled()
            if not self._look(0.0) and not self._look(quiet):
                break

    def settle(self) -> None:
        """Let all that is on its way arrive, and note where."""
        ends = time.monotonic() + LONGEST
        self._settled()
        while self._look(0.0) and time.monotonic() < ends:
            self._settled()
        lost = [one for one in self._shots.values() if one.observed.answer is None and not one.observed.failed]
        if lost:
            self._trace(lost)

    def _settled(self) -> None:
        self.sure &= self._rounds.settle()

    def end(self) -> None:
        """End all connections and forget their packets."""
        for one in self._shots.values():
            self._drop(one)
        self._shots.clear()
        self._arrived.clear()

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
            one.mark = self._numbers & 0xFFFF
            one.socket.send(one.mark.to_bytes(2, "big") + QUESTION)
        self._selector.register(one.socket, selectors.EVENT_READ, lambda: self._read(one))
        one.watched = True

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

    def _drop(self, one: Shot) -> None:
        if one.socket is not None:
            self._ignore(one)
            one.socket.close()
            one.socket = None

    def _ignore(self, one: Shot) -> None:
        if one.watched and one.socket is not None:
            self._selector.unregister(one.socket)
            one.watched = False

    def _look(self, seconds: float) -> bool:
        """Deal with what has come, waiting so long for it. Return whether there was anything."""
        events = self._selector.select(seconds)
        for key, _ in events:
            key.data()
        news = [self._told(sight) for sight in self._errors.fresh()]
        for place, sights in self._sights.items():
            seen = sights.fresh()
            self._arrived += [(place, sight) for sight in seen]
            news.append(bool(seen))
        return bool(events) or any(news)

    def _read(self, one: Shot) -> None:
        """Read what came for a packet: an answer, an error, or the end."""
        if one.socket is None:
            return
        try:
            got = one.socket.recv(2 * LONG)
        except BlockingIOError:  # an error that TCP overlooked, as it was still sending: it is seen elsewhere
            with suppress(OSError):
                one.socket.recvmsg(512, 512, socket.MSG_ERRQUEUE)
            return
        except OSError as error:
            one.observed.error = one.observed.error or _name(error)
            self._drop(one)
            return
        if one.protocol == "udp":
            self._hear(one, got)
            return
        one.data += got
        told = one.data
        if (answer := read(told)) is not None:
            one.observed.answer = answer
            self._ignore(one)
        elif not got or len(told) > 256:  # it was ended, or answered, by something that is no server of ours
            one.observed.error = one.observed.error or "EPROTO"
            self._drop(one)

    def _hear(self, one: Shot, got: bytes) -> None:
        """Note one of the two answers to a question over UDP: only with both is it answered."""
        asked = 2 + len(QUESTION)
        if len(got) == asked:
            one.short = True
        elif (answer := read(got[asked:].rstrip(b"\0"))) is not None:
            one.long = answer
        else:  # of something that is no server of ours
            one.observed.error = one.observed.error or "EPROTO"
            self._drop(one)
        if one.short and one.long is not None:
            one.observed.answer = one.long
            self._ignore(one)

    def _told(self, sight: Sight) -> bool:
        """Note an error about one of the packets. TCP itself overlooks one that comes while it is still sending."""
        one = self._shots.get(sight.source_port)
        if one is None or (sight.target, sight.target_port) != (one.target, one.port):
            return False
        one.observed.error = one.observed.error or f"ICMP {sight.error}"
        self._ignore(one)
        return True

    def _trace(self, lost: Sequence[Shot]) -> None:
        """Note where packets were seen that nobody answered, and whether the way out of their namespace is known."""
        known: dict[tuple[int, int, bool], Shot] = {}
        for one in lost:
            one.observed.spots = ()
            mark = one.mark if one.protocol == "udp" else _mark(one)
            known[PROTOCOLS[one.protocol], mark if mark >= 0 else one.own, mark >= 0] = one
        for place, sight in self._arrived:
            kind = sight.protocol
            found = known.get((kind, sight.mark, True)) or known.get((kind, sight.source_port, False))
            if found is not None:
                found.observed.spots += (Spot(place, sight.target, sight.target_port),)
        resolved = not unresolved(self._space, self._version)
        for one in lost:
            one.observed.left = resolved or bool(one.observed.spots)


def unresolved(space: Space, version: int) -> bool:
    """Tell whether a neighbour of a namespace does not answer to ARP or neighbour discovery; raise `OSError`."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with space.entered(), Wire(ROUTE) as wire:
        found = wire.dump(GET_NEIGHBOURS, struct.pack("=BxxxiHBB", family, 0, 0, 0, 0))
    return any(len(one.body) >= 10 and struct.unpack_from("=H", one.body, 8)[0] & UNANSWERED for one in found)


def _mark(one: Shot) -> int:
    """Return the first sequence number of a TCP connection that is not closed; -1 where the kernel does not tell."""
    if one.socket is None:
        return -1
    try:
        one.socket.setsockopt(TCP, REPAIR, 1)  # it stays so: closed, it then sends nothing more
        one.socket.setsockopt(TCP, REPAIR_QUEUE, SENT)
        return one.socket.getsockopt(TCP, QUEUE_SEQ) - 1 & 0xFFFFFFFF
    except OSError:
        return -1


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, str(error.errno))
