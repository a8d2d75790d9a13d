"""How the twin talks to the kernel: a namespace's own answers."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable

import pytest

from preflight.packets import nlmsg as nl
from preflight.packets.nlmsg import Message, attribute
from preflight.twin import wire as w
from preflight.twin.spaces import Space
from preflight.twin.wire import Refused, Wire

GETLINK, GETROUTE, NEWTABLE, GETTABLE = 18, 26, 10 << 8, 10 << 8 | 1
HEAD = struct.pack("=BBH", 2, 0, 0)


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
        return Message(NEWTABLE, HEAD + attribute(1, nl.name(name)), nl.CREATE | flags)

    with namespaces().entered(), Wire(w.NETFILTER) as wire:
        assert wire.batch([made("a"), made("b")]) == {}
        assert wire.batch([made("c"), made("a", nl.EXCL), made("b", nl.EXCL)]) == {
            1: errno.EEXIST,
            2: errno.EEXIST,
        }
        tables = [nl.text(nl.by_type(message.body[4:])[1]) for message in wire.dump(GETTABLE, bytes(4))]
        assert tables == ["a", "b"]


def test_a_dump_that_changes_each_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Wire, "_dump", lambda *_: [Message(1, b"", nl.INTERRUPTED)])
    with Wire(w.ROUTE) as wire, pytest.raises(OSError, match="interrupted"):
        wire.dump(GETLINK, bytes(16))


def test_numbers_are_written_as_their_readers_want_them() -> None:
    assert (nl.be32(1), nl.be64(1)) == (b"\0\0\0\1", b"\0\0\0\0\0\0\0\1")
    assert struct.unpack("=I", nl.u32(0x01020304)) == (0x01020304,)
    assert attribute(3, b"abcde") == struct.pack("=HH", 9, 3) + b"abcde\0\0\0"
