"""Interfaces and addresses as the kernel tells them."""

from __future__ import annotations

import errno
import socket
import struct
from typing import cast

import pytest

from preflight.packets import nlmsg as nl
from preflight.packets.nlmsg import Message
from preflight.twin import links
from preflight.twin.links import Address, Link, Neighbour
from preflight.twin.wire import Refused, Wire

MAC = bytes.fromhex("525400123456")


def link(*parts: bytes, index: int = 7, flags: int = 1) -> bytes:
    """Write an ifinfomsg."""
    return struct.pack("=BxHiII", 0, 1, index, flags, 0) + b"".join(parts)


def test_an_interface_is_read() -> None:
    conf4 = nl.nested(socket.AF_INET, nl.attribute(1, struct.pack("=3i", 1, -1, 2)))
    conf6 = nl.nested(socket.AF_INET6, nl.attribute(1, bytes(4)), nl.attribute(2, struct.pack("=2i", 3, 4)))
    body = link(
        nl.attribute(3, b"br0\0"), nl.attribute(1, MAC), nl.attribute(4, nl.u32(1400)), nl.attribute(10, nl.u32(3)),
        nl.attribute(27, nl.u32(5)), nl.nested(18, nl.attribute(1, b"bridge\0")), nl.nested(26, conf4, conf6),
        nl.nested(43, nl.attribute(2, b"\2")),
    )  # fmt: skip
    assert links.parse(body) == Link(
        index=7, name="br0", kind="bridge", address=MAC, mtu=1400, up=True, master=3, group=5, xdp=True,
        conf4=(1, -1, 2), conf6=(3, 4),
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "parent"), [("vlan", 2), ("macvlan", 2), ("veth", 0), ("gre", 0), ("", 0)])
def test_what_a_vlan_is_on_is_read_and_of_a_cable_nothing(kind: str, parent: int) -> None:
    found = links.parse(link(nl.attribute(5, nl.u32(2)), nl.nested(18, nl.attribute(1, kind.encode() + b"\0"))))
    assert found is not None
    assert found.parent == parent


def test_a_name_that_is_no_utf8_is_kept_and_can_be_told() -> None:
    found = links.parse(link(nl.attribute(3, b"eth\xff\0")))
    assert found is not None
    assert nl.name(found.name) == b"eth\xff\0"
    assert found.title == "eth\ufffd"


@pytest.mark.parametrize("cut", range(0, 70, 3))
def test_bytes_that_are_cut_off_are_read_as_far_as_they_go(cut: int) -> None:
    links.parse(link(nl.attribute(3, b"br0\0"), nl.attribute(1, MAC), nl.attribute(4, nl.u32(1400)))[:cut])
    links.parse_address(
        struct.pack("=BBBBI", 2, 24, 0, 0, 7) + nl.attribute(1, bytes(4)) + nl.attribute(2, bytes(4))[:cut]
    )


def test_addresses_are_read() -> None:
    own, peer = bytes((203, 0, 113, 5)), bytes((10, 0, 0, 1))
    head = struct.pack("=BBBBI", socket.AF_INET, 32, 0x80, 0, 7)
    body = (
        head
        + nl.attribute(1, peer)
        + nl.attribute(2, own)
        + nl.attribute(3, b"ppp0\0")
        + nl.attribute(8, nl.u32(0x280))
    )
    body += nl.attribute(4, peer[:3] + b"\xff")
    assert links.parse_address(body) == Address(2, 7, own, 32, 0, 0x280, peer, b"ppp0\0", peer[:3] + b"\xff")
    assert links.parse_address(struct.pack("=BBBBI", 10, 64, 0, 0, 7) + nl.attribute(1, bytes(16))) == Address(
        10, 7, bytes(16), 64
    )


@pytest.mark.parametrize(
    "body",
    [b"", struct.pack("=BBBBI", 9, 0, 0, 0, 7), struct.pack("=BBBBI", 2, 33, 0, 0, 7) + nl.attribute(2, bytes(4)),
     struct.pack("=BBBBI", 2, 24, 0, 0, 7) + nl.attribute(2, bytes(16))],
)  # fmt: skip
def test_what_is_no_address_is_left_out(body: bytes) -> None:
    assert links.parse_address(body) is None


@pytest.mark.parametrize(
    ("hardware", "usable"),
    [(MAC, True), (bytes(6), False), (b"\xff" * 6, False), (b"\1" + MAC[1:], False), (b"", False), (bytes(4), False)],
)
def test_only_some_hardware_addresses_can_be_given(hardware: bytes, usable: bool) -> None:
    assert links.usable(hardware) is usable


# --- what the kernel tells and takes ----------------------------------------------------------------------------------

OWN = bytes((203, 0, 113, 5))


class Kernel:
    """A kernel that tells what it is given, and takes whatever it is told to."""

    def __init__(self, *bodies: bytes, refused: int = 0) -> None:
        self._bodies, self._refused = bodies, refused
        self.asked: list[tuple[int, bytes]] = []
        self.done: list[tuple[int, bytes, int]] = []

    def dump(self, kind: int, body: bytes) -> list[Message]:
        self.asked.append((kind, body))
        return [Message(0, one) for one in self._bodies]  # whatever it is asked for

    def ask(self, kind: int, body: bytes) -> Message:
        self.asked.append((kind, body))
        return Message(0, self._bodies[0])

    def do(self, kind: int, body: bytes, flags: int = 0) -> None:
        self.done.append((kind, body, flags))
        if self._refused:
            raise Refused(self._refused, "")


def wire(kernel: Kernel) -> Wire:
    return cast("Wire", kernel)


def test_interfaces_are_asked_for_without_their_counters() -> None:
    kernel = Kernel(
        link(nl.attribute(3, b"lo\0"), index=1), b"", link()[:15], link(nl.attribute(3, b"x\0y\0"), flags=0)
    )
    assert [(one.index, one.name, one.up, one.mtu) for one in links.read(wire(kernel))] == [
        (1, "lo", True, 1500), (7, "x", False, 1500),
    ]  # fmt: skip
    assert kernel.asked == [(18, bytes(16) + nl.attribute(29, nl.u32(8)))]


def ifa(local: bytes, *parts: bytes, family: int = 2, index: int = 7) -> bytes:
    return struct.pack("=BBBBI", family, 8 * len(local), 0, 0, index) + nl.attribute(2, local) + b"".join(parts)


def test_the_newest_address_of_ipv6_is_given_last() -> None:
    """The kernel tells those newest first, and prefers the newest among equals; of IPv4 the first is the oldest."""
    six = [ifa(bytes(15) + bytes((last,)), family=10) for last in (3, 2, 1)]
    kernel = Kernel(six[0], ifa(bytes((10, 0, 0, 1))), *six[1:], b"\2", ifa(bytes((10, 0, 0, 2))))
    assert [one.local[-1] for one in links.addresses(wire(kernel))] == [1, 2, 1, 2, 3]


def ndmsg(address: bytes, hardware: bytes, state: int, family: int = 2) -> bytes:
    head = struct.pack("=B3xiHBB", family, 7, state, 0, 0)
    return head + nl.attribute(1, address) + nl.attribute(2, hardware)


@pytest.mark.parametrize(
    ("state", "known"),
    [(0x80, True), (0x02, True), (0x04, True), (0x08, True), (0x10, True), (0x01, False), (0x20, False), (0x40, False)],
)  # fmt: skip
def test_a_neighbour_is_known_that_has_answered(state: int, known: bool) -> None:
    found = links.neighbours(wire(kernel := Kernel(ndmsg(OWN, MAC, state))))
    assert found == ((Neighbour(2, 7, OWN, MAC),) if known else ())
    assert kernel.asked == [(30, bytes(12))]


@pytest.mark.parametrize(
    "body", [b"", ndmsg(OWN, MAC, 2)[:11], ndmsg(OWN, MAC, 2, family=10), ndmsg(b"", MAC, 2), ndmsg(OWN, MAC, 2, 7)]
)
def test_what_is_no_neighbour_of_a_family_is_left_out(body: bytes) -> None:
    assert links.neighbours(wire(Kernel(body))) == ()


def test_a_cable_has_the_hosts_interface_at_one_end() -> None:
    near = Link(index=2, name="eth0", address=MAC, mtu=1400, group=5)
    far = Link(index=1_000_000, name="w0", address=b"\1" + MAC[1:], mtu=0)
    links.cable(wire(kernel := Kernel()), near, far, 33, links.UP | links.NOARP)
    ((kind, body, flags),) = kernel.done
    assert (kind, flags) == (16, nl.CREATE | nl.EXCL)
    assert struct.unpack_from("=BxHiII", body) == (0, 0, 2, 0x81, 0x81)
    said = nl.by_type(body[16:])
    assert said == {3: b"eth0\0", 4: nl.u32(1400), 1: MAC, 27: nl.u32(5), 18: said[18]}
    info = nl.by_type(said[18])
    assert info[1] == b"veth\0"
    other = nl.by_type(info[2])[1]
    assert struct.unpack_from("=BxHiII", other) == (0, 0, 1_000_000, 0, 0)
    # Without an address that it cannot have, a size that it cannot have, and without a group.
    assert nl.by_type(other[16:]) == {3: b"w0\0", 4: nl.u32(1500), 28: nl.u32(33)}


def test_a_size_of_loopback_is_one_that_a_cable_can_have() -> None:
    links.cable(wire(kernel := Kernel()), Link(index=2, name="a", mtu=65536), Link(index=3, name="b", mtu=9000), 3)
    assert nl.by_type(kernel.done[0][1][16:])[4] == nl.u32(65535)


@pytest.mark.parametrize(
    ("address", "flags", "said"),
    [
        (Address(2, 7, OWN, 24), 0x202, {2: OWN, 1: OWN}),
        (Address(2, 1, OWN, 8), 0x02, {2: OWN, 1: OWN}),  # lo's route is the kernel's own
        (Address(2, 7, OWN, 32, 253, 0x80, bytes(4), b"ppp0\0", b"\xff" * 4), 0x202,
         {2: OWN, 1: bytes(4), 3: b"ppp0\0", 4: b"\xff" * 4}),
        (Address(10, 7, bytes(16), 64, 0, 0xA0), 0x202,
         {2: bytes(16), 1: bytes(16), 6: struct.pack("=IIII", 0, 0xFFFFFFFF, 0, 0)}),
    ],
    ids=["plain", "lo", "point to point", "deprecated"],
)  # fmt: skip
def test_an_address_is_given_as_it_is_without_asking_who_has_it(
    address: Address, flags: int, said: dict[int, bytes]
) -> None:
    links.give(wire(kernel := Kernel()), address)
    ((kind, body, how),) = kernel.done
    assert (kind, how) == (20, nl.CREATE | nl.EXCL)
    head = (address.family, address.prefix, flags & 0xFF, address.scope, address.index)
    assert struct.unpack_from("=BBBBI", body) == head
    assert nl.by_type(body[8:]) == {**said, 8: nl.u32(flags)}


def test_what_is_there_already_is_no_error_and_all_else_is() -> None:
    links.give(wire(Kernel(refused=errno.EEXIST)), Address(2, 7, OWN, 24))
    for code in (errno.EPERM, errno.EACCES, errno.ENODEV):
        with pytest.raises(Refused) as refused:
            links.give(wire(Kernel(refused=code)), Address(2, 7, OWN, 24))
        assert refused.value.errno == code


def test_neighbours_are_introduced_for_good() -> None:
    links.introduce(wire(kernel := Kernel()), Neighbour(2, 7, OWN, MAC))
    assert kernel.done == [(28, ndmsg(OWN, MAC, 0x80), nl.CREATE | 0x100)]


def test_sysctls_of_ipv4_are_set_by_number() -> None:
    links.configure(wire(kernel := Kernel()), 7, {8: -1, 19: 2})
    ((kind, body, flags),) = kernel.done
    assert (kind, flags, struct.unpack_from("=BxHiII", body)) == (16, 0, (0, 0, 7, 0, 0))
    conf = nl.by_type(nl.by_type(nl.by_type(body[16:])[26])[2])[1]
    assert {key: struct.unpack("=i", value)[0] for key, value in nl.attributes(conf)} == {8: -1, 19: 2}


@pytest.mark.parametrize(
    ("body", "ready"),
    [
        (link(nl.attribute(16, b"\6")), True), (link(nl.attribute(16, b"\2")), False), (link(), False), (b"", False),
    ],
)  # fmt: skip
def test_an_interface_sends_once_it_operates(body: bytes, ready: bool) -> None:
    kernel = Kernel(body)
    assert links.ready(wire(kernel), 7) is ready
    assert kernel.asked == [(18, struct.pack("=BxHiII", 0, 0, 7, 0, 0))]


def test_an_interface_is_set_up_and_nothing_else_of_it_is_changed() -> None:
    links.up(wire(kernel := Kernel()), 7, links.NOARP)
    assert kernel.done == [(16, struct.pack("=BxHiII", 0, 0, 7, 0x81, 0x81), 0)]


@pytest.mark.parametrize(("body", "address"), [(link(nl.attribute(1, MAC)), MAC), (link(), b""), (b"", b"")])
def test_hardware_addresses_are_asked_for(body: bytes, address: bytes) -> None:
    assert links.hardware(wire(Kernel(body)), 7) == address
