"""One connection under way: opened, TLS agreed where that is spoken there, something said, and the answer judged."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from ssl import SSLContext

from msgspec import Struct

from preflight.facts.outgoing import Attempt, Goal, Outcome
from preflight.gather.outgoing import errors, tls
from preflight.gather.outgoing.speeches import WORDS, talk

OPENING = 2.8  # seconds to open a connection: the kernel tries anew after one second, and time for that answer
TALKING = 2.5  # seconds from there on, but for servers that take longer
PARTING = 1.0  # seconds for a last word to be answered
DATAGRAM = 1.5  # seconds to wait for an answer over UDP
AGAIN = 0.5  # seconds after which a datagram is sent again
TLS_RECORD = 1 << 14  # bytes
SHOWN = 120  # characters of what somebody else said


class Aim(Struct, frozen=True):
    """One address of a goal."""

    goal: Goal
    address: str


class Bounds(Struct, frozen=True):
    """How long is tried, and by which authorities a server is known. `deadline` is of time.monotonic."""

    deadline: float
    stop: threading.Event
    authorities: SSLContext | None = None


class Connection:
    """A connection; `made` is what became of it, once that is known."""

    def __init__(self, aim: Aim, bounds: Bounds) -> None:
        self.made: Attempt | None = None
        self._aim, self._bounds = aim, bounds
        self._talk = talk(aim.goal)
        self._udp = aim.goal.protocol == "udp"
        self._heard = b""
        self._parting: tuple[Outcome, str] | None = None  # what it came to, while one takes leave
        self._handshake: tls.Handshake | None = None
        self._step: Callable[[], None] = self._open
        family = socket.AF_INET6 if ":" in aim.address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM if self._udp else socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._began = self._sent = time.monotonic()
        self._until = min(bounds.deadline, self._began + (DATAGRAM if self._udp else OPENING))

    @property
    def descriptor(self) -> int:
        """Return the descriptor, the same from its begin to its end."""
        return self._socket.fileno()

    @property
    def is_open(self) -> bool:
        """Say whether it is waited for something to read; before, it is to be opened."""
        return self._step != self._open

    def begin(self) -> None:
        """Send the first packet."""
        with suppress(OSError):  # not every kernel keeps them
            errors.ask_for_reports(self._socket)
        code = self._socket.connect_ex((self._aim.address, self._aim.goal.port))
        if code not in (0, errno.EINPROGRESS):
            self._fail(OSError(code, "connect"))
        elif self._udp:
            self._step = self._hear
            self._guarded(self._say)

    def go_on(self) -> None:
        """Do what can be done by now."""
        if code := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._fail(OSError(code, "socket"))
        else:
            self._guarded(self._step)

    def pass_time(self, now: float) -> None:
        """Say again what was sent in a datagram and has no answer; give up what is over its time."""
        if self.made is None and now >= self._until and self._parting:
            self._left()
        elif self.made is None and now >= self._until:
            in_vain: Outcome = "silent" if self._udp else "mute" if self.is_open else "filtered"
            self._end("late" if now >= self._bounds.deadline else in_vain)
        elif self.made is None and self._udp and now >= self._sent + AGAIN:
            self._guarded(self._say)

    def close(self) -> None:
        """Let go of it."""
        self._socket.close()

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(error)

    def _open(self) -> None:
        self._socket.getpeername()
        self._until = min(self._bounds.deadline, time.monotonic() + (self._talk.patience or TALKING))
        if self._talk.tls:
            self._handshake = tls.Handshake(self._aim.goal.host, self._bounds.authorities)
            self._step = self._agree
            self._agree_on(b"")
        elif self._talk.judge is None:
            self._end("reached")
        else:
            self._step = self._hear
            self._say()

    def _agree(self) -> None:
        if more := self._socket.recv(TLS_RECORD):
            self._agree_on(more)
        else:
            self._end("mute", "EOF")

    def _agree_on(self, heard: bytes) -> None:
        assert self._handshake is not None, "it was begun in the step before"
        if self._handshake.go_on(heard):
            self._end("reached")
        elif words := self._handshake.words():
            self._socket.send(words)

    def _say(self) -> None:
        self._sent = time.monotonic()
        if self._talk.first:
            self._socket.send(self._talk.first)

    def _hear(self) -> None:
        more = self._socket.recv(WORDS)
        if not more and not self._udp:
            self._end("mute", "EOF")
            return
        self._heard = (b"" if self._udp else self._heard) + more
        judged = self._talk.judge(self._heard[:WORDS]) if self._talk.judge else "own"
        if judged is None and len(self._heard) >= WORDS:
            judged = "foreign"
        if judged is not None:
            outcome: Outcome = "reached" if judged == "own" else judged
            self._conclude(outcome, shown(self._heard) if self._talk.quoted or outcome == "foreign" else "")

    def _conclude(self, outcome: Outcome, said: str) -> None:
        """End it, after a last word and the answer to that where one is due."""
        if not self._talk.last:
            self._end(outcome, said=said)
            return
        self._parting = (outcome, said)
        self._step = self._leave
        self._until = min(self._bounds.deadline, time.monotonic() + PARTING)
        self._socket.send(self._talk.last)

    def _leave(self) -> None:
        self._socket.recv(WORDS)
        self._left()

    def _left(self) -> None:
        assert self._parting is not None, "it is known what it came to"
        outcome, said = self._parting
        self._end(outcome, said=said)

    def _fail(self, error: OSError) -> None:
        if self._parting:
            self._left()
            return
        if of_tls := tls.outcome(error):
            outcome, name, said = of_tls
            self._end(outcome, name, said=said)
            return
        code, told = error.errno or errno.EIO, errors.report(self._socket)
        outcome = errors.outcome(code, told)
        if self.is_open and not self._udp and outcome != "prohibited":
            outcome = "mute"  # it was there, and broke off
        elsewhere = told.by if told and told.by != self._aim.address else ""
        self._end(outcome, errors.name(code), by=elsewhere)

    def _end(self, outcome: Outcome, error: str = "", *, by: str = "", said: str = "") -> None:
        seconds = round(time.monotonic() - self._began, 3)
        self.made = Attempt(self._aim.address, outcome, seconds, error, by, said)


def shown(said: bytes) -> str:
    """Return the first line of what somebody said, without what no terminal should get."""
    text = said.decode("latin-1").replace("\r", "\n").lstrip("\n").partition("\n")[0]
    return "".join(c if 32 <= ord(c) < 127 else "?" for c in text[:SHOWN])
