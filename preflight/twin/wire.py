"""Talk netlink with the kernel: dumps, requests with an answer each, and nf_tables' batches. No library is loaded.

A `Wire` belongs to the network namespace in which it was opened, and stays with it.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections.abc import Iterator, Sequence

from preflight.packets import nlmsg as nl
from preflight.packets.nlmsg import ACK, DONE, DUMP, ERROR, INTERRUPTED, REQUEST, Message, error_number, messages

ROUTE, NETFILTER = 0, 12  # NETLINK_ROUTE, NETLINK_NETFILTER
SECONDS = 5.0
MOST = 64 << 20  # bytes of one dump
TRIES = 4  # of a dump that is interrupted
ROOM = 60_000  # bytes of one datagram that the kernel takes


class Refused(OSError):
    """The kernel refuses a request: its error number, and where it names it, the attribute and its words."""


class Wire:
    """A netlink socket of the namespace that is entered when it is made."""

    def __init__(self, protocol: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.settimeout(SECONDS)
        for option in (socket.SO_RCVBUF, 33):  # 33: SO_RCVBUFFORCE, past the limit of the machine
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, option, 8 << 20)
            except OSError:
                continue
        self._socket.bind((0, 0))
        self._number = 0

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def dump(self, kind: int, body: bytes) -> list[Message]:
        """Return all messages that answer a dump request; raise `OSError` where it is refused, late or too large.

        One that the kernel calls interrupted is asked for again: it may hold something twice, and lack something.
        """
        for _ in range(TRIES):
            found = self._dump(kind, body)
            if not any(message.flags & INTERRUPTED for message in found):
                return found
        raise OSError(errno.EINTR, "the dump was interrupted each time")

    def _dump(self, kind: int, body: bytes) -> list[Message]:
        self._send(kind, REQUEST | DUMP, body)
        found: list[Message] = []
        size = 0
        for number, message in self._receive():
            if number != self._number:
                continue  # left over of one that was given up
            if message.kind == DONE:
                return [*found, Message(DONE, b"", INTERRUPTED)] if message.flags & INTERRUPTED else found
            if message.kind == ERROR:
                raise _refusal(message.body)
            size += len(message.body)
            if size > MOST:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            found.append(message)
        raise AssertionError("the kernel's answers have no end of their own")

    def do(self, kind: int, body: bytes, flags: int = 0) -> None:
        """Have the kernel do something; raise `Refused`."""
        self._send(kind, REQUEST | ACK | flags, body)
        for number, message in self._receive():
            if number == self._number and message.kind == ERROR:
                refusal = _refusal(message.body)
                if refusal.errno:
                    raise refusal
                return

    def ask(self, kind: int, body: bytes) -> Message:
        """Return the one message that answers; raise `Refused`."""
        self._send(kind, REQUEST, body)
        for number, message in self._receive():
            if number == self._number:
                if message.kind == ERROR:
                    raise _refusal(message.body)
                return message
        raise AssertionError("the kernel's answers have no end of their own")

    def listen(self, group: int) -> None:
        """Hear what the kernel tells to a group, from now on (`heard`)."""
        self._socket.setsockopt(270, 1, group)  # SOL_NETLINK, NETLINK_ADD_MEMBERSHIP

    def heard(self) -> list[Message]:
        """Return what was told meanwhile, without waiting."""
        return [message for _, message in self._arrived()]

    def _arrived(self) -> Iterator[tuple[int, Message]]:
        self._socket.setblocking(False)
        try:
            while True:
                yield from messages(self._socket.recv(1 << 20))
        except BlockingIOError:
            return
        finally:
            self._socket.settimeout(SECONDS)

    def batch(self, changes: Sequence[Message]) -> dict[int, int]:
        """Change nf_tables in one transaction: all or nothing. Return the error numbers by the index of a change.

        Empty: it was done. A batch fits one datagram (`sizes` of all below the socket's buffer), or raises `OSError`.
        """
        first, last = self._number + 1, self._number + 2 + len(changes)
        mark = struct.pack("=BBH", 0, 0, socket.htons(10))  # nfgenmsg: NFNL_SUBSYS_NFTABLES
        parts = [nl.message(16, REQUEST, first, mark)]  # NFNL_MSG_BATCH_BEGIN
        parts += [
            nl.message(change.kind, change.flags | REQUEST, first + 1 + place, change.body)
            for place, change in enumerate(changes)
        ]
        parts.append(nl.message(17, REQUEST | ACK, last, mark))  # NFNL_MSG_BATCH_END
        data = b"".join(parts)
        for option in (socket.SO_SNDBUF, 32):  # 32: SO_SNDBUFFORCE
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, option, 2 * len(data) + (1 << 16))
            except OSError:
                continue
        self._socket.send(data)
        self._number = last
        return self._errors(first, last)

    def _errors(self, first: int, last: int) -> dict[int, int]:
        """Read the errors of a batch. The kernel works while it is sent: all its answers are there already."""
        found: dict[int, int] = {}
        told = False
        for number, message in self._arrived():
            if message.kind != ERROR or not first <= number <= last:
                continue
            told = True
            if code := error_number(message.body):
                found[number - first - 1] = code
        if not told:
            raise TimeoutError("the batch has no answer")
        return found

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._number += 1
        self._socket.send(nl.message(kind, flags, self._number, body))

    def _receive(self) -> Iterator[tuple[int, Message]]:
        until = time.monotonic() + SECONDS
        while True:
            yield from messages(self._socket.recv(1 << 20))
            if time.monotonic() > until:
                raise TimeoutError("netlink takes too long")


def _refusal(body: bytes) -> Refused:
    code = error_number(body)
    code = errno.EIO if code is None else code
    return Refused(code, os.strerror(code))
