"""How the twin talks to the kernel: messages and attributes as bytes, and a namespace's own answers."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable

import pytest

from preflight.twin import wire as w
from preflight.twin.spaces import Space
from preflight.twin.wire import Message, Refused, Wire, attribute, attributes, nested

GETLINK, GETROUTE, NEWTABLE, GETTABLE = 18, 26, 10 << 8, 10 << 8 | 1
HEAD = struct.pack("=BBH", 2, 0, 0)


def packed(*bodies: bytes, length: int | None = None) -> bytes:
    return b"".join(
        struct.pack("=IHHII", 16 + len(body) if length is None else length, 7, 2, 9, 0) + body + bytes(-len(body) % 4)
        for body in bodies
    )


def test_a_datagram_is_split_into_its_messages() -> None:
    assert list(w.messages(packed(b"ab", b"cdefg"))) == [(9, Message(7, b"ab", 2)), (9, Message(7, b"cdefg", 2))]


@pytest.mark.parametrize("data", [b"", b"\x10\0\0\0", packed(b"ab", length=8), packed(b"ab", length=1 << 20)])
def test_a_wrong_length_ends_a_datagram(data: bytes) -> None:
    assert list(w.messages(data)) == []


def test_attributes_keep_their_order_and_flags() -> None:
    data = attribute(1, b"a") + nested(2, attribute(3, b"bcd"), attribute(3, b"e"))
    assert attributes(data) == [(1, b"a"), (2 | w.NESTED, attribute(3, b"bcd") + attribute(3, b"e"))]
    assert w.table(data)[2] == attribute(3, b"bcd") + attribute(3, b"e")
    assert w.table(w.table(data)[2]) == {3: b"e"}


@pytest.mark.parametrize("data", [b"\x02\0\1\0", b"\xff\0\1\0abc", b"\4\0"])
def test_a_wrong_length_ends_attributes(data: bytes) -> None:
    assert attributes(data) == []


def test_names_end_with_a_zero_both_ways() -> None:
    assert w.text(w.name("br-mailcow") + b"rest") == "br-mailcow"
    assert w.text(b"\xff\xfe\0") == "\ufffd\ufffd"


def test_a_wire_stays_with_its_namespace(namespaces: Callable[[], Space]) -> None:
    with namespaces().entered():
        inside = Wire(w.ROUTE)
    with inside:
        assert len(inside.dump(GETLINK, bytes(16))) >= 1
        assert [message.kind for message in inside.dump(GETROUTE, bytes(12))] == []
    before = os.readlink("/proc/self/ns/net")
    with namespaces().entered():
        assert os.readlink("/proc/self/ns/net") != before
    assert os.readlink("/proc/self/ns/net") == before


def test_what_the_kernel_refuses_has_its_error(namespaces: Callable[[], Space]) -> None:
    with namespaces().entered(), Wire(w.ROUTE) as wire:
        with pytest.raises(Refused) as refused:
            wire.do(17, struct.pack("=BxHiII", 0, 0, 4711, 0, 0))  # RTM_DELLINK
        assert refused.value.errno == errno.ENODEV


def test_a_batch_is_done_as_a_whole_or_names_what_is_refused(namespaces: Callable[[], Space]) -> None:
    def made(name: str, flags: int = 0) -> Message:
        return Message(NEWTABLE, HEAD + attribute(1, w.name(name)), w.CREATE | flags)

    with namespaces().entered(), Wire(w.NETFILTER) as wire:
        assert wire.batch([made("a"), made("b")]) == {}
        assert wire.batch([made("c"), made("a", w.EXCL), made("b", w.EXCL)]) == {1: errno.EEXIST, 2: errno.EEXIST}
        tables = [w.text(w.table(message.body[4:])[1]) for message in wire.dump(GETTABLE, bytes(4))]
        assert tables == ["a", "b"]


def test_a_dump_that_changes_each_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Wire, "_dump", lambda *_: [Message(1, b"", w.INTERRUPTED)])
    with Wire(w.ROUTE) as wire, pytest.raises(OSError, match="interrupted"):
        wire.dump(GETLINK, bytes(16))


def test_numbers_are_written_as_their_readers_want_them() -> None:
    assert (w.be32(1), w.be64(1)) == (b"\0\0\0\1", b"\0\0\0\0\0\0\0\1")
    assert struct.unpack("=I", w.u32(0x01020304)) == (0x01020304,)
    assert attribute(3, b"abcde") == struct.pack("=HH", 9, 3) + b"abcde\0\0\0"
