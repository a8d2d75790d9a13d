"""Which of many packets is meant, what ended it, and how the kernel is asked to tell: messages without a kernel."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import pytest

from preflight.facts.twin import Step
from preflight.packets import nlmsg as nl
from preflight.packets.nlmsg import Message, attribute, attributes, be32, be64, by_type, nested
from preflight.twin import wire as w
from preflight.twin.nft import trace
from preflight.twin.nft.trace import Base, End, Event, Trace


class Kernel:
    """Stands for a wire: tells what it was given, and keeps what it is sent."""

    def __init__(self, told: Sequence[Message] = (), errors: dict[int, int] | None = None) -> None:
        self.told, self.errors = list(told), errors or {}
        self.sent: list[Message] = []
        self.groups: list[int] = []
        self.closed = False

    def listen(self, group: int) -> None:
        self.groups.append(group)

    def heard(self) -> list[Message]:
        told, self.told = self.told, []
        return told

    def dump(self, kind: int, body: bytes) -> list[Message]:
        assert (kind, body) == (trace.GETCHAIN, bytes(4))
        return self.told

    def batch(self, changes: Sequence[Message]) -> dict[int, int]:
        self.sent += changes
        return self.errors

    def close(self) -> None:
        self.closed = True


def header(source: int, port: int, flags: int = trace.SYN) -> bytes:
    return struct.pack(">HH", source, port) + bytes(9) + bytes([flags]) + bytes(6)


def event(packet: int, chain: str, code: int | None = None, header: bytes = b"", handle: int = 7) -> Message:
    """Write what the kernel tells of a rule that a packet met."""
    verdict = nested(5, attribute(1, struct.pack(">i", -1 if code is None else code)))
    parts = [attribute(1, b"filter\0"), attribute(2, nl.name(chain)), attribute(3, be64(handle)),
             attribute(4, be32(trace.RULE)), verdict, attribute(6, be32(packet))]  # fmt: skip
    return Message(trace.TRACE, bytes([2, 0, 0, 0]) + b"".join(parts) + (attribute(9, header) if header else b""))


def traced(monkeypatch: pytest.MonkeyPatch, *told: Message) -> Trace:
    kernel = Kernel(told)
    monkeypatch.setattr(trace, "Wire", lambda _protocol: kernel)
    return Trace(Kernel(), (), ())  # type: ignore[arg-type]  # a stand-in


SMTP, OTHER = header(40000, 25), header(40000, 80)


def test_the_first_packet_that_is_meant_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    told = (
        event(1, "x", 0, OTHER), event(2, "a", None, SMTP), event(3, "late", 0, SMTP), event(2, "b", 1),
    )  # fmt: skip
    events, end = traced(monkeypatch, *told).events(trace.to_port(25))
    assert [(one.packet, one.chain, one.verdict) for one in events] == [(2, "a", None), (2, "b", 1)]
    assert end == End("ip", "filter", "late", 7)  # of another that is meant alike


def test_a_packet_is_known_by_any_of_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its header may be told late, as an early chain sees none."""
    events, end = traced(monkeypatch, event(1, "a"), event(1, "b", 0, SMTP)).events(trace.to_port(25))
    assert [one.chain for one in events] == ["a", "b"]
    assert end == End("ip", "filter", "b", 7)


def test_what_is_meant_next_tells_the_end_where_the_first_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = header(25, 40000, trace.SYN | trace.ACK)
    told = (event(1, "a", 1, SMTP), event(2, "back", 0, answer), event(3, "x", 0, OTHER))
    events, end = traced(monkeypatch, *told).events(trace.opening(25), trace.opened(25))
    assert [one.chain for one in events] == ["a"]
    assert end == End("ip", "filter", "back", 7)
    first = (event(2, "back", 0, answer), event(1, "there", 0, SMTP))
    _, end = traced(monkeypatch, *first).events(trace.opening(25), trace.opened(25))
    assert end == End("ip", "filter", "there", 7)  # in the order of what is meant, not of time


def test_of_a_packet_that_nobody_sent_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert traced(monkeypatch, event(1, "x", 0, OTHER)).events(trace.to_port(25)) == ((), None)
    assert traced(monkeypatch).events(trace.to_port(25)) == ((), None)


def test_a_loop_of_events_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "MOST", 3)
    told = [event(1, f"c{number}", None, SMTP) for number in range(9)]
    events, end = traced(monkeypatch, *told, event(1, "end", 0)).events(trace.to_port(25))
    assert [one.chain for one in events] == ["c0", "c1", "c2"]
    assert end is None


def test_what_was_told_before_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    one = traced(monkeypatch, event(1, "a", 0, SMTP))
    one.forget()
    assert one.events(trace.to_port(25)) == ((), None)
    kernel: Any = one._events
    assert kernel.groups == [trace.GROUP]
    one.close()
    assert kernel.closed


# --- which header is meant --------------------------------------------------------------------------------------------

SYN, ACK, RST, FIN = trace.SYN, trace.ACK, trace.RST, trace.FIN


@pytest.mark.parametrize(
    ("flags", "opens", "follows"),
    [
        (SYN, True, False), (SYN | ACK, False, True), (ACK, False, True), (RST, False, False),
        (RST | ACK, False, False), (FIN | ACK, False, False), (0, False, False), (SYN | 0x40, True, False),
    ],
)  # fmt: skip
def test_a_connection_is_opened_and_then_goes_on(flags: int, opens: bool, follows: bool) -> None:
    assert trace.opening(25)(header(40000, 25, flags)) is opens
    assert trace.opened(25)(header(25, 40000, flags)) is follows


@pytest.mark.parametrize("cut", [0, 3, 4, 13, 19])
def test_a_header_that_is_cut_opens_nothing(cut: int) -> None:
    assert not trace.opening(25)(SMTP[:cut])
    assert not trace.opened(25)(header(25, 9, ACK)[:cut])
    assert trace.to_port(25)(SMTP[:cut]) is (cut >= 4)


def test_ports_are_those_that_are_asked_for() -> None:
    assert trace.opening(25, 2525)(header(40000, 2525))
    assert not trace.opening(25)(header(25, 40000))
    assert not trace.opening(25)(header(40000, 26))
    assert trace.opened(25)(header(40000, 25, ACK))  # of both directions
    assert not trace.opened(25)(header(40000, 26, ACK))


# --- what is read -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        # Of a rule without a handle that can be read, the chain is known.
        (attribute(3, b"\0\0"), (None, None)), (attribute(3, be64(9)), (9, None)),
        (attribute(5, attribute(1, b"\0")), (None, None)), (attribute(16, be32(0)), (None, None)),
    ],
)  # fmt: skip
def test_damaged_numbers_are_unknown(body: bytes, wanted: tuple[int | None, int | None]) -> None:
    whole = attribute(1, b"t\0") + attribute(2, b"c\0") + attribute(4, be32(trace.RULE)) + attribute(6, be32(1)) + body
    found = trace.read(Message(trace.TRACE, bytes([9, 0, 0, 0]) + whole))
    assert found is not None
    assert (found.handle, found.verdict, found.family) == (*wanted, "")


def test_an_event_without_a_packet_is_none() -> None:
    assert trace.read(Message(trace.TRACE, bytes(4) + attribute(4, be32(trace.RULE)))) is None
    assert trace.read(Message(trace.TRACE, bytes(4) + attribute(6, be32(1)))) is None


# --- what is asked for ------------------------------------------------------------------------------------------------


def chain(family: int, name: str, hook: int | None, priority: int = 0, *extra: bytes) -> Message:
    place = (
        nested(4, attribute(1, be32(hook)), attribute(2, struct.pack(">i", priority)), *extra)
        if hook is not None
        else b""
    )
    return Message(3, bytes([family, 0, 0, 0]) + attribute(1, b"t\0") + attribute(3, nl.name(name)) + place)


def test_base_chains_are_known_with_their_hooks_and_devices() -> None:
    several = nested(4, attribute(1, b"eth0\0"), attribute(1, b"eth1\0"))
    told = (
        chain(2, "called", None), chain(2, "fw", 2, 10), chain(1, "in", 5, -300, attribute(3, b"eth0\0")),
        chain(trace.NETDEV, "n", 0, -1, several), chain(trace.NETDEV, "out", 1), chain(3, "arp", 1), chain(2, "odd", 9),
    )  # fmt: skip
    found = trace.bases(Kernel(told))  # type: ignore[arg-type]  # a stand-in
    assert found == {
        ("ip", "t", "fw"): Base("forward", 10), ("inet", "t", "in"): Base("ingress", -300, ("eth0",)),
        ("netdev", "t", "n"): Base("ingress", -1, ("eth0", "eth1")), ("netdev", "t", "out"): Base("egress", 0),
        ("arp", "t", "arp"): Base("output", 0), ("ip", "t", "odd"): Base("", 0),
    }  # fmt: skip


def test_all_packets_are_marked_before_any_other_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "Wire", lambda _protocol: Kernel())
    kernel = Kernel()
    Trace(kernel, ("ip6", "ip"), ("eth1", "eth0"))  # type: ignore[arg-type]  # a stand-in
    told = [(one.kind, one.body[0], by_type(one.body[4:])) for one in kernel.sent]
    assert [family for kind, family, _ in told if kind == trace.NEWTABLE] == [2, 10, trace.NETDEV]
    chains = [(family, nl.text(found[3]), by_type(found[4])) for kind, family, found in told if kind == trace.NEWCHAIN]
    assert [(family, name, nl.text(place.get(3, b""))) for family, name, place in chains] == [
        (2, "prerouting", ""), (2, "output", ""), (10, "prerouting", ""), (10, "output", ""),
        (trace.NETDEV, "ingress eth0", "eth0"), (trace.NETDEV, "ingress eth1", "eth1"),
    ]  # fmt: skip
    assert {place[2] for _, _, place in chains} == {struct.pack(">i", -(1 << 31))}
    assert [place[1][3] for _, _, place in chains] == [0, 3, 0, 3, 0, 0]
    rules = [found[4] for kind, _, found in told if kind == trace.NEWRULE]
    assert [[nl.text(by_type(step)[1]) for _, step in attributes(rule)] for rule in rules] == [
        ["immediate", "meta"]
    ] * 6


def test_without_devices_no_table_of_theirs_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "Wire", lambda _protocol: Kernel())
    kernel = Kernel()
    Trace(kernel, ("ip",))  # type: ignore[arg-type]  # a stand-in
    assert {one.body[0] for one in kernel.sent} == {2}


def test_a_kernel_that_marks_nothing_says_so() -> None:
    with pytest.raises(w.Refused, match="marks no packets"):
        trace.mark(Kernel(errors={2: 2}), 2, [("a", 0, "")])  # type: ignore[arg-type]  # a stand-in


# --- the steps --------------------------------------------------------------------------------------------------------

BASES = {("ip", "filter", "FORWARD"): Base("forward", 0), ("ip", "nat", "POST"): Base("postrouting", 100)}


def went(table: str, chain: str, code: int | None) -> Event:
    return Event(1, "ip", table, chain, 3, code)


@pytest.mark.parametrize(
    ("way", "steps"),
    [
        ([went("filter", "FORWARD", 0)], [("FORWARD", "drop")]),
        ([went("filter", "FORWARD", 3 | 1 << 16)], [("FORWARD", "queue")]),
        ([went("filter", "FORWARD", None), went("filter", "mine", 1), went("nat", "POST", 1)],
         [("FORWARD", "accept"), ("POST", "accept")]),
        # Stolen, or a word that is not known: it passed nothing that could be told.
        ([went("filter", "FORWARD", 2)], []),
        ([went("filter", "unknown", 0)], []),
        ([went("filter", "FORWARD", None)], []),
        # A base chain that another jumps to is no step of its own.
        ([went("filter", "FORWARD", None), went("nat", "POST", 0)], [("FORWARD", "drop")]),
    ],
)  # fmt: skip
def test_a_step_is_a_base_chain_and_what_it_decided(way: list[Event], steps: list[tuple[str, str]]) -> None:
    found = trace.steps(way, BASES)
    assert [(one.chain, one.verdict) for one in found] == steps
    assert all(isinstance(one, Step) and one.table in ("ip filter", "ip nat") for one in found)
