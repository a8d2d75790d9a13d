"""Answers as servers write them."""

from __future__ import annotations

from collections.abc import Callable
from selectors import DefaultSelector
from socket import SOCK_DGRAM, SOCK_STREAM

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
