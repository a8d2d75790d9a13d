"""Pseudonyms for addresses answer every question about networks as the real ones do, and tell nothing else."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.net.addresses import is_public
from preflight.redact import vocabulary
from preflight.redact.addresses import IpAddress, IpNetwork, Twins, is_everybodys

IPV4 = st.ip_addresses(v=4)
PRIVATE = st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="172.16.0.0/12")
NEAR = st.ip_addresses(network="203.0.113.0/24") | st.ip_addresses(network="172.22.0.0/23")
IPV6 = st.ip_addresses(v=6) | st.ip_addresses(network="2001:db8::/32") | st.ip_addresses(network="fd4d:6169::/32")


def listed(address: IpAddress) -> bool:
    return str(address) in vocabulary.listed("addresses")


ONE = IPV4 | PRIVATE | NEAR | IPV6
LISTS = st.lists(ONE, min_size=2, max_size=12, unique=True)


@given(LISTS)
def test_two_addresses_never_have_one_pseudonym(addresses: list[IpAddress]) -> None:
    twins = Twins()
    assert len({twins.address(address) for address in addresses}) == len(addresses)


@given(LISTS)
def test_an_address_has_the_same_stand_in_whenever_it_is_asked_for(addresses: list[IpAddress]) -> None:
    twins = Twins()
    first = [twins.address(address) for address in addresses]
    assert [twins.address(address) for address in reversed(addresses)] == first[::-1]


@given(LISTS)
def test_a_stand_in_is_as_public_as_the_address_and_of_its_kind(addresses: list[IpAddress]) -> None:
    twins = Twins()
    for address in addresses:
        other = twins.address(address)
        assert other.version == address.version
        assert is_public(str(other)) == is_public(str(address))
        for quality in ("is_loopback", "is_unspecified", "is_link_local", "is_multicast"):
            assert getattr(other, quality) == getattr(address, quality), quality
        assert is_everybodys(other) == is_everybodys(address) or not is_everybodys(address)


@given(LISTS, st.integers(9, 32))
def test_an_address_is_in_a_network_where_its_stand_in_is(addresses: list[IpAddress], length: int) -> None:
    twins = Twins()
    for one, other in itertools.permutations(addresses, 2):
        # Single addresses that are everybody's stand apart: 8.8.8.8 stays what it is, and 8.8.8.0/24 does not. So do
        # IPv4 addresses written as IPv6 ones, which stand in no network of IPv6.
        mapped = any(str(address).startswith("::ffff:") for address in (one, other))
        if one.version == other.version and not mapped and not listed(other):
            network = ipaddress.ip_network(f"{one}/{length if one.version == 4 else length * 4}", strict=False)
            assert (twins.address(other) in twins.network(network)) == (other in network)


@given(st.lists(st.tuples(PRIVATE | NEAR, st.integers(9, 30)), min_size=2, max_size=8))
def test_networks_meet_where_their_pseudonyms_do(pairs: list[tuple[IpAddress, int]]) -> None:
    twins = Twins()
    networks: list[IpNetwork] = [ipaddress.ip_network(f"{one}/{length}", strict=False) for one, length in pairs]
    for one, other in itertools.combinations(networks, 2):
        assert twins.network(one).overlaps(twins.network(other)) == one.overlaps(other)


def test_every_first_octet_has_one_of_its_own() -> None:
    twins = Twins()
    octets = [n for n in range(1, 224) if n not in (10, 127)]
    made = [twins.address(ipaddress.IPv4Address(f"{octet}.7.7.7")) for octet in octets]
    assert len({str(address).partition(".")[0] for address in made}) == len(octets)
    assert all(is_public(str(address)) for address in made)


INTERNET = range(0x2000, 0x4000)
ELSEWHERE = (*range(0x2000), *range(0x4000, 0xFC00), *range(0xFE00, 0xFE80))[::5]


@pytest.mark.parametrize("heads", [INTERNET, ELSEWHERE], ids=["internet", "elsewhere"])
def test_every_beginning_of_ipv6_has_one_of_its_own(heads: Sequence[int]) -> None:
    twins = Twins()
    made = [twins.network(ipaddress.IPv6Network(((head << 112) + (7 << 64), 64))) for head in heads]
    assert len({int(network.network_address) >> 112 for network in made}) == len(heads)
    assert {is_public(str(network.network_address)) for network in made} == {heads is INTERNET}


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "127.0.1.1",
        "0.0.0.0",
        "::",
        "::1",
        "172.22.1.254",
        "fd4d:6169:6c63:6f77::2",
        "1.1.1.1",
        "2620:fe::fe",
    ],
)
def test_what_is_everybodys_stands_for_itself(text: str) -> None:
    address = ipaddress.ip_address(text)
    assert Twins().address(address) == address


@pytest.mark.parametrize("text", ["0.0.0.0/0", "0.0.0.0/1", "::/0", "2000::/3", "172.22.1.0/24", "fe80::/64"])
def test_networks_that_are_everybodys_stand_for_themselves(text: str) -> None:
    assert str(Twins().network(ipaddress.ip_network(text))) == text


@pytest.mark.parametrize("text", ["203.0.113.7", "10.1.2.3", "192.168.1.1", "2a01:4f8::1", "fd12:3456::1"])
def test_anybodys_own_do_not(text: str) -> None:
    address = ipaddress.ip_address(text)
    assert Twins().address(address) != address


def test_what_stands_for_an_address_depends_on_no_bit_of_it() -> None:
    assert Twins().address(ipaddress.ip_address("203.0.113.7")) == Twins().address(ipaddress.ip_address("8.1.2.250"))


SAME_START = st.ip_addresses(network="203.0.0.0/8") | st.ip_addresses(network="2a01::/16") | PRIVATE | NEAR


@given(st.lists(SAME_START, min_size=2, max_size=8, unique=True), st.integers(9, 32))
def test_pseudonyms_that_have_settled_have_the_order_of_the_real_ones(addresses: list[IpAddress], length: int) -> None:
    twins = Twins()
    for address in addresses:
        twins.address(address)
        twins.network(ipaddress.ip_network(f"{address}/{length}", strict=False))
    twins.settle()
    for one, other in itertools.combinations(addresses, 2):
        first, second = twins.address(one), twins.address(other)
        bits = 8 if one.version == 4 else 16
        if one.version == other.version and int(one) >> (one.max_prefixlen - bits) == int(other) >> (
            one.max_prefixlen - bits
        ):
            assert (int(first) < int(second)) == (int(one) < int(other))
            network = ipaddress.ip_network(f"{one}/{length}", strict=False)
            assert (second in twins.network(network)) == (other in network)


def test_public_addresses_that_have_settled_have_the_order_of_their_first_numbers() -> None:
    twins = Twins()
    real = [ipaddress.ip_address(f"{octet}.7.7.7") for octet in (203, 5, 80, 9, 151)]
    for address in real:
        twins.address(address)
    twins.settle()
    assert sorted(real, key=int) == sorted(real, key=lambda address: int(twins.address(address)))
