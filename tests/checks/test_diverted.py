"""Ports that rules of the firewall take although nobody listens on them, on made-up hosts."""

from __future__ import annotations

from typing import Any

import pytest

from preflight.checks import Look
from preflight.facts import (
    Address,
    BindAttempt,
    Container,
    Diversion,
    Engine,
    Fact,
    Ipv6,
    Link,
    Nat,
    OsRelease,
    PublishedPort,
    Route,
    View,
)
from preflight.report.model import Result, Status
from tests.build import host, look, measured, run

PASS, WARN, FAIL, UNKNOWN = Status.PASS, Status.WARN, Status.FAIL, Status.UNKNOWN
LINKS = (
    Link("lo", 65536, True, (Address("127.0.0.1", 8, "host"),)),
    Link("eth0", 1500, True, (Address("198.51.100.7", 24, "global"), Address("2001:db8::7", 64, "global"))),
)
ROUTES = (Route("0.0.0.0/0", "eth0", "198.51.100.1", 0), Route("::/0", "eth0", "fe80::1", 0))
DEBIAN = OsRelease(id="debian", version_id="13", id_like=(), pretty_name="", codename="trixie")


def rule(**more: Any) -> Diversion:
    """Make the rule of a pod's hostPort."""
    known = {
        "port": 443, "family": "ipv4", "backend": "nf_tables", "table": "ip nat", "chain": "CNI-HOSTPORT-DNAT",
        "rule": 2, "native": False, "to": "10.42.0.8:443", "owner": "kubernetes", "order": "before",
    }  # fmt: skip
    return Diversion(**{**known, **more})


def hand(**more: Any) -> Diversion:
    return rule(**{"owner": "", "chain": "PREROUTING", "to": ":8443", **more})


def attempts(given: Look, outcome: str) -> tuple[BindAttempt, ...]:
    return tuple(
        BindAttempt(place, binding.port, outcome)
        for binding in given.plan.bindings
        for place in ((binding.address,) if binding.address else ("0.0.0.0", "::"))
    )


def free(
    *rules: Diversion, subject: str = "443/tcp", conf: dict[str, str] | None = None, outcome: str = "free", **facts: Any
) -> Result:
    facts = {
        "ipv6": Ipv6(True, False, True), "links": LINKS, "routes": ROUTES, "os_release": DEBIAN, "nat": Nat(rules),
        **facts,
    }  # fmt: skip
    given = look(conf=conf or {}, **facts)
    made = look(conf=conf or {}, **{"binds": attempts(given, outcome), **facts})
    return next(row for row in run("ports.free", made) if row.subject == subject)


def test_a_pods_host_port_takes_the_port() -> None:
    row = free(rule(), rule(port=80))
    assert (row.status, row.found, row.evidence.decided_by) == (FAIL, "10.42.0.8:443", "nat")
    for words in ("IPv4 packets for 443/tcp elsewhere: 10.42.0.8:443.", "CNI-HOSTPORT-DNAT", "Kubernetes (CNI)"):
        assert words in row.message
    (told,) = measured(row)["rules"]
    assert (told["table"], told["chain"], told["owner"], told["order"]) == (
        "ip nat", "CNI-HOSTPORT-DNAT", "kubernetes", "before",
    )  # fmt: skip
    assert row.evidence.holder is None
    assert row.remedy is not None
    assert row.remedy.commands == ("iptables -t nat -S CNI-HOSTPORT-DNAT",)
    assert "Traefik" in row.remedy.text
    assert "reverse proxy" in row.remedy.text


def test_a_rule_for_another_port_is_not_in_the_way() -> None:
    assert free(rule(port=80)).status is PASS
    assert free().status is PASS


@pytest.mark.parametrize(
    ("one", "status", "words"),
    [
        (hand(), FAIL, "nobody would reach mailcow"),
        (hand(family="ipv6", to="[fd00::8]:443"), FAIL, "IPv6 packets"),
        (hand(to=""), FAIL, "an unknown place"),
        (hand(order="after"), WARN, "Docker's own rule would come before it"),
        (hand(order="either"), WARN, "loaded last"),
        (hand(conditions=("mark", "set")), UNKNOWN, "cannot be evaluated here: mark, set."),
        (hand(sources=("10.0.0.0/8", "192.0.2.0/24")), WARN, "these networks: 10.0.0.0/8, 192.0.2.0/24."),
        (hand(interfaces=("eth0",)), FAIL, "nobody"),
        (hand(interfaces=("eth*", "lo")), FAIL, "nobody"),
        (hand(interfaces=("wg0", "cni*")), WARN, "these interfaces: wg0, cni*."),
        (hand(not_interfaces=("cni0",)), FAIL, "nobody"),
        (hand(not_interfaces=("eth0",)), WARN, "does not apply to connections"),
        (hand(interfaces=("eth0",), not_interfaces=("eth0",)), PASS, "is free"),
        (hand(destinations=("198.51.100.7/32",)), FAIL, "nobody"),
        (hand(destinations=("198.51.100.0/24",)), FAIL, "nobody"),
        (hand(destinations=("10.43.0.1/32",)), PASS, "is free"),  # the cluster's own address, or another machine's
        (hand(not_destinations=("198.51.100.0/24",)), PASS, "is free"),
        (hand(not_destinations=("10.0.0.0/8",)), FAIL, "nobody"),
        (hand(family="ipv6", destinations=("2001:db8::/32",)), FAIL, "IPv6"),
        (hand(order="after", sources=("10.0.0.0/8",)), PASS, "is free"),
        (hand(order="after", conditions=("mark",)), PASS, "is free"),
        (hand(owner="docker", chain="DOCKER"), PASS, "is free"),  # told by the engine
    ],
)
def test_what_a_rule_means_for_the_port(one: Diversion, status: Status, words: str) -> None:
    row = free(one)
    assert (row.status, words in row.message) == (status, True), row.message
    assert (row.reason is not None) == (status is UNKNOWN)


@pytest.mark.parametrize(
    ("names", "status"),
    [(("lxcbr0",), PASS), (("lxcbr0", "own"), PASS), (("lxc*",), PASS), (("lxcbr0", "eth1"), WARN), (("gone0",), WARN)],
)
def test_what_the_hosts_own_containers_send_may_go_elsewhere(names: tuple[str, ...], status: Status) -> None:
    inside = (Link("lxcbr0", 1500, True), Link("own", 1500, True, inner=True), Link("eth1", 1500, True))
    assert free(hand(interfaces=names), links=(*LINKS, *inside)).status is status


def test_the_worst_of_several_rules_is_told_and_all_are_shown() -> None:
    row = free(hand(sources=("10.0.0.0/8",)), hand(conditions=("mark",)), rule())
    assert (row.status, row.found) == (FAIL, "10.42.0.8:443")
    assert [told["chain"] for told in measured(row)["rules"]] == ["CNI-HOSTPORT-DNAT", "PREROUTING", "PREROUTING"]
    assert row.remedy is not None
    assert len(row.remedy.commands) == 2


@pytest.mark.parametrize(
    ("bind", "one", "status"),
    [
        ("198.51.100.7", hand(), FAIL),
        ("198.51.100.7", hand(destinations=("198.51.100.8/32",)), PASS),
        ("198.51.100.7", hand(family="ipv6"), PASS),
        ("198.51.100.7", hand(not_destinations=("198.51.100.7/32",)), PASS),
        ("[2001:db8::7]", hand(family="ipv6"), FAIL),
        ("[2001:db8::7]", hand(), PASS),
        ("0.0.0.0", hand(family="ipv6"), PASS),
        ("127.0.0.1", hand(), PASS),  # what comes from this host does not pass these rules
    ],
)
def test_only_packets_for_an_address_that_is_bound_count(bind: str, one: Diversion, status: Status) -> None:
    assert free(one, conf={"HTTPS_BIND": bind}, subject=f"{bind}:443/tcp").status is status


def test_a_host_without_ipv6_loses_nothing_to_a_rule_for_ipv6() -> None:
    alone = (Link("eth0", 1500, True, (Address("198.51.100.7", 24, "global"),)),)
    assert free(hand(family="ipv6"), links=alone).status is PASS
    assert free(hand(family="ipv6"), links=Fact.unknown("s", "No links.")).status is FAIL


def test_whoever_holds_the_port_is_told_first() -> None:
    assert free(rule(), outcome="EADDRINUSE").evidence.decided_by == "bind"
    row = free(rule(), outcome="EACCES")
    assert (row.status, row.evidence.decided_by) == (FAIL, "nat")
    assert free(hand(conditions=("mark",)), outcome="EACCES").evidence.decided_by == "bind"


def test_mailcow_that_runs_is_not_reached_either() -> None:
    ports = (PublishedPort("", 443, 443),)
    own = Container(
        id="a" * 64, name="nginx", image="nginx", state="running", project="mailcowdockerized", service="nginx-mailcow",
        ports=ports,
    )  # fmt: skip
    engine = Engine(version="28.5.2", api_version="1.51", containers=(own,))
    assert free(rule(), engine=engine).status is FAIL
    assert free(rule(owner="podman"), engine=engine).status is PASS  # its own, where the engine is that
    assert free(rule(owner="podman")).status is FAIL


@pytest.mark.parametrize(
    ("one", "command"),
    [
        (hand(), "iptables -t nat -S PREROUTING"),
        (hand(family="ipv6"), "ip6tables -t nat -S PREROUTING"),
        (hand(backend="ip_tables", table="nat"), "iptables-legacy -t nat -S PREROUTING"),
        (hand(native=True, table="inet own", chain="pre routing"), "nft -a list chain inet own 'pre routing'"),
        (hand(chain="x; reboot"), "iptables -t nat -S 'x; reboot'"),
    ],
)
def test_the_rule_is_shown_with_what_wrote_it(one: Diversion, command: str) -> None:
    remedy = free(one).remedy
    assert remedy is not None
    assert remedy.commands == (command,)


def test_other_distributions_have_one_iptables() -> None:
    rocky = OsRelease(id="rocky", version_id="8", id_like=("rhel",), pretty_name="", codename="")
    remedy = free(hand(backend="ip_tables", table="nat"), os_release=rocky).remedy
    assert remedy is not None
    assert remedy.commands == ("iptables -t nat -S PREROUTING",)


@pytest.mark.parametrize(
    ("owner", "words"),
    [
        ("podman", "Podman"), ("firewalld", "firewall-cmd"), ("libvirt", "/etc/libvirt/hooks"), ("lxd", "LXD"),
        ("incus", "Incus"), ("cilium", "Kubernetes"), ("", "/etc/ufw/before.rules"),
    ],
)  # fmt: skip
def test_the_remedy_goes_to_whose_rule_it_is(owner: str, words: str) -> None:
    remedy = free(hand(owner=owner)).remedy
    assert remedy is not None
    assert words in remedy.text


@pytest.mark.parametrize(
    ("unread", "words"), [("denied", "Only root"), ("late", "Too many"), ("refused", "did not return")]
)
def test_rules_that_were_not_read_prove_no_pass(unread: Any, words: str) -> None:
    row = free(nat=Nat((), unread))
    assert (row.status, row.message.startswith("443/tcp can be bound.")) == (UNKNOWN, True)
    assert words in (row.reason or "")
    assert row.remedy is not None
    assert ("as root" in row.remedy.text) == (unread == "denied")
    assert free(nat=Nat((rule(),), unread)).status is FAIL
    assert free(nat=Nat((), unread), subject="127.0.0.1:13306/tcp").status is PASS


def test_in_a_container_the_flag_is_named() -> None:
    view = View(container=True, root="/proc/1/root", live=True, network=True, privileged=False)
    binds = attempts(look(), "free")
    given = look(host(view=view, nat=Nat((), "denied"), binds=binds, ipv6=Ipv6(True, False, True)))
    row = next(row for row in run("ports.free", given) if row.subject == "443/tcp")
    assert row.remedy is not None
    assert (row.status, "--privileged" in row.remedy.text, row.remedy.place) == (UNKNOWN, True, "docker-run")


@pytest.mark.parametrize("kind", ["unknown", "skipped"])
def test_facts_without_rules_are_judged_as_before(kind: str) -> None:
    assert free(nat=getattr(Fact, kind)("s", "Not looked at.")).status is PASS
