"""One connection under way: opened, the question asked, and the answer read."""

from __future__ import annotations

import errno
import socket
import time
from contextlib import suppress

from msgspec import Struct

from preflight.gather.outgoing import errors
from preflight.net.addresses import usual
from preflight.reach import protocol
from preflight.reach.facts import Attempt, Outcome
from preflight.reach.line import Port

OPENING = 6.0  # seconds: the kernel tries again after 1 and after 3, and time for the last answer
HEARING = 5.0  # seconds for an answer
SAID = 120  # bytes of what somebody else says
MOST = 512  # bytes that are read
_ENDED = (errno.EPIPE, errno.ECONNRESET)


class Aim(Struct, frozen=True):
    """A port at an address."""

    address: str
    port: Port


class Question(Struct, frozen=True):
    """What is asked with: the key, and what this machine's kernel is called by it."""

    key: bytes
    kernel: str


class Knock:
    """A connection; `made` is what became of it, once that is known."""

    def __init__(self, aim: Aim, question: Question, deadline: float) -> None:
        self.made: Attempt | None = None
        self.open = False
        self._aim, self._question = aim, question
        self._hello = protocol.Hello(aim.port.port, protocol.nonce())
        self._heard, self._client = b"", ""
        self._seconds = 0.0
        self._deadline = deadline
        family = socket.AF_INET6 if ":" in aim.address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._began = time.monotonic()
        self._until = min(deadline, self._began + OPENING)

    @property
    def descriptor(self) -> int:
        """Return the descriptor."""
        return self._socket.fileno()

    def begin(self) -> None:
        """Send the first packet."""
        with suppress(OSError):  # not every kernel keeps them
            errors.ask_for_reports(self._socket)
        code = self._socket.connect_ex((self._aim.address, self._aim.port.port))
        if code not in (0, errno.EINPROGRESS):
            self._fail(code)

    def go_on(self) -> None:
        """Do what can be done by now."""
        if code := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._fail(code)
            return
        try:
            if not self.open:
                self._ask()
            else:
                self._hear()
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(error.errno or errno.EIO)

    def pass_time(self, now: float) -> None:
        """Give up what is over its time."""
        if self.made is not None or now < self._until:
            return
        if self._heard:
            self._judge()
        elif self._until >= self._deadline:  # less than its own time, so that silence tells nothing
            self._end("late")
        else:
            self._end("mute" if self.open else "filtered")

    def close(self) -> None:
        """Leave it."""
        self._socket.close()

    def _ask(self) -> None:
        self._client = usual(self._socket.getsockname()[0]) or ""
        self._seconds = time.monotonic() - self._began
        self.open = True
        self._socket.send(protocol.hello(self._question.key, self._hello.port, self._hello.nonce))
        self._until = min(self._deadline, time.monotonic() + HEARING)

    def _hear(self) -> None:
        more = self._socket.recv(MOST)
        self._heard += more
        if not more or b"\n" in self._heard or len(self._heard) >= MOST:
            self._judge()

    def _judge(self) -> None:
        line = self._heard.partition(b"\n")[0].rstrip(b"\r")
        arrived = protocol.understood(self._question.key, self._hello, line)
        if arrived is not None:
            own = self._question.kernel
            self._end(
                "reached", seen_as=usual(arrived.peer) or "", service=arrived.service, heard_at=arrived.inside,
                own=usual(arrived.own) or "", same_kernel=bool(own) and arrived.kernel == own,
            )  # fmt: skip
        elif self._heard:
            self._end("other", said=plain(self._heard))
        else:
            self._end("closed")

    def _fail(self, code: int) -> None:
        if self.open or code in _ENDED:  # somebody took the connection, and ended it; what he said is still there
            with suppress(OSError):
                self._heard += self._socket.recv(MOST)
            if self._heard:
                self._judge()
            else:
                self._end("closed", error=errors.name(code))
            return
        told = errors.report(self._socket)
        outcome = errors.outcome(code, told)
        known: dict[str, Outcome] = {
            "refused": "refused", "filtered": "filtered", "prohibited": "prohibited", "unsent": "unsent",
        }  # fmt: skip
        own: Outcome = known.get(outcome, "unreachable")
        # Its own firewall or route says so: nothing was sent.
        if told is None and own in ("prohibited", "unreachable"):
            own = "unsent" if own == "prohibited" else own
        self._end(own, error=errors.name(code), by=told.by if told else "")

    def _end(self, outcome: Outcome, **more: str | int | bool) -> None:
        if self.made is not None:
            return
        seconds = self._seconds or time.monotonic() - self._began
        self.made = Attempt(
            address=self._aim.address, port=self._aim.port.port, inside=self._aim.port.inside,
            local=self._aim.port.local, outcome=outcome, seconds=round(seconds, 4), client=self._client, **more,  # type: ignore[arg-type]  # fields of it
        )  # fmt: skip


def plain(said: bytes) -> str:
    """Return the beginning of what somebody said, with escapes for what is no letter."""
    return said[:SAID].strip().decode("latin-1").encode("unicode_escape").decode()[: SAID * 2]
