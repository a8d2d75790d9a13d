"""What a stage is to look like."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest
from msgspec.structs import replace

from preflight.twin import stage_plan, uplinks
from preflight.twin.links import DEPRECATED, TEMPORARY, TENTATIVE, Address, Link, Neighbour
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
    assert (side.sources, side.targets, side.ordinary) == (only, only, True)


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


# --- the host's own address -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("others", "host"),
    [
        ([("2a01:4f8:1::7", 2, 0)], "2a01:4f8:1::7"),
        ([("2a01:4f8:1::7", 2, DEPRECATED), ("2a01:4f8:1::8", 2, 0)], "2a01:4f8:1::8"),
        ([("2a01:4f8:1::7", 2, TENTATIVE)], "2a01:4f8:1::99"),
        ([("2a01:4f8:1::7", 2, TEMPORARY)], "2a01:4f8:1::99"),
        ([("2a01:4f8:1::7", 3, 0)], "2a01:4f8:1::99"),  # on another interface
        ([("fd00::7", 2, 0)], "2a01:4f8:1::99"),  # nobody on the Internet goes there
        ([("fd00::7", 2, 0), ("2a01:4f8:1::7", 2, 0)], "2a01:4f8:1::7"),
        ([], "2a01:4f8:1::99"),
    ],
)
def test_a_temporary_address_gives_way_to_a_lasting_one_beside_it(
    others: list[tuple[str, int, int]], host: str
) -> None:
    own = [address("2a01:4f8:1::99", 64, flags=TEMPORARY), *(address(one, 64, *more) for one, *more in others)]
    way = replace(HOST.ways[6], source=raw("2a01:4f8:1::99"))
    plan = planned(replace(HOST, addresses=(HOST.addresses[0], *own), ways={**HOST.ways, 6: way}))
    assert plan.sides[6].host == host


def test_an_address_of_ipv4_is_the_one_that_the_kernel_takes() -> None:
    own = (address("203.0.113.5", 24, flags=TEMPORARY), address("203.0.113.6", 24))  # there it means a secondary one
    assert planned(replace(HOST, addresses=own)).sides[4].host == "203.0.113.5"


def test_an_address_of_the_link_alone_is_none() -> None:
    linked = replace(HOST.addresses[0], scope=253)
    assert planned(replace(HOST, addresses=(linked, HOST.addresses[1]))).absent == {4: "address"}


def test_a_way_over_mailcow_s_own_bridge_is_none() -> None:
    bridge = Link(index=2, name="br-mailcow")
    assert planned(replace(HOST, links=(LO, bridge, ETH1))).absent == {4: "address", 6: "address"}


# --- neighbours and containers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "neighbour"),
    [
        (address("203.0.113.5", 24), "203.0.113.128"),
        (address("203.0.113.5", 24, 3), ""),  # its network is on another interface
        (replace(address("203.0.113.5", 24), peer=raw("10.0.0.1")), ""),
    ],
)
def test_a_neighbour_is_in_the_network_of_the_way(own: Address, neighbour: str) -> None:
    assert planned(replace(HOST, addresses=(own,))).sides[4].neighbour == neighbour


@pytest.mark.parametrize("taken", ["address", "gateway"])
def test_a_neighbour_is_neither_the_host_nor_a_gateway(taken: str) -> None:
    more = (address("203.0.113.128", 24, 3),) if taken == "address" else ()
    routes = (route("10.0.0.0", 8, (2, socket.AF_INET, raw("203.0.113.128"))),) if taken == "gateway" else ()
    around = replace(
        HOST, addresses=(*HOST.addresses, *more), routing=Routing((*HOST.routing.routes, *routes))
    )  # fmt: skip
    assert planned(around).sides[4].neighbour == "203.0.113.129"


@pytest.mark.parametrize(
    ("subnet", "own", "others"),
    [
        ("172.22.1.0/24", (), {"unbound-mailcow": "172.22.1.254", "acme-mailcow": "172.22.1.99"}),
        ("172.22.1.7/24", (), {"unbound-mailcow": "172.22.1.254", "acme-mailcow": "172.22.1.99"}),
        ("172.22.1.0/24", (address("172.22.1.254", 24, 3),), {"acme-mailcow": "172.22.1.99"}),
        ("172.22.1.0/25", (), {"acme-mailcow": "172.22.1.99"}),  # the other one is not in it
        ("172.22.1.0/28", (), {}),
    ],
)
def test_other_containers_have_addresses_that_are_free(
    subnet: str, own: tuple[Address, ...], others: dict[str, str]
) -> None:
    request = replace(REQUEST, ports=(), subnet4=subnet)
    around = replace(HOST, addresses=(*HOST.addresses, *own))
    assert stage_plan.plan(request, around, lambda _: True).sides[4].containers == others


def test_a_container_that_has_the_address_keeps_it() -> None:
    (first, *_) = REQUEST.ports
    ports = (
        replace(first, service="unbound-mailcow", container4="172.22.1.9"),
        replace(first, container4="172.22.1.99"),
    )
    side = stage_plan.plan(replace(REQUEST, ports=ports), HOST, lambda _: True).sides[4]
    assert side.containers == {"unbound-mailcow": "172.22.1.9", "postfix-mailcow": "172.22.1.99"}


def test_a_bridge_that_is_there_keeps_its_addresses() -> None:
    bridge = Link(index=7, name="br-mailcow")
    own = (address("172.22.1.5", 25, 7), address("10.9.0.1", 24, 7), address("fd4d:6169:6c63:6f77::1", 64, 3))
    plan = planned(replace(HOST, links=(*HOST.links, bridge), addresses=(*HOST.addresses, *own)))
    assert plan.bridge is bridge
    assert {version: [str(one) for one in given] for version, given in plan.inner.items()} == {
        4: ["172.22.1.5/25"],
        6: ["fd4d:6169:6c63:6f77::1/64"],
    }
    assert plan.others == [ETH1]


# --- addresses of the Internet ----------------------------------------------------------------------------------------


def test_sources_and_targets_are_others() -> None:
    side = planned().sides[4]
    assert (len(side.sources), len(side.targets)) == (36, 2)
    assert len({*side.sources, *side.targets}) == 38


def test_an_address_that_the_host_has_itself_is_not_the_internet() -> None:
    first = planned().sides[4].sources[0]
    around = replace(HOST, addresses=(*HOST.addresses, address(first, 32, 3)))
    assert first not in planned(around).sides[4].sources


def test_halves_of_the_internet_are_no_narrow_routes() -> None:
    halves = (route("0.0.0.0", 1, (3, 0, b"")), route("128.0.0.0", 1, (3, 0, b"")))
    around = replace(HOST, routing=Routing((*HOST.routing.routes, *halves)))
    assert planned(around).sides[4].sources == planned().sides[4].sources


@pytest.mark.parametrize(("number", "sources", "targets"), [(1, 1, 1), (2, 2, 2), (3, 2, 2), (5, 4, 2)])
def test_few_ordinary_addresses_are_shared_out(number: int, sources: int, targets: int) -> None:
    there = planned().sides[4]
    only = (*there.sources, *there.targets)[:number]
    side = stage_plan.plan(REQUEST, HOST, lambda one: one in only or ":" in one).sides[4]
    assert (len(side.sources), len(side.targets)) == (sources, targets)
    assert {*side.sources, *side.targets} == {*only}
    assert side.ordinary
