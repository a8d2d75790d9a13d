"""Who asks from the Internet, where routing divides it."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address, ip_network

import pytest
from msgspec.structs import replace

from preflight.packets import nlmsg as nl
from preflight.twin import candidates, senders
from preflight.twin.routes import UNICAST, Route, Routing
from preflight.twin.senders import Chosen
from preflight.twin.surroundings import Surroundings
from preflight.twin.sysctls import Sysctls

BLACKHOLE, THROW = 6, 9


def raw(text: str) -> bytes:
    return ip_address(text).packed


def route(to: str, kind: int = BLACKHOLE, table: int = 254, over: int = 0) -> Route:
    network = ip_network(to)
    family = socket.AF_INET if network.version == 4 else socket.AF_INET6
    hops = ((over, 0, b""),) if over else ()
    return Route(family, kind, table, network.network_address.packed, network.prefixlen, hops, 0, b"")


DEFAULTS = (route("0.0.0.0/0", UNICAST, over=2), route("::/0", UNICAST, over=2))


def chosen(*routes: Route, version: int = 4, rules: tuple[bytes, ...] = (), without: str = "") -> Chosen:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    routing = Routing((*DEFAULTS, *routes), (), tuple((family, body) for body in rules))
    around = Surroundings(links=(), routing=routing, ways={}, sysctls=Sysctls({}))
    named = ip_network(without) if without else None
    return senders.choose(around, version, lambda one: named is None or ip_address(one) not in named)


def inside(addresses: tuple[str, ...], network: str) -> set[bool]:
    return {ip_address(one) in ip_network(network) for one in addresses}


def windows(of: Chosen) -> list[tuple[str, ...]]:
    """Return the addresses of each port, and those that are called."""
    assert len(of.sources) == senders.PORTS * of.each
    return [of.sources[at : at + of.each] for at in range(0, len(of.sources), of.each)] + [of.targets]


def test_of_ipv4_both_halves_always_ask() -> None:
    found = chosen()
    assert (found.each, len(found.targets), found.ordinary, found.whole) == (3, 2, True, True)
    assert all(inside(one, "0.0.0.0/1") == {True, False} for one in windows(found))
    assert len({*found.sources, *found.targets}) == 38


@pytest.mark.parametrize(
    ("version", "part"),
    [
        (4, "0.0.0.0/1"), (4, "128.0.0.0/2"), (4, "96.0.0.0/3"), (4, "208.0.0.0/4"), (4, "84.0.0.0/6"),
        (4, "84.0.0.0/7"),
        (6, "2a00::/8"), (6, "2400::/12"), (6, "2800::/6"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [BLACKHOLE, THROW])
def test_what_routes_cut_off_asks_at_every_port(version: int, part: str, kind: int) -> None:
    for table in (254, 7):
        found = chosen(route(part, kind, table), version=version)
        assert all(inside(one, part) == {True, False} for one in windows(found))
        assert found.whole


def rule(*, to: str = "", source: str = "") -> bytes:
    """Return an `ip rule`."""
    ends = [(1, ip_network(to or "0.0.0.0/0")), (2, ip_network(source or "0.0.0.0/0"))]
    bits = [network.prefixlen for _, network in ends]
    named = b"".join(nl.attribute(kind, one.network_address.packed) for kind, one in ends if one.prefixlen)
    return struct.pack("=BBBBBBBBI", socket.AF_INET, *bits, 0, 7, 0, 0, 1, 0) + named


@pytest.mark.parametrize("body", [rule(to="64.0.0.0/2"), rule(source="64.0.0.0/2")])
def test_what_rules_tell_apart_asks_at_every_port(body: bytes) -> None:
    assert all(inside(one, "64.0.0.0/2") == {True, False} for one in windows(chosen(rules=(body,))))


def test_rules_about_no_network_or_a_narrow_one_tell_nothing_apart() -> None:
    assert chosen(rules=(rule(), rule(to="84.0.0.0/8"), rule(source="198.51.100.5/32"), bytes(12))) == chosen()


def test_parts_that_fare_alike_are_one() -> None:
    halves = (route("0.0.0.0/1", UNICAST, over=3), route("128.0.0.0/1", UNICAST, over=3))
    assert chosen(*halves) == chosen()
    assert chosen(*(route(f"{first}.0.0.0/4") for first in range(0, 256, 16))) == chosen()


def test_narrow_routes_and_ways_elsewhere_are_left_alone() -> None:
    assert inside(chosen(route("84.0.0.0/8")).sources, "84.0.0.0/8") == {False}
    assert inside(chosen(route("64.0.0.0/2", UNICAST, over=3)).sources, "64.0.0.0/2") == {False}


def test_many_parts_ask_more_often_and_too_many_are_not_whole() -> None:
    few = chosen(*(route(f"{first}.0.0.0/4", table=first) for first in (64, 80, 96)))
    assert (few.each, few.whole, len(few.targets)) == (5, True, 5)
    many = chosen(*(route(f"{first}.0.0.0/4", table=first) for first in range(64, 192, 16)))
    assert (many.each, many.whole) == (senders.PARTS, False)


def test_a_part_that_rules_single_out_leaves_it_open() -> None:
    assert chosen(without="0.0.0.0/1").whole
    assert not chosen(route("64.0.0.0/2"), without="64.0.0.0/2").whole
    none = chosen(without="0.0.0.0/0")
    assert (none.ordinary, bool(none.sources)) == (False, True)


def test_who_knows_all_networks_is_asked_from_them() -> None:
    every = tuple(route(f"{first}.0.0.0/8", UNICAST, over=3) for first in range(1, 224))
    assert chosen(*every) == chosen()


def test_the_hosts_own_addresses_are_never_among_them() -> None:
    first = next(candidates.public(4))
    assert first in chosen().sources
    assert first not in chosen(route(f"{first}/32", UNICAST, over=3)).sources


def test_without_ipv6_routes_all_are_alike() -> None:
    found = chosen(version=6)
    assert (found.each, len(found.sources), len(found.targets)) == (3, 36, 2)
    assert replace(found, sources=(), targets=()) == Chosen((), (), 3)
