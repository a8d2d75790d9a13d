"""Packets as raw sockets give them."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as some

from preflight.twin.send_sights import TCP, UDP, Sight, read, read_header

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
