"""Interfaces and addresses as the kernel tells them."""

from __future__ import annotations

import socket
import struct

import pytest

from preflight.twin import links
from preflight.twin import wire as w
from preflight.twin.links import Address, Link

MAC = bytes.fromhex("525400123456")


def link(*parts: bytes, index: int = 7, flags: int = 1) -> bytes:
    """Write an ifinfomsg."""
    return struct.pack("=BxHiII", 0, 1, index, flags, 0) + b"".join(parts)


def test_an_interface_is_read() -> None:
    conf4 = w.nested(socket.AF_INET, w.attribute(1, struct.pack("=3i", 1, -1, 2)))
    conf6 = w.nested(socket.AF_INET6, w.attribute(1, bytes(4)), w.attribute(2, struct.pack("=2i", 3, 4)))
    body = link(
        w.attribute(3, b"br0\0"), w.attribute(1, MAC), w.attribute(4, w.u32(1400)), w.attribute(10, w.u32(3)),
        w.attribute(27, w.u32(5)), w.nested(18, w.attribute(1, b"bridge\0")), w.nested(26, conf4, conf6),
        w.nested(43, w.attribute(2, b"\2")),
    )  # fmt: skip
    assert links.parse(body) == Link(
        index=7, name="br0", kind="bridge", address=MAC, mtu=1400, up=True, master=3, group=5, xdp=True,
        conf4=(1, -1, 2), conf6=(3, 4),
    )  # fmt: skip


def test_a_name_that_is_no_utf8_is_kept_and_can_be_told() -> None:
    found = links.parse(link(w.attribute(3, b"eth\xff\0")))
    assert found is not None
    assert w.name(found.name) == b"eth\xff\0"
    assert found.title == "eth\ufffd"


@pytest.mark.parametrize("cut", range(0, 70, 3))
def test_bytes_that_are_cut_off_are_read_as_far_as_they_go(cut: int) -> None:
    links.parse(link(w.attribute(3, b"br0\0"), w.attribute(1, MAC), w.attribute(4, w.u32(1400)))[:cut])
    links.parse_address(
        struct.pack("=BBBBI", 2, 24, 0, 0, 7) + w.attribute(1, bytes(4)) + w.attribute(2, bytes(4))[:cut]
    )


def test_addresses_are_read() -> None:
    own, peer = bytes((203, 0, 113, 5)), bytes((10, 0, 0, 1))
    head = struct.pack("=BBBBI", socket.AF_INET, 32, 0x80, 0, 7)
    body = head + w.attribute(1, peer) + w.attribute(2, own) + w.attribute(3, b"ppp0\0") + w.attribute(8, w.u32(0x280))
    assert links.parse_address(body) == Address(2, 7, own, 32, 0, 0x280, peer, b"ppp0\0")
    assert links.parse_address(struct.pack("=BBBBI", 10, 64, 0, 0, 7) + w.attribute(1, bytes(16))) == Address(
        10, 7, bytes(16), 64
    )


@pytest.mark.parametrize(
    "body",
    [b"", struct.pack("=BBBBI", 9, 0, 0, 0, 7), struct.pack("=BBBBI", 2, 33, 0, 0, 7) + w.attribute(2, bytes(4)),
     struct.pack("=BBBBI", 2, 24, 0, 0, 7) + w.attribute(2, bytes(16))],
)  # fmt: skip
def test_what_is_no_address_is_left_out(body: bytes) -> None:
    assert links.parse_address(body) is None


@pytest.mark.parametrize(
    ("hardware", "usable"),
    [(MAC, True), (bytes(6), False), (b"\xff" * 6, False), (b"\1" + MAC[1:], False), (b"", False), (bytes(4), False)],
)
def test_only_some_hardware_addresses_can_be_given(hardware: bytes, usable: bool) -> None:
    assert links.usable(hardware) is usable
