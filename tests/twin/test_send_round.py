"""Packets of a round: what is made of each answer, error and sight of it, and what was never sent."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from preflight.packets.nlmsg import Message
from preflight.twin import send_round
from preflight.twin.send_round import QUESTION, Round, Shot
from preflight.twin.send_sights import TCP, UDP, Sight, Sights
from preflight.twin.send_verdicts import Observed, Spot
from preflight.twin.servers import Answer
from preflight.twin.spaces import Space
from tests.twin import stand_in
from tests.twin.wires import NoWire

HOST, SOURCE = "203.0.113.5", "198.41.0.4"
LINE = b"inner 172.22.1.253 25 198.41.0.4 40000\n"
ANSWER = Answer("inner", "172.22.1.253", 25, SOURCE, 40000)


class Received:
    """A socket that gives what it is told to, one by one."""

    def __init__(self, *told: bytes | OSError) -> None:
        self._told = list(told)
        self.closed = self.drained = False

    def recv(self, size: int) -> bytes:
        one = self._told.pop(0)
        if isinstance(one, OSError):
            raise one
        return one

    def recvmsg(self, *_: int) -> None:
        self.drained = True
        raise OSError(errno.EAGAIN, "")

    def close(self) -> None:
        self.closed = True


def shot(received: Received | None = None, protocol: str = "tcp", own: int = 40000) -> Shot:
    return Shot(
        cast("Any", protocol), HOST, 25 if protocol == "tcp" else 53, Observed(SOURCE), cast("Any", received), own=own,
        watched=received is not None,
    )  # fmt: skip


@pytest.fixture
def going() -> Round:
    """Return a round without a namespace: what is called on it is what it is made of."""
    made = Round.__new__(Round)
    made._selector = cast("Any", SimpleNamespace(unregister=lambda _: None))
    made._shots, made._arrived, made._numbers, made.sure = {}, [], 0, True
    made._version, made._space = 4, cast("Space", None)
    return made


# --- what is read -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "answer", "error", "open_"),
    [
        ([LINE], ANSWER, "", True),
        ([LINE[:9], LINE[9:]], ANSWER, "", True),
        ([LINE[:9]], None, "", True),
        ([b""], None, "EPROTO", False),  # ended without a word
        ([LINE[:9], b""], None, "EPROTO", False),
        ([b"220 mail ESMTP " + b"x" * 256], None, "EPROTO", False),
        ([b"220 mail ESMTP Postfix\r\n"], None, "", True),
        ([ConnectionRefusedError(errno.ECONNREFUSED, "")], None, "ECONNREFUSED", False),
        ([ConnectionResetError(errno.ECONNRESET, "")], None, "ECONNRESET", False),
        ([OSError(errno.EHOSTUNREACH, "")], None, "EHOSTUNREACH", False),
        ([OSError("without a number")], None, "None", False),
        ([BlockingIOError()], None, "", True),
    ],
)
def test_what_comes_back_on_a_connection(
    going: Round, told: list[bytes | OSError], answer: Answer | None, error: str, open_: bool
) -> None:
    one = shot(received := Received(*told))
    for _ in told:
        going._read(one)
    assert (one.observed.answer, one.observed.error) == (answer, error)
    assert (one.socket is not None, received.closed) == (open_, not open_)
    assert one.done is bool(answer or error)
    # An error that TCP overlooked must not be told of again and again.
    assert received.drained is isinstance(told[0], BlockingIOError)


@pytest.mark.parametrize("short_first", [True, False])
def test_a_datagram_is_answered_once_a_short_and_a_long_answer_are_there(going: Round, short_first: bool) -> None:
    question = b"\0\1" + QUESTION
    answers = [question, (question + LINE).ljust(1200, b"\0")]
    one = shot(Received(*(answers if short_first else reversed(answers))), "udp")
    going._read(one)
    assert (one.observed.answer, one.observed.error) == (None, "")  # a rule may stop what is longer, or shorter
    going._read(one)
    assert one.observed.answer == ANSWER


@pytest.mark.parametrize("data", [b"", b"\0\1", b"\0\1" + QUESTION + b"world and more\n"])
def test_a_datagram_of_somebody_else_is_no_answer(going: Round, data: bytes) -> None:
    one = shot(Received(data), "udp")
    going._read(one)
    assert (one.observed.answer, one.observed.error) == (None, "EPROTO")


def test_the_first_error_stays_and_what_is_closed_is_not_read(going: Round) -> None:
    one = shot(Received(ConnectionResetError(errno.ECONNRESET, "")))
    one.observed.error = "ICMP 3/13"
    going._read(one)
    assert one.observed.error == "ICMP 3/13"
    going._read(one)


# --- errors that are told apart from it -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sight", "error"),
    [
        (Sight(TCP, SOURCE, 40000, HOST, 25, error="3/13"), "ICMP 3/13"),
        (Sight(TCP, SOURCE, 40001, HOST, 25, error="3/13"), ""),
        (Sight(TCP, SOURCE, 40000, HOST, 26, error="3/13"), ""),
        (Sight(TCP, SOURCE, 40000, "203.0.113.6", 25, error="3/13"), ""),
    ],
)
def test_an_error_is_about_the_packet_that_it_quotes(going: Round, sight: Sight, error: str) -> None:
    one = shot(Received())
    going._shots[one.own] = one
    assert going._told(sight) is bool(error)
    assert one.observed.error == error
    assert one.watched is not bool(error)


def test_a_second_error_does_not_take_the_first_one_s_place(going: Round) -> None:
    one = shot(Received())
    going._shots[one.own] = one
    for error in ("3/1", "3/13"):
        going._told(Sight(TCP, SOURCE, 40000, HOST, 25, error=error))
    assert one.observed.error == "ICMP 3/1"


# --- where it was seen ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mark", "sights", "spots"),
    [
        # By its sequence number, whatever NAT has made of its port.
        (7, [("inner", Sight(TCP, SOURCE, 1024, "172.22.1.253", 25, 7))], [("inner", "172.22.1.253", 25)]),
        (7, [("inner", Sight(TCP, SOURCE, 40000, "172.22.1.253", 25, 8))], []),
        (7, [("world", Sight(TCP, SOURCE, 1, "1.1.1.1", 9, 7)), ("inner", Sight(TCP, SOURCE, 1, HOST, 25, 7))],
         [("world", "1.1.1.1", 9), ("inner", HOST, 25)]),
        (7, [("inner", Sight(UDP, SOURCE, 40000, HOST, 53, 7))], []),  # a datagram is none of a connection's
        # Where the kernel does not tell a number, by its port.
        (-1, [("inner", Sight(TCP, SOURCE, 40000, "172.22.1.253", 25, 8))], [("inner", "172.22.1.253", 25)]),
        (-1, [("inner", Sight(TCP, SOURCE, 40001, "172.22.1.253", 25, 40000))], []),
        (7, [], []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("unresolved", [False, True])
def test_a_lost_packet_is_known_again_where_it_arrived(
    monkeypatch: pytest.MonkeyPatch, going: Round, mark: int, sights: list[Any], spots: list[Any], unresolved: bool
) -> None:
    monkeypatch.setattr(send_round, "_mark", lambda one: mark)
    monkeypatch.setattr(send_round, "unresolved", lambda space, version: unresolved)
    one = shot(Received())
    one.observed.spots = (Spot("world", "of an earlier look", 1),)
    going._arrived = sights
    going._trace([one])
    assert one.observed.spots == tuple(Spot(*spot) for spot in spots)
    # It has left if it was seen, or if all neighbours are known.
    assert one.observed.left is (bool(spots) or not unresolved)


def test_a_datagram_is_known_by_its_own_number(monkeypatch: pytest.MonkeyPatch, going: Round) -> None:
    monkeypatch.setattr(send_round, "unresolved", lambda *_: False)
    one, other = shot(Received(), "udp"), shot(Received(), "udp", 40001)
    one.mark, other.mark = 1, 2
    going._arrived = [("world", Sight(UDP, SOURCE, 40001, "1.1.1.1", 53, 1))]
    going._trace([one, other])
    assert one.observed.spots == (Spot("world", "1.1.1.1", 53),)
    assert other.observed.spots == ()


@pytest.mark.parametrize(
    ("observed", "lost"),
    [
        (Observed(SOURCE), True),
        (Observed(SOURCE, error="ECONNREFUSED"), True),  # it may have arrived all the same
        (Observed(SOURCE, answer=ANSWER), False),
        (Observed(SOURCE, failed="EACCES"), False),
    ],
)
def test_only_what_nobody_answered_is_looked_for(
    monkeypatch: pytest.MonkeyPatch, going: Round, observed: Observed, lost: bool
) -> None:
    traced: list[Shot] = []
    monkeypatch.setattr(going, "_trace", traced.extend)
    monkeypatch.setattr(going, "_settled", lambda: None)
    monkeypatch.setattr(going, "_look", lambda _: False)
    going._shots = {40000: Shot("tcp", HOST, 25, observed)}
    going.settle()
    assert bool(traced) is lost


# --- neighbours -------------------------------------------------------------------------------------------------------


def neighbour(state: int) -> bytes:
    return struct.pack("=BxxxiHBB", 2, 7, state, 0, 0)


@pytest.mark.parametrize(
    ("bodies", "found"),
    [
        ([neighbour(0x01)], True), ([neighbour(0x20)], True), ([neighbour(0x02), neighbour(0x01)], True),
        ([neighbour(0x02), neighbour(0x04), neighbour(0x80), neighbour(0x40)], False), ([b"\1" * 9], False),
        ([], False),
    ],
)  # fmt: skip
def test_a_neighbour_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, namespaces: Callable[[], Space], bodies: list[bytes], found: bool
) -> None:
    asked: list[tuple[int, int]] = []

    class Kernel(NoWire):
        def dump(self, kind: int, body: bytes) -> list[Message]:
            asked.append((kind, body[0]))
            return [Message(28, one) for one in bodies]

    monkeypatch.setattr(send_round, "Wire", Kernel)
    space = namespaces()
    assert send_round.unresolved(space, 4) is found
    assert send_round.unresolved(space, 6) is found
    assert asked == [(30, socket.AF_INET), (30, socket.AF_INET6)]


# --- what cannot be sent ----------------------------------------------------------------------------------------------


@pytest.fixture
def stage(namespaces: Callable[[], Space]) -> stand_in.Stage:
    made = stand_in.Stage(namespaces(), namespaces(), namespaces())
    for space in (made.twin, made.world, made.inner):
        stand_in.run(space, "ip -batch -", "link set lo up")
    return made


def opened(stage: stand_in.Stage) -> Round:
    return Round({"world": stage.world, "twin": stage.twin, "inner": stage.inner}, "world", 4, sure=True)


def test_what_cannot_be_sent_says_why_and_the_rest_goes(stage: stand_in.Stage) -> None:
    stand_in.run(stage.world, "ip -batch -", "route add prohibit 192.0.2.1", "route add blackhole 192.0.2.2")
    before = len(os.listdir("/proc/self/fd"))
    with opened(stage) as going:
        going.servers.tcp(stage.world, "world", [("127.0.0.1", 25)])
        shots = [Shot("tcp", target, 25, Observed("")) for target in ("192.0.2.1", "192.0.2.2", "9.9.9.9", "127.0.0.1")]
        going.send(shots)
        going.wait(0.05)
        going.settle()
        assert [one.observed.failed for one in shots] == ["EACCES", "EINVAL", "ENETUNREACH", ""]
        assert [one.socket is None for one in shots] == [True, True, True, False]
        assert shots[3].observed.answer is not None
    assert len(os.listdir("/proc/self/fd")) == before


def test_each_packet_has_a_port_of_its_own_or_none(stage: stand_in.Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = send_round.bound
    monkeypatch.setattr(send_round, "bound", lambda address, port, kind: bound(address, 4711, kind))
    with opened(stage) as going:
        shots = [Shot("udp", "127.0.0.1", 53, Observed("")) for _ in range(2)]
        going.send(shots)
        assert [one.observed.failed for one in shots] == ["", "EADDRINUSE"]
        assert shots[0].own == 4711


def test_where_nobody_may_look_no_round_is_opened(stage: stand_in.Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    class Sights:
        def __init__(self, *given: object) -> None:
            made.append(given)
            if len(made) == 3:
                raise PermissionError(errno.EPERM, "no raw socket")

        def close(self) -> None:
            made.append("closed")

    monkeypatch.setattr(send_round, "Sights", Sights)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(PermissionError):
        opened(stage)
    assert made[3:] == ["closed", "closed"]
    assert len(os.listdir("/proc/self/fd")) == before


def test_it_ends_though_news_never_do(going: Round, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(send_round.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(going, "_look", lambda _: True)
    monkeypatch.setattr(going, "_settled", lambda: None)
    monkeypatch.setattr(going, "_trace", lambda _: None)
    going._shots = {40000: shot()}
    going.wait(0.1)
    going.settle()
    assert next(clock) < 20


def test_a_wait_that_took_too_long_is_not_sure(going: Round) -> None:
    for settled, sure in ((True, True), (False, False), (True, False)):
        going._rounds = cast("Any", SimpleNamespace(settle=lambda settled=settled: settled))
        going._settled()
        assert going.sure is sure


# --- what a connection is known by ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "target"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_connection_is_known_by_its_first_sequence_number(
    stage: stand_in.Stage, family: socket.AddressFamily, target: str
) -> None:
    """As the kernel has it of a connection that is not answered, and as it stands in the packet."""
    lost = "table inet t { chain c { type filter hook input priority 0; tcp sport 25 drop\n}\n}"
    stand_in.run(stage.twin, "nft -f -", lost)
    sights = Sights(stage.twin, 4 if family == socket.AF_INET else 6, (TCP,))
    with stage.twin.entered():
        calls = [socket.socket(family) for _ in range(3)]
    for calling in calls:
        calling.setblocking(False)
        calling.connect_ex((target, 25))
    marks = {calling.getsockname()[1]: send_round._mark(shot(cast("Received", calling))) for calling in calls}
    assert {one.source_port: one.mark for one in sights.fresh()} == marks
    assert len(set(marks.values())) == 3
    for closing in (*calls, sights):
        closing.close()


def test_what_was_never_opened_is_known_by_nothing() -> None:
    assert send_round._mark(shot()) == -1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as none_of_tcp:
        assert send_round._mark(shot(cast("Received", none_of_tcp))) == -1
