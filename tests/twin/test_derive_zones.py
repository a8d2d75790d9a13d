"""firewalld's rules that name docker0 get brothers for mailcow's bridge."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from preflight.twin import derive_state, derive_zones
from preflight.twin.derive_state import State, Underivable
from preflight.twin.spaces import Space
from preflight.twin.wire import NETFILTER, Wire

NATIVE = """
table inet firewalld {
    set both { type ifname; elements = { "docker0", "br-other" }; }
    set outer { type ifname; elements = { "eth0", "eth1" }; }
    set some { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.9 }; }
    chain IN_docker { }
    chain IN_public { }
    chain INPUT_ZONES {
        ip saddr 192.0.2.0/24 goto IN_public
        iifname "docker0" goto IN_docker
        iifname "eth0" goto IN_public
        goto IN_public
    }
    chain FORWARD_POLICIES {
        iifname "docker0" oifname "docker0" jump IN_docker
        iifname @both oifname "eth0" jump IN_docker
        iifname @outer oifname @both ip daddr @some jump IN_docker
        iifname != "lo" drop
        oifname "docker*" accept
    }
}
table inet mine {
    chain INPUT_ZONES { iifname "docker0" accept; }
}
"""
INPUT = [
    "ip saddr 192.0.2.0/24 goto IN_public",
    'iifname "docker0" goto IN_docker',
    'iifname "br-mailcow" goto IN_docker',
    'iifname "eth0" goto IN_public',
    "goto IN_public",
]
FORWARD = [
    'iifname "docker0" oifname "docker0" jump IN_docker',
    'iifname "br-mailcow" oifname "br-mailcow" jump IN_docker',
    'iifname "br-mailcow" oifname "docker0" jump IN_docker',
    'iifname "docker0" oifname "br-mailcow" jump IN_docker',
    'iifname @both oifname "eth0" jump IN_docker',
    'iifname "br-mailcow" oifname "eth0" jump IN_docker',
    "iifname @outer oifname @both ip daddr @some jump IN_docker",
    'iifname @outer oifname "br-mailcow" ip daddr @some jump IN_docker',
    'iifname != "lo" drop',
    'oifname "docker*" accept',
]


def nft(*arguments: str, text: str = "") -> str:
    return subprocess.run(["nft", *arguments], input=text, capture_output=True, text=True, check=True).stdout


def rules(chain: str) -> list[str]:
    return [line.strip() for line in nft("list", "chain", "inet", "firewalld", chain).splitlines()[2:-2]]


def test_in_nf_tables(namespaces: Callable[[], Space]) -> None:
    """As the twin has them: anonymous sets have become named ones, so that two rules may use them."""
    with namespaces().entered():
        nft("-f", "-", text=NATIVE)
        with Wire(NETFILTER) as netlink:
            assert derive_zones.in_nf_tables(netlink, "br-mailcow") == 6
        assert rules("INPUT_ZONES") == INPUT
        assert rules("FORWARD_POLICIES") == FORWARD
        assert "br-mailcow" not in nft("list", "table", "inet", "mine")


def test_names_in_anonymous_sets(namespaces: Callable[[], Space]) -> None:
    """What firewalld before 2.0 writes."""
    with namespaces().entered():
        nft("-f", "-", text='table inet firewalld { chain a { iifname { "docker0", "br-other" } accept; }; }')
        with Wire(NETFILTER) as netlink:
            assert derive_zones.in_nf_tables(netlink, "br-mailcow") == 1
        assert rules("a") == ['iifname { "docker0", "br-other" } accept', 'iifname "br-mailcow" accept']


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", ""),
        ("table inet mine { chain a { iifname docker0 accept; }; }", ""),
        ("table inet firewalld { chain a { iifname eth0 accept; }; }", "firewalld: docker0"),
        # Bound to a rule by nft, an anonymous set cannot be used by a second one: in the twin there are none.
        (
            "table inet firewalld { chain a { ip daddr { 192.0.2.1, 192.0.2.9 } iifname docker0 accept; }; }",
            "firewalld: E",
        ),
        ("table inet firewalld { chain a { iifname != docker0 drop; }; }", "firewalld: a"),
        ('table inet firewalld { chain a { iifname != { "docker0", "br-other" } drop; }; }', "firewalld: a"),
        ("table inet firewalld { chain a { oifname vmap { docker0 : accept, eth0 : drop }; }; }", "firewalld: a"),
    ],
)
def test_where_there_are_none_to_go_by(namespaces: Callable[[], Space], text: str, reason: str) -> None:
    with namespaces().entered(), Wire(NETFILTER) as netlink:
        nft("-f", "-", text=text)
        if reason:
            with pytest.raises(Underivable, match=reason):
                derive_zones.in_nf_tables(netlink, "br-mailcow")
        else:
            assert derive_zones.in_nf_tables(netlink, "br-mailcow") == 0


SAVED = """*filter
:FORWARD DROP [0:0]
:FORWARD_IN_ZONES - [0:0]
:FORWARD_POLICIES_pre - [0:0]
:INPUT_ZONES - [0:0]
-A FORWARD -i docker0 -j ACCEPT
-A FORWARD_IN_ZONES -i docker0 -g FWDI_docker
-A FORWARD_IN_ZONES -g FWDI_public
-A FORWARD_POLICIES_pre -i docker0 -o docker0 -j FWD_docker
-A FORWARD_POLICIES_pre ! -i docker0 -o eth0 -j FWD_docker
-A INPUT_ZONES -s 192.0.2.0/24 -g IN_public
-A INPUT_ZONES -i docker0 -g IN_docker
-A INPUT_ZONES -i br-other -g IN_docker
-A INPUT_ZONES -i eth0 -g IN_public
COMMIT
*nat
-A POSTROUTING_ZONES -o docker0 -g POST_docker
COMMIT
"""


def test_in_ip_tables() -> None:
    state = derive_state.parse(SAVED, forwarding=True, native=True)
    assert derive_state.text(derive_zones.in_ip_tables(state, "br-mailcow")) == (
        "*nat\n-I POSTROUTING_ZONES 2 -o br-mailcow -g POST_docker\nCOMMIT\n"
        "*filter\n"
        "-I FORWARD_IN_ZONES 2 -i br-mailcow -g FWDI_docker\n"
        "-I FORWARD_POLICIES_pre 2 -i docker0 -o br-mailcow -j FWD_docker\n"
        "-I FORWARD_POLICIES_pre 3 -i br-mailcow -o docker0 -j FWD_docker\n"
        "-I FORWARD_POLICIES_pre 4 -i br-mailcow -o br-mailcow -j FWD_docker\n"
        "-I INPUT_ZONES 3 -i br-mailcow -g IN_docker\n"
        "COMMIT\n"
    )


def test_ip_tables_without_firewalld_or_without_docker0() -> None:
    mine = State(chains=frozenset(), rules=(("filter", "FORWARD", "-i docker0 -j ACCEPT"),))
    assert derive_zones.in_ip_tables(mine, "br-mailcow") == []
    without = State(chains=frozenset(), rules=(("filter", "INPUT_ZONES", "-i eth0 -g IN_public"),))
    with pytest.raises(Underivable, match="docker0"):
        derive_zones.in_ip_tables(without, "br-mailcow")


def test_rules_stay_where_they_are(namespaces: Callable[[], Space]) -> None:
    """Several in one chain move each other down: they still end up beside those that they are brothers of."""
    zones = "".join(f"-A INPUT_ZONES -i {name} -g IN_x\n" for name in ("docker0", "eth0", "docker0", "eth1"))
    text = f"*filter\n:INPUT ACCEPT [0:0]\n:IN_x - [0:0]\n:INPUT_ZONES - [0:0]\n{zones}COMMIT\n"
    with namespaces().entered():
        subprocess.run(["iptables-restore"], input=text, text=True, check=True)
        changes = derive_zones.in_ip_tables(derive_state.parse(text, forwarding=True, native=True), "br-mailcow")
        subprocess.run(["iptables-restore", "--noflush"], input=derive_state.text(changes), text=True, check=True)
        listed = subprocess.run(["iptables", "-S", "INPUT_ZONES"], capture_output=True, text=True, check=True).stdout
    assert [line.split()[3] for line in listed.splitlines()[1:]] == [
        "docker0", "br-mailcow", "eth0", "docker0", "br-mailcow", "eth1",
    ]  # fmt: skip


DOCKERS, OWN = "FWD_policy_docker-forwarding", "FWD_policy_wan"


@pytest.mark.parametrize(
    ("policies", "known"),
    [
        ([DOCKERS], True),
        ([OWN, DOCKERS], True),  # as at boot
        ([DOCKERS, DOCKERS], True),
        ([DOCKERS, OWN], False),  # it came while Docker ran: an older firewalld has mailcow's behind it
    ],
)
@pytest.mark.parametrize("named", ['"docker0"', '{ "docker0", "virbr0" }'])
def test_policies_that_follow_docker_s_leave_open_which_comes_first(
    namespaces: Callable[[], Space], policies: list[str], known: bool, named: str
) -> None:
    """From 2.0 on, where names stand alone and not in sets, firewalld sorts them itself."""
    which = {DOCKERS: f"oifname {named}", OWN: 'iifname "eth0"'}
    chains = "\n".join(f"chain {one} {{ }}" for one in (DOCKERS, OWN))
    jumps = "\n".join(f"{which[one]} jump {one}" for one in policies)
    text = f"table inet firewalld {{\n{chains}\nchain filter_FORWARD_POLICIES_pre {{\n{jumps}\n}}\n}}\n"
    with namespaces().entered(), Wire(NETFILTER) as netlink:
        nft("-f", "-", text=text)
        if known or "{" not in named:
            assert derive_zones.in_nf_tables(netlink, "br-mailcow") == policies.count(DOCKERS)
            return
        with pytest.raises(Underivable, match="filter_FORWARD_POLICIES_pre"):
            derive_zones.in_nf_tables(netlink, "br-mailcow")
