"""What is said of the resolver's way, held against a real Unbound behind each such Internet, as mailcow runs it.

`network.recursion` fails where mailcow's health check would, and what its remedies say makes that pass.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from preflight.checks.network.asking import WORKS, Cause, cause
from tests.gather.root_servers import HOLDERS
from tests.resolver_world import PROVIDERS, World, world
from tests.tools import LDNS, NSD, UNBOUND, lacking

# The provider's own resolver is in the Internet, and no rule is about it.
IN = "chain in { type filter hook input priority 0; iifname far0"
OUT = "chain out { type filter hook output priority 0; oifname far0"
ELSEWHERE = f"ip daddr != {PROVIDERS}"
NAT = f"chain nat {{ type nat hook prerouting priority -100; {ELSEWHERE}"
TO = "redirect to :5301; }"
BOTH = "meta l4proto { tcp, udp } th dport 53"
LARGE = f"{OUT} udp sport 53 udp length > 600 ip saddr != {PROVIDERS} drop; }}"
TCP = f"{IN} tcp dport 53 {ELSEWHERE} drop; }}"
FORWARD = f"forward-zone:\n name: .\n forward-addr: {PROVIDERS}\n"
# By name: the Internet's rules, who answers in place of others, and the root's further keys.
WORLDS: dict[str, tuple[str, str, int, Cause]] = {
    "well": ("", "", 2, ""),
    "long keys": ("", "", 5, ""),
    "closed": (f"{IN} {BOTH} {ELSEWHERE} drop; }}", "", 2, "closed"),
    "udp closed": (f"{IN} udp dport 53 {ELSEWHERE} drop; }}", "", 2, "udp"),
    "tcp closed": (TCP, "", 2, "tcp"),
    "tcp closed, long keys": (TCP, "", 5, "short"),
    "a third silent": (f"{IN} ip daddr {{ {', '.join(HOLDERS[4:])} }} drop; }}", "", 2, ""),
    "two thirds silent": (f"{IN} ip daddr {{ {', '.join(HOLDERS[2:])} }} drop; }}", "", 2, "few"),
    "keys refused": (f"{NAT} {BOTH} {TO}", "server-keyless", 2, "intercepted"),
    "large lost": (LARGE, "", 2, "large"),
    "large lost, tcp closed": (f"{LARGE}\n{TCP}", "", 2, "short"),
    "proxy strips": (f"{NAT} {BOTH} {TO}", "server-plain", 2, "intercepted"),
    "proxy strips over udp": (f"{NAT} udp dport 53 {TO}", "server-plain", 2, "intercepted"),
    "resolver": (f"{NAT} {BOTH} {TO}", "resolver", 2, "proxied"),
    "resolver over udp": (f"{NAT} udp dport 53 {TO}", "resolver", 2, "proxied"),
    "resolver strips": (f"{NAT} {BOTH} {TO}", "resolver-plain", 2, "intercepted"),
    "resolver refuses": (f"{NAT} {BOTH} dnat to {PROVIDERS}; }}", "", 2, "intercepted"),
}  # fmt: skip
# What the remedies have people add to unbound.conf, and where.
HEALS = {
    "udp closed": " tcp-upstream: yes\n",
    "large lost": " edns-buffer-size: 512\n",
    "closed": FORWARD,
    "proxy strips": FORWARD,
    "resolver refuses": FORWARD,
    "large lost, tcp closed": FORWARD,
}


@pytest.fixture
def given(tmp_path: Path) -> Iterator[World]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    for file in (NSD, UNBOUND, LDNS / "drill"):
        if not file.exists():
            lacking(file.name)
    for name in ("ip", "nft", "nsenter", "unshare"):
        if not shutil.which(name):
            lacking(name)
    with world(tmp_path) as made:
        yield made


@contextlib.contextmanager
def played(given: World, name: str) -> Iterator[None]:
    """Make this Internet."""
    rules, proxy, keys, _ = WORLDS[name]
    with given.served(keys), given.providers(), given.proxy(proxy) if proxy else contextlib.nullcontext():
        given.internet.run("nft", f"table ip world {{\n{rules}\n}}")
        yield


@pytest.mark.parametrize("name", WORLDS)
def test_it_fails_where_mailcows_health_check_does(given: World, name: str) -> None:
    with played(given, name):
        side = given.asked()
        assert cause(side) == WORLDS[name][-1], side
        if cause(side) != "few":  # of that nothing is claimed: it is a matter of chance
            assert given.healthy() is (cause(side) in WORKS)


@pytest.mark.parametrize("name", HEALS)
def test_what_is_advised_heals(given: World, name: str) -> None:
    with played(given, name):
        assert given.healthy(HEALS[name])
