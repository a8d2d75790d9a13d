"""Routes as the kernel tells them, and takes them again."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable

import pytest

from preflight.packets import nlmsg as nl
from preflight.packets.nlmsg import Message
from preflight.twin import routes
from preflight.twin.routes import ONLINK, Routing
from preflight.twin.spaces import Space
from preflight.twin.stage_making import wired
from preflight.twin.wire import Refused
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
    stay = nl.attribute(1, NET) + nl.attribute(15, nl.u32(1000)) + nl.attribute(5, GATEWAY) + nl.attribute(4, nl.u32(7))
    told = rtm(stay, nl.attribute(12, bytes(32)), table=252, flags=0x10 | 0x1 | ONLINK)  # linkdown, dead
    route = routes.parse(told)
    assert route is not None
    assert (route.table, route.prefix, route.destination) == (1000, 16, NET)
    assert route.hops == ((7, socket.AF_INET, GATEWAY),)
    assert route.body == rtm(stay, table=252, flags=ONLINK)


def test_paths_lose_the_flags_of_the_moment() -> None:
    rest = nl.attribute(5, GATEWAY)
    legs = b"".join(struct.pack("=HBBi", 8 + len(rest), flags, 2, index) + rest for flags, index in ((0x10, 7), (4, 8)))
    route = routes.parse(rtm(nl.attribute(1, NET), nl.attribute(9, legs)))
    assert route is not None
    assert route.hops == ((7, socket.AF_INET, GATEWAY), (8, socket.AF_INET, GATEWAY))
    again = nl.by_type(route.body[12:])[9]
    assert [again[at + 2] for at in (0, 16)] == [0, 4]
    assert len(again) == len(legs)


def test_of_an_object_the_kernel_wants_nothing_but_its_number() -> None:
    route = routes.parse(
        rtm(
            nl.attribute(1, NET),
            nl.attribute(30, nl.u32(9)),
            nl.attribute(5, GATEWAY),
            nl.attribute(4, nl.u32(7)),
        )
    )
    assert route is not None
    assert (route.object, route.hops) == (9, ())
    assert route.body == rtm(nl.attribute(1, NET), nl.attribute(30, nl.u32(9)))


def test_a_gateway_of_another_family_is_read() -> None:
    via = struct.pack("=H", socket.AF_INET6) + b"\xfe\x80" + bytes(13) + b"\1"
    route = routes.parse(rtm(nl.attribute(18, via), nl.attribute(4, nl.u32(7)), prefix=0))
    assert route is not None
    assert route.hops == ((7, socket.AF_INET6, b"\xfe\x80" + bytes(13) + b"\1"),)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\2\0\0", rtm(family=7), rtm(prefix=33), rtm(nl.attribute(1, b"\1\2")), rtm(table=0),
        rtm(nl.attribute(1, NET), kind=2, protocol=2, table=255), rtm(nl.attribute(1, NET), kind=3, protocol=2),
        rtm(nl.attribute(1, NET), flags=0x200),
    ],
)  # fmt: skip
def test_what_is_no_route_of_somebody_is_left_out(body: bytes) -> None:
    assert routes.parse(body) is None


def test_a_local_route_that_somebody_made_is_copied() -> None:
    assert routes.parse(rtm(nl.attribute(1, NET), kind=2, protocol=3, table=255)) is not None


@pytest.mark.parametrize("cut", range(0, 60, 3))
def test_bytes_that_are_cut_off_are_read_as_far_as_they_go(cut: int) -> None:
    rest = nl.attribute(5, GATEWAY)
    legs = struct.pack("=HBBi", 8 + len(rest), 0, 2, 7) + rest
    routes.parse(rtm(nl.attribute(1, NET), nl.attribute(9, legs), nl.attribute(18, b"\2\0" + GATEWAY))[:cut])


def test_a_route_covers_what_is_behind_it() -> None:
    route = routes.parse(rtm(nl.attribute(1, NET)))
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


# --- what is hostile, or of other kernels -----------------------------------------------------------------------------

LINK_LOCAL = b"\xfe\x80" + bytes(13) + b"\1"
INET, INET6 = int(socket.AF_INET), int(socket.AF_INET6)


def leg(length: int, rest: bytes = b"", index: int = 7) -> bytes:
    """Write an rtnexthop that says it is that long."""
    return struct.pack("=HBBi", length, 0, 2, index) + rest


@pytest.mark.parametrize(
    ("legs", "hops"),
    [
        (leg(8), [7]),
        (leg(8) + leg(8, index=8), [7, 8]),
        (leg(7) + leg(8, index=8), []),
        (leg(8) + leg(9, index=8), [7]),
        (leg(8) + leg(8, index=8)[:7], [7]),
        (leg(4000), []),
    ],
)
def test_paths_are_read_as_far_as_their_lengths_are_right(legs: bytes, hops: list[int]) -> None:
    route = routes.parse(rtm(nl.attribute(1, NET), nl.attribute(9, legs)))
    assert route is not None
    assert [hop[0] for hop in route.hops] == hops


@pytest.mark.parametrize(
    ("parts", "hop"),
    [
        ([nl.attribute(4, nl.u32(7))], (7, 0, b"")),
        ([nl.attribute(4, b"\7")], (0, 0, b"")),
        ([nl.attribute(4, nl.u32(7)), nl.attribute(5, GATEWAY)], (7, INET, GATEWAY)),
        ([nl.attribute(4, nl.u32(7)), nl.attribute(5, b"\1\2\3")], (7, 0, b"\1\2\3")),
        ([nl.attribute(4, nl.u32(7)), nl.attribute(18, b"\x0a\0" + LINK_LOCAL)], (7, INET6, LINK_LOCAL)),
        ([nl.attribute(4, nl.u32(7)), nl.attribute(18, b"\x0a\0")], (7, 0, b"")),
        # Its own family's counts.
        (
            [
                nl.attribute(4, nl.u32(7)),
                nl.attribute(5, GATEWAY),
                nl.attribute(18, b"\x0a\0" + LINK_LOCAL),
            ],
            (7, 2, GATEWAY),
        ),
    ],
)
def test_gateways(parts: list[bytes], hop: tuple[int, int, bytes]) -> None:
    route = routes.parse(rtm(nl.attribute(1, NET), *parts))
    assert route is not None
    assert route.hops == (hop,)


def test_a_route_that_expires_lasts_in_the_twin() -> None:
    route = routes.parse(rtm(nl.attribute(1, NET), nl.attribute(23, nl.u32(9)), nl.attribute(4, nl.u32(7))))
    assert route is not None
    assert 23 not in nl.by_type(route.body[12:])


def nexthop(number: int | None, *parts: bytes, flags: int = 0, scope: int = 9) -> bytes:
    """Write an nhmsg."""
    own = [] if number is None else [nl.attribute(1, nl.u32(number))]
    return struct.pack("=BBBBI", socket.AF_INET, scope, 4, 0, flags) + b"".join([*own, *parts])


def member(number: int) -> bytes:
    return struct.pack("=IBBH", number, 3, 0, 0)


class Objects:
    """A kernel with routes that have objects of next hops."""

    def __init__(self, *objects: bytes, used: tuple[int, ...] = (1,)) -> None:
        self._objects, self._used = objects, used

    def dump(self, kind: int, body: bytes) -> list[Message]:
        if kind == routes.GETNEXTHOP:
            return [Message(104, one) for one in self._objects]
        if kind == routes.GETROUTE and body[0] == socket.AF_INET:
            return [Message(24, rtm(nl.attribute(1, NET), nl.attribute(30, nl.u32(one)))) for one in self._used]
        return []


ONE = nexthop(1, nl.attribute(5, nl.u32(7)), nl.attribute(6, GATEWAY))
TWO = nexthop(2, nl.attribute(5, nl.u32(8)))


@pytest.mark.parametrize(
    ("objects", "hops"),
    [
        ([ONE], ((7, INET, GATEWAY),)),
        ([TWO], ()),
        ([nexthop(None, nl.attribute(5, nl.u32(7))), b"\2\0\0"], ()),
        ([nexthop(1, nl.attribute(4, b""))], ()),  # a blackhole
        ([ONE, TWO, nexthop(3, nl.attribute(2, member(1) + member(2)))], ((7, INET, GATEWAY),)),
        ([nexthop(1, nl.attribute(2, member(2) + member(9))), TWO], ((8, 0, b""),)),
        # A group of groups, which no kernel has, leads nowhere.
        ([nexthop(1, nl.attribute(2, member(3))), nexthop(3, nl.attribute(2, member(2))), TWO], ()),
    ],
)
def test_a_route_goes_where_its_object_does(objects: list[bytes], hops: tuple[routes.Hop, ...]) -> None:
    (route,) = routes.read(Objects(*objects)).routes  # type: ignore[arg-type]
    assert (route.hops, route.object) == (hops, 1)


def test_objects_are_kept_as_the_kernel_takes_them_again_groups_last() -> None:
    group = nexthop(3, nl.attribute(2, member(1) + member(2)), nl.attribute(13, b"for answers"))
    told = [group, nexthop(1, nl.attribute(5, nl.u32(7)), flags=0x14), TWO]  # linkdown, onlink
    kept = [
        nexthop(1, nl.attribute(5, nl.u32(7)), flags=ONLINK, scope=0), nexthop(2, nl.attribute(5, nl.u32(8)), scope=0),
        nexthop(3, nl.attribute(2, member(1) + member(2)), scope=0),
    ]  # fmt: skip
    assert list(routes.read(Objects(*told)).objects) == kept  # type: ignore[arg-type]


class Picky:
    """A kernel that refuses some dumps, or some of what it is to make."""

    def __init__(self, refused: dict[tuple[int, int], int] | None = None) -> None:
        self._refused = refused or {}
        self.made: list[tuple[int, bytes]] = []
        self.flags = 0
        self.takes: list[Callable[[int, bytes], bool]] = []

    def dump(self, kind: int, body: bytes) -> list[Message]:
        if code := self._refused.get((kind, body[0])):
            raise Refused(code, "")
        return []

    def do(self, kind: int, body: bytes, flags: int = 0) -> None:
        if not all(takes(kind, body) for takes in self.takes):
            raise Refused(errno.ENETUNREACH, "")
        self.flags = flags
        self.made.append((kind, body))


@pytest.mark.parametrize(
    ("refused", "fails"),
    [
        ({(routes.GETROUTE, socket.AF_INET6): errno.EOPNOTSUPP}, False),
        ({(routes.GETROUTE, socket.AF_INET): errno.EPERM}, True),
        ({(34, socket.AF_INET6): errno.EAFNOSUPPORT}, False),
        ({(34, socket.AF_INET): errno.EOPNOTSUPP}, False),  # a kernel with one table alone
        ({(34, socket.AF_INET): errno.EPERM}, True),
        ({(routes.GETNEXTHOP, 0): errno.EINVAL}, False),
        ({(routes.GETNEXTHOP, 0): errno.EPERM}, True),
    ],
)
def test_what_a_kernel_does_not_have_is_no_failure_and_what_it_denies_is(
    refused: dict[tuple[int, int], int], fails: bool
) -> None:
    kernel = Picky(refused)
    if fails:
        with pytest.raises(Refused):
            routes.read(kernel)  # type: ignore[arg-type]
    else:
        assert routes.read(kernel) == Routing()  # type: ignore[arg-type]


class Answering:
    """A kernel with one answer to the question for a way."""

    def __init__(self, answer: bytes | int) -> None:
        self._answer = answer
        self.asked: list[bytes] = []

    def ask(self, kind: int, body: bytes) -> Message:
        self.asked.append(body)
        if isinstance(self._answer, int):
            raise Refused(self._answer, "")
        return Message(24, self._answer)


TARGET = bytes((1, 1, 1, 1))
OUT = (nl.attribute(4, nl.u32(7)), nl.attribute(5, GATEWAY), nl.attribute(7, bytes((203, 0, 113, 5))))


@pytest.mark.parametrize(
    ("answer", "there"),
    [
        (rtm(*OUT), True),
        (rtm(*OUT, kind=2), False),
        (rtm(*OUT, kind=6), False),
        (rtm(*OUT[1:]), False),
        (rtm(*OUT)[:11], False),
        (b"", False),
        *((code, False) for code in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL, errno.EAGAIN)),
    ],
)
def test_a_way_is_one_that_leads_over_an_interface(answer: bytes | int, there: bool) -> None:
    found = routes.way(kernel := Answering(answer), TARGET)  # type: ignore[arg-type]
    assert (found == routes.Way(7, INET, GATEWAY, bytes((203, 0, 113, 5)))) is there
    assert (found is None) is not there
    assert kernel.asked == [struct.pack("=BBBBBBBBI", 2, 32, 0, 0, 0, 0, 0, 0, 0) + nl.attribute(1, TARGET)]


def test_a_way_from_an_address_is_asked_for_from_there() -> None:
    routes.way(kernel := Answering(rtm(*OUT)), TARGET, GATEWAY)  # type: ignore[arg-type]
    assert kernel.asked[0][:3] == bytes((2, 32, 32))
    assert nl.by_type(kernel.asked[0][12:]) == {1: TARGET, 2: GATEWAY}


def test_a_kernel_that_does_not_know_the_family_is_no_missing_way() -> None:
    with pytest.raises(Refused):
        routes.way(Answering(errno.EAFNOSUPPORT), TARGET)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "address", "own", "asked"),
    [
        (rtm(kind=2), TARGET, True, {1: TARGET}),
        (rtm(kind=1), TARGET, False, {1: TARGET}),
        (errno.ENETUNREACH, TARGET, False, {1: TARGET}),
        (rtm(kind=2, family=socket.AF_INET6), LINK_LOCAL, True, {1: LINK_LOCAL, 4: nl.u32(9)}),
    ],
)
def test_whether_an_address_is_an_own_one(
    answer: bytes | int, address: bytes, own: bool, asked: dict[int, bytes]
) -> None:
    kernel = Answering(answer)
    assert routes.local(kernel, address, 9) is own  # type: ignore[arg-type]
    assert nl.by_type(kernel.asked[0][12:]) == asked


# --- made again -------------------------------------------------------------------------------------------------------


def near(last: int, scope: int = 253) -> routes.Route:
    found = routes.parse(rtm(nl.attribute(1, bytes((10, last, 0, 0))), nl.attribute(4, nl.u32(7)), scope=scope))
    assert found
    return found


def far(last: int, flags: int = 0) -> routes.Route:
    gateway = bytes((10, last, 0, 1))
    body = rtm(
        nl.attribute(1, bytes((192, last, 0, 0))),
        nl.attribute(5, gateway),
        nl.attribute(4, nl.u32(7)),
        flags=flags,
    )
    found = routes.parse(body)
    assert found
    return found


def test_what_leads_to_a_gateway_comes_before_what_goes_through_it() -> None:
    kernel = Picky()
    wanted = (far(1), near(2, 0), near(1), far(2))
    assert routes.make(kernel, Routing(wanted)) == []  # type: ignore[arg-type]
    assert [body for _, body in kernel.made] == [one.body for one in (near(1), near(2, 0), far(1), far(2))]


def test_a_gateway_that_cannot_be_seen_yet_is_tried_again_and_believed_in_last() -> None:
    kernel = Picky()
    stubborn = far(1).body
    kernel.takes.append(lambda kind, body: body != stubborn)
    assert routes.make(kernel, Routing((far(1), far(2)))) == []  # type: ignore[arg-type]
    last = kernel.made[-1][1]
    assert [body for _, body in kernel.made] == [far(2).body, last]
    assert last == stubborn[:8] + nl.u32(ONLINK) + stubborn[12:]


def test_a_route_that_stays_refused_is_told() -> None:
    kernel = Picky()
    kernel.takes.append(lambda kind, body: body[12:] != far(1).body[12:] and body[12:] != near(3).body[12:])
    assert routes.make(kernel, Routing((far(1), near(3), far(2)))) == [far(1), near(3)]  # type: ignore[arg-type]
    assert [body for _, body in kernel.made] == [far(2).body]


def test_objects_are_made_between_near_and_far_and_believed_in_where_they_are_refused() -> None:
    kernel = Picky()
    refused = nexthop(1, nl.attribute(5, nl.u32(7)), scope=0)
    never = nexthop(9, scope=0)
    kernel.takes.append(lambda kind, body: body != refused and body[8:] != never[8:])
    routes.make(kernel, Routing((far(1), near(1)), (refused, never, TWO)))  # type: ignore[arg-type]
    onlink = refused[:4] + nl.u32(ONLINK) + refused[8:]
    assert kernel.made == [
        (routes.NEWROUTE, near(1).body), (routes.NEWNEXTHOP, onlink), (routes.NEWNEXTHOP, TWO),
        (routes.NEWROUTE, far(1).body),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("destination", "given", "head", "said"),
    [
        (NET, {}, (2, 16, 253, 1, 0), {4: 7, 15: 254}),
        (NET, {"gateway": GATEWAY}, (2, 16, 0, 1, ONLINK), {4: 7, 15: 254, 5: GATEWAY}),
        (NET, {"kind": routes.LOCAL, "table": 255}, (2, 16, 254, 2, 0), {4: 7, 15: 255}),
        (bytes(16), {"table": 9}, (10, 16, 0, 1, 0), {4: 7, 15: 9}),
        (bytes(16), {"kind": routes.LOCAL}, (10, 16, 0, 2, 0), {4: 7, 15: 254}),
        (NET, {"gateway": GATEWAY, "other": socket.AF_INET}, (2, 16, 0, 1, ONLINK), {4: 7, 15: 254, 5: GATEWAY}),
        (
            NET, {"gateway": LINK_LOCAL, "other": socket.AF_INET6}, (2, 16, 0, 1, ONLINK),
            {4: 7, 15: 254, 18: b"\x0a\0" + LINK_LOCAL},
        ),
    ],
)  # fmt: skip
def test_a_route_that_is_added(
    destination: bytes, given: dict[str, int | bytes], head: tuple[int, ...], said: dict[int, int | bytes]
) -> None:
    kernel = Picky()
    routes.add(kernel, destination, 16, 7, **given)  # type: ignore[arg-type]
    ((kind, body),) = kernel.made
    family, prefix, _, _, _, protocol, scope, sort, flags = struct.unpack_from("=BBBBBBBBI", body)
    assert (kind, protocol, (family, prefix, scope, sort, flags)) == (routes.NEWROUTE, 4, head)
    numbers = {key: nl.u32(value) if isinstance(value, int) else value for key, value in said.items()}
    assert nl.by_type(body[12:]) == {1: destination, **numbers}


@pytest.mark.parametrize(("last", "flags"), [(False, nl.CREATE | nl.EXCL), (True, nl.CREATE | nl.APPEND)])
def test_a_route_comes_before_those_that_are_there_or_after_them(last: bool, flags: int) -> None:
    kernel = Picky()
    routes.add(kernel, NET, 16, 7, last=last)  # type: ignore[arg-type]
    assert kernel.flags == flags
    plain = Picky()
    routes.add(plain, NET, 16, 7)  # type: ignore[arg-type]
    assert plain.flags == nl.CREATE | nl.EXCL
    routes.make(plain, Routing((near(1),)))  # type: ignore[arg-type]
    assert plain.flags == nl.CREATE | nl.APPEND  # in the order that they have on the host
