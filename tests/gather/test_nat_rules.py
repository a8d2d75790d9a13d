"""Rules of nat tables read step by step: what each asks of a packet, and where it sends it; from bytes alone."""

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest

from preflight.gather.nat import expressions
from preflight.gather.nat.matching import NEVER, Condition, Rule, match, other, place, target
from preflight.gather.nat.nft import Element, Table, _read_elements
from tests.gather.kernel import attribute

V4, V6 = bytes([192, 0, 2, 7]), bytes.fromhex("20010db8" + "00" * 11 + "07")


def be32(value: int) -> bytes:
    return struct.pack(">I", value)


def host(value: int) -> bytes:
    """Write a number as this machine does, as nf_tables loads some."""
    return struct.pack("=I", value)


# --- steps of nf_tables -----------------------------------------------------------------------------------------------


def step(kind: str, **parts: int | bytes) -> bytes:
    data = b"".join(
        attribute(int(key[1:]), be32(value) if isinstance(value, int) else value) for key, value in parts.items()
    )
    return attribute(1, attribute(1, kind.encode() + b"\0") + attribute(2, data))


def compare(value: bytes, register: int = 1, operation: int = 0) -> bytes:
    return step("cmp", a1=register, a2=operation, a3=attribute(1, value))


def verdict(code: int, chain: str = "") -> bytes:
    inside = attribute(1, struct.pack(">i", code)) + (attribute(2, chain.encode() + b"\0") if chain else b"")
    return step("immediate", a1=0, a2=attribute(2, inside))


def constant(value: bytes, register: int = 1) -> bytes:
    return step("immediate", a1=register, a2=attribute(1, value))


def read(*steps: bytes, family: int = 2, **sets: tuple[Element, ...]) -> list[Rule]:
    table = Table(family, "t")
    table.elements = lambda name: sets.get(name, ())  # type: ignore[method-assign]  # no kernel
    raw = attribute(3, struct.pack(">Q", 9)) + attribute(4, b"".join(steps))
    return list(expressions.read(raw, table))


def conditions(*steps: bytes, family: int = 2, **sets: tuple[Element, ...]) -> list[Condition]:
    [rule] = read(*steps, family=family, **sets)
    assert rule.handle == 9
    return list(rule.conditions)


PORT = step("payload", a1=1, a2=2, a3=2, a4=2)
SOURCE, DESTINATION = (step("payload", a1=1, a2=1, a3=at, a4=4) for at in (12, 16))
SOURCE6, DESTINATION6 = (step("payload", a1=1, a2=1, a3=at, a4=16) for at in (8, 24))
MARK = step("meta", a1=1, a2=3)
LOCAL = step("fib", a1=1, a2=3, a3=2)


@pytest.mark.parametrize(
    ("operation", "found"),
    [
        (0, Condition("ports", ((25, 25),))), (1, Condition("ports", ((25, 25),), True)),
        (2, Condition("ports", ((0, 24),))), (3, Condition("ports", ((0, 25),))),
        (4, Condition("ports", ((26, 65535),))), (5, Condition("ports", ((25, 65535),))),
    ],
)  # fmt: skip
def test_ports_are_compared(operation: int, found: Condition) -> None:
    assert conditions(PORT, compare(b"\0\x19", operation=operation)) == [found]


@pytest.mark.parametrize(("operation", "value"), [(2, b"\0\0"), (4, b"\xff\xff")])
def test_a_comparison_that_nothing_meets(operation: int, value: bytes) -> None:
    assert conditions(PORT, compare(value, operation=operation)) == [NEVER]


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ([PORT, step("range", a1=1, a2=0, a3=attribute(1, b"\0\x14"), a4=attribute(1, b"\0\x1e"))],
         [Condition("ports", ((20, 30),))]),
        ([PORT, step("range", a1=1, a2=1, a3=attribute(1, b"\0\x14"), a4=attribute(1, b"\0\x1e"))],
         [Condition("ports", ((20, 30),), True)]),
        ([SOURCE, compare(V4)], [Condition("source", ("192.0.2.7/32",))]),
        ([DESTINATION, compare(V4, operation=1)], [Condition("destination", ("192.0.2.7/32",), True)]),
        # Of networks with whole bytes only these are loaded.
        ([step("payload", a1=1, a2=1, a3=16, a4=3), compare(V4[:3])], [Condition("destination", ("192.0.2.0/24",))]),
        ([SOURCE, step("range", a1=1, a2=0, a3=attribute(1, V4), a4=attribute(1, V4[:3] + b"\x09"))],
         [Condition("source", ("192.0.2.7/32", "192.0.2.8/31"))]),
        ([SOURCE, step("range", a1=1, a2=0, a3=attribute(1, V4), a4=attribute(1, V4[:3]))], [other("source")]),
        ([SOURCE, step("bitwise", a1=1, a2=1, a4=attribute(1, b"\xff\xff\0\0"), a5=attribute(1, bytes(4))),
          compare(V4[:2] + b"\0\0")], [Condition("source", ("192.0.0.0/16",))]),
        ([SOURCE, step("bitwise", a1=1, a2=1, a4=attribute(1, b"\xff\0\xff\0"), a5=attribute(1, bytes(4))),
          compare(V4)], [other("source")]),
        ([PORT, step("bitwise", a1=1, a2=1, a4=attribute(1, b"\0\xff"), a5=attribute(1, bytes(2))), compare(b"\0\x19")],
         [other("port")]),
        ([SOURCE, step("bitwise", a1=1, a2=1, a4=attribute(1, b"\xff" * 4), a5=attribute(1, b"\0\0\0\1")), compare(V4)],
         [other("bitwise")]),
        ([step("payload", a1=1, a2=2, a3=0, a4=2), compare(b"\0\x19")], [other("payload")]),  # where it comes from
        ([step("payload", a1=1, a2=1, a3=9, a4=1), compare(b"\6")], []),
        ([step("payload", a1=1, a2=1, a3=9, a4=1), compare(b"\x11")], [NEVER]),
        ([step("meta", a1=1, a2=16), compare(b"\x11", operation=1)], []),
        ([step("meta", a1=1, a2=16), compare(b"\6", operation=1)], [NEVER]),
        ([MARK, compare(b"\1\0\0\0")], [other("mark")]), ([compare(b"\1")], [other("?")]),
        ([step("meta", a1=1, a2=6), compare(b"eth0\0" + bytes(11))], [Condition("interface", ("eth0",))]),
        ([step("meta", a1=1, a2=6), compare(b"eth")], [Condition("interface", ("eth*",))]),
        ([step("meta", a1=1, a2=6), compare(b"a" * 16, operation=1)], [Condition("interface", ("a" * 16,), True)]),
        ([step("meta", a1=1, a2=6), step("range", a1=1, a3=attribute(1, b"a"), a4=attribute(1, b"b"))],
         [other("interface")]),
        ([step("meta", a1=1, a2=4), compare(host(99_999_999))], [Condition("interface", ("#99999999",))]),
        ([LOCAL, compare(host(2))], []), ([LOCAL, compare(host(2), operation=1)], [NEVER]),
        ([LOCAL, compare(host(3))], [NEVER]), ([LOCAL, compare(host(3), operation=1)], []),
        ([step("fib", a1=1, a2=3, a3=9), compare(host(2))], [other("fib")]),  # by interface as well
        ([step("ct", a1=1, a2=1), compare(b"\0")], []), ([step("ct", a1=1, a2=1), compare(b"\1")], [NEVER]),
        ([step("ct", a1=1, a2=9), compare(b"\1")], [other("ct")]),
        ([step("socket", a2=1), compare(b"\1")], [other("socket")]), ([step("xfrm"), verdict(0)], [other("xfrm")]),
        ([step("counter"), step("log"), step("objref")], []),
        ([step("match", a1=b"comment\0", a2=0, a3=b"x")], []),
        ([step("match", a1=b"udp\0", a2=0, a3=b"")], [NEVER]),
    ],
)  # fmt: skip
def test_what_a_rule_asks(steps: list[bytes], found: list[Condition]) -> None:
    assert conditions(*steps) == found


def test_an_index_is_said_by_its_name() -> None:
    loopback = host(socket.if_nametoindex("lo"))
    assert conditions(step("meta", a1=1, a2=4), compare(loopback)) == [Condition("interface", ("lo",))]


NEW, ESTABLISHED = 8, 2


@pytest.mark.parametrize(
    ("mask", "operation", "found"),
    [
        (NEW, 1, []), (NEW | ESTABLISHED, 1, []), (ESTABLISHED, 1, [NEVER]), (ESTABLISHED, 0, [other("state")]),
    ],
)  # fmt: skip
def test_states_of_connections_hold_for_new_ones(mask: int, operation: int, found: list[Condition]) -> None:
    state = step("ct", a1=1, a2=0)
    masked = step("bitwise", a1=1, a2=1, a4=attribute(1, host(mask)), a5=attribute(1, bytes(4)))
    assert conditions(state, masked, compare(bytes(4), operation=operation)) == found


@pytest.mark.parametrize(("value", "operation", "found"), [(NEW, 0, []), (NEW, 1, [NEVER]), (ESTABLISHED, 0, [NEVER])])
def test_a_state_that_is_compared_whole(value: int, operation: int, found: list[Condition]) -> None:
    assert conditions(step("ct", a1=1, a2=0), compare(host(value), operation=operation)) == found


@pytest.mark.parametrize(("protocol", "version"), [(2, 4), (10, 6)])
def test_in_tables_of_both_families_addresses_are_of_the_one_that_was_asked_for(protocol: int, version: int) -> None:
    asked = [step("meta", a1=1, a2=15), compare(bytes([protocol]))]
    address = [DESTINATION, compare(V4)] if version == 4 else [DESTINATION6, compare(V6)]
    words = "192.0.2.7/32" if version == 4 else "2001:db8::7/128"
    assert conditions(*asked, *address, family=1) == [
        Condition("family", (version,)), Condition("destination", (words,)),
    ]  # fmt: skip
    assert conditions(*address, family=1) == [other("payload")]
    unequal = [asked[0], compare(bytes([protocol]), operation=1)]
    assert conditions(*unequal, *address, family=1)[-1] == other("payload")


@pytest.mark.parametrize(
    ("code", "chain", "wanted"),
    [
        (0, "", ("drop", "")), (1, "", ("accept", "")), (-5, "", ("return", "")), (-3, "x", ("jump", "x")),
        (-4, "y", ("goto", "y")), (77, "", ("accept", "")),
    ],
)  # fmt: skip
def test_verdicts(code: int, chain: str, wanted: tuple[str, str]) -> None:
    [rule] = read(verdict(code, chain))
    assert (rule.verdict, rule.target) == wanted


# --- where packets are sent -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        ([constant(V4), step("nat", a1=1, a2=2, a3=1)], "192.0.2.7"),
        ([constant(V4), constant(b"\x0a\x0b", 2), step("nat", a1=1, a2=2, a3=1, a5=2)], "192.0.2.7:2571"),
        ([constant(V6), constant(b"\0\x19", 2), step("nat", a1=1, a2=10, a3=1, a5=2)], "[2001:db8::7]:25"),
        ([constant(b"\0\x19"), step("redir", a1=1)], ":25"), ([step("redir")], ""),
        ([constant(V4), step("nat", a1=1, a2=10, a3=1)], ""),  # an address that is too short
        ([MARK, step("nat", a1=1, a2=2, a3=1)], ""),  # that the packet decides
    ],
)  # fmt: skip
def test_where_a_rule_sends_packets(steps: list[bytes], wanted: str) -> None:
    [rule] = read(*steps)
    assert (rule.verdict, rule.target) == ("divert", wanted)


def test_what_changes_the_source_sends_nothing_elsewhere() -> None:
    [rule] = read(constant(V4), step("nat", a1=0, a2=2, a3=1))
    assert rule.verdict == "next"


# --- sets and maps ----------------------------------------------------------------------------------------------------


def element(first: bytes, last: bytes = b"", data: bytes = b"", **more: Any) -> Element:
    return Element(first, last or first, data, **more)


LOOKUP = step("lookup", a1=b"s\0", a2=1)


def test_one_of_a_set_is_enough() -> None:
    ports = (element(b"\0\x19"), element(b"\0\x50", b"\0\x5a"))
    assert conditions(PORT, LOOKUP, s=ports) == [Condition("ports", ((25, 25), (80, 90)))]
    assert conditions(PORT, LOOKUP) == [NEVER]  # an empty one
    assert conditions(MARK, LOOKUP, s=(element(b"\0\0\0\1"),)) == [other("set")]
    outside = step("lookup", a1=b"s\0", a2=1, a5=1)
    assert conditions(PORT, outside, s=ports) == [
        Condition("ports", ((25, 25),), True), Condition("ports", ((80, 90),), True),
    ]  # fmt: skip
    assert conditions(PORT, outside) == []
    assert conditions(PORT, outside, s=(element(b"", catch_all=True),)) == [other("set")]


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([None, Condition("ports", ((1, 1),))], []), ([NEVER, NEVER], [NEVER]), ([], [NEVER]),
        ([NEVER, Condition("ports", ((1, 1),))], [Condition("ports", ((1, 1),))]),
        ([Condition("ports", ((1, 1),)), Condition("source", ("x",))], [other("set")]),
        ([Condition("ports", ((1, 1),)), Condition("ports", ((2, 2),), True)], [other("set")]),
        ([other("mark"), other("mark")], [other("set")]),
    ],
)  # fmt: skip
def test_conditions_of_which_one_has_to_hold(found: list[Condition | None], wanted: list[Condition]) -> None:
    assert expressions._one_of(found) == wanted


def test_a_map_of_verdicts_is_a_rule_for_each_element() -> None:
    def sends(code: int, chain: str = "") -> bytes:
        named = attribute(2, chain.encode() + b"\0") if chain else b""
        return attribute(2, attribute(1, struct.pack(">i", code)) + named)

    elements = (element(b"\0\x19", data=sends(-3, "x")), element(b"\0\x50", data=sends(0)),
                element(b"", data=sends(1), catch_all=True))  # fmt: skip
    rules = read(PORT, step("lookup", a1=b"s\0", a2=1, a3=0), s=elements)
    assert [(rule.verdict, rule.target, rule.conditions) for rule in rules] == [
        ("jump", "x", (Condition("ports", ((25, 25),)),)), ("drop", "", (Condition("ports", ((80, 80),)),)),
        ("accept", "", ()),
    ]  # fmt: skip


def test_a_map_to_addresses_and_ports_sends_to_each() -> None:
    data = attribute(1, V4 + b"\0\x50\0\0")
    steps = (PORT, step("lookup", a1=b"s\0", a2=1, a3=9), step("nat", a1=1, a2=2, a3=9, a5=10))
    [rule] = read(*steps, s=(element(b"\0\x19", data=data),))
    assert (rule.verdict, rule.target, rule.conditions) == (
        "divert", "192.0.2.7:80", (Condition("ports", ((25, 25),)),),
    )  # fmt: skip


def test_what_shares_a_load_out_may_send_to_every_element() -> None:
    chance = step("numgen", a1=1, a2=2)
    elements = tuple(element(be32(at), data=attribute(1, bytes([10, 0, 0, at]))) for at in range(2))
    rules = read(chance, step("lookup", a1=b"s\0", a2=1, a3=9), step("nat", a1=1, a2=2, a3=9), s=elements)
    assert [(rule.target, rule.conditions) for rule in rules] == [("10.0.0.0", ()), ("10.0.0.1", ())]


def test_keys_of_several_parts_are_compared_part_by_part() -> None:
    parts = (step("payload", a1=8, a2=1, a3=16, a4=4), step("payload", a1=9, a2=2, a3=2, a4=2))
    lookup = step("lookup", a1=b"s\0", a2=8)
    rules = read(*parts, lookup, verdict(0), s=(element(V4 + b"\0\x19\0\0"), element(V4 + b"\0\x50\0\0")))
    assert [rule.conditions for rule in rules] == [
        (Condition("destination", ("192.0.2.7/32",)), Condition("ports", ((port, port),))) for port in (25, 80)
    ]


def test_a_rule_that_says_too_much_takes_packets_by_a_map_that_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "RULES", 1)
    mapped = step("lookup", a1=b"s\0", a2=1, a3=9)
    elements = tuple(element(struct.pack(">H", at)) for at in range(5))
    assert read(PORT, mapped, s=elements) == [Rule((other("map"),), "divert", "", 9)]


def test_of_intervals_the_last_has_no_end_and_all_others_have_theirs() -> None:
    def row(key: bytes, flags: int = 0, last: bytes = b"", data: bytes = b"") -> dict[int, bytes]:
        found = {1: attribute(1, key), 3: be32(flags), 2: data}
        return found | ({10: attribute(1, last)} if last else {})

    plain = list(_read_elements([row(b"\1"), row(b"\2", last=b"\4"), row(b"", flags=2, data=b"x")], interval=False))
    assert [(one.first, one.last, one.data, one.any) for one in plain] == [
        (b"\1", b"\1", b"", False), (b"\2", b"\4", b"", False), (b"", b"", b"x", True),
    ]  # fmt: skip
    ends = list(_read_elements([row(b"\1"), row(b"\3", flags=1), row(b"\5", last=b"\7")], interval=True))
    assert [(one.first, one.last) for one in ends] == [(b"\5", b"\7"), (b"\1", b"\2")]


# --- extensions of iptables -------------------------------------------------------------------------------------------


def multiport(flags: int, *ports: int, ranged: tuple[int, ...] = (), inverted: bool = False) -> bytes:
    marks = bytes(at in ranged for at in range(15))
    return struct.pack("=BB15H", flags, len(ports), *ports, *[0] * (15 - len(ports))) + marks + bytes([inverted])


def conntrack(flags: int, states: int, inverted: int = 0) -> bytes:
    return bytes(146) + struct.pack("=HHH", flags, inverted, states) + bytes(8)


@pytest.mark.parametrize(
    ("name", "revision", "data", "condition"),
    [
        ("multiport", 1, multiport(1, 25, 80), Condition("ports", ((25, 25), (80, 80)))),
        ("multiport", 1, multiport(1, 20, 30, 80, ranged=(0,)), Condition("ports", ((20, 30), (80, 80)))),
        ("multiport", 1, multiport(2, 25, inverted=True), Condition("ports", ((25, 25),), True)),
        ("multiport", 1, multiport(1, 25, ranged=(0,)), Condition("ports", ((25, 25),))),  # a range without an end
        ("multiport", 0, multiport(1, 25, 80)[:32], Condition("ports", ((25, 25), (80, 80)))),
        ("multiport", 0, b"\1\1", other("multiport")), ("multiport", 1, b"\1\1", other("multiport")),
        ("conntrack", 3, conntrack(1, NEW), None), ("conntrack", 3, conntrack(1, ESTABLISHED), NEVER),
        ("conntrack", 3, conntrack(1, ESTABLISHED, 1), None), ("conntrack", 2, conntrack(1, NEW, 1), NEVER),
        ("conntrack", 3, conntrack(1 | 1 << 13, NEW), None), ("conntrack", 3, conntrack(3, NEW), other("conntrack")),
        ("conntrack", 1, conntrack(1, NEW), other("conntrack")), ("conntrack", 3, b"", other("conntrack")),
        ("tcp", 0, struct.pack("=HHHHBBBB", 0, 65535, 0, 65535, 0, 0, 0, 2), Condition("ports", ((0, 65535),), True)),
        ("tcp", 0, struct.pack("=HHHHBBBB", 0, 65535, 1, 2, 3, 0, 0, 0), other("tcp")),
        ("tcp", 0, struct.pack("=HHHHBBBB", 0, 65535, 1, 2, 0, 0, 0, 8), other("tcp")),
        ("addrtype", 0, struct.pack("=HHII", 0, 4, 0, 0), None),
        ("addrtype", 1, struct.pack("=HHI", 0, 4, 4), other("addrtype")),
        ("addrtype", 1, struct.pack("=HHI", 0, 0, 0), other("addrtype")),
        ("addrtype", 1, struct.pack("=HHI", 0, 8, 2), None),
        ("icmp", 0, b"", NEVER), ("sctp", 0, b"", NEVER), ("icmp6", 0, b"", NEVER),
    ],
)  # fmt: skip
def test_what_a_match_asks(name: str, revision: int, data: bytes, condition: Condition | None) -> None:
    assert match(name, revision, data) == condition


def ranged(flags: int, address: bytes, port: int) -> bytes:
    """Write an nf_nat_range2, as DNAT has it since revision 2 and ip6tables always."""
    return struct.pack("=I", flags) + address.ljust(16, b"\0") * 2 + struct.pack(">HH", port, port) + bytes(4)


def old(flags: int, address: bytes, port: int) -> bytes:
    """Write an nf_nat_ipv4_multi_range_compat with one range."""
    return struct.pack("=II", 1, flags) + address * 2 + struct.pack(">HH", port, port)


@pytest.mark.parametrize(
    ("name", "revision", "data", "version", "wanted"),
    [
        ("DNAT", 0, old(3, V4, 80), 4, ("divert", "192.0.2.7:80")),
        ("DNAT", 0, old(1, V4, 0), 4, ("divert", "192.0.2.7")),
        ("DNAT", 2, ranged(3, V4, 80), 4, ("divert", "192.0.2.7:80")),
        ("DNAT", 0, old(2, V4, 80), 4, ("divert", ":80")),
        ("DNAT", 1, ranged(3, V6, 80), 6, ("divert", "[2001:db8::7]:80")),
        ("DNAT", 0, ranged(1, V6, 0), 6, ("divert", "2001:db8::7")),
        ("REDIRECT", 0, old(3, V4, 8080), 4, ("divert", ":8080")), ("REDIRECT", 0, b"", 4, ("divert", "")),
        ("NETMAP", 0, old(1, V4, 0), 4, ("divert", "192.0.2.7")), ("MARK", 2, b"", 4, ("next", "")),
        ("LOG", 0, b"", 4, ("next", "")), ("DNAT", 2, ranged(1, V4, 0)[:6], 4, ("divert", "")),
        ("DNAT", 0, b"", 4, ("divert", "")), ("DNAT", 1, ranged(1, V6, 0)[:9], 6, ("divert", "")),
    ],
)  # fmt: skip
def test_where_a_target_sends_packets(name: str, revision: int, data: bytes, version: int, wanted: Any) -> None:
    assert target(name, revision, data, version) == wanted


@pytest.mark.parametrize(
    ("address", "port", "version", "text"),
    [
        (V4, 25, 4, "192.0.2.7:25"), (V4.ljust(16, b"\0"), 0, 4, "192.0.2.7"), (V6, 25, 6, "[2001:db8::7]:25"),
        (b"", 25, 4, ":25"), (b"", 0, 6, ""),
    ],
)  # fmt: skip
def test_places_are_written_as_people_write_them(address: bytes, port: int, version: int, text: str) -> None:
    assert place(address, port, version) == text
