"""What a stage is to look like."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest
from msgspec.structs import replace

from preflight.twin import stage_plan, uplinks
from preflight.twin.links import TEMPORARY, Address, Link, Neighbour
from preflight.twin.routes import UNICAST, Hop, Route, Routing, Way
from preflight.twin.surroundings import Surroundings
from preflight.twin.sysctls import Sysctls
from tests.twin.hosts import REQUEST

MAC = bytes.fromhex("525400abcdef")
LO, ETH0, ETH1 = Link(index=1, name="lo"), Link(index=2, name="eth0", up=True), Link(index=3, name="eth1", up=True)


def raw(text: str) -> bytes:
    """Return an address's bytes."""
    return ip_address(text).packed


def address(text: str, prefix: int, index: int = 2, flags: int = 0) -> Address:
    """Return an address of an interface."""
    return Address(socket.AF_INET6 if ":" in text else socket.AF_INET, index, raw(text), prefix, 0, flags)


def route(to: str, prefix: int, *hops: Hop) -> Route:
    """Return a route."""
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    return Route(family, UNICAST, 254, raw(to), prefix, hops, 0, b"")


HOST = Surroundings(
    links=(LO, ETH0, ETH1),
    addresses=(address("203.0.113.5", 24), address("2001:db8:1::5", 64)),
    routing=Routing(
        (
            route("0.0.0.0", 0, (2, socket.AF_INET, raw("203.0.113.1"))),
            route("203.0.113.0", 24, (2, 0, b"")),
            route("::", 0, (2, socket.AF_INET6, raw("fe80::1"))),
        )
    ),
    neighbours=(Neighbour(socket.AF_INET6, 2, raw("fe80::1"), MAC),),
    ways={
        4: Way(2, socket.AF_INET, raw("203.0.113.1"), raw("203.0.113.5")),
        6: Way(2, socket.AF_INET6, raw("fe80::1"), raw("2001:db8:1::5")),
    },
    sysctls=Sysctls({}),
)


def planned(around: Surroundings = HOST) -> stage_plan.Plan:
    """Plan a host's stage."""
    return stage_plan.plan(REQUEST, around, lambda _: True)


def test_both_families_share_one_uplink() -> None:
    plan = planned()
    assert [uplink.link for uplink in plan.uplinks] == [ETH0]
    uplink = plan.uplinks[0]
    assert uplink.far == MAC
    assert uplink.gateways == {raw("203.0.113.1"), raw("fe80::1")}
    assert uplink.hosts == {raw("203.0.113.5"), raw("2001:db8:1::5")}
    assert uplink.networks == {(raw("203.0.113.0"), 24), (raw("2001:db8:1::"), 64)}
    assert plan.others == [ETH1]
    assert (plan.bridge.index, plan.bridge.name) == (0, "br-mailcow")
    assert {version: [str(one) for one in own] for version, own in plan.inner.items()} == {
        4: ["172.22.1.1/24"],
        6: ["fd4d:6169:6c63:6f77::1/64"],
    }


def test_containers_send_from_addresses_of_their_own() -> None:
    assert planned().sides[4].containers == {
        "postfix-mailcow": "172.22.1.253",
        "dovecot-mailcow": "172.22.1.250",
        "unbound-mailcow": "172.22.1.254",
        "acme-mailcow": "172.22.1.99",
    }
    assert stage_plan.plan(replace(REQUEST, subnet6=""), HOST, lambda _: True).sides[6].containers == {}


def test_an_address_that_passes_is_not_the_host_s() -> None:
    around = replace(HOST, addresses=(*HOST.addresses, address("2001:db8:1::99", 64, flags=TEMPORARY)))
    way = replace(HOST.ways[6], source=raw("2001:db8:1::99"))
    plan = planned(replace(around, ways={**HOST.ways, 6: way}))
    assert plan.sides[6].host == "2001:db8:1::5"


def test_addresses_with_a_route_of_their_own_are_not_the_internet() -> None:
    first = planned().sides[4].sources[0]
    narrow = route(first, 32, (3, 0, b""))
    around = replace(HOST, routing=Routing((*HOST.routing.routes, narrow)))
    assert first not in {*planned(around).sides[4].sources, *planned(around).sides[4].targets}
    everywhere = tuple(route(f"{octet}.0.0.0", 8, (2, 0, b"")) for octet in range(256))
    assert planned(replace(HOST, routing=Routing(everywhere))).sides[4].sources[0] == first


def test_few_ordinary_addresses_are_enough() -> None:
    only = planned().sides[4].sources[:2]
    side = stage_plan.plan(REQUEST, HOST, lambda one: one in only or ":" in one).sides[4]
    assert (side.sources, side.targets, side.ordinary) == (only, only[-1:], True)


def test_neighbours_that_are_known_are_left_alone() -> None:
    there = Neighbour(socket.AF_INET, 2, raw("203.0.113.128"), MAC)
    assert planned(replace(HOST, neighbours=(there,))).sides[4].neighbour == "203.0.113.129"


def test_what_a_way_lacks_is_told() -> None:
    assert planned(replace(HOST, ways={})).absent == {4: "route", 6: "route"}
    nowhere = replace(HOST.ways[4], source=b"")
    assert planned(replace(HOST, ways={4: nowhere})).absent == {4: "address", 6: "route"}


def test_too_many_interfaces_are_not_copied() -> None:
    ends = tuple(Link(index=10 + number, name=f"v{number}", kind="veth", master=3) for number in range(300))
    assert planned(replace(HOST, links=(*HOST.links, *ends))).others == [ETH1]
    assert len(planned(replace(HOST, links=(*HOST.links, *ends[:20]))).others) == 21
    many = tuple(Link(index=10 + number, name=f"v{number}") for number in range(stage_plan.LINKS + 1))
    with pytest.raises(OSError, match="interfaces"):
        planned(replace(HOST, links=many))


def test_uplinks_are_few() -> None:
    ends = tuple(Link(index=10 + number, name=f"v{number}") for number in range(20))
    wide = tuple(route("0.0.0.0", 0, (link.index, 0, b"")) for link in ends)
    around = replace(HOST, links=(*HOST.links, *ends), routing=Routing((*HOST.routing.routes, *wide)))
    plan = planned(around)
    assert len(plan.uplinks) == uplinks.MOST
    assert plan.uplinks[0].link == ETH0
    assert plan.uplinks[1].far == uplinks.FAR
