"""The interfaces that lead to the Internet, and what is beyond them."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_interface

import pytest
from msgspec.structs import replace

from preflight.twin import uplinks
from preflight.twin.links import Address, Link, Neighbour
from preflight.twin.request import Port, Request
from preflight.twin.routes import LOCAL, UNICAST, Hop, Route, Routing, Way
from preflight.twin.surroundings import Surroundings
from preflight.twin.sysctls import Sysctls
from preflight.twin.uplinks import FAR, Uplink

MAC, OTHER = bytes.fromhex("525400abcdef"), bytes.fromhex("525400abcd00")
REQUEST = Request(ports=(), bridge="br-mailcow", subnet4="172.22.1.0/24")
NAMES = ("", "lo", "eth0", "eth1", "br-mailcow", "wg0")
LINKS = tuple(Link(index=index, name=name) for index, name in enumerate(NAMES) if index)


def raw(text: str) -> bytes:
    return ip_address(text).packed


def address(text: str, index: int = 2, prefix: int = 24, scope: int = 0) -> Address:
    return Address(socket.AF_INET6 if ":" in text else socket.AF_INET, index, raw(text), prefix, scope)


def route(prefix: int, *hops: Hop, kind: int = UNICAST, number: int = 0) -> Route:
    return Route(socket.AF_INET, kind, 254, bytes(4), prefix, hops, 0, b"", number)


def hop(index: int, gateway: str = "") -> Hop:
    return (index, int(socket.AF_INET) if gateway else 0, raw(gateway) if gateway else b"")


def around(*routes: Route, **changed: object) -> Surroundings:
    """Return a host with an address on eth0, whose way of IPv4 leads over it."""
    host = Surroundings(
        links=LINKS,
        addresses=(address("203.0.113.5"),),
        routing=Routing(routes),
        ways={4: Way(2, socket.AF_INET, raw("203.0.113.1"), raw("203.0.113.5"))},
        sysctls=Sysctls({}),
    )
    return replace(host, **changed)


def found(host: Surroundings, request: Request = REQUEST, **hosts: str) -> list[Uplink]:
    """Return the uplinks of a host, to whose address of IPv4 packets are sent."""
    return uplinks.find(request, host, {4: raw(hosts.get("four", "203.0.113.5"))})


def names(host: Surroundings) -> list[str]:
    return [uplink.link.name for uplink in found(host)]


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([], ["eth0"]),
        ([route(0, hop(3))], ["eth0", "eth1"]),
        ([route(1, hop(5)), route(0, hop(2))], ["eth0", "wg0"]),  # a VPN's half
        ([route(2, hop(3))], ["eth0"]),
        ([route(0, hop(3), kind=LOCAL)], ["eth0"]),
        ([route(0, hop(1))], ["eth0"]),
        ([route(0, hop(9))], ["eth0"]),  # gone meanwhile
        ([route(0, hop(4))], ["eth0"]),  # mailcow's bridge has its own end
        ([route(24, hop(3), number=7)], ["eth0", "eth1"]),  # of an object, which wants a carrier
        ([route(0, hop(3), hop(5)), route(0, hop(3))], ["eth0", "eth1", "wg0"]),
    ],
)
def test_which_interfaces_lead_out(routes: list[Route], expected: list[str]) -> None:
    assert names(around(*routes)) == expected


def test_the_way_itself_comes_first_however_many_there_are() -> None:
    ends = tuple(Link(index=index, name=f"v{index}") for index in range(10, 40))
    wide = [route(0, hop(link.index)) for link in ends]
    expected = ["eth0", *(f"v{index}" for index in range(10, 9 + uplinks.MOST))]
    assert names(around(*wide, links=(*LINKS, *ends))) == expected


def test_gateways_are_those_of_all_routes_over_it_but_the_hosts_own_addresses() -> None:
    host = around(
        route(0, hop(3, "198.51.100.1")), route(24, hop(2, "203.0.113.7"), hop(3, "198.51.100.2"), hop(5, "10.0.0.1")),
        route(24, hop(2, "203.0.113.5"), hop(2)),
    )  # fmt: skip
    first, second = found(host)
    assert first.gateways == {raw("203.0.113.1"), raw("203.0.113.7")}
    assert second.gateways == {raw("198.51.100.1"), raw("198.51.100.2")}


def test_gateways_are_not_without_number() -> None:
    many = [route(24, hop(2, str(ip_address("203.0.113.9") + place))) for place in range(200)]
    (uplink,) = found(around(*many))
    assert len(uplink.gateways) == uplinks.GATEWAYS


def test_a_way_without_a_gateway_has_none() -> None:
    (uplink,) = found(around(ways={4: Way(2, 0, b"", raw("203.0.113.5"))}))
    assert (uplink.gateways, uplink.hosts) == (set(), {raw("203.0.113.5")})


def test_each_address_of_the_host_is_reached_over_one_of_them() -> None:
    own = (
        address("203.0.113.5"), address("203.0.113.6", prefix=32), address("198.51.100.7", 3),
        address("203.0.113.5", 3, 28), address("169.254.0.9", scope=253), address("10.0.0.9", 5),
    )  # fmt: skip
    first, second = found(around(route(0, hop(3)), addresses=own))
    assert first.hosts == {raw("203.0.113.5"), raw("203.0.113.6")}
    assert second.hosts == {raw("198.51.100.7")}
    assert first.networks == {(raw("203.0.113.0"), 24), (raw("203.0.113.6"), 32)}
    assert second.networks == {(raw("198.51.100.0"), 24), (raw("203.0.113.0"), 28)}


@pytest.mark.parametrize(
    ("bound", "hosts"),
    [
        ("10.0.0.9", {"203.0.113.5", "10.0.0.9"}),  # on an interface that leads nowhere
        ("203.0.113.5", {"203.0.113.5"}),
        ("192.0.2.1", {"203.0.113.5"}),  # none of the host's
        ("169.254.7.7", {"203.0.113.5"}),  # of a link alone
        ("2001:db8::5", {"203.0.113.5"}),  # a family that is not judged
        ("", {"203.0.113.5"}),
    ],
)
def test_addresses_that_ports_are_bound_to_are_reached_wherever_they_are(bound: str, hosts: set[str]) -> None:
    own = (address("203.0.113.5"), address("10.0.0.9", 5), address("169.254.7.7", 5, scope=253), address("2001:db8::5"))
    request = replace(REQUEST, ports=(Port(bound, 25, "x", 25, "172.22.1.9"),))
    (uplink,) = found(around(addresses=own[:3]), request)
    assert uplink.hosts == {raw(one) for one in hosts}


def test_where_the_way_leads_over_mailcow_s_own_bridge_nothing_is_beyond() -> None:
    request = replace(REQUEST, ports=(Port("10.0.0.9", 25, "x", 25, "172.22.1.9"),))
    host = around(ways={4: Way(4, 0, b"", b"")}, addresses=(address("10.0.0.9", 5),))
    assert found(host, request) == []


@pytest.mark.parametrize(
    ("neighbours", "far"),
    [
        ([("203.0.113.1", 2, MAC), ("203.0.113.0", 2, OTHER)], MAC),
        ([("203.0.113.0", 2, OTHER)], OTHER),  # of another gateway, where the first is not known
        ([("203.0.113.1", 3, MAC)], FAR),
        ([("203.0.113.9", 2, MAC)], FAR),
        ([("203.0.113.1", 2, bytes(6))], FAR),
        ([("203.0.113.1", 2, b"")], FAR),
        ([], FAR),
    ],
)
def test_the_hardware_address_beyond_is_the_gateway_s(neighbours: list[tuple[str, int, bytes]], far: bytes) -> None:
    known = tuple(Neighbour(socket.AF_INET, index, raw(text), mac) for text, index, mac in neighbours)
    (uplink,) = found(around(route(24, hop(2, "203.0.113.0")), neighbours=known))
    assert uplink.far == far


def test_an_address_with_its_network() -> None:
    assert uplinks.interface(address("203.0.113.5", prefix=28)) == ip_interface("203.0.113.5/28")
    assert uplinks.interface(address("2001:db8::5", prefix=64)) == ip_interface("2001:db8::5/64")


@pytest.mark.parametrize(
    ("link", "aside"),
    [
        (Link(index=5, name="eth1"), True),
        (Link(index=5, name="eth1.7", kind="vlan"), True),
        (Link(index=5, name="virbr0", kind="bridge"), False),  # nothing is on it
        (Link(index=7, name="br0", kind="bridge"), True),
        (Link(index=5, name="d", kind="dummy"), False),
        (Link(index=1, name="lo"), False),
        (Link(index=2, name="eth0"), False),  # a way to the Internet
    ],
)
def test_what_is_on_another_card_may_be_reached_over_that_one(link: Link, aside: bool) -> None:
    ports = (Link(index=2, name="eth0"), link, Link(index=8, name="eth8", master=7))
    own = (address("203.0.113.5"), address("10.0.0.9", link.index))
    host = around(links=tuple({one.index: one for one in ports}.values()), addresses=own)
    assert uplinks.aside(raw("10.0.0.9"), host, found(host)) is aside
    assert not uplinks.aside(raw("203.0.113.5"), host, found(host))
    assert not uplinks.aside(raw("192.0.2.1"), host, found(host))  # none of the host's
