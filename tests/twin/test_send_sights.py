"""Packets as raw sockets give them."""

from __future__ import annotations

import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as some

from preflight.twin import send_sights
from preflight.twin.send_sights import TCP, UDP, Sight, Sights, read, read_header
from preflight.twin.spaces import Space

A4, B4 = "198.41.0.4", "203.0.113.5"
A6, B6 = "2001:503:ba3e::2:30", "2001:db8:1::5"


def ip(protocol: int, rest: bytes, fragment: int = 0, options: bytes = b"") -> bytes:
    """Return a packet of IPv4."""
    length = 20 + len(options)
    start = struct.pack(">BBHHHBBH", 0x40 | length // 4, 0, length + len(rest), 1, fragment, 64, protocol, 0)
    return start + socket.inet_aton(A4) + socket.inet_aton(B4) + options + rest


def ip6(protocol: int, rest: bytes) -> bytes:
    """Return a packet of IPv6."""
    ends = socket.inet_pton(socket.AF_INET6, A6) + socket.inet_pton(socket.AF_INET6, B6)
    return struct.pack(">IHBB", 6 << 28, len(rest), protocol, 64) + ends + rest


def tcp(flags: int) -> bytes:
    """Return a segment without data."""
    return struct.pack(">HHIIBBHHH", 40000, 25, 0xDEADBEEF, 0, 0x50, flags, 64240, 0, 0)


def udp() -> bytes:
    """Return a question."""
    return struct.pack(">HHHH", 40000, 53, 10, 0) + b"\x12\x34"


def test_headers() -> None:
    assert read_header(ip(TCP, b"rest")) == (TCP, A4, B4, b"rest")
    assert read_header(ip(TCP, b"rest", options=bytes(8))) == (TCP, A4, B4, b"rest")
    assert read_header(ip6(TCP, b"rest")) == (TCP, A6, B6, b"rest")
    assert read_header(ip(TCP, b"rest", fragment=185)) is None
    assert read_header(b"\x41" + bytes(30)) is None  # a header of four bytes
    assert read_header(b"\x00\x01\x08\x00" + bytes(24)) is None  # ARP


def test_what_opens_a_connection() -> None:
    assert read(TCP, A4, B4, tcp(0x02)) == Sight(TCP, A4, 40000, B4, 25, 0xDEADBEEF)
    assert read(TCP, A4, B4, tcp(0xC2)) == Sight(TCP, A4, 40000, B4, 25, 0xDEADBEEF)  # with ECN
    assert read(TCP, A4, B4, tcp(0x12)) is None
    assert read(TCP, A4, B4, tcp(0x10)) is None
    assert read(UDP, A6, B6, udp()) == Sight(UDP, A6, 40000, B6, 53, 0x1234)


@pytest.mark.parametrize(
    ("protocol", "kind", "code", "quoted", "told"),
    [
        (1, 3, 13, ip(TCP, tcp(2)[:8]), Sight(TCP, A4, 40000, B4, 25, error="3/13")),
        (1, 3, 3, ip(UDP, udp()), Sight(UDP, A4, 40000, B4, 53, error="3/3")),
        (58, 1, 1, ip6(TCP, tcp(2)), Sight(TCP, A6, 40000, B6, 25, error="1/1")),
        (1, 3, 4, ip(TCP, tcp(2)), None),  # too large: no refusal
        (1, 11, 0, ip(TCP, tcp(2)), None),  # it took too long
        (58, 2, 0, ip6(TCP, tcp(2)), None),  # too large
        (58, 135, 0, bytes(24), None),  # who has that address?
        (1, 3, 1, ip(TCP, b""), None),
    ],
)
def test_errors(protocol: int, kind: int, code: int, quoted: bytes, told: Sight | None) -> None:
    assert read(protocol, "203.0.113.1", A4, struct.pack(">BBHI", kind, code, 0, 0) + quoted) == told


@given(some.sampled_from([1, 6, 17, 58, 41]), some.binary(max_size=120))
def test_whatever_comes_is_read(protocol: int, data: bytes) -> None:
    read_header(data)
    read(protocol, A4, B4, data)


# --- sockets ----------------------------------------------------------------------------------------------------------


class Raw:
    """A raw socket that gives what it is told to, then an error."""

    def __init__(self, *told: tuple[bytes, list[Any], str]) -> None:
        self._told = list(told)
        self.closed = False
        self.options: list[tuple[int, int]] = []

    def recvmsg(self, *_: int) -> tuple[bytes, list[Any], int, tuple[str, int]]:
        if not self._told:
            raise BlockingIOError
        data, notes, sender = self._told.pop(0)
        return data, notes, 0, (sender, 0)

    def setsockopt(self, level: int, option: int, value: object) -> None:
        self.options.append((level, option))
        if option == 33:
            raise PermissionError

    def close(self) -> None:
        self.closed = True


NOTE = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, socket.inet_pton(socket.AF_INET6, B6) + bytes(4))


def opened(monkeypatch: pytest.MonkeyPatch, version: int, *made: Raw | OSError) -> Sights:
    given = iter(made)

    def raw(version: int, protocol: int) -> Raw:
        one = next(given)
        if isinstance(one, OSError):
            raise one
        return one

    monkeypatch.setattr(send_sights, "_raw", raw)
    return Sights(cast("Space", Here()), version, [TCP, UDP][: len(made)])


class Here:
    """A namespace that is where one is."""

    @contextmanager
    def entered(self) -> Iterator[None]:
        yield


def test_what_opens_a_connection_is_seen_once(monkeypatch: pytest.MonkeyPatch) -> None:
    packets = (ip(TCP, tcp(0x02)), ip(TCP, tcp(0x12)), b"no packet", ip(TCP, tcp(0x02))[:30])
    sights = opened(monkeypatch, 4, Raw(*((one, [], A4) for one in packets)), Raw((ip(UDP, udp()), [], A4)))
    assert sights.fresh() == [Sight(TCP, A4, 40000, B4, 25, 0xDEADBEEF), Sight(UDP, A4, 40000, B4, 53, 0x1234)]
    assert sights.fresh() == []


@pytest.mark.parametrize(
    ("notes", "address"),
    [
        ([NOTE], B6),
        ([(0, 8, b"ttl"), NOTE], B6),
        ([(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, bytes(15))], ""),
        ([(0, socket.IPV6_PKTINFO, bytes(20))], ""),
        ([], ""),
    ],
)
def test_of_ipv6_the_address_stands_beside_the_packet(
    monkeypatch: pytest.MonkeyPatch, notes: list[Any], address: str
) -> None:
    sights = opened(monkeypatch, 6, Raw((tcp(0x02), notes, A6)))
    assert sights.fresh() == [Sight(TCP, A6, 40000, address, 25, 0xDEADBEEF)]


def test_one_look_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send_sights, "MOST", 3)
    sights = opened(monkeypatch, 4, Raw(*[(ip(TCP, tcp(0x02)), [], A4)] * 5))
    assert [len(sights.fresh()) for _ in range(3)] == [3, 2, 0]


def test_where_one_cannot_be_opened_none_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Raw()
    with pytest.raises(PermissionError):
        opened(monkeypatch, 4, first, PermissionError(1, "no raw socket"))
    assert first.closed


@pytest.mark.parametrize(("version", "protocol"), [(4, TCP), (6, TCP), (4, UDP), (6, 58)])
def test_a_socket_filters_what_opens_a_connection_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, version: int, protocol: int
) -> None:
    made = Raw()
    asked: list[tuple[int, ...]] = []
    monkeypatch.setattr(send_sights.socket, "socket", lambda *words: asked.append(words) or made)
    send_sights._raw(version, protocol)
    (family, kind, number) = asked[0]
    assert (family, number) == (socket.AF_INET if version == 4 else socket.AF_INET6, protocol)
    assert kind & socket.SOCK_NONBLOCK
    assert ((socket.SOL_SOCKET, 26) in made.options) is (protocol == TCP)
    assert ((socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO) in made.options) is (version == 6)
    # Where the machine's limit may not be passed, as much as it allows.
    assert made.options[-1] == (socket.SOL_SOCKET, socket.SO_RCVBUF)


@pytest.mark.parametrize(("version", "target"), [(4, "127.0.0.1"), (6, "::1")])
def test_this_kernel_shows_what_opens_a_connection_and_no_answer(
    namespaces: Callable[[], Space], version: int, target: str
) -> None:
    space = namespaces()
    with space.entered():
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    sights = Sights(space, version, (TCP, UDP))
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with space.entered():
        listening, calling, asking = (
            socket.socket(family, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM)
        )
    with listening, calling, asking:
        listening.bind((target, 25))
        listening.listen(1)
        calling.connect((target, 25))
        asking.sendto(b"\x12\x34question", (target, 53))
        found = sights.fresh()
        assert [(one.protocol, one.target, one.target_port) for one in found] == [(TCP, target, 25), (UDP, target, 53)]
        assert [one.source for one in found] == [target, target]
        assert found[0].source_port == calling.getsockname()[1]
        assert found[1].mark == 0x1234
    sights.close()
    assert sights.fresh() == []
