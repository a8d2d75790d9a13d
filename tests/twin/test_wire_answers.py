"""What is made of a kernel's answers: scripted ones, with what is left over, cut off, interrupted or for another."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from preflight.packets import nlmsg as nl
from preflight.packets.nlmsg import DONE, ERROR, INTERRUPTED, Message
from preflight.twin import wire as w
from preflight.twin.wire import Refused, Wire

LINK, ROUTE = 16, 24  # RTM_NEWLINK, RTM_NEWROUTE


class Scripted:
    """A socket of netlink whose kernel answers each question with the next of its datagrams."""

    def __init__(self, *datagrams: bytes) -> None:
        self.answers = list(datagrams)
        self.sent: list[bytes] = []
        self.options: list[tuple[int, int, int]] = []
        self.blocking = True

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options.append((level, option, value))
        if option in (32, 33):
            raise PermissionError

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def recv(self, size: int) -> bytes:
        if self.answers:
            return self.answers.pop(0)
        if self.blocking:
            raise TimeoutError
        raise BlockingIOError

    def setblocking(self, blocking: bool) -> None:
        self.blocking = blocking

    def settimeout(self, seconds: float) -> None:
        self.blocking = True

    def bind(self, address: tuple[int, int]) -> None:
        assert address == (0, 0)

    def close(self) -> None:
        self.sent.append(b"closed")


def told(number: int, kind: int, body: bytes = b"", flags: int = 0) -> bytes:
    """Write a message of the kernel's."""
    return struct.pack("=IHHII", 16 + len(body), kind, flags, number, 0) + body + bytes(-len(body) % 4)


def error(number: int, code: int) -> bytes:
    return told(number, ERROR, struct.pack("=i", -code) + bytes(16))


@contextmanager
def wired(monkeypatch: pytest.MonkeyPatch, *datagrams: bytes) -> Iterator[tuple[Wire, Scripted]]:
    scripted = Scripted(*datagrams)
    with monkeypatch.context() as patched:
        patched.setattr(w.socket, "socket", lambda *_: scripted)
        wire = Wire(w.ROUTE)
    with wire:
        yield wire, scripted
    assert scripted.sent[-1] == b"closed"


# --- dumps ------------------------------------------------------------------------------------------------------------


def test_a_dump_is_all_messages_until_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = (told(1, LINK, b"one\0") + told(1, LINK, b"two"), told(1, ROUTE, b"three") + told(1, DONE, bytes(4)))
    with wired(monkeypatch, *answers) as (wire, scripted):
        found = wire.dump(18, b"abc")
    assert found == [Message(LINK, b"one\0"), Message(LINK, b"two"), Message(ROUTE, b"three")]
    # The header, REQUEST | DUMP, the first number; padded.
    assert scripted.sent[0] == struct.pack("=IHHII", 19, 18, 0x301, 1, 0) + b"abc\0"


def test_what_is_left_over_of_a_question_that_was_given_up_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    left = (error(7, errno.EPERM) + told(0, LINK, b"x"), told(2, LINK, b"mine") + told(9, DONE), told(2, DONE))
    with wired(monkeypatch, told(1, DONE), *left) as (wire, _):
        assert wire.dump(18, b"") == []
        assert wire.dump(18, b"") == [Message(LINK, b"mine")]


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_dump_that_is_refused_is_no_empty_one(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    with wired(monkeypatch, told(1, LINK, b"one") + error(1, code)) as (wire, _), pytest.raises(Refused) as refused:
        wire.dump(18, b"")
    assert refused.value.errno == code


@pytest.mark.parametrize("flagged", ["message", "end"])
def test_an_interrupted_dump_is_asked_for_again(monkeypatch: pytest.MonkeyPatch, flagged: str) -> None:
    def answer(number: int, interrupted: bool) -> bytes:
        flags = [INTERRUPTED * (interrupted and flagged == which) for which in ("message", "end")]
        return told(number, LINK, b"one", flags[0]) + told(number, DONE, b"", flags[1])

    with wired(monkeypatch, answer(1, True), answer(2, True), answer(3, False)) as (wire, scripted):
        assert wire.dump(18, b"") == [Message(LINK, b"one")]
        assert len(scripted.sent) == 3
    with wired(monkeypatch, *(answer(number, True) for number in range(1, 9))) as (wire, scripted):
        with pytest.raises(OSError, match="interrupted"):
            wire.dump(18, b"")
        assert len(scripted.sent) == w.TRIES


def test_a_dump_has_a_limit_of_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(w, "MOST", 20)
    with wired(monkeypatch, told(1, LINK, bytes(10)), told(1, LINK, bytes(10)), told(1, DONE)) as (wire, _):
        assert len(wire.dump(18, b"")) == 2
    with wired(monkeypatch, told(1, LINK, bytes(10)), told(1, LINK, bytes(11)), told(1, DONE)) as (wire, _):
        with pytest.raises(OSError, match="large") as failure:
            wire.dump(18, b"")
        assert failure.value.errno == errno.EFBIG


@pytest.mark.parametrize("cut", [16, 17, 19])
def test_a_dump_whose_end_is_cut_off_is_late_and_no_short_one(monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    whole = told(1, LINK, b"one") + told(1, DONE, bytes(4))
    with wired(monkeypatch, whole[:-cut]) as (wire, _), pytest.raises(TimeoutError):
        wire.dump(18, b"")


def test_a_kernel_that_tells_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(w, "SECONDS", -1.0)
    with wired(monkeypatch, told(1, LINK, b"one"), told(1, DONE)) as (wire, _), pytest.raises(TimeoutError):
        wire.dump(18, b"")


# --- requests ---------------------------------------------------------------------------------------------------------


def test_what_is_done_is_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = told(1, LINK, b"told on the way") + error(9, errno.EPERM) + error(1, 0)
    with wired(monkeypatch, answers, error(2, errno.EEXIST)) as (wire, scripted):
        wire.do(LINK, b"", nl.CREATE)
        assert struct.unpack_from("=IHH", scripted.sent[0]) == (16, LINK, 0x405)
        with pytest.raises(Refused) as refused:
            wire.do(LINK, b"")
        assert (refused.value.errno, refused.value.strerror) == (errno.EEXIST, "File exists")


def test_without_an_answer_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    with wired(monkeypatch, error(5, 0)) as (wire, _), pytest.raises(TimeoutError):
        wire.do(LINK, b"")


@pytest.mark.parametrize("body", [b"", b"\xff\xff", b"\xff\xff\xff"])
def test_a_refusal_that_is_cut_off_is_one_all_the_same(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    for ask in (Wire.do, Wire.ask, Wire.dump):
        with wired(monkeypatch, told(1, ERROR, body)) as (wire, _), pytest.raises(Refused) as refused:
            ask(wire, LINK, b"")
        assert refused.value.errno == errno.EIO


def test_the_answer_to_a_question_is_the_one_with_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = (told(9, LINK, b"x") + told(1, LINK, b"mine"), told(2, DONE, b"y"), error(3, errno.ENODEV))
    with wired(monkeypatch, *answers) as (wire, _):
        assert wire.ask(18, b"") == Message(LINK, b"mine")
        assert wire.ask(18, b"") == Message(DONE, b"y")
        with pytest.raises(Refused) as refused:
            wire.ask(18, b"")
        assert refused.value.errno == errno.ENODEV


def test_buffers_are_as_large_as_the_machine_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    with wired(monkeypatch) as (_, scripted):
        assert scripted.options == [(socket.SOL_SOCKET, option, 8 << 20) for option in (socket.SO_RCVBUF, 33)]


# --- batches ----------------------------------------------------------------------------------------------------------

CHANGES = [Message(10 << 8, b"first", nl.CREATE), Message(10 << 8 | 3, b"second"), Message(10 << 8 | 6, b"third")]


def test_a_batch_is_one_datagram_between_two_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    with wired(monkeypatch, error(5, 0)) as (wire, scripted):
        assert wire.batch(CHANGES) == {}
        sent = [(number, one.kind, one.flags, one.body) for number, one in nl.messages(scripted.sent[0])]
        size = max(value for _, option, value in scripted.options if option == socket.SO_SNDBUF)
        assert size > 2 * len(scripted.sent[0])
    mark = b"\0\0\0\x0a"
    assert sent == [
        (1, 16, 1, mark), (2, 10 << 8, 0x401, b"first"), (3, 10 << 8 | 3, 1, b"second"),
        (4, 10 << 8 | 6, 1, b"third"), (5, 17, 5, mark),
    ]  # fmt: skip


def test_a_batch_s_errors_are_those_of_its_changes_and_of_no_other_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = (error(2, errno.EEXIST) + error(4, errno.ENOENT), told(3, 10 << 8, b"news") + error(5, 0))
    with wired(monkeypatch, *answers) as (wire, scripted):
        assert wire.batch(CHANGES) == {0: errno.EEXIST, 2: errno.ENOENT}
        # The next one has other numbers: what is late of the first is not meant.
        scripted.answers += [error(4, errno.EPERM) + error(8, 0)]
        assert wire.batch(CHANGES[:1]) == {}


@pytest.mark.parametrize("answer", [[], [error(99, errno.EPERM)], [told(5, 10 << 8, b"news")]])
def test_a_batch_without_an_answer_is_none_that_was_done(monkeypatch: pytest.MonkeyPatch, answer: list[bytes]) -> None:
    with wired(monkeypatch, *answer) as (wire, _), pytest.raises(TimeoutError):
        wire.batch(CHANGES)


def test_a_batch_that_is_refused_as_a_whole_is_an_error_of_its_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    with wired(monkeypatch, error(1, errno.EPERM)) as (wire, _):
        assert wire.batch(CHANGES) == {-1: errno.EPERM}
    with wired(monkeypatch, error(5, errno.ENOMEM)) as (wire, _):
        assert wire.batch(CHANGES) == {3: errno.ENOMEM}


# --- news -------------------------------------------------------------------------------------------------------------


def test_what_was_told_meanwhile_is_heard_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    with wired(monkeypatch, told(0, 1, b"a") + told(7, 2, b"b"), told(0, 3, b"c")) as (wire, scripted):
        wire.listen(9)
        assert scripted.options[-1] == (270, 1, 9)
        assert wire.heard() == [Message(1, b"a"), Message(2, b"b"), Message(3, b"c")]
        assert wire.heard() == []
        assert scripted.blocking  # later questions wait for their answers
