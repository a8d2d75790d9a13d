"""What engines say when they refuse something, and what it means: each in the words that some engine really said."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts.engine_words import PORTS, place, trouble
from preflight.facts.rehearsal import Trouble

OUTSIDE = "driver failed programming external connectivity on endpoint mailcow-preflight-0 (16109259fc97): "
SAID: tuple[tuple[Trouble, tuple[str, int] | None, str], ...] = (
    ("in-use", ("0.0.0.0", 25),
     f"{OUTSIDE}Error starting userland proxy: listen tcp4 0.0.0.0:25: bind: address already in use"),
    ("in-use", ("::", 587),
     f"{OUTSIDE}Error starting userland proxy: listen tcp6 [::]:587: bind: address already in use"),
    ("in-use", ("0.0.0.0", 25),
     f"{OUTSIDE}failed to bind host port for 0.0.0.0:25:172.22.1.253:25/tcp: address already in use"),
    ("in-use", ("::1", 25), f"{OUTSIDE}failed to bind host port for [::1]:25:[fd4d::2]:25/tcp: address already in use"),
    ("in-use", ("0.0.0.0", 25), "failed to bind host port 0.0.0.0:25/tcp: address already in use"),
    ("in-use", ("", 25), "cannot listen on the TCP port: listen tcp4 :25: bind: address already in use"),
    ("allocated", ("0.0.0.0", 443), f"{OUTSIDE}Bind for 0.0.0.0:443 failed: port is already allocated"),
    ("allocated", ("::", 443), f"{OUTSIDE}Bind for [::]:443 failed: port is already allocated"),
    ("no-address", ("198.51.100.99", 25), "listen tcp4 198.51.100.99:25: bind: cannot assign requested address"),
    ("no-right", ("0.0.0.0", 25), "listen tcp4 0.0.0.0:25: bind: permission denied"),
    ("overlap", None, "Pool overlaps with other one on this address space"),
    ("overlap", None, "subnet 172.22.1.0/24 is already used on the host or by another config"),
    ("bridge", None,
     "cannot create network a (br-mailcow): conflicts with network b (br-mailcow): networks have same bridge name"),
    ("chains", None,
     "Failed to Setup IP tables: Unable to enable SKIP DNAT rule: (iptables failed: iptables --wait -t nat "
     "-I DOCKER -i br-mailcow -j RETURN: iptables: No chain/target/match by that name. (exit status 1))"),
    ("tables", None,
     "(iptables failed: iptables --wait -t raw -A PREROUTING: iptables v1.8.9 (legacy): can't initialize "
     "iptables table `raw': Table does not exist (do you need to insmod?))"),
    ("ip6tables", None,
     "(iptables failed: ip6tables --wait -t nat -A DOCKER: ip6tables: No chain/target/match by that name)"),
    ("no-ipv6", None,
     "Cannot read IPv6 setup for bridge br-mailcow: open /proc/sys/net/ipv6/conf/br-mailcow/x: no such file"),
    ("forwarding", None,
     "IPv4 forwarding is disabled: check your host's firewalling and set sysctl net.ipv4.ip_forward=1"),
    ("limits", None,
     "runc create failed: error setting rlimits for ready process: error setting rlimit type 7: "
     "operation not permitted"),
    ("privileges", None, "OCI runtime create failed: unable to apply caps: operation not permitted"),
    ("privileges", None, "privileged mode is incompatible with user namespaces"),
    ("cgroups", None, "cgroups: cgroup mountpoint does not exist: unknown"),
    ("sysctl", None, "open sysctl net.ipv4.ip_unprivileged_port_start file: reopen fd 8: permission denied"),
    ("fixed-address", None, "Address already in use"),
    ("mount", None, "invalid mount config for type \"bind\": bind source path does not exist: /lib/modules"),
    ("kernel", None, "failed to add the host (veth1) <=> sandbox (veth2) pair interfaces: operation not supported"),
    ("", None, "no space left on device"),
    ("", None, ""),
)  # fmt: skip


@pytest.mark.parametrize(("cause", "where", "words"), SAID)
def test_what_it_means(cause: Trouble, where: tuple[str, int] | None, words: str) -> None:
    assert (trouble(words), place(words)) == (cause, where)


def test_every_cause_has_its_words() -> None:
    assert {cause for cause, _, _ in SAID} | {"rival"} == set(get_args(Trouble))  # which is no engine's word
    assert {cause for cause, where, _ in SAID if where} == PORTS


@given(st.text(max_size=300))
def test_no_words_bring_it_down(words: str) -> None:
    assert trouble(words) in get_args(Trouble)
    place(words)


def test_long_words_cost_no_time() -> None:
    assert trouble("host port" + "a" * 10**6) == ""
