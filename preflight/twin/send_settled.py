"""Know when the kernel has dealt with all packets, without a clock.

veth and lo hand packets over by a queue of the processor on which they are sent. While this process stays on one, a
packet of its own that goes around lo is behind all that were sent before: when it has gone around often enough, they
have made as many steps. A busy machine makes that slower, never wrong.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from preflight.twin.spaces import Space

# There and back through the twin are four steps; each may have to find a neighbour first (question, answer), and a
# bridge is another one.
STEPS = 24
SECONDS = 2.0  # one step may take on a machine that is too busy
GET_FLAGS, SET_FLAGS, UP = 0x8913, 0x8914, 0x1  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP
_libc = ctypes.CDLL(None)


class Rounds:
    """A packet that goes around lo of a namespace without rules. That lo is up afterwards. Raises `OSError`."""

    def __init__(self, space: Space) -> None:
        with space.entered():
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            _lift(self._socket)
            self._socket.settimeout(SECONDS)
            self._socket.bind(("127.0.0.1", 0))
            self._socket.connect(self._socket.getsockname())

    def settle(self) -> bool:
        """Wait until what was sent before has been dealt with. False: that took too long."""
        try:
            for _ in range(STEPS):
                self._socket.send(b"\0")
                self._socket.recv(1)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


@contextmanager
def pinned() -> Iterator[bool]:
    """Stay on the processor where one is. Gives False where that is not allowed."""
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {_libc.sched_getcpu()})
    except OSError:  # what is lost is sent a second time anyhow, and waited for
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setaffinity(0, before)


def _lift(any_socket: socket.socket) -> None:
    asked = struct.pack("16sH14x", b"lo", 0)
    name, flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, GET_FLAGS, asked))
    if not flags & UP:
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sH14x", name, flags | UP))
