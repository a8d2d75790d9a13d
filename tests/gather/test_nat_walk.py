"""Who takes a port, followed through chains and tables; tables read from what a kernel says, without one."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from preflight.facts import Diversion, Nat, View
from preflight.gather.access.roots import Roots
from preflight.gather.nat import legacy, nat, nft
from preflight.gather.nat.matching import NEVER, Base, Condition, Rule, other
from preflight.gather.nat.walk import DEEPEST, Narrowed, TooMany, Walker, narrow, rest
from preflight.gather.network import netlink
from tests.gather.kernel import attribute

VIEW = View(container=False, root="/", live=True, network=True, privileged=None)


def base(family: str = "ip", priority: int = -100, table: str = "nat", **chains: list[Rule]) -> Base:
    return Base("nf_tables", family, table, "PREROUTING", priority, lambda name: chains.get(name, []))


def to(place: str, *conditions: Condition) -> Rule:
    return Rule(conditions, "divert", place)


def told(*bases: Base, ports: tuple[int, ...] = (25,), addresses: tuple[str, ...] | None = None) -> list[Diversion]:
    return list(nat.taken(list(bases), ports, addresses).diversions)


# --- for which packets ------------------------------------------------------------------------------------------------

NET, NARROWER, ELSEWHERE = "198.51.100.0/24", "198.51.100.7/32", "203.0.113.0/24"


def limited(**lists: tuple[str, ...]) -> Narrowed:
    return Narrowed(**lists)


@pytest.mark.parametrize(
    ("so_far", "condition", "left"),
    [
        (limited(), Condition("destination", (NET,)), limited(destinations=(NET,))),
        (limited(destinations=(NET,)), Condition("destination", (NARROWER,)), limited(destinations=(NARROWER,))),
        (limited(destinations=(NARROWER,)), Condition("destination", (NET,)), limited(destinations=(NARROWER,))),
        (limited(destinations=(NET,)), Condition("destination", (ELSEWHERE,)), None),
        (limited(destinations=(NARROWER,)), Condition("destination", (NET,), True), None),
        (limited(destinations=(NET,)), Condition("destination", (NARROWER,), True),
         limited(destinations=(NET,), not_destinations=(NARROWER,))),
        (limited(destinations=(NET,)), Condition("destination", (ELSEWHERE,), True), limited(destinations=(NET,))),
        (limited(not_destinations=(NET,)), Condition("destination", (NARROWER,)), None),
        (limited(interfaces=("eth*",)), Condition("interface", ("eth0",)), limited(interfaces=("eth0",))),
        (limited(interfaces=("eth0",)), Condition("interface", ("lo",)), None),
        (limited(interfaces=("eth0",)), Condition("interface", ("eth*",), True), None),
        (limited(), Condition("interface", ("lo",), True), limited(not_interfaces=("lo",))),
        (limited(), Condition("source", ("10.0.0.0/8",), True), limited()),  # the rest of the world
        (limited(conditions=("mark",)), other("mark"), limited(conditions=("mark",))),
        (limited(conditions=("mark",)), other("limit"), limited(conditions=("mark", "limit"))),
        (limited(), Condition("ports", ((1, 24),)), None), (limited(), Condition("ports", ((25, 25),), True), None),
        (limited(), Condition("family", (6,)), None), (limited(), Condition("family", (6,), True), limited()),
        (limited(), Condition("source", ("fd00::/8",)), None), (limited(), NEVER, None),
    ],
)  # fmt: skip
def test_a_rule_narrows_what_came_to_it(so_far: Narrowed, condition: Condition, left: Narrowed | None) -> None:
    assert narrow(to("x", condition), 25, 4, so_far) == left


@pytest.mark.parametrize(
    ("so_far", "gone", "left"),
    [
        (limited(), limited(destinations=(NARROWER,)), limited(not_destinations=(NARROWER,))),
        (limited(), limited(not_destinations=(NET,)), limited(destinations=(NET,))),
        (limited(), limited(interfaces=("eth0",)), limited(not_interfaces=("eth0",))),
        # Neither of two things together, nor what cannot be left out, nor several of which none is left out.
        (limited(), limited(interfaces=("eth0",), destinations=(NET,)), limited()),
        (limited(), limited(conditions=("mark",)), limited()), (limited(), limited(sources=("10.0.0.0/8",)), limited()),
        (limited(), limited(not_interfaces=("eth0", "eth1")), limited()),
        (limited(destinations=(NARROWER,)), limited(destinations=(NARROWER,), interfaces=("lo",)),
         limited(destinations=(NARROWER,), not_interfaces=("lo",))),
        (limited(interfaces=("eth0",)), limited(interfaces=("eth0",), not_interfaces=("eth0",)),
         limited(interfaces=("eth0",))),
    ],
)  # fmt: skip
def test_what_ends_for_some_leaves_the_others(so_far: Narrowed, gone: Narrowed, left: Narrowed | None) -> None:
    assert rest(so_far, gone) == left


def test_rules_for_others_addresses_are_left_out() -> None:
    here, there = Condition("destination", (NARROWER,)), Condition("destination", (ELSEWHERE,))
    rules = [to("a", there), to("b", there._replace(negated=True)), to("c", here)]
    walker = Walker(("198.51.100.7",))
    found = [one.rule.target for one in walker.follow(base(PREROUTING=rules), 25, 4)]
    assert found == ["b"]
    assert walker.known[ELSEWHERE] is False
    everybody = [one.rule.target for one in Walker(None).follow(base(PREROUTING=rules), 25, 4)]
    assert everybody == ["a", "b"]
    assert [one.rule.target for one in Walker(()).follow(base(PREROUTING=[to("c", here)]), 25, 4)] == []


@pytest.mark.parametrize(("family", "version", "found"), [("ip", 6, 0), ("ip6", 4, 0), ("ip", 4, 1), ("ip6", 6, 1),
                                                          ("inet", 4, 1), ("inet", 6, 1)])  # fmt: skip
def test_a_table_is_of_its_family(family: str, version: int, found: int) -> None:
    assert len(list(Walker().follow(base(family, PREROUTING=[to("x")]), 25, version))) == found


def test_what_is_too_deep_or_too_long_is_given_up_with_what_was_found() -> None:
    endless = base(PREROUTING=[to("a", other("mark")), Rule((), "jump", "PREROUTING")])
    with pytest.raises(TooMany):
        list(Walker().follow(endless, 25, 4))
    chains: dict[str, list[Rule]] = {f"c{at}": [Rule((), "jump", f"c{at + 1}")] for at in range(DEEPEST - 2)}
    deep = base(PREROUTING=[Rule((), "jump", "c0")], **chains)
    assert list(Walker().follow(deep, 25, 4)) == []
    fine = base(priority=-200, PREROUTING=[to("first")])
    found = nat.taken([endless, fine], (25,))
    assert ([one.to for one in found.diversions], found.unread) == (["first"], "late")


def test_a_kernel_that_stops_answering_leaves_what_was_found() -> None:
    def broken(_chain: str) -> list[Rule]:
        raise OSError(errno.EIO, "no")

    bases = [base(priority=-200, PREROUTING=[to("a")]), Base("nf_tables", "ip", "x", "PREROUTING", 0, broken)]
    found = nat.taken(bases, (25,))
    assert ([one.to for one in found.diversions], found.unread) == (["a"], "refused")


def test_more_than_can_be_told_is_said() -> None:
    many = [to(f"10.0.0.{at}", other(f"m{at}")) for at in range(nat.DIVERSIONS + 1)]
    found = nat.taken([base(PREROUTING=many)], (25,))
    assert (len(found.diversions), found.unread) == (nat.DIVERSIONS, "late")
    assert nat.taken([base(PREROUTING=many[1:])], (25,)).unread == ""


# --- whose, and in which order ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "chain", "owner"),
    [
        ("nat", "DOCKER", "docker"), ("docker-bridges", "x", "docker"), ("nat", "NETAVARK-HOSTPORT-DNAT", "podman"),
        ("netavark", "x", "podman"), ("nat", "CNI-podman1", "podman"), ("nat", "KUBE-SERVICES", "kubernetes"),
        ("kube-proxy", "x", "kubernetes"), ("cni_hostport", "x", "kubernetes"), ("nat", "CILIUM_PRE_nat", "cilium"),
        ("nat", "OLD_CILIUM_PRE", "cilium"), ("firewalld", "x", "firewalld"), ("nat", "PRE_public_allow", "firewalld"),
        ("nat", "LIBVIRT_PRT", "libvirt"), ("lxd", "pre", "lxd"), ("incus_x", "pre", "incus"),
        ("nat", "MYDOCKER", ""), ("mine", "DOCKER-USER", ""), ("nat", "docker", ""),
    ],
)  # fmt: skip
def test_whose_a_rule_is(table: str, chain: str, owner: str) -> None:
    [one] = told(base(table=table, PREROUTING=[Rule((), "jump", chain)], **{chain: [to("10.0.0.1")]}))
    assert (one.owner, one.chain, one.table, one.to) == (owner, chain, f"ip {table}", "10.0.0.1")


def test_the_nearest_chain_says_whose_it_is() -> None:
    rules = base(PREROUTING=[Rule((), "jump", "KUBE-SERVICES")], **{
        "KUBE-SERVICES": [Rule((), "jump", "DOCKER")], "DOCKER": [to("10.0.0.1")],
    })  # fmt: skip
    assert [one.owner for one in told(rules)] == ["docker"]


DOCKERS = [Rule((other("x"),), "jump", "DOCKER")]


@pytest.mark.parametrize(
    ("bases", "order", "native"),
    [
        ([base(PREROUTING=[to("x")])], "before", False),
        ([base(PREROUTING=[*DOCKERS, to("x")])], "after", False),
        ([base(PREROUTING=[to("x"), *DOCKERS])], "before", False),
        ([base(table="mine", PREROUTING=[to("x")])], "either", True),
        ([base("inet", PREROUTING=[to("x")])], "either", True),
        ([base(PREROUTING=[to("x")]), base(PREROUTING=DOCKERS)], "either", False),  # in iptables' other tables
        ([base(PREROUTING=[to("x")]), base("ip6", PREROUTING=DOCKERS)], "before", False),
        ([base(PREROUTING=[to("x")]), base(table="y", PREROUTING=DOCKERS)], "before", False),
        ([base(priority=-101, table="mine", PREROUTING=[to("x")])], "before", True),
        ([base(priority=-99, PREROUTING=[to("x")])], "after", False),
    ],
)  # fmt: skip
def test_a_rule_comes_before_dockers_or_after(bases: list[Base], order: str, native: bool) -> None:
    one = told(*bases)[0]
    assert (one.order, one.native) == (order, native)


def test_all_that_a_rule_is_limited_to_is_told() -> None:
    rule = to(":8025", Condition("destination", (NARROWER,)), Condition("source", ("10.0.0.0/8",)),
              Condition("interface", ("lo",), True), other("mark"))._replace(handle=7)  # fmt: skip
    [one] = told(base(PREROUTING=[rule]))
    assert one == Diversion(
        port=25, family="ipv4", backend="nf_tables", table="ip nat", chain="PREROUTING", rule=7, native=False,
        to=":8025", owner="", order="before", destinations=(NARROWER,), sources=("10.0.0.0/8",),
        not_interfaces=("lo",), conditions=("mark",),
    )  # fmt: skip


# --- tables of nf_tables ----------------------------------------------------------------------------------------------


def row(family: int, *parts: bytes) -> bytes:
    return bytes([family, 0, 0, 0]) + b"".join(parts)


def chain(table: str, name: str, kind: str = "nat", hook: int = 0, priority: int = -100, family: int = 2) -> bytes:
    place = attribute(4, attribute(1, struct.pack(">I", hook)) + attribute(2, struct.pack(">i", priority)))
    return row(family, attribute(1, table.encode() + b"\0"), attribute(3, name.encode() + b"\0"), place,
               attribute(7, kind.encode() + b"\0"))  # fmt: skip


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[int, list[bytes]]:
    """Return what a kernel says to dumps, by their kind."""
    said: dict[int, list[bytes]] = {}

    def dump(protocol: int, kind: int, _request: bytes) -> Iterator[bytes]:
        assert protocol == nft.NETFILTER
        return iter(said.get(kind, []))

    monkeypatch.setattr(netlink, "dump", dump)
    return said


def test_chains_are_those_of_nat_that_packets_enter_first(answers: dict[int, list[bytes]]) -> None:
    asleep = row(2, attribute(1, b"asleep\0"), attribute(2, struct.pack(">I", 1)))
    answers[nft.GET_TABLE] = [asleep, row(2, attribute(1, b"nat\0"), attribute(2, struct.pack(">I", 2)))]
    answers[nft.GET_CHAIN] = [
        chain("nat", "PREROUTING"), chain("nat", "late", priority=50), chain("nat", "out", hook=3),
        chain("nat", "filtering", kind="filter"), chain("asleep", "x"), chain("asleep", "same name", family=10),
        chain("bridge", "y", family=7), row(2, attribute(1, b"nat\0"), attribute(3, b"called\0")),
    ]  # fmt: skip
    found = [(one.family, one.table, one.chain, one.priority) for one in nft.bases()]
    assert found == [
        ("ip", "nat", "PREROUTING", -100), ("ip", "nat", "late", 50), ("ip6", "asleep", "same name", -100),
    ]  # fmt: skip


def test_rules_of_other_tables_are_none_of_a_table(answers: dict[int, list[bytes]]) -> None:
    def rule(table: str, handle: int, family: int = 2) -> bytes:
        return row(
            family, attribute(1, table.encode() + b"\0"), attribute(2, b"c\0"), attribute(3, struct.pack(">Q", handle))
        )

    answers[nft.GET_RULE] = [rule("t", 1), rule("other", 2), rule("t", 3, family=10), rule("t", 4)]
    table = nft.Table(2, "t")
    table.load()
    assert [one.handle for one in table.rules("c")] == [1, 4]
    assert list(table.rules("none")) == []


def test_a_set_is_read_once_and_maps_of_verdicts_are_known(answers: dict[int, list[bytes]]) -> None:
    def named(table: str, name: str, *more: bytes) -> bytes:
        return row(2, attribute(1, table.encode() + b"\0"), attribute(2, name.encode() + b"\0"), *more)

    flags = attribute(3, struct.pack(">I", 4))
    answers[nft.GET_SET] = [
        named("t", "v", attribute(6, struct.pack(">I", 0xFFFFFF00))), named("other", "s"), named("t", "s", flags),
    ]  # fmt: skip
    key = attribute(1, attribute(1, attribute(1, b"\0\x14")))
    end = attribute(1, attribute(1, attribute(1, b"\0\x1e")) + attribute(3, struct.pack(">I", 1)))
    answers[nft.GET_ELEMENTS] = [row(2, attribute(3, key)), row(2, attribute(3, end))]
    table = nft.Table(2, "t")
    [one] = table.elements("s")
    assert (one.first, one.last) == (b"\0\x14", b"\0\x1d")
    answers.clear()
    assert table.elements("s") == (one,)
    assert (table.verdicts("v"), table.verdicts("s"), table.verdicts("absent")) == (True, False, False)


# --- tables of ip_tables ----------------------------------------------------------------------------------------------


def entry(code: int | None = None, name: str = "", data: bytes = b"", head: bytes = b"", matches: bytes = b"") -> bytes:
    """Write an ipt_entry with its target: a verdict, or one with a name."""
    data = struct.pack("=i4x", code) if code is not None else data
    target = struct.pack("=H29sB", 32 + len(data), name.encode(), 0) + data
    first = 112 + len(matches)
    return head.ljust(88, b"\0") + struct.pack("=HH20x", first, first + len(target)) + matches + target


ACCEPT, RETURN = entry(-2), entry(-5)


def head(*, inverted: int = 0, flags: int = 0, protocol: int = 0, **parts: bytes) -> bytes:
    """Write an ipt_ip: addresses and masks, the interface with its mask."""
    made = bytearray(84)
    for at, name in ((0, "source"), (4, "destination"), (8, "source_mask"), (12, "destination_mask"), (16, "interface"),
                     (48, "interface_mask")):  # fmt: skip
        value = parts.get(name, b"")
        made[at : at + len(value)] = value
    made[80:84] = struct.pack("=HBB", protocol, flags, inverted)
    return bytes(made)


def first(table: bytes) -> Rule:
    return legacy.read(table, 0, 4)["PREROUTING"][0]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (head(), []),
        (head(source=bytes([10, 0, 0, 0]), source_mask=bytes([255, 0, 0, 0])), [Condition("source", ("10.0.0.0/8",))]),
        (head(destination=bytes([10, 0, 0, 1]), destination_mask=b"\xff" * 4, inverted=0x10),
         [Condition("destination", ("10.0.0.1/32",), True)]),
        (head(source=bytes([10, 0, 0, 0]), source_mask=bytes([255, 0, 255, 0])), [other("source")]),
        (head(source=bytes([10, 0, 0, 0]), source_mask=b"\xff" * 4, inverted=0x10),
         [Condition("source", ("10.0.0.0/32",))]),
        (head(interface=b"eth0\0", interface_mask=b"\xff" * 5), [Condition("interface", ("eth0",))]),
        (head(interface=b"eth", interface_mask=b"\xff" * 3), [Condition("interface", ("eth*",))]),
        (head(interface=b"lo\0", interface_mask=b"\xff" * 3, inverted=0x01), [Condition("interface", ("lo",), True)]),
        (head(protocol=6), []), (head(protocol=17), [NEVER]),
        (head(protocol=6, inverted=0x40), [NEVER]), (head(protocol=17, inverted=0x40), []),
    ],
)  # fmt: skip
def test_what_an_entry_asks(given: bytes, found: list[Condition]) -> None:
    rule = first(entry(-2, head=given) + ACCEPT)
    assert list(rule.conditions) == found


@pytest.mark.parametrize(("code", "verdict"), [(-1, "drop"), (-2, "accept"), (-5, "return"), (-9, "accept")])
def test_verdicts_of_entries(code: int, verdict: str) -> None:
    assert first(entry(code, head=head(protocol=6)) + ACCEPT).verdict == verdict


def test_chains_are_known_by_the_entry_that_names_them() -> None:
    jump, sends = entry(0, head=head(protocol=6)), entry(-2)
    size = len(jump)
    named = entry(name="ERROR", data=b"mine".ljust(32, b"\0"))
    start = 2 * size + len(named)
    table = (
        entry(start, head=head(protocol=6))
        + ACCEPT
        + named
        + sends
        + RETURN
        + entry(name="ERROR", data=b"ERROR" + bytes(27))
    )
    chains = legacy.read(table, 0, 4)
    assert [(rule.verdict, rule.target, rule.handle) for rule in chains["PREROUTING"]] == [
        ("jump", "mine", 1), ("accept", "", 2),
    ]  # fmt: skip
    assert [rule.verdict for rule in chains["mine"]] == ["accept", "return"]
    goes = entry(start, head=head(protocol=6, flags=2)) + table[size:]
    assert first(goes).verdict == "goto"


def test_matches_of_an_entry_are_read_until_one_is_damaged() -> None:
    def made(name: str, data: bytes, length: int = 0) -> bytes:
        return struct.pack("=H29sB", length or 32 + len(data), name.encode(), 0) + data

    tcp = made("tcp", struct.pack("=HHHHBBBB4x", 0, 65535, 25, 25, 0, 0, 0, 0))
    ports = Condition("ports", ((25, 25),))
    assert list(first(entry(-2, matches=tcp + made("quota", bytes(8))) + ACCEPT).conditions) == [ports, other("quota")]
    assert list(first(entry(-2, matches=tcp + made("x", b"", 8)) + ACCEPT).conditions) == [ports, other("match")]
    assert list(first(entry(-2, matches=tcp + made("x", b"", 999)) + ACCEPT).conditions) == [ports, other("match")]


@pytest.mark.parametrize(("target", "size"), [(112, 120), (112, 147), (111, 152), (112, 160), (60_000, 60_040)])
def test_an_entry_whose_parts_do_not_fit_is_no_table(target: int, size: int) -> None:
    whole = ACCEPT + entry(-2)
    broken = whole[: len(ACCEPT) + 88] + struct.pack("=HH", target, size) + whole[len(ACCEPT) + 92 :]
    with pytest.raises(OSError, match="Bad message"):
        legacy.read(broken, 0, 4)
    assert legacy.read(whole, 0, 4)["PREROUTING"]


@pytest.mark.parametrize(("hooks", "there"), [(0b1, True), (0b11011, True), (0b11010, False)])
def test_a_table_may_have_no_chain_for_what_comes_in(monkeypatch: pytest.MonkeyPatch, hooks: int, there: bool) -> None:
    info = bytes(32) + struct.pack("=I", hooks) + bytes(20) + bytes(28)
    monkeypatch.setattr(legacy, "fetch", lambda _version, _table: (info, entry(-1, head=head(protocol=6)) + ACCEPT))
    found = legacy.base(4)
    assert (found is not None) is there
    if found:
        assert (found.family, found.priority) == ("ip", -100)
        assert [rule.verdict for rule in found.rules("PREROUTING")] == ["drop", "accept"]
        assert list(found.rules("none")) == []


def test_a_table_that_is_too_large_is_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def option(_socket: Any, _level: int, number: int, _request: bytes) -> bytes:
        asked.append(number)
        return bytes(80) + struct.pack("=I", legacy.TABLE_BYTES + 1)

    monkeypatch.setattr(legacy, "option", option)
    with pytest.raises(OSError, match="too large") as raised:
        legacy.fetch(4, "nat")
    assert (raised.value.errno, asked) == (errno.EFBIG, [legacy.GET_INFO])


def test_entries_come_after_their_head_and_their_size_is_what_the_kernel_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def option(_socket: Any, level: int, number: int, request: bytes) -> bytes:
        assert (level, request[:4]) == (0, b"nat\0")
        if number == legacy.GET_INFO:
            return bytes(80) + struct.pack("=I", 6)
        assert struct.unpack_from("=I", request, 32) == (6,)
        return bytes(40) + b"entry!"

    monkeypatch.setattr(legacy, "option", option)
    assert legacy.fetch(4, "nat")[1] == b"entry!"


# --- what is asked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loaded", "names", "wanted"),
    [
        ({"nf_nat": False}, "nat\n", []), ({"nf_tables": False}, "nat\n", [4, 6]),
        ({"nf_tables": False}, "filter\n", []),
        ({}, "nat\n", ["nft", 4, 6]), ({"nf_nat": None, "nf_tables": None}, "", ["nft"]),
    ],
)  # fmt: skip
def test_only_what_is_loaded_is_asked(
    monkeypatch: pytest.MonkeyPatch, loaded: dict[str, bool | None], names: str, wanted: list[Any]
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(nat, "_loaded", lambda _roots, module: loaded.get(module, True))
    monkeypatch.setattr(Roots, "text", lambda _self, _path, _limit: names)
    monkeypatch.setattr(nft, "bases", lambda: asked.append("nft") or [])
    monkeypatch.setattr(legacy, "base", lambda version: asked.append(version))
    assert nat.nat(Roots("/", VIEW, anchor="self"), (25,)).get() == Nat()
    assert asked == wanted
