"""Sets that change while they are read, that a kernel does not take, or that are damaged: none of them is complete."""

from __future__ import annotations

import errno
import struct
from collections.abc import Sequence
from typing import cast

import pytest
from msgspec.structs import replace

from preflight.packets.nlmsg import Message, attribute, attributes, be32, by_type, name, nested
from preflight.twin import ipset_elements as elements
from preflight.twin import ipsets
from preflight.twin.ipsets import Copied, Header, Set, Sets
from preflight.twin.wire import Refused, Wire

LIST, CREATE, ADD = 6 << 8 | 7, 6 << 8 | 2, 6 << 8 | 9


def header(index: int, text: str, kind: str = "hash:ip", size: int = 1, *data: bytes) -> bytes:
    """Write what a kernel tells of a set, without its elements."""
    counted = attribute(24, be32(size)) + attribute(25, be32(0)) + attribute(26, be32(99))
    return bytes(4) + b"".join((
        attribute(1, b"\7"), attribute(2, name(text)), attribute(3, name(kind)), attribute(5, b"\2"),
        attribute(4, b"\4"), nested(7, attribute(18, be32(4096)), *data, counted),
        attribute(11, struct.pack(">H", index)),
    ))  # fmt: skip


def element(last: int, *more: bytes) -> bytes:
    return nested(7, nested(1, attribute(1, bytes((10, 0, 0, last)))), *more)


def member(text: str) -> bytes:
    return nested(7, attribute(18, name(text)))


def elements_of(*chunks: bytes) -> list[bytes]:
    return [bytes(4) + attribute(2, name("x")) + nested(8, chunk) for chunk in chunks]


class Kernel:
    """A kernel with sets: their headers, and the elements of each; it takes what it is given, but for some."""

    def __init__(
        self, headers: Sequence[bytes], sets: dict[str, list[bytes] | int] | None = None,
        refused: dict[tuple[int, str], int] | None = None,
    ) -> None:  # fmt: skip
        self._headers, self._sets, self._refused = headers, sets or {}, refused or {}
        self.asked: list[str] = []
        self.done: list[tuple[int, str, int]] = []
        self.bodies: list[bytes] = []

    def dump(self, kind: int, body: bytes) -> list[Message]:
        found = by_type(body[4:])
        assert (kind, found[1]) == (LIST, b"\7")
        if 2 not in found:
            assert found[6] == be32(4)  # headers alone
            return [Message(0, one) for one in self._headers]
        told = found[2][:-1].decode()
        self.asked.append(told)
        one = self._sets.get(told, [])
        if isinstance(one, int):
            raise Refused(one, "")
        return [Message(0, chunk) for chunk in one]

    def do(self, kind: int, body: bytes, flags: int = 0) -> None:
        told = by_type(body[4:])[2][:-1].decode()
        self.done.append((kind, told, flags))
        self.bodies.append(body)
        if code := self._refused.get((kind, told)):
            raise Refused(code, "")


def read(kernel: Kernel, only: set[int] | None = None) -> Sets:
    return ipsets.read(cast("Wire", kernel), only)


def load(kernel: Kernel, *sets: Set) -> Copied:
    return ipsets.load(Sets({}, sets), cast("Wire", kernel))


# --- read -------------------------------------------------------------------------------------------------------------


def test_a_set_that_goes_while_it_is_read_is_not_there() -> None:
    kernel = Kernel(
        [header(0, "a"), header(1, "gone"), header(2, "list", "list:set")],
        {"a": elements_of(element(1)), "gone": errno.ENOENT, "list": elements_of(member("gone") + member("a"))},
    )
    found = read(kernel)
    assert found.names == {0: "a", 1: "gone", 2: "list"}
    assert {one.header.name: one.members for one in found.found} == {"a": (), "list": ("gone", "a")}


def test_a_set_that_may_not_be_read_is_no_empty_one() -> None:
    with pytest.raises(Refused) as refused:
        read(Kernel([header(0, "a")], {"a": errno.EPERM}))
    assert refused.value.errno == errno.EPERM


def test_headers_that_may_not_be_read_are_no_missing_sets() -> None:
    class Denied(Kernel):
        def dump(self, kind: int, body: bytes) -> list[Message]:
            raise Refused(errno.EPERM, "")

    with pytest.raises(Refused) as refused:
        read(Denied([]))
    assert refused.value.errno == errno.EPERM


def test_lists_are_read_with_what_they_hold_each_once() -> None:
    headers = [header(number, text, "list:set" if text > "m" else "hash:ip") for number, text in enumerate("abxy")]
    kernel = Kernel(headers, {"x": elements_of(member("y") + member("a")), "y": elements_of(member("x") + member("?"))})
    assert {one.header.name for one in read(kernel, {2}).found} == {"x", "y", "a"}
    assert sorted(kernel.asked) == ["a", "x", "y"]


@pytest.mark.parametrize("lacking", [2, 3, 4, 5, 7, 11])
def test_a_header_that_lacks_something_is_none(lacking: int) -> None:
    parts = attributes(header(0, "a")[4:])
    cut = bytes(4) + b"".join(attribute(kind, value) for kind, value in parts if kind & 0x3FFF != lacking)
    assert read(Kernel([cut, header(1, "b")])).names == {1: "b"}


def test_what_a_set_has_is_told_apart_from_what_it_was_made_with() -> None:
    kernel = Kernel([header(5, "a", "hash:ip", 7, attribute(20, b"\x18"), attribute(6, be32(600)))])
    (one,) = read(kernel).found
    head = one.header
    assert (head.index, head.kind, head.family, head.revision) == (5, "hash:ip", 2, 4)
    assert (head.size, head.netmask, head.timed) == (7, 24, True)
    assert by_type(head.data) == {18: be32(4096), 20: b"\x18", 6: be32(600)}


def test_how_many_elements_each_set_has() -> None:
    assert ipsets.sizes(cast("Wire", Kernel([header(0, "a", size=7), header(1, "b", size=0)]))) == {"a": 7, "b": 0}


# --- write ------------------------------------------------------------------------------------------------------------


def a_set(text: str, *chunks: bytes, kind: str = "hash:ip", size: int = 1, members: tuple[str, ...] = ()) -> Set:
    return Set(Header(3, text, kind, 2, 4, attribute(18, be32(4096)), size), chunks, size, members)


def test_sets_are_made_before_they_are_filled_and_lists_last() -> None:
    kernel = Kernel([header(0, "a"), header(1, "list", "list:set")])
    listed = replace(a_set("list", member("a"), kind="list:set", members=("a",)))
    copied = load(kernel, replace(listed, header=replace(listed.header, index=1)), a_set("a", element(1), element(2)))
    assert [(kind, text) for kind, text, _ in kernel.done] == [
        (CREATE, "a"), (CREATE, "list"), (ADD, "a"), (ADD, "a"), (ADD, "list"),
    ]  # fmt: skip
    assert copied == Copied({3: 0, 1: 1}, ())
    # One that is there already would be another's; elements may be told twice.
    assert [flags for _, _, flags in kernel.done] == [0x600, 0x600, 0, 0, 0]
    made = by_type(kernel.bodies[0][4:])
    assert (made[3], made[4], made[5], made[7]) == (b"hash:ip\0", b"\4", b"\2", attribute(18, be32(4096)))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (errno.EEXIST, "EEXIST"), (errno.ENOMEM, "ENOMEM"), (4098, "IPSET_ERR_FIND_TYPE"), (4107, "IPSET_ERR_TIMEOUT"),
        (4999, "IPSET_ERR_4999"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [CREATE, ADD])
def test_what_is_refused_takes_with_it_what_holds_it(kind: int, code: int, error: str) -> None:
    kernel = Kernel([header(0, "a"), header(1, "b"), header(2, "list")], refused={(kind, "a"): code})
    copied = load(
        kernel, a_set("a", element(1)), replace(a_set("b", element(1)), header=replace(a_set("b").header, index=8)),
        a_set("list", member("a"), kind="list:set", members=("a", "b")),
    )  # fmt: skip
    assert copied.indices == {8: 1}
    assert {(one.table, one.what, one.error) for one in copied.refused} == {
        ("a", "hash:ip", error), ("list", "list:set", "incomplete"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("size", "timed", "there", "whole"),
    [
        (10, False, 10, True), (10, False, 9, False), (10, False, 11, False), (10, True, 9, True), (10, True, 8, False),
        (10, True, 11, False), (0, False, 0, True),
    ],
)  # fmt: skip
def test_a_copy_has_all_elements_but_those_whose_time_is_over(size: int, timed: bool, there: int, whole: bool) -> None:
    one = a_set("a", size=size)
    one = replace(one, header=replace(one.header, timed=timed))
    copied = load(Kernel([header(7, "a", size=there)]), one)
    assert copied.indices == ({3: 7} if whole else {})
    assert [refused.error for refused in copied.refused] == ([] if whole else ["incomplete"])


def test_a_set_that_is_gone_again_is_not_complete() -> None:
    copied = load(Kernel([]), a_set("a"), a_set("list", kind="list:set", members=("a",)))
    assert copied.indices == {}
    assert [(one.table, one.error) for one in copied.refused] == [("a", "incomplete"), ("list", "incomplete")]


# --- elements ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunk", "stride"),
    [
        (b"", 0), (b"\x04\0\0", 0), (bytes(4), 0), (element(1), 16), (element(1) + element(2), 16),
        (element(1) + element(2)[:-4], 0), (element(1) + element(2, attribute(3, b"\x18")), 0),
        (element(1) + nested(7, attribute(1, bytes(8))), 0),
    ],
)  # fmt: skip
def test_elements_are_alike_where_their_attributes_are(chunk: bytes, stride: int) -> None:
    assert elements.uniform(chunk) == stride


def test_names_and_numbers_are_no_addresses() -> None:
    data = nested(1, attribute(1, bytes(4))) + attribute(18, name("a")) + attribute(4, b"\0\x19\0\0")
    changed = elements.ordered(data)
    assert attributes(by_type(changed)[1]) == [(1 | elements.ORDERED, bytes(4))]
    assert changed[12:] == data[12:]


def holding(*chunks: bytes, netmask: int | None = None) -> elements.Networks:
    made = elements.Networks()
    for chunk in chunks:
        made.add(chunk, netmask)
    return made


@pytest.mark.parametrize(
    ("networks", "address", "held"),
    [
        (holding(element(1)), "10.0.0.1", True), (holding(element(1)), "10.0.0.2", False),
        (holding(element(1, attribute(3, b"\x18"))), "10.0.0.99", True),
        (holding(element(1, attribute(3, b"\x18"))), "10.0.1.1", False),
        (holding(element(1), netmask=16), "10.0.9.9", True), (holding(element(1), netmask=64), "10.0.0.1", True),
        (holding(element(1, attribute(3, b"\x01"))), "10.0.0.1", False),  # half of the Internet
        (holding(element(1, attribute(3, b"\x21"))), "10.0.0.1", False),  # longer than it is
        # The second address of an element, which may be a network.
        (holding(element(1, nested(20, attribute(1, bytes((9, 9, 0, 0)))), attribute(21, b"\x10"))), "9.9.1.1", True),
        (holding(element(1, nested(20, attribute(1, bytes((9, 9, 0, 0)))), attribute(21, b"\x10"))), "10.0.0.1", True),
        (holding(nested(7, nested(1, attribute(2, bytes(15) + b"\1")))), "::1", True),
        (holding(nested(7, nested(1, attribute(2, bytes(15) + b"\1")))), "0.0.0.1", False),
        (holding(nested(7, nested(1, attribute(1, bytes(3))))), "0.0.0.0", False),
        (holding(nested(7, attribute(4, b"\0\x19\0\0"))), "10.0.0.1", False), (holding(), "10.0.0.1", False),
    ],
)  # fmt: skip
def test_whether_elements_single_an_address_out(networks: elements.Networks, address: str, held: bool) -> None:
    assert networks.hold(address) is held


@pytest.mark.parametrize(
    ("revision", "size", "target", "found"),
    [
        (0, 8, False, (0,)), (1, 8, False, (0,)), (4, 40, False, (0,)), (4, 1, False, ()), (4, 2, False, (0,)),
        (0, 40, True, (0, 20)), (1, 8, True, (0, 4)), (2, 16, True, (0, 4)), (3, 24, True, (0, 4, 8)),
        (9, 24, True, (0, 4, 8)), (3, 9, True, (0, 4)), (0, 21, True, (0,)),
    ],
)  # fmt: skip
def test_where_rules_have_indices_of_sets(revision: int, size: int, target: bool, found: tuple[int, ...]) -> None:
    assert ipsets.places(revision, size, target=target) == found
