"""The stage of hosts of many shapes: their twin has what they have, and packets arrive."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from preflight.twin import send, stage, stage_making, sysctls
from preflight.twin.spaces import Space
from preflight.twin.surroundings import Surroundings
from tests.twin import hosts, stand_in

Make = Callable[[], Space]
OUT4 = "address add 203.0.113.5/24 brd + dev eth0\nroute add default via 203.0.113.1"
OUT6 = "address add 2001:db8:1::5/64 dev eth0 nodad\nroute add default via fe80::1 dev eth0"
ETH1 = hosts.CARD.format("eth1", "52:54:00:12:34:57")
TWO = (hosts.ETH0, ETH1, "address add 203.0.113.5/24 dev eth0", "address add 198.51.100.7/24 dev eth1")
BRIDGE = "link add br-mailcow type bridge\nlink set br-mailcow up\naddress add 172.22.1.1/24 dev br-mailcow"
OTHER4, OTHER6 = "203.0.113.128", "2001:db8:1:0:8000::"

# What makes the host; of each version its address, the interface, the neighbour; or what it lacks.
SHAPES: dict[str, tuple[tuple[str, ...], dict[int, tuple[str, str, str] | str]]] = {
    "plain": (
        (hosts.ETH0, OUT4, hosts.GATE.format("203.0.113.1"), OUT6, hosts.GATE.format("fe80::1")),
        {4: ("203.0.113.5", "eth0", OTHER4), 6: ("2001:db8:1::5", "eth0", OTHER6)},
    ),
    "without IPv6": (
        ("sysctl net.ipv6.conf.all.disable_ipv6=1", hosts.ETH0, OUT4),
        {4: ("203.0.113.5", "eth0", OTHER4), 6: "route"},
    ),
    "nothing": ((), {4: "route", 6: "route"}),
    "no way out": ((hosts.ETH0, "address add 203.0.113.5/24 dev eth0"), {4: "route", 6: "route"}),
    "alone in its network, the gateway beyond": (
        (
            hosts.ETH0, "address add 203.0.113.5/32 dev eth0", "route add default via 172.31.1.1 dev eth0 onlink",
            "address add 2001:db8:1::5/128 dev eth0 nodad", "route add default via fe80::1 dev eth0 onlink",
        ),
        {4: ("203.0.113.5", "eth0", ""), 6: ("2001:db8:1::5", "eth0", "")},
    ),
    "a route to the gateway": (
        (
            hosts.ETH0, "address add 203.0.113.5/32 dev eth0", "route add 172.31.1.1 dev eth0 scope link",
            "route add default via 172.31.1.1", "address add 2001:db8:1::5/128 dev eth0 nodad",
            "route add 2001:db8:2::1/128 dev eth0", "route add default via 2001:db8:2::1",
        ),
        {4: ("203.0.113.5", "eth0", ""), 6: ("2001:db8:1::5", "eth0", "")},
    ),
    "two in the network": (
        (
            hosts.ETH0, "address add 203.0.113.4/31 dev eth0", "route add default via 203.0.113.5",
            "address add 2001:db8:1::2/127 dev eth0 nodad", "route add default via 2001:db8:1::3",
        ),
        {4: ("203.0.113.4", "eth0", ""), 6: ("2001:db8:1::2", "eth0", "")},
    ),
    "point to point": (
        (
            hosts.CARD.format("ppp0", "52:54:00:12:34:56"), "address add 203.0.113.5 peer 10.0.0.1 dev ppp0",
            "route add default dev ppp0 scope link", "address add 2001:db8:1::5/64 dev ppp0 nodad",
            "route add ::/0 dev ppp0",
        ),
        {4: ("203.0.113.5", "ppp0", ""), 6: ("2001:db8:1::5", "ppp0", OTHER6)},
    ),
    "a gateway of IPv6 for IPv4": (
        (
            hosts.ETH0, "address add 203.0.113.5/32 dev eth0", "address add fe80::77/64 dev eth0 nodad",
            "route add 0.0.0.0/0 via inet6 fe80::1 dev eth0",
        ),
        {4: ("203.0.113.5", "eth0", ""), 6: "route"},
    ),
    "over a bridge": (
        (
            hosts.ETH0, "link add br0 type bridge", "link set eth0 master br0", "link set br0 up",
            OUT4.replace("eth0", "br0"), OUT6.replace("eth0", "br0"),
        ),
        {4: ("203.0.113.5", "br0", OTHER4), 6: ("2001:db8:1::5", "br0", OTHER6)},
    ),
    "over a tunnel that has halves of the Internet": (
        (
            hosts.ETH0, OUT4, "tuntap add dev wg0 mode tun", "link set wg0 up", "address add 10.9.0.2/32 dev wg0",
            "route add 0.0.0.0/1 dev wg0", "route add 128.0.0.0/1 dev wg0",
        ),
        {4: ("10.9.0.2", "wg0", ""), 6: "route"},
    ),
    "over a tunnel by rules": (
        (
            hosts.ETH0, OUT4, "tuntap add dev wg0 mode tun", "link set wg0 up", "address add 10.9.0.2/32 dev wg0",
            "route add default dev wg0 table 51820", "rule add not fwmark 51820 table 51820",
            "rule add table main suppress_prefixlength 0",
        ),
        {4: ("10.9.0.2", "wg0", ""), 6: "route"},
    ),
    "a way out by rules alone": (
        (
            hosts.ETH0, "address add 203.0.113.5/24 dev eth0", "route add default via 203.0.113.1 table 100",
            "rule add from all lookup 100 pref 100",
        ),
        {4: ("203.0.113.5", "eth0", OTHER4), 6: "route"},
    ),
    "rules": (
        (
            hosts.ETH0, OUT4, "rule add from 84.0.0.0/8 prohibit pref 5", "rule add pref 10 lookup local",
            "rule del pref 0", "rule add fwmark 0x1/0xff lookup 5 pref 50",
            "rule add goto 32766 pref 40 from 10.0.0.0/8", "rule add uidrange 0-100 lookup 9",
            "rule add to 10.0.0.0/8 ipproto tcp dport 25-30 lookup 6",
            "rule add blackhole iif eth0 to 203.0.113.9",
        ),
        {4: ("203.0.113.5", "eth0", OTHER4), 6: "route"},
    ),
    "an uplink for each family, and a third way": (
        (
            *TWO, "route add default via 203.0.113.1", "route add default via 198.51.100.1 metric 200",
            "route add default via 198.51.100.1 table 2", "rule add from 198.51.100.7 lookup 2",
            "address add 2001:db8:1::5/64 dev eth1 nodad", "route add default via 2001:db8:1::1",
        ),
        {4: ("203.0.113.5", "eth0", OTHER4), 6: ("2001:db8:1::5", "eth1", OTHER6)},
    ),
    "several paths": (
        (*TWO, "route add default nexthop via 203.0.113.1 nexthop via 203.0.113.2", ),
        {4: ("203.0.113.5", "eth0", OTHER4), 6: "route"},
    ),
    "objects of next hops": (
        (
            *TWO, "nexthop add id 1 via 203.0.113.1 dev eth0", "nexthop add id 2 via 198.51.100.1 dev eth1",
            "nexthop add id 10 group 1/2,3", "nexthop add id 5 blackhole", "route add default nhid 1",
            "route add 192.0.2.0/24 nhid 10", "route add 198.18.0.0/15 nhid 5",
            "nexthop add id 20 via fe80::1 dev eth0", "address add 2001:db8:1::5/64 dev eth0 nodad",
            "route add ::/0 nhid 20",
        ),
        {4: ("203.0.113.5", "eth0", OTHER4), 6: ("2001:db8:1::5", "eth0", OTHER6)},
    ),
    "routes of all kinds": (
        (
            hosts.ETH0, OUT4, OUT6, "route add blackhole 198.18.0.0/15", "route add prohibit 10.0.0.0/8",
            "route add unreachable 192.168.0.0/16 metric 5", "route add throw 192.0.2.0/24 table 7",
            "route add 10.1.0.0/16 via 203.0.113.9 src 203.0.113.5 mtu lock 1400 advmss 1300",
            "route add local 192.0.2.77 dev lo", "route add 10.2.0.0/16 via 203.0.113.9 tos 0x10",
            "route add blackhole 2001:db8:99::/48", "route add local 2001:db8:98::/64 dev lo",
            "route add default via 203.0.113.2 metric 100", "route add unreachable default metric 4278198272",
        ),
        {4: ("203.0.113.5", "eth0", OTHER4), 6: ("2001:db8:1::5", "eth0", OTHER6)},
    ),
    "several addresses": (
        (
            hosts.ETH0, "address add 192.168.1.5/24 dev eth0", "route add default via 192.168.1.1",
            "address add 192.168.1.6/24 dev eth0", "address add 10.0.0.7/32 dev lo",
            "address add 2001:db8:1::4/64 dev eth0 nodad preferred_lft 0",
            "address add 2001:db8:1::5/64 dev eth0 nodad", "route add default via fe80::1 dev eth0",
        ),
        {4: ("192.168.1.5", "eth0", "192.168.1.128"), 6: ("2001:db8:1::5", "eth0", OTHER6)},
    ),
    "an address elsewhere": (
        (
            hosts.ETH0, "address add 10.0.0.5/24 dev eth0", "address add 203.0.113.77/32 dev lo",
            "route add default via 10.0.0.1 src 203.0.113.77",
        ),
        {4: ("203.0.113.77", "eth0", ""), 6: "route"},
    ),
    "nothing but an address of the link": ((hosts.ETH0, "address add fe80::7/64 dev eth0 nodad",
        "route add default via fe80::1 dev eth0"), {4: "route", 6: "address"}),
    "sysctls": (
        (
            hosts.ETH0, OUT4, OUT6, "sysctl net.ipv4.ip_forward=0", "sysctl net.ipv4.conf.all.rp_filter=1",
            "sysctl net.ipv4.conf.default.rp_filter=2", "sysctl net.ipv4.conf.eth0.rp_filter=1",
            "sysctl net.ipv4.conf.eth0.arp_ignore=2", "sysctl net.ipv4.conf.eth0.forwarding=1",
            "sysctl net.ipv4.conf.all.log_martians=1", "sysctl net.ipv6.conf.lo.disable_ipv6=1",
            "sysctl net.ipv4.conf.eth0.accept_local=1", "sysctl net.ipv4.ip_default_ttl=70",
            "sysctl net.ipv4.conf.all.arp_ignore=8", "sysctl net.ipv6.conf.all.forwarding=1",
            "sysctl net.ipv6.conf.eth0.forwarding=0", "sysctl net.ipv4.conf.all.route_localnet=1",
        ),
        {4: ("203.0.113.5", "eth0", OTHER4), 6: ("2001:db8:1::5", "eth0", OTHER6)},
    ),
    "mailcow is up": (
        (hosts.ETH0, OUT4, OUT6, BRIDGE, "address add fd4d:6169:6c63:6f77::1/64 dev br-mailcow nodad"),
        {4: ("203.0.113.5", "eth0", OTHER4), 6: ("2001:db8:1::5", "eth0", OTHER6)},
    ),
    "mailcow is up, without IPv6": (
        (hosts.ETH0, OUT4, OUT6, BRIDGE, "sysctl net.ipv6.conf.br-mailcow.disable_ipv6=1"),
        {4: ("203.0.113.5", "eth0", OTHER4), 6: ("2001:db8:1::5", "eth0", OTHER6)},
    ),
    "interfaces that are down, and others": (
        (
            "link add eth0 index 77777 address 52:54:00:12:34:56 mtu 9000 type veth peer name x mtu 9000",
            "link set x up", "link set eth0 up group 7", OUT4, "link add d0 type bridge",
            "address add 10.5.0.1/24 dev d0", "link add tap0 type veth peer name tap1",
        ),
        {4: ("203.0.113.5", "eth0", OTHER4), 6: "route"},
    ),
}  # fmt: skip


def links(around: Surroundings) -> set[tuple[object, ...]]:
    """Return what a copy has of interfaces."""
    return {(one.index, one.name, one.up, one.mtu, one.group) for one in around.links}


def addresses(around: Surroundings) -> set[tuple[object, ...]]:
    """Return what a copy has of addresses."""
    return {
        (one.index, one.local, one.prefix, one.peer, one.scope, one.label, one.broadcast) for one in around.addresses
    }


@pytest.mark.parametrize("name", SHAPES)
def test_the_twin_has_what_the_host_has(namespaces: Make, name: str) -> None:
    lines, expected = SHAPES[name]
    host = namespaces()
    hosts.run(host, *lines)
    around = hosts.read(host)
    with hosts.built(host) as built:
        told = {version: (side.host, side.interface, side.neighbour) for version, side in built.sides.items()}
        assert {**told, **built.absent} == expected
        assert built.control() == set()
        built.load_rules()
        assert [built.unwritten(version) for version in built.sides] == [()] * len(built.sides)
        twin = hosts.read(built.twin)
        bridge = around.named("br-mailcow")
        own = {link for link in links(twin) if link[1] != "br-mailcow" or bridge}
        assert own == links(around)
        assert addresses(around) <= addresses(twin)
        assert {one.body for one in around.routing.routes} <= {one.body for one in twin.routing.routes}
        assert around.routing.objects == twin.routing.objects
        assert around.routing.rules == twin.routing.rules


def test_packets_pass_through_the_host(namespaces: Make) -> None:
    host = namespaces()
    hosts.run(host, hosts.ETH0, OUT4, OUT6, "sysctl net.ipv4.ip_forward=1", "sysctl net.ipv6.conf.all.forwarding=1")
    request = replace(hosts.REQUEST, ports=stand_in.PORTS)
    with hosts.built(host, request) as built:
        assert built.control() == set()
        for version, side in built.sides.items():
            rules = stand_in.published(version).replace(stand_in.HOST[version], side.host)
            stand_in.run(built.twin, "nft -f -", rules)
            places = (*side.sources, side.neighbour)
            found = send.arrivals(built, side, stand_in.PORTS, places, True)
            assert {outcome.verdict for outcome in found.values()} == {"delivered"}
            assert {outcome.verdict for outcome in send.exits(built, side).values()} == {"delivered"}


def test_what_is_not_masqueraded_is_lost(namespaces: Make) -> None:
    host = namespaces()
    hosts.run(host, hosts.ETH0, OUT4, "sysctl net.ipv4.ip_forward=1")
    with hosts.built(host) as built:
        found = send.exits(built, built.sides[4])
    assert {outcome.verdict for outcome in found.values()} == {"oneway"}


def test_the_gateway_keeps_its_hardware_address(namespaces: Make) -> None:
    host = namespaces()
    hosts.run(host, hosts.ETH0, OUT4, hosts.GATE.format("203.0.113.1"))
    with hosts.built(host) as built:
        assert any("52:54:00:ab:cd:ef" in line for line in hosts.told(built.world, "-o link"))
        assert any("52:54:00:12:34:56" in line for line in hosts.told(built.twin, "-o link show eth0"))


def test_a_port_on_another_address_is_reached(namespaces: Make) -> None:
    host = namespaces()
    lan = "link add lan0 type bridge\nlink set lan0 up\naddress add 192.168.7.1/24 dev lan0"
    hosts.run(host, hosts.ETH0, OUT4, lan)
    bound = replace(hosts.REQUEST.ports[0], address="192.168.7.1")
    with hosts.built(host, replace(hosts.REQUEST, ports=(bound,))) as built:
        assert any(line.startswith("192.168.7.1 dev w0") for line in hosts.told(built.world, "route"))


def test_addresses_that_rules_single_out_are_not_taken(namespaces: Make) -> None:
    host = namespaces()
    hosts.run(host, hosts.ETH0, OUT4)
    with hosts.built(host) as built:
        first = built.sides[4].sources
    with hosts.built(host, ordinary=lambda address: address not in first) as built:
        assert not set(first) & {*built.sides[4].sources, *built.sides[4].targets}
        assert built.unwritten(4) == ()
    with hosts.built(host, ordinary=lambda _: False) as built:
        assert built.unwritten(4) == ("no address that no rule singles out",)


def test_a_rule_against_the_world_is_no_broken_stage(namespaces: Make) -> None:
    host = namespaces()
    hosts.run(host, hosts.ETH0, OUT4, "rule add from 203.0.113.5 to 84.0.0.0/8 prohibit pref 5")
    with hosts.built(host) as built:
        assert built.control() == set()
        built.load_rules()
        assert built.unwritten(4) == ()
        assert any("prohibit" in line for line in hosts.told(built.twin, "rule"))


def test_a_stage_that_carries_nothing_is_found_out(namespaces: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.control, "SECONDS", 0.05)
    monkeypatch.setattr(stage_making.sysctls, "relax", lambda *_: None)
    host = namespaces()
    hosts.run(host, hosts.ETH0, OUT4)
    with hosts.built(host) as built:
        hosts.run(built.world, "link set w0 down")
        assert built.control() == {4}


def test_what_cannot_be_written_is_told(namespaces: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    host = namespaces()
    hosts.run(host, hosts.ETH0, OUT4, "sysctl net.ipv4.conf.all.rp_filter=2", "sysctl net.ipv4.conf.eth0.arp_ignore=1")
    put = sysctls.put
    monkeypatch.setattr(sysctls, "put", lambda path, value: "rp_filter" not in path and put(path, value))
    with hosts.built(host) as built:
        assert built.unwritten(4) == ("net.ipv4.conf.all.rp_filter",)


def test_a_route_that_is_refused_is_told_where_packets_need_it(
    namespaces: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = namespaces()
    hosts.run(host, hosts.ETH0, OUT4, "route add 10.9.0.0/16 via 203.0.113.7")
    make = stage_making.routes.make
    for refused, told in (("10.9", ()), ("default", ("ip route",))):

        def without(wire: object, routing: object, refused: str = refused) -> object:
            short = [one for one in routing.routes if (one.prefix == 0) == (refused == "default")]  # type: ignore[attr-defined]
            kept = tuple(one for one in routing.routes if one not in short or one.family != 2)  # type: ignore[attr-defined]
            make(wire, replace(routing, routes=kept))  # type: ignore[arg-type]
            return [one for one in short if one.family == 2 and one.prefix != 24]

        monkeypatch.setattr(stage_making.routes, "make", without)
        with hosts.built(host) as built:
            built.load_rules()
            assert built.unwritten(4) == told


def test_a_module_that_is_missing_is_not_asked_for(namespaces: Make) -> None:
    host = namespaces()
    with pytest.raises(OSError, match="veth"), hosts.built(host, replace(hosts.REQUEST, modules=("bridge",))):
        pass


def test_nothing_stays(namespaces: Make) -> None:
    host = namespaces()
    hosts.run(host, hosts.ETH0, OUT4)
    before = (hosts.told(host, "-o address"), len(list(Path("/proc/self/fd").iterdir())))
    with hosts.built(host) as built:
        built.control()
    assert (hosts.told(host, "-o address"), len(list(Path("/proc/self/fd").iterdir()))) == before


def test_a_program_on_an_interface_is_told(namespaces: Make) -> None:
    host = namespaces()
    hosts.run(host, hosts.ETH0, OUT4)
    with host.entered():
        made = subprocess.run(["tc", "qdisc", "add", "dev", "eth0", "clsact"], capture_output=True, check=False)
        if made.returncode:
            pytest.skip("no clsact here")
        assert hosts.read(host).unseen == ()
        kinds = ("matchall action drop", "protocol all u32 match u32 0 0 action drop", "protocol all basic")
        words = [f"tc filter add dev eth0 ingress {kind}".split() for kind in kinds]
        if all(subprocess.run(one, capture_output=True, check=False).returncode for one in words):
            pytest.skip("no classifier here")
    assert [(one.kind, one.interface) for one in hosts.read(host).unseen] == [("tc", "eth0")]
