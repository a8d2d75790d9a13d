"""Which route a packet takes by rules and tables, as the kernel goes through them."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from preflight.facts import MissingFact, Route, RoutingRule
from preflight.packets import tables
from preflight.packets.routing import way_out
from preflight.packets.tables import STANDARD, Packet, lookup, matches, rules_of
from tests.build import host

HERE = ipaddress.ip_address("198.51.100.7")
DEFAULT = Route("0.0.0.0/0", "eth0", "198.51.100.1", 0)


def rule(**more: Any) -> RoutingRule:
    given: dict[str, Any] = {"version": 4, "priority": 100, "action": "table", "table": 254}
    return RoutingRule(**{**given, **more})


def route(destination: str, interface: str = "eth1", table: int = 254, metric: int = 0, kind: Any = "unicast") -> Route:
    return Route(destination, interface, "", metric, table, kind)


def taken(rules: tuple[RoutingRule, ...], *routes: Route, source: str = "") -> str | None:
    packet = Packet(HERE, ipaddress.ip_address(source) if source else None)
    found = lookup(rules, routes, packet)
    return found.interface if found else None


FOUR = tuple(one for one in STANDARD if one.version == 4)


@pytest.mark.parametrize(
    ("routes", "interface"),
    [
        ((DEFAULT, route("198.51.100.0/24")), "eth1"), ((route("198.51.100.0/24"), DEFAULT), "eth1"),
        ((DEFAULT, route("198.51.101.0/24")), "eth0"), ((), None), ((route("::/0"),), None),
        ((route("0.0.0.0/0", "a", metric=9), route("0.0.0.0/0", "b", metric=3)), "b"),
        ((route("0.0.0.0/0", "a"), route("0.0.0.0/0", "b")), "a"),  # of two as good the first
        ((DEFAULT, route("198.51.100.7/32", "*", kind="blackhole")), "*"),
        ((DEFAULT, route("198.51.100.7/32", "*", kind="throw")), None),
        ((DEFAULT, route("198.51.100.7/32", "lo", 255)), "lo"), ((route("0.0.0.0/0", "late", 253),), "late"),
        ((route("nonsense"), DEFAULT), "eth0"),
    ],
)  # fmt: skip
def test_the_longest_prefix_wins_and_then_the_lowest_metric(routes: tuple[Route, ...], interface: str | None) -> None:
    assert taken(FOUR, *routes) == interface


@pytest.mark.parametrize(
    ("rules", "interface"),
    [
        ((rule(table=7), *FOUR), "seven"), ((rule(table=8), *FOUR), "eth0"),
        ((rule(table=7, source="10.0.0.0/8"), *FOUR), "eth0"),
        ((rule(table=7, destination="198.51.100.0/24"),), "seven"),
        ((rule(table=7, destination="203.0.113.0/24"), *FOUR), "eth0"),
        ((rule(table=7, destination="203.0.113.0/24", inverted=True), *FOUR), "seven"),
        ((rule(table=7, mark=9), *FOUR), "eth0"), ((rule(table=7, mark=9, inverted=True), *FOUR), "seven"),
        ((rule(table=7, outgoing="eth9"), *FOUR), "eth0"), ((rule(table=7, others=("dport",)), *FOUR), "eth0"),
        ((rule(table=7, incoming="lo"), *FOUR), "seven"), ((rule(table=7, incoming="eth0"), *FOUR), "eth0"),
        ((rule(table=7, suppress=0), *FOUR), "eth0"), ((rule(action="nop"), *FOUR), "eth0"),
        ((rule(action="unreachable"), *FOUR), "*"), ((rule(action="prohibit", mark=3), *FOUR), "eth0"),
        ((rule(action="goto", goto=32766), rule(priority=200, table=7), *FOUR), "eth0"),
        ((rule(action="goto", goto=150), rule(priority=200, table=7), *FOUR), "seven"),
        ((rule(action="goto", goto=40000), *FOUR), None),
    ],
)  # fmt: skip
def test_rules_are_asked_in_their_order(rules: tuple[RoutingRule, ...], interface: str | None) -> None:
    assert taken(rules, DEFAULT, route("0.0.0.0/0", "seven", 7)) == interface


def test_a_refusal_tells_for_what_it_holds() -> None:
    found = lookup((rule(action="blackhole", destination="198.51.0.0/16"),), (), Packet(HERE))
    assert found == Route("198.51.0.0/16", "*", "", 0, kind="blackhole")
    six = Packet(ipaddress.ip_address("2001:db8::1"))
    everywhere = lookup((rule(version=6, action="prohibit"),), (), six)
    assert everywhere is not None
    assert everywhere.destination == "::/0"


def test_suppressed_are_routes_that_are_no_longer_than_that() -> None:
    seven = (route("0.0.0.0/0", "all", 7), route("198.51.100.0/24", "near", 7))
    assert taken((rule(table=7, suppress=24), *FOUR), DEFAULT, *seven) == "eth0"
    assert taken((rule(table=7, suppress=23), *FOUR), DEFAULT, *seven) == "near"


def test_a_source_that_is_not_settled_matches_no_rule_for_sources() -> None:
    one = rule(source="10.0.0.0/8")
    assert not matches(one, Packet(HERE))
    assert matches(one, Packet(HERE, ipaddress.ip_address("10.1.2.3")))
    assert not matches(one, Packet(HERE, ipaddress.ip_address("11.1.2.3")))


def test_rules_that_jump_in_a_circle_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_STEPS", 2)
    assert taken((rule(action="nop"), rule(action="nop"), *FOUR), DEFAULT) is None


# --- which rules a host has -------------------------------------------------------------------------------------------


def test_facts_from_before_there_were_rules_are_of_a_host_without_them() -> None:
    old = host(routes=(DEFAULT,))
    assert rules_of(old, 4) == FOUR
    assert [one.version for one in rules_of(old, 6)] == [6, 6]
    assert rules_of(host(), 4) == FOUR
    with pytest.raises(MissingFact):
        rules_of(host(routes=(DEFAULT, route("0.0.0.0/0", "wg0", 51820))), 4)
    both = host(rules=(rule(), rule(version=6)))
    assert rules_of(both, 6) == (rule(version=6),)


# --- mailcow's own way ------------------------------------------------------------------------------------------------

TUNNEL = route("0.0.0.0/0", "wg0", 7)


@pytest.mark.parametrize(
    ("more", "interface"),
    [
        ({"source": "172.22.1.0/24"}, "wg0"), ({"incoming": "br-mailcow"}, "wg0"), ({"source": "10.0.0.0/8"}, "eth0"),
        ({"incoming": "docker0"}, "eth0"), ({"source": "172.22.1.0/24", "version": 6}, "eth0"),
    ],
)  # fmt: skip
def test_a_rule_for_mailcows_network_or_bridge_gives_it_a_way_of_its_own(more: dict[str, Any], interface: str) -> None:
    made = host(rules=(rule(table=7, **more), *STANDARD), routes=(DEFAULT, TUNNEL))
    found = way_out(made, 4)
    assert found is not None
    assert found.interface == interface


def test_the_networks_of_mailcow_conf_count() -> None:
    made = host(rules=(rule(table=7, source="10.9.8.0/24"), *STANDARD), routes=(DEFAULT, TUNNEL))
    for network, interface in (("10.9.8.0/24", "wg0"), ("", "eth0")):
        found = way_out(made, 4, network)
        assert found is not None
        assert found.interface == interface


def test_a_host_whose_routes_all_refuse_has_no_way() -> None:
    assert way_out(host(rules=STANDARD, routes=(route("0.0.0.0/0", "*", kind="unreachable"),)), 4) is None
    assert way_out(host(rules=STANDARD, routes=(DEFAULT,)), 6) is None
