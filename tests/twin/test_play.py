"""The whole twin: a host in a namespace, its rules made by the machine's own programs, and what is told of packets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from preflight.facts.twin import Arrival, Culprit, Exit, Journey, Twin
from preflight.twin.play import fate, ordered
from preflight.twin.request import Port, Request
from preflight.twin.send_verdicts import Outcome
from preflight.twin.spaces import Space

needs_programs = pytest.mark.skipif(
    not all(map(shutil.which, ("ip", "nft", "iptables-nft-restore", "sysctl"))), reason="needs ip, nft, iptables-nft"
)
ENGINE = (Path(__file__).parent / "engines" / "26.1.5-proxy-start-4.rules").read_text("utf-8")
NETWORK = """
ip link set lo up
ip link add eth0 type veth peer name far
ip link set far up
ip link set eth0 up
ip addr add 198.51.100.5/24 dev eth0
ip route add default via 198.51.100.1
ip -6 addr add 2a01:4f8:1::5/64 dev eth0 nodad
ip -6 route add default via fe80::1 dev eth0
ip link add docker0 type bridge
ip addr add 172.17.0.1/16 dev docker0
ip link set docker0 up
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
"""
PORTS = tuple(
    Port("", number, service, number, f"172.22.1.{last}")
    for number, service, last in (
        (25, "postfix-mailcow", 253),
        (993, "dovecot-mailcow", 250),
        (443, "nginx-mailcow", 9),
    )
)
REQUEST = Request(
    ports=PORTS, bridge="br-mailcow", subnet4="172.22.1.0/24", engine="26.1.5", ip6tables=False, seconds=20.0,
)  # fmt: skip
Played = Callable[..., Twin]


def run(text: str, *words: str) -> None:
    subprocess.run(words, input=text, text=True, check=True, capture_output=True)


@pytest.fixture
def played(namespaces: Callable[[], Space]) -> Played:
    """Return a function that makes a host, gives it rules of its own, and tells what becomes of packets there."""

    def play(*, user: str = "", nft: str = "", sh: str = "", **changed: Any) -> Twin:
        with namespaces().entered():
            run(NETWORK, "sh", "-e")
            run(ENGINE, "iptables-nft-restore")
            if user:
                run(f"*filter\n{user}\nCOMMIT\n", "iptables-nft-restore", "--noflush")
            if nft:
                run(nft, "nft", "-f", "-")
            if sh:
                run(sh, "sh", "-e")
            request = msgspec.json.encode(replace(REQUEST, **changed)).decode()
            ran = subprocess.run(
                [sys.executable, "-I", "-m", "preflight.twin", request], capture_output=True, check=True, timeout=60
            )
        return msgspec.json.decode(ran.stdout, type=Twin)

    return play


def told(twin: Twin, port: int, version: int = 4, source: str = "internet") -> Journey:
    (found,) = (
        journey
        for arrival in twin.arrivals if arrival.port == port
        for journey in arrival.journeys if (journey.version, journey.source) == (version, source)
    )  # fmt: skip
    return found


def verdicts(twin: Twin, version: int = 4, source: str = "internet") -> dict[int, str]:
    return {
        arrival.port: journey.verdict
        for arrival in twin.arrivals
        for journey in arrival.journeys if (journey.version, journey.source) == (version, source)
    }  # fmt: skip


def out(twin: Twin, version: int = 4) -> set[str]:
    return {exit_.journey.verdict for exit_ in twin.exits if exit_.journey.version == version}


def chain(hook: str, *rules: str, family: str = "inet", policy: str = "accept", priority: int = 5) -> str:
    lines = "\n".join(rules)
    head = f"type filter hook {hook} priority {priority}; policy {policy};"
    return f"table {family} fw {{\nchain c {{\n{head}\n{lines}\n}}\n}}\n"


@needs_programs
def test_on_a_healthy_host_all_ports_are_reached_and_all_ways_lead_out(played: Played) -> None:
    twin = played()
    assert [(family.version, family.state, family.interface) for family in twin.families] == [
        (4, "judged", "eth0"),
        (6, "judged", "eth0"),
    ]
    assert twin.derived
    assert verdicts(twin) == verdicts(twin, source="neighbour") == {25: "delivered", 993: "delivered", 443: "delivered"}
    assert out(twin) == {"delivered"}
    assert [(step.hook, step.table, step.chain, step.verdict) for step in told(twin, 25).steps] == [
        ("prerouting", "ip nat", "PREROUTING", "accept"),
        ("forward", "ip filter", "FORWARD", "accept"),
        ("postrouting", "ip nat", "POSTROUTING", "accept"),
    ]
    # mailcow's network has no IPv6 here: docker-proxy answers for it.
    assert verdicts(twin, 6) == {25: "proxy", 993: "proxy", 443: "proxy"}


@needs_programs
def test_ipv6_is_reached_once_mailcows_installer_has_the_engine_filter_it(played: Played) -> None:
    ports = tuple(replace(port, container6=f"fd4d:6169:6c63:6f77::{port.port}") for port in PORTS)
    changed = {"ports": ports, "subnet6": "fd4d:6169:6c63:6f77::/64"}
    twin = played(ip6tables=True, starts_ip6tables=True, **changed)
    assert set(verdicts(twin, 6).values()) == out(twin, 6) == {"delivered"}
    # Without that, docker-proxy answers, and what containers send has an address that nobody answers.
    twin = played(ip6tables=False, **changed)
    assert (set(verdicts(twin, 6).values()), out(twin, 6)) == ({"proxy"}, {"oneway"})


@needs_programs
def test_the_rule_that_stops_a_port_is_named_as_the_host_has_it(played: Played) -> None:
    rule = '-A DOCKER-USER -i eth0 -p tcp -m tcp --dport 25 -m comment --comment "no mail" -j DROP'
    twin = played(user=f"{rule.replace('-A', '-I')}\n-I DOCKER-USER -s 10.9.0.0/16 -j DROP")
    assert verdicts(twin) == {25: "dropped", 993: "delivered", 443: "delivered"}
    culprit = told(twin, 25).culprit
    assert culprit
    assert (culprit.kind, culprit.backend, culprit.family, culprit.table, culprit.chain, culprit.rule) == (
        ("rule", "nf_tables", "ip", "filter", "DOCKER-USER", rule)
    )
    assert culprit.handle
    assert not culprit.predicted


@needs_programs
@pytest.mark.parametrize(
    ("nft", "ports", "exits", "culprit"),
    [
        (chain("forward", 'iifname "eth0" tcp dport 443 reject'), {443: "refused"}, "delivered", ("rule", "inet")),
        (chain("forward", policy="drop"), dict.fromkeys((25, 993, 443), "dropped"), "dropped", ("policy", "inet")),
        (chain("input", "tcp dport 25 drop"), {}, "delivered", None),
        (
            chain("prerouting", 'iifname "eth0" ip saddr != 10.0.0.0/8 tcp dport 25 drop', family="ip", priority=-200),
            {25: "dropped"}, "delivered", ("rule", "ip"),
        ),
        (chain("forward", 'oifname "eth0" tcp sport 993 drop'), {993: "oneway"}, "delivered", None),
        (
            chain("ingress", "tcp dport 25 drop", family="netdev").replace("ingress ", 'ingress device "eth0" '),
            {25: "dropped"}, "delivered", None,
        ),
    ],
)  # fmt: skip
def test_rules_of_all_hooks(
    nft: str, ports: dict[int, str], exits: str, culprit: tuple[str, str] | None, played: Played
) -> None:
    twin = played(nft=nft)
    assert verdicts(twin) == {25: "delivered", 993: "delivered", 443: "delivered", **ports}
    assert out(twin) == {exits}
    if culprit:
        found = told(twin, next(iter(ports))).culprit
        assert found
        assert (found.kind, found.family, found.table, found.chain) == (*culprit, "fw", "c")


@needs_programs
def test_what_hangs_on_a_rate_is_said_to(played: Played) -> None:
    twin = played(user="-I DOCKER-USER -p tcp -m tcp --dport 25 -m limit --limit 1/hour --limit-burst 1 -j DROP")
    assert (told(twin, 25).verdict, told(twin, 25).depends) == ("depends", ("limit",))
    assert told(twin, 993).verdict == "delivered"
    assert told(twin, 993).depends == ()


@needs_programs
def test_who_else_is_let_in_does_not_change_what_the_internet_meets(played: Played) -> None:
    twin = played(nft=chain("forward", 'iifname "eth0" ip saddr != 198.51.100.0/24 tcp dport 25 drop'))
    assert told(twin, 25).verdict == "dropped"
    assert told(twin, 25, source="neighbour").verdict == "delivered"


@needs_programs
@pytest.mark.parametrize(
    ("sh", "kind"),
    [
        ("sysctl -qw net.ipv4.ip_forward=0", "forwarding"),
        ("ip rule add to 172.22.1.0/24 prohibit", "route"),
        ("ip rule add from 172.22.1.0/24 blackhole; sysctl -qw net.ipv4.conf.all.rp_filter=1", "filter"),
    ],
)
def test_what_is_no_rule_of_a_firewall(sh: str, kind: str, played: Played) -> None:
    journey = told(played(sh=sh), 25)
    assert journey.verdict in ("dropped", "refused")
    assert journey.culprit == Culprit(kind=kind)  # type: ignore[arg-type]  # one of its words


@needs_programs
def test_where_the_engines_chains_are_gone_its_own_commands_fail(played: Played) -> None:
    twin = played(sh="iptables-nft -F; iptables-nft -X; iptables-nft -t nat -F; iptables-nft -t nat -X")
    assert {(family.version, family.state, family.doubt) for family in twin.families} == {
        (4, "blind", "derivation"),
        (6, "blind", "derivation"),
    }
    assert all(family.detail for family in twin.families)
    assert not twin.arrivals


@needs_programs
def test_a_route_of_the_hosts_to_the_same_network_comes_first_as_in_the_kernel(played: Played) -> None:
    twin = played(sh="ip route add 172.22.1.0/24 via 198.51.100.1")
    (family,) = (family for family in twin.families if family.version == 4)
    assert (family.state, family.doubt) == ("blind", "control")


@needs_programs
def test_rules_that_stop_neighbour_discovery_cut_ipv6_off(played: Played) -> None:
    twin = played(nft=chain("input", "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } drop", family="ip6"))
    assert set(verdicts(twin, 6).values()) == {"dropped"}
    culprit = told(twin, 25, 6).culprit
    assert culprit
    assert (culprit.family, culprit.chain) == ("ip6", "c")
    assert set(verdicts(twin).values()) == {"delivered"}


@needs_programs
@pytest.mark.parametrize(
    "rule",
    [
        chain("input", 'iifname "eth0" ip6 saddr fe80::/10 drop', family="ip6"),
        chain("output", 'oifname "eth0" ip6 daddr 2a01:4f8:1::/64 drop', family="ip6"),
    ],
    ids=["from its link", "from its network"],
)
def test_a_router_may_ask_from_its_link_or_from_its_network(played: Played, rule: str) -> None:
    """As those do whose address in the default route is none of the link."""
    twin = played(nft=rule, sh="ip -6 route replace default via 2a01:4f8:1::1 dev eth0")
    assert {one.depends for one in [told(twin, port, 6) for port in verdicts(twin, 6)]} == {("neighbours",)}
    assert set(verdicts(twin, 6).values()) == {"depends"}
    assert set(verdicts(twin, 4).values()) == {"delivered"}


@needs_programs
def test_rules_that_stop_questions_to_a_group_alone_hang_on_who_has_asked_before(played: Played) -> None:
    """A router that knows the host's link address asks for it there, and need not look for it in a group."""
    twin = played(nft=chain("input", "meta pkttype multicast icmpv6 type nd-neighbor-solicit drop"))
    found = told(twin, 25, 6)
    assert (found.verdict, found.depends) == ("depends", ("neighbours",))
    assert "multicast" in (found.culprit.rule if found.culprit else "")
    assert set(verdicts(twin, 4).values()) == {"delivered"}


@needs_programs
def test_a_container_that_cannot_be_found_on_the_bridge_is_lost_alone(played: Played) -> None:
    ports = tuple(replace(port, container6=f"fd4d:6169:6c63:6f77::{port.port}") for port in PORTS)
    twin = played(
        nft=chain("postrouting", "ip6 daddr fd4d:6169:6c63:6f77::25 drop", family="ip6"),
        ports=ports, subnet6="fd4d:6169:6c63:6f77::/64", ip6tables=True, starts_ip6tables=True,
    )  # fmt: skip
    assert verdicts(twin, 6) == {25: "dropped", 993: "delivered", 443: "delivered"}


@needs_programs
def test_what_is_forwarded_is_asked_for_from_the_address_of_the_bridges_link(played: Played) -> None:
    """Before there is a bridge, too. The kernel asks from there, whoever else is let through."""
    ports = tuple(replace(port, container6=f"fd4d:6169:6c63:6f77::{port.port}") for port in PORTS)
    twin = played(
        nft=chain("output", 'oifname "br-mailcow" ip6 saddr fe80::/10 drop', family="ip6"),
        ports=ports, subnet6="fd4d:6169:6c63:6f77::/64", ip6tables=True, starts_ip6tables=True,
    )  # fmt: skip
    assert set(verdicts(twin, 6).values()) == {"depends"}
    assert told(twin, 25, 6).depends == ("neighbours",)
    assert set(verdicts(twin, 4).values()) == {"delivered"}


@needs_programs
def test_a_module_that_publishing_takes_is_not_loaded_for_the_twin(played: Played) -> None:
    twin = played(modules=("nf_tables", "veth", "bridge", "nf_conntrack", "nf_nat"))
    assert {(family.state, family.doubt) for family in twin.families} == {("blind", "modules")}


@needs_programs
def test_nothing_is_left_of_it_on_the_host(namespaces: Callable[[], Space]) -> None:
    commands = ("ip addr", "ip rule", "ip route show table all", "nft list ruleset", "sysctl net.ipv4 net.ipv6")

    def state() -> list[str]:
        texts = [subprocess.run(line.split(), capture_output=True, text=True, check=True).stdout for line in commands]
        return [
            "\n".join(line for line in text.splitlines() if "lft" not in line and ".neigh." not in line)
            for text in texts
        ]

    with namespaces().entered():
        run("sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0\n" + NETWORK, "sh", "-e")
        run(ENGINE, "iptables-nft-restore")
        before = state()
        request = msgspec.json.encode(REQUEST).decode()
        subprocess.run([sys.executable, "-I", "-m", "preflight.twin", request], capture_output=True, check=True)
        for now, then in zip(state(), before, strict=True):
            assert now.splitlines() == then.splitlines()


@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv")
def test_without_the_privilege_the_process_says_so() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a privilege up")
    request = msgspec.json.encode(REQUEST).decode()
    less = ("setpriv", "--bounding-set", "-sys_admin")
    ran = subprocess.run(
        [*less, sys.executable, "-I", "-m", "preflight.twin", request], capture_output=True, check=False
    )
    assert ran.returncode == 77
    assert (ran.stdout, ran.stderr) == (b"", b"")


DELIVERED, DROPPED, PROXY = (Outcome(verdict=verdict) for verdict in ("delivered", "dropped", "proxy"))


@pytest.mark.parametrize(
    ("worlds", "verdict", "depends", "sources"),
    [
        ([(DELIVERED, DELIVERED)], "delivered", False, False),
        ([(DELIVERED, DROPPED)], "depends", False, True),
        ([(DELIVERED,), (DELIVERED,), (DELIVERED,)], "delivered", False, False),
        ([(DELIVERED,), (DROPPED,), (DELIVERED,)], "depends", True, False),
        ([(DROPPED,), (DROPPED,), (DELIVERED,)], "depends", True, False),
        ([(PROXY,), (PROXY,), (PROXY,)], "proxy", False, False),
        ([(Outcome(verdict="depends"),)], "depends", False, True),  # on which target it is
        ([(Outcome(verdict="unknown"), DELIVERED)], "unknown", False, False),
        ([()], "unknown", False, False),
        ([(DELIVERED,), (), (DELIVERED,)], "unknown", False, False),
    ],
)
def test_worlds_and_sources_have_to_agree(
    worlds: list[tuple[Outcome, ...]], verdict: str, depends: bool, sources: bool
) -> None:
    found = fate(worlds, frozenset(("limit",)))
    assert (found.verdict, bool(found.depends), found.sources) == (verdict, depends, sources)


@pytest.mark.parametrize(
    ("swapped", "verdict"),
    [(None, "delivered"), ((DELIVERED,), "delivered"), ((DROPPED,), "depends"), ((), "depends")],
)
def test_an_order_that_is_not_known_leaves_open_what_hangs_on_it(
    swapped: tuple[Outcome, ...] | None, verdict: str
) -> None:
    assert ordered(fate([(DELIVERED,)], frozenset()), swapped).verdict == verdict


@needs_programs
@pytest.mark.parametrize("port", ["--physdev-in eth1", "! --physdev-in eth1", "--physdev-is-in"])
@pytest.mark.parametrize(("backend", "place"), [("nft", "DOCKER-USER"), ("legacy", "FORWARD")])
def test_a_rule_about_the_port_of_a_bridge_that_packets_come_in_by_is_not_copied(
    port: str, backend: str, place: str, played: Played
) -> None:
    """The twin's uplink is no bridge with ports, so that the rule would never hold, or always."""
    drop = f"-I {place} -p tcp --dport 25 -m physdev {port} -j DROP"
    twin = played(sh=f"iptables-{backend} {drop}")
    assert verdicts(twin) == {25: "unknown", 993: "delivered", 443: "delivered"}
    assert [(rule.what, rule.chain) for rule in twin.uncopied] == [("physdev", place)]


@needs_programs
@pytest.mark.parametrize("length", ["0:80", "513:1500"])
def test_a_rule_about_the_length_of_answers_is_met_by_short_and_long_ones(length: str, played: Played) -> None:
    """Name servers give both: an answer that does not come back is a way out alone."""
    twin = played(sh=f"iptables-nft -I DOCKER-USER -p udp -i eth0 -m length --length {length} -j DROP")
    verdicts_ = {(one.protocol, one.port): one.journey.verdict for one in twin.exits if one.journey.version == 4}
    assert verdicts_.pop(("udp", 53)) == "oneway"
    assert set(verdicts_.values()) == {"delivered"}


@needs_programs
def test_a_rule_about_what_is_bridged_never_holds_for_what_is_routed(played: Played) -> None:
    twin = played(sh="iptables-nft -I DOCKER-USER -m physdev --physdev-in eth1 --physdev-is-bridged -j DROP")
    assert (set(verdicts(twin).values()), twin.uncopied) == ({"delivered"}, ())


@needs_programs
def test_rules_of_bridges_are_not_tried_and_pass_nothing(played: Played) -> None:
    twin = played(nft=chain("forward", "ip protocol tcp drop", family="bridge"))
    assert {(family.state, family.doubt) for family in twin.families} == {("blind", "rules")}


def test_what_is_told_goes_through_json() -> None:
    journey = Journey(version=4, source="internet", verdict="dropped", culprit=Culprit(kind="route"))
    twin = Twin(derived=True, families=(), arrivals=(Arrival("", 25, (journey,)),), exits=(Exit("udp", 53, journey),))
    assert msgspec.json.decode(msgspec.json.encode(twin), type=Twin) == twin


@needs_programs
def test_a_list_that_learns_at_one_port_keeps_nobody_from_another(played: Played) -> None:
    """Addresses of the Internet differ from port to port; the neighbour is one."""
    learning = """table inet a {
        set seen { type ipv4_addr; flags dynamic,timeout; timeout 1h; }
        chain c { type filter hook prerouting priority -300;
            ip saddr @seen tcp dport 993 drop
            tcp dport 25 add @seen { ip saddr }
        }
    }"""
    twin = played(nft=learning)
    assert verdicts(twin) == {25: "delivered", 993: "delivered", 443: "delivered"}
    assert verdicts(twin, source="neighbour")[993] == "dropped"


@needs_programs
def test_what_docker_proxy_s_own_connection_meets_is_named(played: Played) -> None:
    """By IPv6 to the host, and from there by IPv4."""
    sh = "iptables-legacy -t raw -A OUTPUT -p tcp --dport 993 -j DROP; sysctl -qw net.ipv6.conf.all.forwarding=0"
    culprit = told(played(sh=sh), 993, 6).culprit
    assert culprit
    assert (culprit.kind, culprit.family, culprit.table, culprit.chain) == ("rule", "ip", "raw", "OUTPUT")


@needs_programs
def test_neighbours_that_cannot_ask_for_each_other_on_mailcow_s_bridge_are_cut_off(played: Played) -> None:
    """Over IPv6 alone: ARP is no matter of these tables."""
    six = tuple(replace(port, container6=f"fd4d:6169:6c63:6f77::{port.container4.split('.')[-1]}") for port in PORTS)
    rule = 'oifname != "eth0" meta l4proto ipv6-icmp drop'
    twin = played(nft=chain("output", rule), ports=six, subnet6="fd4d:6169:6c63:6f77::/64", ip6tables=False)
    assert verdicts(twin) == {25: "delivered", 993: "delivered", 443: "delivered"}
    assert verdicts(twin, 6) == {25: "dropped", 993: "dropped", 443: "dropped"}
    culprit = told(twin, 25, 6).culprit
    assert culprit
    assert (culprit.kind, culprit.table, culprit.chain) == ("rule", "fw", "c")
    healthy = played(ports=six, subnet6="fd4d:6169:6c63:6f77::/64", ip6tables=False)
    assert verdicts(healthy, 6) == {25: "proxy", 993: "proxy", 443: "proxy"}


@needs_programs
def test_where_ip_tables_and_nf_tables_both_redirect_it_hangs_on_their_order(played: Played) -> None:
    sh = "iptables-legacy -t nat -A PREROUTING -p tcp --dport 25 -j DNAT --to-destination 172.22.1.250:993"
    journey = told(played(sh=sh), 25)
    assert (journey.verdict, journey.depends) == ("depends", ("order",))


DEFAULT7 = "ip route add default via 198.51.100.1 dev eth0 table 7"
OF_MAILCOW7 = "ip rule add pref 9 from 172.22.1.0/24 lookup 7"


@needs_programs
@pytest.mark.parametrize(
    "sh",
    [
        "ip route add blackhole 128.0.0.0/1",
        "ip route add unreachable 0.0.0.0/1",
        f"ip route add prohibit 0.0.0.0/1 table 7; {DEFAULT7}; {OF_MAILCOW7}",
        f"ip route add throw 0.0.0.0/1 table 7; {DEFAULT7}; {OF_MAILCOW7}; ip route replace blackhole default",
        f"ip route add blackhole 192.0.0.0/2 table 7; {OF_MAILCOW7}",
        "ip rule add pref 9 from 172.22.1.0/24 to 64.0.0.0/3 blackhole",
        "ip nexthop add id 9 blackhole; ip route add 128.0.0.0/2 nhid 9",
    ],
)
def test_where_a_part_of_the_internet_is_cut_off_it_hangs_on_who_asks(sh: str, played: Played) -> None:
    twin = played(sh=sh)
    assert set(verdicts(twin).values()) <= {"depends", "unknown"}
    assert "delivered" not in out(twin)
    assert [one.state for one in twin.families if one.version == 6] == ["judged"]


@needs_programs
def test_who_is_cut_off_is_told_of_all_ports_and_of_all_that_containers_send(played: Played) -> None:
    twin = played(sh=f"ip route add blackhole 192.0.0.0/2 table 7; {OF_MAILCOW7}")
    journeys = [told(twin, port.port) for port in PORTS] + [
        one.journey for one in twin.exits if one.journey.version == 4
    ]
    assert {(one.verdict, one.reason) for one in journeys} == {("depends", "sources")}


@needs_programs
def test_networks_that_nobody_has_are_no_part_of_the_internet(played: Played) -> None:
    bogons = ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3")
    twin = played(sh="; ".join(f"ip route add blackhole {one}" for one in bogons))
    assert set(verdicts(twin).values()) == out(twin) == {"delivered"}


@needs_programs
def test_a_port_on_a_card_without_a_default_route_is_not_known(played: Played) -> None:
    card = "ip link add eth1 type veth peer name far1; ip link set eth1 up; ip addr add 192.0.2.7/24 dev eth1"
    bound = (replace(PORTS[0], address="192.0.2.7"), PORTS[1])
    twin = played(sh=card, ports=bound, nft=chain("forward", 'iifname "eth1" drop'))
    assert (told(twin, 25).verdict, told(twin, 25).reason) == ("unknown", "interface")
    assert told(twin, 993).verdict == "delivered"
    twin = played(sh=f"{card}; ip route add default via 192.0.2.1 dev eth1 table 7", ports=bound)
    assert verdicts(twin) == {25: "delivered", 993: "delivered"}
