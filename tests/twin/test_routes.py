"""Routes as the kernel tells them, and takes them again."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable

import pytest

from preflight.twin import routes
from preflight.twin import wire as w
from preflight.twin.routes import ONLINK, Routing
from preflight.twin.spaces import Space
from preflight.twin.stage_making import wired
from preflight.twin.wire import Message, Refused
from tests.twin import hosts

GATEWAY = bytes((203, 0, 113, 1))
NET = bytes((10, 9, 0, 0))


def rtm(
    *parts: bytes, family: int = socket.AF_INET, prefix: int = 16, table: int = 254, protocol: int = 3, scope: int = 0,
    kind: int = routes.UNICAST, flags: int = 0,
) -> bytes:  # fmt: skip
    """Write an rtmsg."""
    return struct.pack("=BBBBBBBBI", family, prefix, 0, 0, table, protocol, scope, kind, flags) + b"".join(parts)


def test_what_only_an_answer_has_is_left_out() -> None:
    stay = w.attribute(1, NET) + w.attribute(15, w.u32(1000)) + w.attribute(5, GATEWAY) + w.attribute(4, w.u32(7))
    told = rtm(stay, w.attribute(12, bytes(32)), table=252, flags=0x10 | 0x1 | ONLINK)  # linkdown, dead
    route = routes.parse(told)
    assert route is not None
    assert (route.table, route.prefix, route.destination) == (1000, 16, NET)
    assert route.hops == ((7, socket.AF_INET, GATEWAY),)
    assert route.body == rtm(stay, table=252, flags=ONLINK)


def test_paths_lose_the_flags_of_the_moment() -> None:
    rest = w.attribute(5, GATEWAY)
    legs = b"".join(struct.pack("=HBBi", 8 + len(rest), flags, 2, index) + rest for flags, index in ((0x10, 7), (4, 8)))
    route = routes.parse(rtm(w.attribute(1, NET), w.attribute(9, legs)))
    assert route is not None
    assert route.hops == ((7, socket.AF_INET, GATEWAY), (8, socket.AF_INET, GATEWAY))
    again = w.table(route.body[12:])[9]
    assert [again[at + 2] for at in (0, 16)] == [0, 4]
    assert len(again) == len(legs)


def test_of_an_object_the_kernel_wants_nothing_but_its_number() -> None:
    route = routes.parse(
        rtm(w.attribute(1, NET), w.attribute(30, w.u32(9)), w.attribute(5, GATEWAY), w.attribute(4, w.u32(7)))
    )
    assert route is not None
    assert (route.object, route.hops) == (9, ())
    assert route.body == rtm(w.attribute(1, NET), w.attribute(30, w.u32(9)))


def test_a_gateway_of_another_family_is_read() -> None:
    via = struct.pack("=H", socket.AF_INET6) + b"\xfe\x80" + bytes(13) + b"\1"
    route = routes.parse(rtm(w.attribute(18, via), w.attribute(4, w.u32(7)), prefix=0))
    assert route is not None
    assert route.hops == ((7, socket.AF_INET6, b"\xfe\x80" + bytes(13) + b"\1"),)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\2\0\0", rtm(family=7), rtm(prefix=33), rtm(w.attribute(1, b"\1\2")), rtm(table=0),
        rtm(w.attribute(1, NET), kind=2, protocol=2, table=255), rtm(w.attribute(1, NET), kind=3, protocol=2),
        rtm(w.attribute(1, NET), flags=0x200),
    ],
)  # fmt: skip
def test_what_is_no_route_of_somebody_is_left_out(body: bytes) -> None:
    assert routes.parse(body) is None


def test_a_local_route_that_somebody_made_is_copied() -> None:
    assert routes.parse(rtm(w.attribute(1, NET), kind=2, protocol=3, table=255)) is not None


@pytest.mark.parametrize("cut", range(0, 60, 3))
def test_bytes_that_are_cut_off_are_read_as_far_as_they_go(cut: int) -> None:
    rest = w.attribute(5, GATEWAY)
    legs = struct.pack("=HBBi", 8 + len(rest), 0, 2, 7) + rest
    routes.parse(rtm(w.attribute(1, NET), w.attribute(9, legs), w.attribute(18, b"\2\0" + GATEWAY))[:cut])


def test_a_route_covers_what_is_behind_it() -> None:
    route = routes.parse(rtm(w.attribute(1, NET)))
    assert route is not None
    assert route.covers(bytes((10, 9, 255, 255)))
    assert not route.covers(bytes((10, 8, 255, 255)))
    everything = routes.parse(rtm(prefix=0))
    assert everything is not None
    assert everything.covers(GATEWAY)


class Old:
    """A kernel without objects of next hops, that refuses all else."""

    def __init__(self, code: int) -> None:
        self._code = code

    def dump(self, kind: int, body: bytes) -> list[Message]:
        if kind == routes.GETNEXTHOP:
            raise Refused(self._code, "")
        return []


def test_kernels_without_objects_have_none() -> None:
    assert routes.read(Old(errno.EOPNOTSUPP)) == Routing()  # type: ignore[arg-type]
    with pytest.raises(Refused):
        routes.read(Old(errno.EPERM))  # type: ignore[arg-type]


def test_the_way_out_is_the_kernels(namespaces: Callable[[], Space]) -> None:
    host = namespaces()
    hosts.run(host, hosts.ETH0, "address add 203.0.113.5/24 dev eth0", "route add default via 203.0.113.1")
    hosts.run(host, "route add prohibit 9.0.0.0/8", "route add blackhole 8.0.0.0/8")
    with wired(host) as wire:
        way = routes.way(wire, bytes((1, 1, 1, 1)))
        assert way is not None
        assert (way.gateway, way.source) == (GATEWAY, bytes((203, 0, 113, 5)))
        assert routes.way(wire, bytes((9, 9, 9, 9))) is None
        assert routes.way(wire, bytes((8, 8, 8, 8))) is None
        assert routes.way(wire, bytes((203, 0, 113, 5))) is None  # itself
        assert routes.local(wire, bytes((203, 0, 113, 5)), 0)
        assert not routes.local(wire, bytes((203, 0, 113, 6)), 0)
    assert list(hosts.read(host).ways) == [4]
