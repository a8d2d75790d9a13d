"""The way out and the address that mail is sent from."""

from __future__ import annotations

import pytest

from preflight.facts import Address, Fact, Link, MissingFact, Route, Way
from preflight.packets.routing import sent_from, way_out
from tests.build import host

ETH0 = Link("eth0", 1500, True, (Address("198.51.100.200", 24, "global"), Address("203.0.113.9", 32, "global")))
DEFAULT = Route("0.0.0.0/0", "eth0", "198.51.100.1", 0)
BY_ETH0 = Way(destination="1.1.1.1", interface="eth0", gateway="198.51.100.1", source="198.51.100.200", table=254)
BY_WG0 = Way(destination="8.8.8.8", interface="wg0", source="10.1.1.2", table=51820)
WG0 = Link("wg0", 1420, True, (Address("10.1.1.2", 24, "global"),))


def test_the_kernels_answer_decides() -> None:
    assert way_out(host(ways=(BY_WG0,), routes=(DEFAULT,)), 4) == BY_WG0
    assert way_out(host(ways=(Way(destination="8.8.8.8", error="ENETUNREACH"),), routes=(DEFAULT,)), 4) is None
    assert way_out(host(ways=(BY_WG0,), routes=(DEFAULT,)), 6) is None


def test_one_address_with_a_route_of_its_own_is_not_the_way() -> None:
    others = tuple(
        Way(destination=at, interface="eth0", gateway="198.51.100.1", source="198.51.100.200", table=254)
        for at in ("9.9.9.9", "192.33.4.12")
    )
    found = way_out(host(ways=(BY_WG0, *others)), 4)
    assert found is not None
    assert found.interface == "eth0"


@pytest.mark.parametrize(
    ("more", "interface"),
    [
        ((), "eth0"),
        ((Route("0.0.0.0/1", "tun0", "10.8.0.1", 0), Route("128.0.0.0/1", "tun0", "10.8.0.1", 0)), "tun0"),
        ((Route("0.0.0.0/0", "eth1", "192.0.2.1", 100),), "eth0"),
        ((Route("0.0.0.0/0", "*", "", 0),), "eth0"),
    ],
)
def test_without_an_answer_the_main_tables_default_route_is_taken(more: tuple[Route, ...], interface: str) -> None:
    found = way_out(host(routes=(DEFAULT, *more)), 4)
    assert found is not None
    assert found.interface == interface


def test_neither_is_known() -> None:
    with pytest.raises(MissingFact):
        way_out(host(), 4)


def test_mail_leaves_with_the_address_in_the_gateways_network() -> None:
    assert sent_from(host(ways=(BY_ETH0,), links=(ETH0,)), 4) == "198.51.100.200"
    turned = Link("eth0", 1500, True, ETH0.addresses[::-1])
    assert sent_from(host(ways=(BY_ETH0,), links=(turned,)), 4) == "198.51.100.200"
    # Masquerading leaves the route's own source aside, which the host's own packets have.
    named = Way(destination="1.1.1.1", interface="eth0", gateway="198.51.100.1", source="203.0.113.9")
    assert sent_from(host(ways=(named,), links=(ETH0,)), 4) == "198.51.100.200"
    assert sent_from(host(routes=(DEFAULT,), links=(ETH0,)), 4) == "198.51.100.200"


def test_a_gateway_outside_of_every_network_leaves_the_first_address() -> None:
    """A rented machine with /32 addresses, and a floating one beside."""
    far = Way(destination="1.1.1.1", interface="eth0", gateway="172.31.1.1", source="203.0.113.9")
    link = Link("eth0", 1500, True, (Address("203.0.113.5", 32, "global"), Address("203.0.113.9", 32, "global")))
    assert sent_from(host(ways=(far,), links=(link,)), 4) == "203.0.113.5"
    assert sent_from(host(ways=(BY_WG0,), links=(ETH0, WG0)), 4) == "10.1.1.2"


def test_addresses_that_are_never_chosen() -> None:
    link = Link("eth0", 1500, True, (
        Address("198.51.100.9", 24, "global", secondary=True), Address("198.51.100.8", 24, "link"),
        Address("198.51.100.200", 24, "global"),
    ))  # fmt: skip
    assert sent_from(host(ways=(BY_ETH0,), links=(link,)), 4) == "198.51.100.200"


def test_an_interface_without_addresses_leaves_the_kernels_choice() -> None:
    assert sent_from(host(ways=(BY_ETH0,), links=(Link("eth0", 1500, True),)), 4) == "198.51.100.200"
    assert sent_from(host(routes=(DEFAULT,), links=()), 4) is None


def test_ipv6_is_chosen_as_for_the_host_itself() -> None:
    six = Way(destination="2620:fe::fe", interface="eth0", gateway="fe80::1", source="2001:db8::7", table=254)
    assert sent_from(host(ways=(six,)), 6) == "2001:db8::7"
    assert sent_from(host(ways=Fact.unknown("", "x"), routes=(Route("::/0", "eth0", "fe80::1", 1),)), 6) is None
    assert sent_from(host(ways=(BY_ETH0,)), 6) is None
