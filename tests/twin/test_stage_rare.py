"""The stage of hosts that few have: ways by rules about the source, a bridge that is down, containers without NAT."""

from __future__ import annotations

import socket
from collections.abc import Callable

from msgspec.structs import replace

from preflight.twin.control import Call, failing
from preflight.twin.spaces import Space
from tests.twin import hosts

Make = Callable[[], Space]
OUT4 = "address add 203.0.113.5/24 dev eth0\nroute add default via 203.0.113.1"
OUT6 = "address add 2001:db8:1::5/64 dev eth0 nodad\nroute add default via fe80::1 dev eth0"
BRIDGE = "link add br-mailcow type bridge\naddress add 172.22.1.1/24 dev br-mailcow"
FORWARDING = ("sysctl net.ipv4.ip_forward=1", "sysctl net.ipv6.conf.all.forwarding=1")


def test_a_way_that_only_rules_about_the_source_lead_to(namespaces: Make) -> None:
    hosts.run(
        host := namespaces(), hosts.ETH0, "address add 203.0.113.5/24 dev eth0",
        "route add default via 203.0.113.1 table 100", "rule add from 203.0.113.5 lookup 100",
        "address add 2001:db8:1::5/64 dev eth0 nodad",
        "route add default from 2001:db8:1::/64 via fe80::1 dev eth0",
    )  # fmt: skip
    with hosts.built(host) as stage:
        assert {version: side.host for version, side in stage.sides.items()} == {4: "203.0.113.5", 6: "2001:db8:1::5"}
        assert not stage.control()
        stage.load_rules()
        assert not any(stage.unwritten(version) for version in stage.sides)
        side = stage.sides[4]
        assert not failing([Call(stage.world, side.sources[0], stage.twin, side.host)])
        # Containers have no way out there, as on the host.
        out = Call(stage.inner, next(iter(side.containers.values())), stage.world, side.targets[0])
        assert failing([out]) == [out]


def test_a_way_that_rules_deny_to_the_hosts_own_packets_is_there_for_others(namespaces: Make) -> None:
    hosts.run(host := namespaces(), *FORWARDING, hosts.ETH0, OUT4, "rule add from 203.0.113.0/24 prohibit")
    hosts.run(host, "rule add iif lo to 0.0.0.0/1 prohibit")
    with hosts.built(host) as stage:
        assert stage.sides[4].host == "203.0.113.5"
        assert not stage.control()
        stage.load_rules()
        assert not stage.unwritten(4)
        own = Call(stage.twin, "", stage.world, stage.sides[4].targets[0])
        assert failing([own]) == [own]


def test_a_bridge_that_the_engine_has_yet_to_set_up(namespaces: Make) -> None:
    hosts.run(host := namespaces(), hosts.ETH0, OUT4, OUT6, BRIDGE)
    with hosts.built(host) as stage:
        assert not stage.control()


def test_a_bridge_that_is_down_while_mailcow_runs_reaches_nobody(namespaces: Make) -> None:
    hosts.run(host := namespaces(), hosts.ETH0, OUT4, BRIDGE)
    with hosts.built(host, replace(hosts.REQUEST, present=True)) as stage:
        assert stage.control() == {4}


def test_no_container_has_the_bridge_s_address(namespaces: Make) -> None:
    bridge = BRIDGE.replace("172.22.1.1/", "172.22.1.254/") + "\nlink set br-mailcow up"
    hosts.run(host := namespaces(), hosts.ETH0, OUT4, bridge)
    with hosts.built(host) as stage:
        assert "172.22.1.254" not in stage.sides[4].containers.values()
        assert not stage.control()


def test_answers_come_back_to_a_network_that_is_led_to_the_host(namespaces: Make) -> None:
    hosts.run(host := namespaces(), hosts.ETH0, OUT6, *FORWARDING)
    for subnet, lost in (("2a01:4f8:1:2::/64", False), (hosts.SUBNET6, True)):
        with hosts.built(host, replace(hosts.REQUEST, ports=(), subnet6=subnet)) as stage:
            side = stage.sides[6]
            out = Call(stage.inner, side.containers["unbound-mailcow"], stage.world, side.targets[0])
            assert bool(failing([out])) == lost


def test_routers_ask_for_addresses_of_their_own_network(namespaces: Make) -> None:
    own = "address add 2a01:4f8:1:2::5/48 dev eth0 nodad\nroute add default via fe80::1 dev eth0"
    hosts.run(host := namespaces(), hosts.ETH0, own, *FORWARDING)
    with hosts.built(host, replace(hosts.REQUEST, ports=(), subnet6="2a01:4f8:1:3::/64")) as stage:
        side = stage.sides[6]
        out = Call(stage.inner, side.containers["unbound-mailcow"], stage.world, side.targets[0])
        assert failing([out]) == [out]


def test_the_newest_address_of_ipv6_is_the_newest(namespaces: Make) -> None:
    more = [f"address add 2001:db8:1::{number}/64 dev eth0 nodad" for number in (7, 6, 9, 8)]
    hosts.run(host := namespaces(), hosts.ETH0, OUT6, *more)

    def own(space: Space) -> list[str]:
        return [line.split()[3] for line in hosts.told(space, "-6 -o address show dev eth0 scope global")]

    with hosts.built(host) as stage:
        assert own(stage.twin) == own(host)
        with host.entered(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asked:
            asked.connect((stage.sides[6].targets[0], 9))
            chosen = asked.getsockname()[0]
        with stage.twin.entered(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asked:
            asked.connect((stage.sides[6].targets[0], 9))
            assert asked.getsockname()[0] == chosen


def test_nobody_has_to_wait_until_a_stage_is_gone(namespaces: Make) -> None:
    # For each bridge that goes with its namespace the whole machine waits, 20 ms and more.
    bridges = [f"link add b{number} type bridge\nlink set b{number} up" for number in range(5)]
    hosts.run(host := namespaces(), hosts.ETH0, OUT4, BRIDGE, *bridges)
    with hosts.built(host) as stage:
        assert len(hosts.told(stage.twin, "-o link show type veth")) == len(hosts.told(stage.twin, "-o link")) - 1
