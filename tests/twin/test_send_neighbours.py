"""Neighbours ask for each other's link address over IPv6: on the way to the Internet, and on mailcow's bridge."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from preflight.twin import send_neighbours
from preflight.twin.send_neighbours import ADVERT, SOLICIT, Discovery, discovery, discovery_inside
from preflight.twin.send_settled import Rounds
from preflight.twin.spaces import Space
from preflight.twin.stage import Stage
from tests.twin import hosts, stand_in

TARGET = "2001:db8:1::5"
RAW = socket.inet_pton(socket.AF_INET6, TARGET)


def advert(kind: int = ADVERT, of: bytes = RAW) -> bytes:
    return struct.pack(">BBHI", kind, 0, 0, 0x60000000) + of


class Asking:
    """A socket that asks, and to which something comes back."""

    def __init__(self, *told: bytes, refused: int = 0) -> None:
        self.told, self._refused, self.hops = list(told), refused, 255
        self.sent: list[tuple[bytes, tuple[Any, ...]]] = []
        self.bound: list[tuple[str, int]] = []
        self.options: list[tuple[int, int]] = []

    def recvmsg(self, size: int, notes: int) -> tuple[bytes, list[tuple[int, int, bytes]], int, tuple[Any, ...]]:
        hops = [(socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT, struct.pack("=i", self.hops))]
        return self.told.pop(0), hops, 0, ("fe80::1", 58, 0, 7)

    def sendto(self, data: bytes, where: tuple[Any, ...]) -> None:
        if self._refused:
            self._refused -= 1
            raise OSError(errno.EPERM, "a rule of its own namespace")
        self.sent.append((data, where))

    def bind(self, where: tuple[str, int]) -> None:
        self.bound.append(where)

    def setsockopt(self, level: int, option: int, value: object) -> None:
        self.options.append((level, option))

    def __enter__(self) -> Asking:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[bool, Asking, list[str]]]:
    """Return a function that asks for the target, and tells what came of it, and in which order."""

    def ask(*told: bytes, refused: int = 0, source: str = "") -> tuple[bool, Asking, list[str]]:
        order: list[str] = []
        made = Asking(*told, refused=refused)
        monkeypatch.setattr(send_neighbours.socket, "socket", lambda *_: made)
        monkeypatch.setattr(send_neighbours, "_mac", lambda *_: b"\2\0\0\0\0\1")
        ready = lambda asking, *_: (asking if made.told else [], [], [])  # noqa: E731
        monkeypatch.setattr(send_neighbours.select, "select", ready)
        rounds = cast("Rounds", type("Settles", (), {"settle": lambda self: order.append("settle")})())
        space = cast("Space", Standing())
        answer = lambda: order.append("answer")  # noqa: E731
        return send_neighbours._asked(space, 7, TARGET, rounds, source, answer), made, order

    return ask


class Standing:
    """A namespace that is where one is."""

    def entered(self) -> Asking:
        return Asking()


def test_a_question_goes_to_the_group_of_whom_it_asks_for(
    asked: Callable[..., tuple[bool, Asking, list[str]]],
) -> None:
    found, made, order = asked(advert(), source="2001:db8:1::1")
    assert found
    question = struct.pack(">BBHI", SOLICIT, 0, 0, 0) + RAW + b"\x01\x01\x02\0\0\0\0\1"
    assert made.sent == [(question, ("ff02::1:ff00:5", 0, 0, 7))]
    assert made.bound == [("2001:db8:1::1", 0)]
    # The one who answers by hand does so when the question has arrived.
    assert order == ["settle", "answer", "settle"]


@pytest.mark.parametrize(
    ("told", "found", "questions"),
    [
        ([advert()], True, 1),
        ([advert(of=bytes(16)), advert()], True, 1),  # about somebody else
        ([advert(SOLICIT), advert()], True, 1),
        ([advert()[:23], advert()], True, 1),
        ([advert(of=bytes(16))], False, 2),
        ([advert(SOLICIT)], False, 2),
        ([b""], False, 2),
        ([], False, 2),
        ([advert(of=bytes(16))] * 49 + [advert()], True, 1),
        ([advert(of=bytes(16))] * 100 + [advert()], False, 2),  # whoever floods is not listened to for ever
    ],
)
def test_an_answer_is_one_about_whom_was_asked_for(
    asked: Callable[..., tuple[bool, Asking, list[str]]], told: list[bytes], found: bool, questions: int
) -> None:
    answered, made, _ = asked(*told)
    assert answered is found
    assert len(made.sent) == questions
    assert made.bound == []


@pytest.mark.parametrize(("refused", "found"), [(1, True), (2, False)])
def test_a_question_that_cannot_be_sent_is_one_try(
    asked: Callable[..., tuple[bool, Asking, list[str]]], refused: int, found: bool
) -> None:
    assert asked(advert(), refused=refused)[0] is found


@pytest.mark.parametrize(
    ("data", "answers"),
    [
        ([advert(SOLICIT)], 1), ([advert(SOLICIT, bytes(16))], 0), ([advert(SOLICIT)[:20], advert(SOLICIT)], 1),
        ([], 0), ([advert(SOLICIT)] * 70, 50),
    ],
)  # fmt: skip
def test_by_hand_only_what_was_asked_is_answered(
    monkeypatch: pytest.MonkeyPatch, data: list[bytes], answers: int
) -> None:
    listening = Asking(*data)
    monkeypatch.setattr(send_neighbours.select, "select", lambda one, *_: (one if listening.told else [], [], []))
    send_neighbours._advertise(cast("socket.socket", listening), b"\2\0\0\0\0\1", TARGET)
    told = struct.pack(">BBHI", ADVERT, 0, 0, 0x60000000) + RAW + b"\x02\x01\x02\0\0\0\0\1"
    assert listening.sent == [(told, ("fe80::1", 0, 0, 7))] * answers  # who has asked is answered, on its link


def test_who_cannot_answer_goes_on() -> None:
    listening = Asking(advert(SOLICIT), refused=1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(send_neighbours.select, "select", lambda one, *_: (one if listening.told else [], [], []))
        send_neighbours._advertise(cast("socket.socket", listening), bytes(6), TARGET)
    assert listening.told == []


LOST = Discovery(False, False)


@pytest.mark.parametrize(
    ("found", "together"),
    [
        ([Discovery(True, True)], Discovery(True, True)),
        ([Discovery(True, True), Discovery(True, True)], Discovery(True, True)),
        ([Discovery(True, True), Discovery(False, True)], Discovery(False, True, known=True)),
        ([Discovery(True, False), Discovery(True, True)], Discovery(True, False, known=True)),
        ([LOST, LOST], LOST),
        ([LOST, Discovery(True, False, known=True)], Discovery(False, False, known=True)),
        ([Discovery(False, True), Discovery(True, False)], LOST),
    ],
)
def test_where_one_address_is_answered_and_another_is_not_it_depends(
    found: list[Discovery], together: Discovery
) -> None:
    assert send_neighbours._agreed(found) == together


@pytest.mark.parametrize(
    ("address", "group"),
    [("2001:db8:1::5", "ff02::1:ff00:5"), ("fe80::a1b2:c3d4", "ff02::1:ffb2:c3d4"), ("::", "ff02::1:ff00:0")],
)
def test_the_group_of_an_address(address: str, group: str) -> None:
    assert send_neighbours._group(address) == group


@pytest.mark.parametrize("kind", [SOLICIT, ADVERT, 0, 255])
def test_a_filter_lets_one_type_through(kind: int) -> None:
    words = struct.unpack("=8I", send_neighbours._only(kind))
    assert [one for one in range(256) if not words[one >> 5] >> (one & 31) & 1] == [kind]


IF_INET6 = """\
fe800000000000000000000000000001 03 40 20 80     eth1
20010db8000100000000000000000005 02 40 00 80     eth0
fe800000000000000000000000000002 02 40 20 80     eth0
20010db8000100000000000000000006 02 40 00 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
20010db8000100000000000000000009 0a 40 00 80 a b
"""


def test_interfaces_are_told_with_the_address_of_their_link(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(Path, "read_text", lambda self, *_: asked.append(self) or IF_INET6)
    assert send_neighbours._links() == [(2, "fe80::2"), (3, "fe80::1")]
    assert asked == [Path("/proc/self/net/if_inet6")]
    monkeypatch.setattr(Path, "read_text", lambda *_: IF_INET6.splitlines()[1])
    assert send_neighbours._links() == [(2, "2001:db8:1::5")]
    monkeypatch.setattr(Path, "read_text", lambda *_: "")
    assert send_neighbours._links() == []


# --- this kernel ------------------------------------------------------------------------------------------------------


@pytest.fixture
def stage(namespaces: Callable[[], Space]) -> Iterator[Stage]:
    """Build a host with IPv6 and mailcow's bridge."""
    lines = (
        "address add 2001:db8:1::5/64 dev eth0 nodad", "route add default via fe80::1 dev eth0",
        "link add br-mailcow type bridge", "link set br-mailcow up",
        "address add fd4d:6169:6c63:6f77::1/64 dev br-mailcow nodad",
        "address add fe80::1/64 dev br-mailcow nodad",  # as Docker does
    )  # fmt: skip
    hosts.run(host := namespaces(), hosts.ETH0, *lines)
    with hosts.built(host) as built:
        assert not built.control()
        yield built


HEALTHY = Discovery(True, True)
ASKED = Discovery(True, False, known=True)
HOOKED = "table ip6 t {{ chain c {{ type filter hook {} priority -300; {}\n}}\n}}"


def inside(stage: Stage) -> Discovery:
    container = stage.sides[6].containers["postfix-mailcow"]
    return discovery_inside(stage.twin, stage.inner, "br-mailcow", stage.gateways[6], container)


def outside(stage: Stage) -> Discovery | None:
    return discovery(stage.twin, stage.world, "eth0", "2001:db8:1::5", stage.router(6))


@pytest.mark.parametrize(
    ("hook", "line", "within", "beyond"),
    [
        ("input", "counter", HEALTHY, HEALTHY),
        ("input", "iifname br-mailcow icmpv6 type nd-neighbor-solicit drop", Discovery(False, True), HEALTHY),
        ("output", "oifname br-mailcow icmpv6 type nd-neighbor-solicit drop", ASKED, HEALTHY),
        ("output", "oifname br-mailcow ip6 saddr fe80::/10 icmpv6 type nd-neighbor-solicit drop", ASKED, HEALTHY),
        ("input", "iifname br-mailcow icmpv6 type nd-neighbor-advert drop", ASKED, HEALTHY),
        ("prerouting", "iifname eth0 icmpv6 type nd-neighbor-advert drop", HEALTHY, ASKED),
        ("postrouting", 'oifname "br-mailcow" ip6 hoplimit set 64', Discovery(False, False), HEALTHY),
        ("prerouting", 'iifname "eth0" ip6 hoplimit set 64', HEALTHY, Discovery(False, False)),
        ("prerouting", "meta l4proto ipv6-icmp drop", Discovery(False, False), Discovery(False, False)),
        (
            "input", "meta pkttype multicast icmpv6 type nd-neighbor-solicit drop",
            Discovery(False, True, known=True), Discovery(False, True, known=True),
        ),
    ],
    ids=[
        "healthy", "the gateway is not found", "no container is found",
        "none is found for what is forwarded", "no container answers",
        "the router is not found", "nobody believes it inside", "nor outside", "nobody", "who knows it",
    ],
)  # fmt: skip
def test_what_the_hosts_rules_do_to_it(
    stage: Stage, hook: str, line: str, within: Discovery, beyond: Discovery
) -> None:
    stand_in.run(stage.twin, "nft -f -", HOOKED.format(hook, line))
    assert inside(stage) == within
    assert outside(stage) == beyond
