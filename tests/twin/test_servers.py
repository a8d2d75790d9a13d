"""Answers as servers write them."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from selectors import DefaultSelector
from socket import SOCK_DGRAM, SOCK_STREAM
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as some

from preflight.twin import servers
from preflight.twin.servers import Answer, Servers, line, read
from preflight.twin.spaces import Space


@pytest.mark.parametrize(
    ("own", "peer"),
    [
        (("172.22.1.253", 25), ("198.41.0.4", 40000)),
        (("2001:db8::5", 25, 0, 0), ("fe80::1%eth0", 40000, 0, 3)),
    ],
)
def test_what_is_written_is_read(own: tuple[object, ...], peer: tuple[object, ...]) -> None:
    assert read(line("inner", own, peer)) == Answer("inner", str(own[0]), 25, str(peer[0]), 40000)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"inner 172.22.1.253 25 198.41.0.4 400",
        b"220 mail ESMTP Postfix (Debian)\n",
        b"outer 172.22.1.253 25 198.41.0.4 40000\n",
        b"inner 172.22.1.253 x 198.41.0.4 40000\n",
    ],
)
def test_what_is_no_answer_or_not_yet_whole(data: bytes) -> None:
    assert read(data) is None


@given(some.binary(max_size=80))
def test_whatever_comes_is_read(data: bytes) -> None:
    assert read(data) is None or isinstance(read(data), Answer)


def test_what_cannot_be_opened_leaves_nothing_open(namespaces: Callable[[], Space]) -> None:
    space = namespaces()
    with DefaultSelector() as selector:
        standing = Servers(selector)
        with pytest.raises(OSError, match="in use"):
            standing.tcp(space, "twin", [("0.0.0.0", 25), ("0.0.0.0", 25)])
        standing.close()
        assert not selector.get_map()


def test_a_socket_is_of_one_family(namespaces: Callable[[], Space]) -> None:
    space = namespaces()
    with space.entered():
        made = [servers.bound(one, 25, kind) for one in ("::", "0.0.0.0") for kind in (SOCK_STREAM, SOCK_DGRAM)]
    for one in made:
        one.close()


# --- connections that end oddly ---------------------------------------------------------------------------------------


class Taken:
    """A connection whose other side may have gone."""

    def __init__(self, *, gone: bool = False) -> None:
        self.gone, self.sent, self.closed = gone, b"", False

    def setblocking(self, blocking: bool) -> None:
        assert not blocking

    def setsockopt(self, level: int, option: int, value: bytes) -> None:
        assert (option, value) == (socket.SO_LINGER, servers.ABORT)

    def getsockname(self) -> tuple[str, int]:
        return "172.22.1.253", 25

    def send(self, data: bytes) -> None:
        if self.gone:
            raise BrokenPipeError
        self.sent += data

    def close(self) -> None:
        self.closed = True


class Listener:
    """A socket at which connections wait, or datagrams."""

    def __init__(self, *waiting: Taken | bytes, no_way_back: bool = False) -> None:
        self._waiting, self._no_way_back = list(waiting), no_way_back
        self.told: list[tuple[bytes, tuple[str, int]]] = []

    def accept(self) -> tuple[Any, tuple[str, int]]:
        if not self._waiting:
            raise BlockingIOError
        return self._waiting.pop(0), ("198.41.0.4", 40000)

    def recvfrom(self, size: int) -> tuple[Any, tuple[str, int]]:
        return self.accept()

    def getsockname(self) -> tuple[str, int]:
        return "193.0.14.129", 53

    def sendto(self, data: bytes, peer: tuple[str, int]) -> None:
        if self._no_way_back and not self.told:
            self.told.append((b"", peer))
            raise OSError
        self.told.append((data, peer))


def test_all_that_wait_are_told_though_some_have_gone() -> None:
    with DefaultSelector() as selector:
        standing = Servers(selector)
        waiting = (Taken(), Taken(gone=True), Taken())
        standing._accept("inner", cast("Any", Listener(*waiting)))
        assert [read(one.sent) is not None for one in waiting] == [True, False, True]
        standing.close()
        assert all(one.closed for one in waiting)


def test_each_datagram_is_answered_with_itself_and_who_was_seen() -> None:
    with DefaultSelector() as selector:
        server = Listener(b"\0\1question", b"\0\2other", no_way_back=True)
        Servers(selector)._echo("world", cast("Any", server))
    peer = ("198.41.0.4", 40000)
    lines = [
        (question + b"world 193.0.14.129 53 198.41.0.4 40000\n").ljust(1200, b"\0")
        for question in (b"\0\1question", b"\0\2other")
    ]
    assert server.told == [(b"", peer), (lines[0], peer), (b"\0\2other", peer), (lines[1], peer)]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_who_asks_is_answered_by_both_sorts(namespaces: Callable[[], Space], address: str) -> None:
    space = namespaces()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with space.entered():
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with DefaultSelector() as selector:
        standing = Servers(selector)
        standing.tcp(space, "twin", [(address, 25)])
        standing.udp(space, "world", [(address, 53)])
        with space.entered():
            calling, asking = socket.socket(family), socket.socket(family, SOCK_DGRAM)
        with calling, asking:
            calling.connect((address, 25))
            asking.sendto(b"question", (address, 53))
            for key, _ in [*selector.select(5), *selector.select(0)]:
                key.data()
            assert read(calling.recv(512)) == Answer("twin", address, 25, address, calling.getsockname()[1])
            assert asking.recv(512) == b"question"
            long = asking.recv(2048)
            assert (len(long), long[:8]) == (1200, b"question")
            assert read(long[8:].rstrip(b"\0")) == Answer("world", address, 53, address, asking.getsockname()[1])
        standing.close()
        assert not selector.get_map()


def test_servers_listen_at_addresses_that_nobody_has(namespaces: Callable[[], Space]) -> None:
    """What arrives there all the same, as the twin's routes have it, is answered."""
    with namespaces().entered():
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        servers.bound("203.0.113.5", 25, SOCK_STREAM).close()
        with socket.socket() as plain, pytest.raises(OSError, match="assign"):
            plain.bind(("203.0.113.5", 25))
