"""Messages of netlink and their attributes, as bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.packets import nlmsg as nl
from preflight.packets.nlmsg import Message, attribute, attributes, nested


def packed(*bodies: bytes, length: int | None = None) -> bytes:
    return b"".join(
        struct.pack("=IHHII", 16 + len(body) if length is None else length, 7, 2, 9, 0) + body + bytes(-len(body) % 4)
        for body in bodies
    )


def test_a_datagram_is_split_into_its_messages() -> None:
    assert list(nl.messages(packed(b"ab", b"cdefg"))) == [(9, Message(7, b"ab", 2)), (9, Message(7, b"cdefg", 2))]


@pytest.mark.parametrize(
    "data", [b"", bytes(15), bytes(16), b"\x10\0\0\0", packed(b"ab", length=8), packed(b"ab", length=1 << 20)]
)
def test_a_wrong_length_ends_a_datagram(data: bytes) -> None:
    assert list(nl.messages(data)) == []


def test_attributes_keep_their_order_and_flags() -> None:
    data = attribute(1, b"a") + nested(2, attribute(3, b"bcd"), attribute(3, b"e"))
    assert attributes(data) == [(1, b"a"), (2 | nl.NESTED, attribute(3, b"bcd") + attribute(3, b"e"))]
    assert nl.by_type(data)[2] == attribute(3, b"bcd") + attribute(3, b"e")
    assert nl.by_type(nl.by_type(data)[2]) == {3: b"e"}


@pytest.mark.parametrize("data", [b"\x02\0\1\0", b"\xff\0\1\0abc", b"\4\0"])
def test_a_wrong_length_ends_attributes(data: bytes) -> None:
    assert attributes(data) == []


def test_of_several_attributes_of_a_type_the_last_counts_and_flags_are_none_of_it() -> None:
    whole = attribute(1, b"ab") + attribute(2 | nl.NESTED, b"c") + attribute(1, b"d")
    assert nl.by_type(whole) == {1: b"d", 2: b"c"}
    for wrong in (struct.pack("=HH", 3, 9), struct.pack("=HH", 5, 9), b"\4\0"):
        assert nl.by_type(whole + wrong) == {1: b"d", 2: b"c"}


@pytest.mark.parametrize(("body", "number"), [(struct.pack("=i", -17), 17), (bytes(20), 0), (b"\xff\xff\xff", None)])
def test_the_number_of_an_error(body: bytes, number: int | None) -> None:
    assert nl.error_number(body) == number


@pytest.mark.parametrize(
    ("value", "number"),
    [(nl.u32(7), 7), (nl.u32(0xFFFFFFFF), 0xFFFFFFFF), (b"\1", None), (bytes(8), None), (None, None)],
)
def test_a_number_has_32_bits(value: bytes | None, number: int | None) -> None:
    assert nl.number(value) == number


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.binary(max_size=40))))
def test_messages_that_were_written_are_read_as_they_were(made: list[tuple[int, int, bytes]]) -> None:
    data = b"".join(nl.message(kind, flags, number, body) for number, (kind, flags, body) in enumerate(made))
    assert len(data) % 4 == 0
    assert list(nl.messages(data)) == [
        (number, Message(kind, body, flags)) for number, (kind, flags, body) in enumerate(made)
    ]


@given(st.binary(max_size=200))
def test_nothing_that_arrives_breaks_the_reading(data: bytes) -> None:
    assert all(one.body in data for _, one in nl.messages(data))
    assert all(value in data for _, value in attributes(data))


def test_names_end_with_a_zero_both_ways() -> None:
    assert nl.text(nl.name("br-mailcow") + b"rest") == "br-mailcow"
    assert nl.text(b"\xff\xfe\0") == "\ufffd\ufffd"
