"""What an engine with nf_tables adds there."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any, Literal

import pytest

from preflight.twin import derive_nft
from preflight.twin.derive_state import Underivable
from preflight.twin.request import Port, Request
from preflight.twin.spaces import Space

SMTP = Port("", 25, "postfix-mailcow", 25, "172.22.1.253", "fd4d::253")
REDIS = Port("127.0.0.1", 7654, "redis-mailcow", 6379, "172.22.1.249", "fd4d::249")


def rules(version: Literal[4, 6], **changed: Any) -> dict[str, list[str]]:
    """Return the rules by their chain."""
    settings: dict[str, Any] = {"ports": (SMTP, REDIS), "subnet6": "fd4d::/64", "engine": "29.7.2", **changed}
    text = derive_nft.text(Request(bridge="br-mailcow", subnet4="172.22.1.0/24", **settings), version)
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("add rule "):
            chain, rule = line.split(" ", 5)[4:]
            found.setdefault(chain, []).append(rule)
    return found


def test_ipv4() -> None:
    assert rules(4) == {
        "filter-forward-in__br-mailcow": [
            "ct state established,related counter accept",
            'iifname "br-mailcow" counter accept comment "ICC"',
            "ip daddr 172.22.1.253 tcp dport 25 counter accept",
            "ip daddr 172.22.1.249 tcp dport 6379 counter accept",
            'counter drop comment "UNPUBLISHED PORT DROP"',
        ],
        "filter-forward-out__br-mailcow": [
            "ct state established,related counter accept",
            'counter accept comment "OUTGOING"',
        ],
        "nat-postrouting-out__br-mailcow": [
            'oifname != "br-mailcow" ip saddr 172.22.1.0/24 counter masquerade comment "MASQUERADE"',
        ],
        "raw-PREROUTING": [
            'ip daddr 172.22.1.253 iifname != "br-mailcow" counter drop comment "DROP DIRECT ACCESS"',
            'ip daddr 172.22.1.249 iifname != "br-mailcow" counter drop comment "DROP DIRECT ACCESS"',
            'iifname != "lo" ip daddr 127.0.0.1 tcp dport 7654 counter drop comment "DROP REMOTE LOOPBACK"',
        ],
        "nat-prerouting-and-output": [
            'iifname != "br-mailcow" tcp dport 25 counter dnat to 172.22.1.253:25 comment "DNAT"',
            'iifname != "br-mailcow" ip daddr 127.0.0.1 tcp dport 7654 counter dnat to 172.22.1.249:6379 '
            'comment "DNAT"',
        ],
    }


def test_ipv6() -> None:
    found = rules(6)
    assert found["nat-prerouting-and-output"] == [
        'iifname != "br-mailcow" ip6 saddr != fe80::/10 tcp dport 25 counter dnat to [fd4d::253]:25 comment "DNAT"'
    ]
    assert found["raw-PREROUTING"] == [
        f'ip6 daddr fd4d::{container} iifname != "br-mailcow" counter drop comment "DROP DIRECT ACCESS"'
        for container in (253, 249)
    ]


def test_without_docker_proxy() -> None:
    found = rules(4, userland_proxy=False)
    assert found["nat-postrouting-in__br-mailcow"] == [
        'fib saddr type local counter masquerade comment "MASQUERADE FROM HOST"',
        'ip saddr 172.22.1.253 ip daddr 172.22.1.253 tcp dport 25 counter masquerade comment "MASQ TO OWN PORT"',
        'ip saddr 172.22.1.249 ip daddr 172.22.1.249 tcp dport 6379 counter masquerade comment "MASQ TO OWN PORT"',
    ]
    assert found["nat-prerouting-and-output"][0] == 'tcp dport 25 counter dnat to 172.22.1.253:25 comment "DNAT"'


def test_where_there_are_none() -> None:
    assert rules(6, subnet6="") == rules(6, ip6tables=False) == rules(4, iptables=False) == {}
    with pytest.raises(Underivable):
        rules(4, engine="")


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("proxy", [True, False])
def test_nft_takes_it_into_an_empty_table(namespaces: Callable[[], Space], version: Literal[4, 6], proxy: bool) -> None:
    request = Request(
        ports=(SMTP, REDIS), bridge="br-mailcow", subnet4="172.22.1.0/24", subnet6="fd4d::/64", engine="29.7.2",
        userland_proxy=proxy,
    )  # fmt: skip
    text = derive_nft.text(request, version)
    with namespaces().entered():
        subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)
        family = "ip" if version == 4 else "ip6"
        listed = subprocess.run(
            ["nft", "list", "table", family, "docker-bridges"], capture_output=True, text=True, check=True
        ).stdout
    assert 'elements = { "br-mailcow" : jump filter-forward-in__br-mailcow }' in listed
    said = listed.replace(" packets 0 bytes 0", "")
    for chain in rules(version, userland_proxy=proxy).values():
        assert all(rule in said for rule in chain)
