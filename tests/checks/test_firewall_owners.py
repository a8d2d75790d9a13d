"""Whose a rule is: by the names of its table and chain, else by what is switched on."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from preflight.checks.firewall import lines, owners
from preflight.checks.firewall.culprits import Case
from preflight.checks.firewall.owned import by_hand
from preflight.facts import Chain, Culprit, Services, Switch, Table
from tests.build import host, look
from tests.checks.twins import docker_tables, legacy, managers, rule, twin

FIREWALLD = Table("ip_tables", "ip", "filter", (Chain("FORWARD", 9, "forward"), Chain("FORWARD_direct", 0)))


def native(table: str, chain: str = "forward", family: str = "inet", **more: Any) -> Culprit:
    return rule(chain, table=table, family=family, **more)


@pytest.mark.parametrize(
    ("culprit", "on", "whose"),
    [
        (rule("ufw-user-forward"), (), "ufw"), (rule("ufw6-reject-forward", family="ip6"), (), "ufw"),
        (rule(kind="policy"), ("ufw",), "ufw"), (rule(), ("ufw",), ""),
        (native("firewalld", "filter_FORWARD"), (), "firewalld"), (legacy("FWDI_public"), ("firewalld",), "firewalld"),
        (legacy("FWDI_public"), (), ""), (legacy("FORWARD_IN_ZONES"), ("firewalld",), "firewalld"),
        (rule("f2b-sshd"), (), "fail2ban"), (native("f2b-table", "f2b-chain"), (), "fail2ban"),
        (native("crowdsec", "crowdsec-chain", "ip"), (), "crowdsec"), (rule("CROWDSEC_CHAIN"), (), "crowdsec"),
        (rule("MAILCOW"), (), "netfilter-mailcow"), (rule("DOCKER-USER"), (), "docker-user"),
        (rule("DOCKER-ISOLATION-STAGE-2"), (), "docker"),
        (native("docker-bridges", "raw-PREROUTING", "ip"), (), "docker"),
        (rule("LIBVIRT_FWX"), (), "libvirt"), (rule("NETAVARK_FORWARD"), (), "podman"),
        (rule("KUBE-FORWARD"), (), "kubernetes"),
        (legacy("DENYIN"), ("csf",), "csf"), (legacy("DENYIN"), (), ""), (legacy("LOGDROPIN"), ("csf",), "csf"),
        (legacy("net-fw"), ("shorewall",), "shorewall"), (legacy("eth0_fwd"), ("shorewall",), "shorewall"),
        (legacy("in_world"), ("firehol",), "firehol"), (legacy(), ("ferm",), "ferm"),
        (native("filter"), ("nftables",), "nftables"), (native("filter"), (), ""),
        (native("filter"), ("ferm",), "ferm"),
        (rule(), ("iptables",), "iptables"), (rule(), (), ""), (rule(kind="policy"), (), "docker"),
        (rule(predicted=True), (), "docker"), (Culprit(kind="forwarding"), ("ufw",), ""),
        (Culprit(kind="route"), (), ""),
    ],
)  # fmt: skip
def test_whose_a_rule_is(culprit: Culprit, on: tuple[str, ...], whose: str) -> None:
    made = host(services=managers(*on), twin=twin())
    assert owners.owner(made, culprit) == whose
    assert whose in ("", "docker-user", *owners.NAMES)


@pytest.mark.parametrize(
    ("table", "whose"),
    [
        ("crowdsec6", "crowdsec"), ("crowdsec-blocklist", "crowdsec"), ("crowdsecurity", ""), ("f2b-table", "fail2ban"),
        ("libvirt_network", "libvirt"), ("netavark", "podman"), ("netavark_x", "podman"), ("netavarkx", ""),
        ("kube-proxy", "kubernetes"), ("cni", "kubernetes"), ("cni_hostport", "kubernetes"), ("my-firewalld", ""),
    ],
)  # fmt: skip
def test_a_table_of_its_own_says_whose_it_is(table: str, whose: str) -> None:
    assert owners.owner(host(services=managers(), twin=twin()), native(table)) == whose


SHARED = {
    "csf": ("DENYOUT", "GALLOWIN", "LOCALINPUT", "INVDROP", "INVALID", "PORTFLOOD", "SPAMHAUS", "DSHIELD", "CC_DENYF",
            "CC_ALLOW", "UDPFLOOD", "SMTPOUTPUT", "CONNLIMIT", "BLOCKDROP"),
    "shorewall": ("sfilter", "sfilter1", "smurfs", "tcpflags", "dynamic", "logdrop0", "~log3", "eth0_in", "br-x_fwd",
                  "net2fw", "loc-net"),
    "firehol": ("in_internet", "out_internet"),
    "firewalld": ("INPUT_ZONES", "FORWARD_OUT_ZONES", "FWDO_public_deny", "PRE_public", "IN_docker_allow"),
}  # fmt: skip


@pytest.mark.parametrize(("manager", "chain"), [(name, chain) for name, chains in SHARED.items() for chain in chains])
def test_names_that_others_may_have_too_count_where_the_manager_is_on(manager: str, chain: str) -> None:
    on, off = (host(services=managers(*names), twin=twin()) for names in ((manager,), ()))
    assert owners.owner(on, legacy(chain)) == manager
    assert owners.owner(off, legacy(chain)) == ""


@pytest.mark.parametrize(
    ("culprit", "on", "more", "whose"),
    [
        # The policy of FORWARD is Docker's where nobody else is there; that of INPUT somebody's.
        (rule("INPUT", kind="policy"), (), {}, ""), (rule("FORWARD", kind="policy"), (), {}, "docker"),
        (rule("FORWARD", kind="policy"), ("iptables",), {}, "docker"),
        (rule("FORWARD", kind="policy"), ("iptables",), {"closes": ("FORWARD",)}, "iptables"),
        (rule("INPUT", kind="policy"), ("iptables",), {"closes": ("FORWARD",)}, ""),
        (rule("INPUT", kind="policy"), ("ufw",), {}, "ufw"),
        (rule("FORWARD", kind="policy"), ("csf", "iptables"), {}, "csf"),
        (rule("FORWARD"), ("csf", "shorewall"), {}, "csf"), (rule("FORWARD"), ("firehol", "ferm"), {}, "ferm"),
        (native("mine"), ("nftables", "ferm"), {}, "nftables"), (native("mine"), ("csf", "iptables"), {}, ""),
        (rule("PREROUTING", table="nat", kind="nat"), ("iptables",), {}, ""),
        (rule("DOCKER", table="nat", kind="nat"), (), {}, "docker"),
        (rule("InstanceServices"), (), {}, "oracle-cloud"), (rule("BareMetalInstanceServices"), (), {}, "oracle-cloud"),
        (rule("docker-user"), (), {}, ""), (rule("MAILCOWS"), (), {}, ""), (rule("CrowdSec_X"), (), {}, "crowdsec"),
        (native("mine", predicted=True), ("nftables",), {}, "docker"),
        (Culprit(kind="socket"), ("ufw",), {}, ""), (Culprit(kind="filter"), ("csf",), {}, ""),
    ],
)  # fmt: skip
def test_who_closes_a_built_in_chain_is_who_is_on(
    culprit: Culprit, on: tuple[str, ...], more: dict[str, Any], whose: str
) -> None:
    assert owners.owner(host(services=managers(*on, **more), twin=twin()), culprit) == whose


def test_a_manager_whose_own_switch_is_off_owns_nothing() -> None:
    off = managers("csf", switch=Switch("DOCKER", "0", False))
    assert owners.owner(host(services=off, twin=twin()), legacy("DENYIN")) == ""
    mail = Services("systemd", (msgspec.structs.replace(managers("csf").services[0], kind="mta"),))
    assert owners.managers(host(services=mail, twin=twin())) == {}


def test_the_rules_of_oracle_clouds_image() -> None:
    made = host(services=managers("iptables", chains=("InstanceServices",)), twin=twin())
    assert owners.owner(made, rule()) == "oracle-cloud"
    assert owners.owner(host(twin=twin()), rule("InstanceServices")) == "oracle-cloud"


def test_firewalld_with_iptables_for_its_backend() -> None:
    made = host(services=managers("firewalld"), twin=twin(tables=(FIREWALLD,)))
    assert owners.owner(made, legacy()) == "firewalld"
    assert owners.owner(host(services=managers("firewalld"), twin=twin()), legacy()) == ""


def test_a_manager_that_is_switched_off_owns_nothing() -> None:
    (off,) = managers("csf").services
    off = msgspec.structs.replace(off, enabled=False, active=False)
    made = host(services=Services("systemd", (off,)), twin=twin())
    assert owners.owner(made, legacy("DENYIN")) == ""


@pytest.mark.parametrize(
    ("culprit", "fits"),
    [
        (legacy("anything"), True), (rule(), True), (rule("mine"), True), (native("filter"), False),
        (native("filter", family="ip6"), False), (native("mine", family="ip"), False),
    ],
)  # fmt: skip
def test_tables_of_iptables_get_no_native_rules(culprit: Culprit, fits: bool) -> None:
    assert owners.compatible(culprit, docker_tables()) is fits


def case(culprit: Culprit, **more: Any) -> Case:
    given = {
        "way": "in", "version": 4, "verdict": "dropped", "owner": "", "hook": "forward", "bridge": "br-mailcow",
        "inner": (25,), "outer": (25,),
    }  # fmt: skip
    return Case(culprit=culprit, **{**given, **more})


def test_more_ports_than_one_match_holds_are_two_lines() -> None:
    many = case(rule(), inner=tuple(range(1, 18)))
    made = list(lines.iptables([many], (), derived=True))
    assert [line.count(",") for line in made] == [14, 1, 1]


def test_a_chain_with_an_odd_name_is_quoted_or_left_alone() -> None:
    odd = "a'; reboot"
    [first, *_] = lines.iptables([case(rule(odd))], (), derived=True)
    assert """-I 'a'"'"'; reboot' """ in first
    assert list(lines.nft([case(native("filter", odd))])) == []


def test_what_a_program_keeps_for_itself_is_passed_by() -> None:
    given = look(twin=twin(), services=managers())
    way = by_hand(given, [case(rule("LIBVIRT_FWX"), owner="libvirt")])
    assert way.commands[0].startswith("iptables -I FORWARD -o br-mailcow")


def test_early_chains_of_netdev_see_the_hosts_own_port() -> None:
    early = case(native("filter", "ingress", "netdev"), hook="ingress", early=True, outer=(2525,))
    assert list(lines.nft([early])) == ["nft 'insert rule netdev filter ingress position 12 tcp dport 2525 accept'"]


@pytest.mark.parametrize(
    ("way", "table", "hook", "wanted"),
    [
        ("out", "raw", "prerouting", ("-i br-mailcow", "-p tcp ! --syn", "-p udp --sport 53")),
        ("out", "mangle", "prerouting", ("-i br-mailcow", "-m conntrack --ctstate RELATED,ESTABLISHED")),
        ("in", "raw", "prerouting", ("-p tcp -m multiport --dports 25", "-i br-mailcow")),
        ("in", "mangle", "postrouting", (
            "-o br-mailcow -p tcp -m multiport --dports 25", "-m conntrack --ctstate RELATED,ESTABLISHED",
        )),
        ("out", "mangle", "postrouting", ()),
    ],
)  # fmt: skip
def test_a_chain_is_asked_what_it_can_answer(way: str, table: str, hook: str, wanted: tuple[str, ...]) -> None:
    chain = hook.upper()
    given = case(rule(chain, table=table), way=way, hook=hook, early=hook == "prerouting")
    made = tuple(lines.iptables([given], (), derived=True))
    assert made == tuple(f"iptables -t {table} -I {chain} {matches} -j ACCEPT" for matches in wanted)


def test_an_early_chain_of_nft_lets_answers_in() -> None:
    given = case(native("filter", "prerouting"), way="out", hook="prerouting", early=True)
    assert [line.partition("position 12 ")[2] for line in lines.nft([given])] == [
        'iifname "br-mailcow" accept\'', "tcp flags & (syn | ack) != syn accept'", "udp sport 53 accept'",
    ]  # fmt: skip
