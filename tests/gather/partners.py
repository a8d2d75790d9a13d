"""Servers on loopback for tests of connections: each says what a test has it say, to whoever comes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

# What a server does with a connection; with a datagram: what it answers (None: silence).
Manner = Callable[[socket.socket], None]


@dataclass
class Partner:
    """Where a server listens, and what was said to it."""

    address: str
    port: int
    heard: list[bytes] = field(default_factory=list)


@contextlib.contextmanager
def listener(manner: Manner, address: str = "127.0.0.1") -> Iterator[Partner]:
    """Run a TCP server until the block ends."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as server:
        thread = threading.Thread(target=_accept, args=(server, manner))
        thread.start()
        try:
            yield Partner(address, server.getsockname()[1])
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _accept(server: socket.socket, manner: Manner) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection, suppress(OSError):
            connection.settimeout(5)
            manner(connection)


@contextlib.contextmanager
def answerer(answer: Callable[[bytes], bytes | None]) -> Iterator[Partner]:
    """Run a UDP server until the block ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        partner = Partner("127.0.0.1", server.getsockname()[1])
        thread = threading.Thread(target=_answer, args=(server, answer, partner))
        thread.start()
        try:
            yield partner
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", server.getsockname())
            thread.join()


def _answer(server: socket.socket, answer: Callable[[bytes], bytes | None], partner: Partner) -> None:
    while True:
        data, sender = server.recvfrom(4096)
        if not data:
            return
        partner.heard.append(data)
        if (made := answer(data)) is not None:
            server.sendto(made, sender)


def says(*lines: bytes, wait: bool = True) -> Manner:
    """Say something at once, and then listen until the other end leaves."""

    def manner(connection: socket.socket) -> None:
        for line in lines:
            connection.sendall(line)
        while wait and connection.recv(4096):
            pass

    return manner
