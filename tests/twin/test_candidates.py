"""Addresses that packets come from."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest

from preflight.twin import candidates

# That lists of networks which nobody may come from name, and those that some use as private ones.
ODD = [
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "25.0.0.0/8", "44.0.0.0/8",
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
    )
]  # fmt: skip


@pytest.mark.parametrize(("version", "blocks"), [(4, 8), (6, 16)])
def test_candidates_are_public_and_far_from_each_other(version: int, blocks: int) -> None:
    found = [ip_address(one) for one in candidates.public(version)]
    assert len(set(found)) == len(found) > 100
    assert all(one.version == version and one.is_global for one in found)
    assert not any(one in network for one in found for network in ODD if network.version == version)
    assert not any(version == 6 and one not in ip_network("2000::/3") for one in found)
    first = [ip_network((one, blocks), strict=False) for one in found[:24]]
    assert len(set(first)) == 24
    assert [str(one) for one in found] == list(candidates.public(version))


@pytest.mark.parametrize(
    ("own", "taken", "expected"),
    [
        ("203.0.113.5/24", (), "203.0.113.128"),
        ("203.0.113.128/24", (), "203.0.113.129"),
        ("203.0.113.5/24", ("203.0.113.128", "203.0.113.129"), "203.0.113.130"),
        ("203.0.113.5/30", ("203.0.113.6",), ""),
        ("203.0.113.5/30", (), "203.0.113.6"),
        ("203.0.113.4/31", (), ""),
        ("203.0.113.4/32", (), ""),
        ("2001:db8::5/64", (), "2001:db8:0:0:8000::"),
        ("2001:db8::2/127", (), ""),
        ("2001:db8::2/128", (), ""),
    ],
)
def test_a_neighbour_is_nobody_that_is_known(own: str, taken: tuple[str, ...], expected: str) -> None:
    known = {ip_address(one).packed for one in taken}
    assert candidates.neighbour(ip_interface(own), known, lambda _: True) == expected


def test_a_neighbour_that_rules_name_is_taken_where_they_name_all() -> None:
    own = ip_interface("203.0.113.5/24")
    assert candidates.neighbour(own, set(), lambda one: one.endswith(".140")) == "203.0.113.140"
    assert candidates.neighbour(own, set(), lambda _: False) == "203.0.113.128"
