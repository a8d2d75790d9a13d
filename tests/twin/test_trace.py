"""What the kernel tells of a packet's way through nf_tables, as its messages say it."""

from __future__ import annotations

import struct

import pytest

from preflight.facts.twin import Step
from preflight.packets import nlmsg as nl
from preflight.packets.nlmsg import Message, attribute, be32, be64
from preflight.twin.nft import trace
from preflight.twin.nft.trace import Base, End, Event

SYN = struct.pack(">HH", 40000, 25) + bytes(16)


def message(family: int, table: str, chain: str, kind: int, **more: bytes) -> Message:
    numbers = {"handle": 3, "verdict": 5, "header": 9, "policy": 16}
    parts = [
        attribute(1, nl.name(table)),
        attribute(2, nl.name(chain)),
        attribute(4, be32(kind)),
        attribute(6, be32(77)),
    ]
    parts += [attribute(numbers[name], value) for name, value in more.items()]
    return Message(trace.TRACE, struct.pack("=BBH", family, 0, 0) + b"".join(parts))


def verdict(code: int) -> bytes:
    return attribute(1, struct.pack(">i", code))


def test_a_rule_that_a_packet_meets_is_told() -> None:
    told = trace.read(message(1, "fw", "input", trace.RULE, handle=be64(7), verdict=verdict(0), header=SYN))
    assert told == Event(77, "inet", "fw", "input", 7, 0, SYN)


@pytest.mark.parametrize("code", [-1, -3, -4, -5])
def test_jumps_and_the_like_decide_nothing(code: int) -> None:
    told = trace.read(message(2, "filter", "FORWARD", trace.RULE, handle=be64(7), verdict=verdict(code)))
    assert told is not None
    assert told.verdict is None


def test_a_policy_is_told_without_a_handle() -> None:
    told = trace.read(message(10, "filter", "FORWARD", trace.POLICY, policy=be32(0)))
    assert told == Event(77, "ip6", "filter", "FORWARD", None, 0)


@pytest.mark.parametrize(
    "other",
    [
        message(2, trace.OWN, "prerouting", trace.RULE, handle=be64(1)),
        message(2, "filter", "x", 2),
        Message(trace.TRACE, b"\2"),
        Message(5, b"\2\0\0\0"),
    ],
)
def test_what_else_is_heard_is_passed_over(other: Message) -> None:
    assert trace.read(other) is None


BASES = {
    ("inet", "fw", "pre"): Base("prerouting", -300),
    ("ip", "filter", "FORWARD"): Base("forward", 0),
    ("inet", "fw", "late"): Base("forward", 10),
}


def event(table: str, chain: str, handle: int | None, code: int | None, family: str = "ip") -> Event:
    return Event(77, family, table, chain, handle, code)


def test_steps_are_base_chains_and_a_jump_belongs_to_its_base_chain() -> None:
    way = (
        event("fw", "pre", None, 1, "inet"),
        event("filter", "FORWARD", 4, None),
        event("filter", "DOCKER-USER", 9, None),
        event("filter", "DOCKER", 12, 1),
        event("fw", "late", 3, 0, "inet"),
    )
    assert trace.steps(way, BASES) == (
        Step("prerouting", "inet fw", "pre", "accept"),
        Step("forward", "ip filter", "FORWARD", "accept"),
        Step("forward", "inet fw", "late", "drop"),
    )
    assert trace.end(way) == End("inet", "fw", "late", 3)


def test_the_end_is_a_drop_or_a_queue() -> None:
    assert trace.end(()) is None
    assert trace.end((event("filter", "FORWARD", None, 1),)) is None
    assert trace.end((event("filter", "FORWARD", None, 0),)) == End("ip", "filter", "FORWARD", None)
    assert trace.end((event("filter", "q", 5, 3 | 7 << 16),)) == End("ip", "filter", "q", 5, queue=True)


@pytest.mark.parametrize(("header", "meant"), [(SYN, True), (SYN[:3], False), (b"", False), (bytes(20), False)])
def test_a_packet_is_known_by_its_port(header: bytes, meant: bool) -> None:
    assert trace.to_port(25, 2525)(header) is meant


def test_neighbour_discovery_is_known_by_its_type() -> None:
    assert trace.discovering(b"\x87\0")
    assert trace.discovering(b"\x88\0")
    assert not trace.discovering(b"\x80\0")
    assert not trace.discovering(b"")
