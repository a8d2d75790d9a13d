"""Copies of ipsets: what a kernel dumped, and the running kernel, which must take it back and say the same again."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.packets.nlmsg import Message
from preflight.twin import ipset_elements as elements
from preflight.twin import ipsets
from preflight.twin.ipsets import Sets
from preflight.twin.spaces import Space
from preflight.twin.wire import NETFILTER, Refused, Wire

RECORDED = json.loads((Path(__file__).parent / "ipsets.json").read_text())
pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="recorded on a little-endian machine")


class Recorded:
    """A wire to a kernel that answers as it did when it was recorded: a set of each kind, with all that it can have."""

    def __init__(self) -> None:
        self._answers = {(kind, body): rows for kind, body, rows in RECORDED}

    def dump(self, kind: int, body: bytes) -> list[Message]:
        return [Message(kind, bytes.fromhex(row)) for row in self._answers[kind, body.hex()]]


def recorded(only: set[int] | None = None) -> Sets:
    return ipsets.read(cast("Wire", Recorded()), only)


def told(sets: Sets) -> dict[str, tuple[str, int, bytes, tuple[bytes, ...], tuple[str, ...]]]:
    """Return what sets say, by their names: without their indices, and without the seconds that elements still have."""
    return {
        one.header.name: (one.header.kind, one.size, one.header.data, tuple(map(timeless, one.chunks)), one.members)
        for one in sets.found
    }


def timeless(chunk: bytes) -> bytes:
    return re.sub(rb"(\x08\0\x06@)(?!\0{4}).{4}", rb"\1left", chunk, flags=re.DOTALL)


def test_sets_of_all_kinds() -> None:
    found = {one.header.name: one for one in recorded().found}
    assert [(name, one.header.kind, one.size) for name, one in sorted(found.items())] == [
        ("a", "hash:ip", 2), ("b", "hash:ip", 1), ("c", "hash:ip", 1), ("d", "hash:net", 4), ("e", "hash:net", 1),
        ("f", "hash:ip,port", 2), ("g", "hash:ip,port,ip", 1), ("h", "hash:ip,port,net", 1), ("i", "hash:net,port", 3),
        ("j", "hash:net,iface", 2), ("k", "bitmap:ip", 1), ("l", "bitmap:ip,mac", 2), ("m", "bitmap:port", 2),
        ("n", "list:set", 3), ("o", "hash:ip", 1),
    ]  # fmt: skip
    assert all(one.size == one.header.size for one in found.values())
    assert found["n"].members == ("a", "d", "m")
    assert found["k"].header.netmask == 24


def test_only_what_rules_refer_to_is_read_and_what_lists_hold() -> None:
    index = next(index for index, name in recorded().names.items() if name == "n")
    found = recorded({index})
    assert {one.header.name for one in found.found} == {"n", "a", "d", "m"}
    assert len(found.names) == 15


@pytest.mark.parametrize(
    ("address", "mentioned"),
    [
        ("1.2.3.4", True), ("1.2.3.6", False), ("10.200.1.1", True), ("9.9.9.77", True), ("9.9.8.77", False),
        ("2001:db8::5", True), ("2001:db8:0:1::5", False), ("2001:db8:1:2::3", True), ("2.2.77.1", True),
        ("192.168.5.77", True), ("192.168.6.1", False), ("192.168.1.2", True), ("3.9.9.9", True),
        ("100.1.1.1", False), ("200.1.1.1", False),  # in 0.0.0.0/1 and 128.0.0.0/1, which is everybody
    ],
)  # fmt: skip
def test_addresses_that_sets_single_out(address: str, mentioned: bool) -> None:
    assert ipsets.mentions(recorded())(address) is mentioned


def element(*parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack("=HH", 4 + len(body), 7 | 0x8000) + body


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def address(number: int) -> bytes:
    return attribute(1 | 0x8000, attribute(1, struct.pack(">I", number)))


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, 9)), max_size=20))
def test_columns_are_what_single_elements_are(rows: list[tuple[int, int, int]]) -> None:
    alike = [element(address(number), attribute(3, bytes([length]))) for number, length, _ in rows]
    comment = [element(address(number), attribute(3, bytes([length])), attribute(26, b"x" * more + b"\0"))
               for number, length, more in rows]  # fmt: skip
    held = elements.Networks()
    for made in (alike, comment):
        data, count = elements.ordered_all(b"".join(made))
        assert (data, count) == (b"".join(elements.ordered_all(one)[0] for one in made), len(rows))
        held.add(data, None)
    for number, length, _ in rows:
        assert (
            held.hold(f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")
            or length <= 1
            or any(low <= 1 for _, low, _ in rows)
        )


@given(st.binary(max_size=200))
def test_damaged_elements_end_nothing(data: bytes) -> None:
    changed, count = elements.ordered_all(data)
    assert len(changed) == len(data)
    assert count <= len(data) // 4
    elements.Networks().add(data, None)
    assert isinstance(list(elements.names(data)), list)


def test_rules_refer_to_other_indices() -> None:
    match = struct.pack("=HBB", 3, 1, 1) + bytes(4)
    assert ipsets.translate_xt(match, 1, {3: 5, 0: 9}) == struct.pack("=HBB", 5, 1, 1) + bytes(4)
    target = struct.pack("=HBBHBBHBB", 3, 1, 1, 0xFFFF, 0, 0, 4, 1, 1) + bytes(12)
    changed = ipsets.translate_xt(target, 3, {3: 5, 4: 6}, target=True)
    assert struct.unpack_from("=HxxHxxHxx", changed) == (5, 0xFFFF, 6)
    assert ipsets.referred(target, 3, target=True) == {3, 4}
    old = struct.pack("=H18xH18x", 3, 4)
    assert ipsets.translate_xt(old, 0, {3: 1, 4: 2}, target=True) == struct.pack("=H18xH18x", 1, 2)
    with pytest.raises(KeyError):
        ipsets.translate_xt(match, 4, {})


class Refusing:
    """A wire to a kernel that takes no elements of one set, and loses one of another."""

    def __init__(self, headers: list[Message], bad: bytes) -> None:
        self._headers, self._bad = headers, bad

    def dump(self, _kind: int, _body: bytes) -> list[Message]:
        return self._headers

    def do(self, kind: int, body: bytes, _flags: int = 0) -> None:
        if kind & 0xFF == 9 and self._bad in body:
            raise Refused(4097, "")


def test_a_set_that_is_not_whole_has_no_index() -> None:
    sets = recorded()
    headers = Recorded().dump(RECORDED[0][0], bytes.fromhex(RECORDED[0][1]))
    names = {name: index for index, name in sets.names.items()}
    short = tuple(msgspec.structs.replace(one, size=9) if one.header.name == "o" else one for one in sets.found)
    copied = ipsets.load(Sets(sets.names, short), cast("Wire", Refusing(headers, b"\2\0d\0\0\0")))
    assert names.keys() - {sets.names[index] for index in copied.indices} == {"d", "n", "o"}
    assert {(one.table, one.what, one.error) for one in copied.refused} == {
        ("d", "hash:net", "IPSET_ERR_PROTOCOL"), ("n", "list:set", "incomplete"), ("o", "hash:ip", "incomplete"),
    }  # fmt: skip


def test_elements_may_end_while_they_are_copied() -> None:
    sets = recorded()
    headers = Recorded().dump(RECORDED[0][0], bytes.fromhex(RECORDED[0][1]))
    for size, whole in ((20, False), (2, True), (1, False)):
        # The copy has two.
        short = tuple(msgspec.structs.replace(one, size=size) for one in sets.found if one.header.name == "a")
        copied = ipsets.load(Sets(sets.names, short), cast("Wire", Refusing(headers, b"none")))
        assert bool(copied.indices) is whole
    assert {one.header.name for one in sets.found if one.header.timed} == {"a", "m", "n"}


def test_old_kernels_do_not_tell_indices() -> None:
    class Old(Recorded):
        def dump(self, kind: int, body: bytes) -> list[Message]:
            raise Refused(4097, "")

    with pytest.raises(OSError, match="indices"):
        ipsets.read(cast("Wire", Old()))


# --- this kernel ------------------------------------------------------------------------------------------------------


def wire(space: Space) -> Wire:
    with space.entered():
        return Wire(NETFILTER)


# To ask a kernel that has not loaded it would load it.
there = pytest.mark.skipif(not Path("/sys/module/ip_set").exists(), reason="this kernel has no ipset now")


@there
def test_the_kernel_takes_what_it_dumped_and_says_the_same_again(namespaces: Callable[[], Space]) -> None:
    host, twin = namespaces(), namespaces()
    sets = recorded()
    with wire(host) as first, wire(twin) as second:
        made = ipsets.load(sets, first)
        refused = {one.table for one in made.refused}
        assert {one.what for one in made.refused} <= {"hash:net,iface", "hash:ip,port", "list:set"}
        one = ipsets.read(first)
        assert told(one) == {name: what for name, what in told(sets).items() if name not in refused}
        copied = ipsets.load(one, second)
        assert copied.refused == ()
        assert told(ipsets.read(second)) == told(one)
        assert ipsets.sizes(second) == {each.header.name: each.size for each in one.found}


PROGRAM = shutil.which("ipset")


@there
@pytest.mark.skipif(PROGRAM is None, reason="needs ipset")
def test_what_the_program_saves_is_the_same_in_the_copy(namespaces: Callable[[], Space]) -> None:
    host, twin = namespaces(), namespaces()
    rows = "".join(f"add many 10.{n >> 16}.{n >> 8 & 255}.{n & 255}\n" for n in range(20_000))
    text = f"create many hash:ip maxelem 65536\n{rows}create few hash:net comment\nadd few 10.0.0.0/8 comment ten\n"
    with host.entered():
        subprocess.run([str(PROGRAM), "restore"], input=text, text=True, check=True)
        saved = subprocess.run([str(PROGRAM), "save"], text=True, capture_output=True, check=True).stdout
    with wire(host) as first, wire(twin) as second:
        assert ipsets.load(ipsets.read(first), second) == ipsets.Copied({0: 0, 1: 1}, ())
    with twin.entered():
        again = subprocess.run([str(PROGRAM), "save"], text=True, capture_output=True, check=True).stdout
    assert sorted(again.splitlines()) == sorted(saved.splitlines())


@there
def test_no_set_at_all(namespaces: Callable[[], Space]) -> None:
    space = namespaces()
    with wire(space) as asked:
        assert ipsets.read(asked) == Sets({}, ())
        assert ipsets.load(Sets({}, ()), asked) == ipsets.Copied({}, ())
