"""A time server for tests: UDP on a loopback port, with answers that a test scripts."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

FORM = struct.Struct("!BBbbII4sQQQQ")
TO_1970 = 2_208_988_800

# A script gets the question and its number, from 0; it returns the packets to send: none at all is silence.
Script = Callable[[bytes, int], "list[bytes]"]


def ntp(seconds: float) -> int:
    """Return seconds since 1970 as NTP has them."""
    return int((seconds + TO_1970) * (1 << 32)) % (1 << 64)


def nonce(question: bytes) -> int:
    """Return the number by which a client knows its answer."""
    sent: int = FORM.unpack(question)[10]
    return sent


def answer(question: bytes, shift: float = 0.0, **changes: Any) -> bytes:
    """Make the answer of a good server whose clock is `shift` seconds ahead of this machine's, with `changes`."""
    now = ntp(time.time() + shift)
    fields: dict[str, Any] = {
        "leap": 0, "version": 4, "mode": 4, "stratum": 2, "delay": 0.01, "dispersion": 0.02,
        "identity": b"\xc0\x00\x02\x01", "reference": now - (16 << 32), "origin": nonce(question),
        "receive": now, "transmit": now,
    } | changes  # fmt: skip
    return FORM.pack(
        fields["leap"] << 6 | fields["version"] << 3 | fields["mode"], fields["stratum"], 6, -20,
        int(fields["delay"] * 65536), int(fields["dispersion"] * 65536), fields["identity"],
        fields["reference"], fields["origin"], fields["receive"], fields["transmit"],
    )  # fmt: skip


def good(shift: float = 0.0, **changes: Any) -> Script:
    """Answer as a server whose clock is `shift` seconds ahead."""
    return lambda question, number: [answer(question, shift, **changes)]


def silent(question: bytes, number: int) -> list[bytes]:
    """Answer nothing."""
    return []


def jumping(*shifts: float) -> Script:
    """Answer with one shift after another, the last one for ever."""
    return lambda question, number: [answer(question, shifts[min(number, len(shifts) - 1)])]


def kiss(code: bytes, after: int = 0) -> Script:
    """Refuse with a kiss code from that question on."""
    return lambda question, number: [
        answer(question, stratum=0, leap=3, identity=code) if number >= after else answer(question)
    ]


@dataclass
class Served:
    """Where it listens, and what it was asked."""

    address: str
    port: int
    asked: list[bytes] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return it as users write it."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@contextlib.contextmanager
def serve(script: Script, address: str = "127.0.0.1", port: int = 0, *, elsewhere: bool = False) -> Iterator[Served]:
    """Run a time server until the block ends. `elsewhere`: it answers from another port than it was asked on."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as udp, socket.socket(family, socket.SOCK_DGRAM) as other:
        udp.bind((address, port))
        other.bind((address, 0))
        wake, stop = socket.socketpair()
        state = Served(address, udp.getsockname()[1])
        thread = threading.Thread(target=_run, args=(udp, other if elsewhere else udp, wake, script, state))
        thread.start()
        try:
            yield state
        finally:
            stop.close()
            thread.join()
            wake.close()


def _run(udp: socket.socket, back: socket.socket, wake: socket.socket, script: Script, state: Served) -> None:
    while True:
        ready, _, _ = select.select([udp, wake], [], [])
        if wake in ready:
            return
        question, sender = udp.recvfrom(1024)
        state.asked.append(question)
        for packet in script(question, len(state.asked) - 1):
            back.sendto(packet, sender)
