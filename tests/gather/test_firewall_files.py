"""What firewall managers' own files say, from files as the distributions and their tools write them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import RuleFile, Switch
from preflight.gather.access.view import find_roots
from preflight.gather.services.firewall_files import Rules, iptables_rules, nft_rules, rules, setting, switch
from tests.gather.trees import copy

UFW_CONF = """# /etc/ufw/ufw.conf
#

# Set to yes to start on boot. If setting this remotely, be sure to add a rule
# to allow your remote connection before starting ufw. Eg: 'ufw allow 22/tcp'
ENABLED={}

# ENABLED=yes
LOGLEVEL=low
"""


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"), ("YES", "yes"), ("Yes", "yes"), ('"yes"', "yes"), ("'no'", "no"), ("no", "no"), ("", ""),
        ("yes # for now", "yes"), ("no\nENABLED=yes", "yes"), ("yes\n#ENABLED=no", "yes"), ("yes\r", "yes"),
        ("yes\nNOT_ENABLED=no", "yes"), ("\x1b[31mno", ""), ("true", "true"),
    ],
)  # fmt: skip
def test_ufw(tmp_path: Path, written: str, value: str) -> None:
    roots = copy(tmp_path, **{"/etc/ufw/ufw.conf": UFW_CONF.format(written)})
    assert switch(roots, "ufw") == Switch("ENABLED", value, value == "yes")


@pytest.mark.parametrize(
    ("name", "path", "text", "found"),
    [
        ("shorewall", "/etc/shorewall/shorewall.conf", "STARTUP_ENABLED=No\n", Switch("STARTUP_ENABLED", "no", False)),
        ("shorewall", "/etc/shorewall/shorewall.conf", "STARTUP_ENABLED=1\n", Switch("STARTUP_ENABLED", "1", None)),
        ("ferm", "/etc/default/ferm", '# x\nFAST=yes\nENABLED="yes"\n', Switch("ENABLED", "yes", True)),
        ("csf", "/etc/csf/csf.conf", 'TESTING_INTERVAL = "5"\nTESTING = "1"\n', Switch("TESTING", "1", None)),
        ("csf", "/etc/csf/csf.disable", "", Switch("", "", False)),
        ("ufw", "/etc/ufw/ufw.conf", "LOGLEVEL=low\n", None),
        ("firewalld", "/etc/firewalld/firewalld.conf", "DefaultZone=public\n", None),
        ("fail2ban", "/etc/fail2ban/jail.conf", "enabled = true\n", None),
    ],
)
def test_what_switches_other_managers(tmp_path: Path, name: str, path: str, text: str, found: Switch | None) -> None:
    assert switch(copy(tmp_path, **{path: text}), name) == found


@pytest.mark.parametrize("name", ["ufw", "csf", "shorewall", "nftables", "iptables", "firewalld", "unheard-of"])
def test_without_its_files_there_is_nothing_to_say(tmp_path: Path, name: str) -> None:
    roots = find_roots({}, str(tmp_path))
    assert (switch(roots, name), rules(roots, name)) == (None, Rules())


@pytest.mark.parametrize(
    ("name", "files", "found"),
    [
        ("nftables", {"/etc/nftables.nft": 'include "/etc/nftables.d/*.nft"\n'}, [RuleFile("/etc/nftables.nft", 1)]),
        ("nftables", {"/etc/nftables.conf": "flush ruleset\n"}, [RuleFile("/etc/nftables.conf", 0, flushes=True)]),
        ("nftables", {"/etc/nftables.conf": "# flush ruleset\n"}, [RuleFile("/etc/nftables.conf", 0)]),
        ("iptables", {"/etc/iptables/rules.v6": ":FORWARD ACCEPT [0:0]\n"}, [RuleFile("/etc/iptables/rules.v6", 0)]),
        ("iptables", {"/etc/iptables/rules.v4": "-A INPUT -j DROP\n", "/etc/sysconfig/ip6tables": "COMMIT\n"},
         [RuleFile("/etc/iptables/rules.v4", 1), RuleFile("/etc/sysconfig/ip6tables", 0)]),
        ("ufw", {"/etc/nftables.conf": "drop\n"}, []),
    ],
)  # fmt: skip
def test_files_of_rules(tmp_path: Path, name: str, files: dict[str, str], found: list[RuleFile]) -> None:
    assert list(rules(copy(tmp_path, **files), name).files) == found


def test_a_file_that_is_no_file_does_not_count_as_one_without_rules(tmp_path: Path) -> None:
    roots = copy(tmp_path, **{"/etc/iptables/rules.v6": "COMMIT\n", "/etc/ufw/x": ""})
    os.mkfifo(tmp_path / "etc/iptables/rules.v4")
    (tmp_path / "etc/ufw/ufw.conf").symlink_to("ufw.conf")
    assert rules(roots, "iptables").files == (
        RuleFile("/etc/iptables/rules.v4", None, why="not a regular file"), RuleFile("/etc/iptables/rules.v6", 0),
    )  # fmt: skip
    assert switch(roots, "ufw") is None


DEBIAN = """#!/usr/sbin/nft -f

flush ruleset

table inet filter {
\tchain input {
\t\ttype filter hook input priority filter;
\t}
\tchain forward {
\t\ttype filter hook forward priority filter; policy accept;
\t}
}
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (DEBIAN, (0, True)),
        ("", (0, False)),
        ("# flush ruleset\n# drop\n", (0, False)),
        ("flush  ruleset; table ip x { chain y { tcp dport 25 drop; }; }", (1, True)),
        ("type filter hook forward priority 0; policy drop;\n", (1, False)),
        ("type filter hook input priority 0; policy accept; tcp dport 25 drop\n", (1, False)),
        ('tcp dport 25 log prefix "#25 " drop\n', (1, False)),
        ('tcp dport 25 counter comment "drop me"\n', (0, False)),
        ('include "/etc/nftables/*.nft"\n', (1, False)),
        ("ct state vmap { established : accept, invalid : drop }\njump docker_user\n", (2, False)),
    ],
)
def test_rules_of_nftables(text: str, found: tuple[int, bool]) -> None:
    assert nft_rules(text) == found


DOCKERS = """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:DOCKER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i br-0123456789ab ! -o br-0123456789ab -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
"""


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (DOCKERS, 0),
        ("-A INPUT -p tcp --dport 25 -j DROP\n-A FORWARD -j REJECT\n", 2),
        ("[12:3456] -A INPUT -j DROP\n", 1),
        ("-I FORWARD 1 -j DROP\n", 1),
        (":FORWARD DROP [0:0]\n:INPUT ACCEPT [0:0]\n:DROP - [0:0]\n", 1),
        ('-A FORWARD -i eth0 -m comment --comment "not for docker -i docker0" -j DROP\n', 1),
        ('-A FORWARD -m comment --comment "\\"quoted\\" -i docker0 " -j DROP\n', 1),
        ("# -A INPUT -j DROP\nCOMMIT\n", 0),
    ],
)
def test_rules_of_iptables(text: str, count: int) -> None:
    assert iptables_rules(text) == (count, False)


@given(st.text(max_size=300), st.text(min_size=1, max_size=20))
def test_no_file_breaks_it(text: str, variable: str) -> None:
    value = setting(f"{text}\n{variable}=", variable)
    assert value is None or value == value.lower()
    for count, _ in (nft_rules(text), iptables_rules(text)):
        assert 0 <= count <= len(text)


@given(st.text(alphabet='-AIj: DROPCKE[0]"\nx', max_size=300))
def test_no_rules_of_iptables_break_it(text: str) -> None:
    assert 0 <= iptables_rules(text)[0] <= len(text.splitlines())


# --- what they close -----------------------------------------------------------------------------------------

ORACLE = """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [463:49013]
:InstanceServices - [0:0]
-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT
-A INPUT -j REJECT --reject-with icmp-host-prohibited
-A FORWARD -j REJECT --reject-with icmp-host-prohibited
-A OUTPUT -d 169.254.0.0/16 -j InstanceServices
COMMIT
"""
NFT = (
    "table inet filter {{ chain input {{ type filter hook {hook} priority 0; policy {policy}; tcp dport 22 accept }} }}"
)


@pytest.mark.parametrize(
    ("name", "text", "closes", "chains"),
    [
        ("iptables", ORACLE, ("INPUT", "FORWARD"), ("InstanceServices",)),
        ("iptables", ":INPUT DROP [0:0]\n", ("INPUT",), ()),
        ("iptables", "[1:2] -A FORWARD -j DROP\n", ("FORWARD",), ()),
        ("iptables", "-A INPUT -s 192.0.2.1 -j DROP\n-A INPUT -j LOG\n", (), ()),
        ("iptables", "# -A INPUT -j DROP\n", (), ()),
        ("nftables", NFT.format(hook="input", policy="drop"), ("INPUT",), ()),
        ("nftables", NFT.format(hook="forward", policy="drop"), ("FORWARD",), ()),
        ("nftables", NFT.format(hook="input", policy="accept") + " # hook input policy drop", (), ()),
        ("ufw", "", (), ()),
    ],
)
def test_what_a_manager_closes(
    tmp_path: Path, name: str, text: str, closes: tuple[str, ...], chains: tuple[str, ...]
) -> None:
    path = "/etc/nftables.conf" if name == "nftables" else "/etc/iptables/rules.v4"
    found = rules(copy(tmp_path, **{path: text}), name)
    assert (found.closes, found.makes) == (closes, chains)
