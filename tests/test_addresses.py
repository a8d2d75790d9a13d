"""Which addresses the world may know the host by."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import Address, Link
from preflight.net.addresses import (
    bracketed,
    host_addresses,
    is_loopback,
    is_public,
    of_version,
    overlap,
    parse_mapped,
    public,
    public_host_addresses,
    split_port,
    unbracketed,
    usual,
    with_port,
)


@pytest.mark.parametrize(
    "address", ["198.51.100.7", "203.0.113.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "2001:db8::7", "2a00::1"]
)
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "127.0.1.1", "169.254.1.1",
        "224.0.0.1",
        "255.255.255.255", "0.0.0.0", "fd00::1", "fe80::1", "::1", "::", "ff02::1", "::ffff:8.8.8.8",
    ],
)  # fmt: skip
def test_not_public(address: str) -> None:
    assert not is_public(address)


@given(st.text())
def test_no_text_is_an_address_by_accident(text: str) -> None:
    """What comes out is an address in its usual form, and what goes in was one, but for its scope and blanks."""
    found = usual(text)
    if found is not None:
        assert found == str(ipaddress.ip_address(text.strip().partition("%")[0])) == usual(found)


def test_own_addresses() -> None:
    links = (
        Link("lo", 65536, True, (Address("127.0.0.1", 8, "host"),)),
        Link("eth0", 1500, True, (Address("198.51.100.7", 24, "global"), Address("FD00::7", 64, "global"))),
        Link("eth1", 1500, False, (Address("198.51.100.8", 24, "global"),)),
        Link("eth2", None, None, (Address("fe80::1", 64, "link"), Address("nonsense", 0, "global"))),
        Link("docker0", 1500, True, (Address("172.17.0.1", 16, "global"), Address("2001:db8:1::1", 64, "global"))),
    )
    assert host_addresses(links, 4) == ("198.51.100.7",)
    assert host_addresses(links, 6) == ("fd00::7",)
    assert public_host_addresses(links, 4) == ("198.51.100.7",)
    assert public((), links, 4) == ("198.51.100.7",)
    assert public((), links, 6) == ()
    assert public(("10.0.0.1",), links, 4) == ("10.0.0.1",)
    assert public(("2001:DB8::9",), links, 6) == ("2001:db8::9",)


def test_addresses_are_told_apart_and_kept_once() -> None:
    assert of_version(("2001:DB8::1", "x", "192.0.2.1", "192.0.2.1", "2001:db8::1"), 6) == ("2001:db8::1",)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.8.7", "::1", "::ffff:127.0.0.1"])
def test_loopback(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["", "x", "0.0.0.0", "::", "198.51.100.7", "::ffff:198.51.100.7", "fe80::1"])
def test_not_loopback(address: str) -> None:
    assert not is_loopback(address)


@pytest.mark.parametrize(
    ("address", "read"),
    [("::ffff:192.0.2.1", "192.0.2.1"), ("2001:DB8::1", "2001:db8::1"), ("192.0.2.1", "192.0.2.1")],
)
def test_an_address_that_maps_another_is_that_to_the_engine(address: str, read: str) -> None:
    assert str(parse_mapped(address)) == read


@pytest.mark.parametrize("text", ["", "x", "fe80::1%eth0", " 192.0.2.1", "[::1]", "192.0.2.1/24"])
def test_what_is_no_address_to_the_engine(text: str) -> None:
    assert parse_mapped(text) is None


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "::1"])
def test_an_address_with_a_port_is_written_as_it_is_read(address: str) -> None:
    found = split_port(with_port(address, 25))
    assert found is not None
    assert (str(found[0]), found[1]) == (address, 25)
    assert unbracketed(bracketed(address)) == address


@pytest.mark.parametrize("text", ["", "25", "192.0.2.1", "192.0.2.1:0", "192.0.2.1:99999", "[::1:25", "x:25"])
def test_what_is_no_address_with_a_port(text: str) -> None:
    assert split_port(text) is None


def test_every_address_has_a_port_as_it_is_called() -> None:
    assert (with_port("", 25), with_port("", 25, "*")) == (":25", "*:25")


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("", "192.0.2.1", True), ("0.0.0.0", "192.0.2.1", True), ("::", "2001:db8::1", True),
        ("::", "192.0.2.1", False),
        ("192.0.2.1", "192.0.2.1", True), ("192.0.2.1", "192.0.2.2", False), ("x", "192.0.2.1", False),
    ],
)  # fmt: skip
def test_addresses_that_exclude_each_other(one: str, other: str, meet: bool) -> None:
    assert overlap(one, other) is overlap(other, one) is meet
