"""Advice about a firewall, for every owner and place of a rule: it fits the owner, and only mailcow's packets pass."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from typing import Any, Literal

import pytest

from preflight.checks import Look
from preflight.checks.firewall import owners, ways
from preflight.checks.firewall.culprits import Case
from preflight.facts import Chain, Culprit, DaemonConfig, Services, Table
from preflight.report.model import Remedy
from tests import advice
from tests.build import look
from tests.checks.hosts import release
from tests.checks.twins import ENGINE, docker_tables, legacy, managers, rule, twin

Version = Literal[4, 6]
Direction = Literal["in", "out"]
BY_HAND = {"iptables", "ip6tables", "iptables-legacy", "ip6tables-legacy", "nft"}
# What each owner's remedy may run: its own programs, and what makes Docker write its rules again.
PROGRAMS = {
    "ufw": {"ufw", "grep"}, "firewalld": {"firewall-cmd", "systemctl"}, "csf": {"sed", "csf", "systemctl"},
    "shorewall": {"sed", "shorewall", "systemctl"}, "ferm": {"iptables"}, "firehol": {"iptables"},
    "fail2ban": {"fail2ban-client"}, "crowdsec": {"cscli"}, "netfilter-mailcow": set(),
    "docker": {"systemctl", "cat"}, "oracle-cloud": BY_HAND - {"nft"} | {"sed"},
}  # fmt: skip
CHAINS = {
    "ufw": "ufw-user-forward", "fail2ban": "f2b-sshd", "crowdsec": "CROWDSEC_CHAIN", "netfilter-mailcow": "MAILCOW",
    "docker": "DOCKER", "docker-user": "DOCKER-USER", "libvirt": "LIBVIRT_FWX", "podman": "NETAVARK_FORWARD",
    "kubernetes": "KUBE-FORWARD",
}  # fmt: skip
HOOKS = (
    ("forward", "filter", "FORWARD"),
    ("prerouting", "raw", "PREROUTING"),
    ("postrouting", "mangle", "POSTROUTING"),
)
TABLES = tuple(Table("nf_tables", "ip", table, (Chain(chain, 1, hook),)) for hook, table, chain in HOOKS[1:])
OWNERS = (*owners.NAMES, owners.DOCKER_USER, "")
LINES = (*(owner for owner in OWNERS if owner not in PROGRAMS), owners.ORACLE)  # who get lines of iptables or nft


def given(owner: str) -> Look:
    on = () if owner in ("", owners.DOCKER_USER) else (owner,)
    made = twin(tables=(*docker_tables(), *TABLES))
    return look(twin=made, services=managers(*on), os_release=release(), engine=ENGINE, conf={})


def culprits(owner: str, table: str, chain: str) -> Iterator[Culprit]:
    named = CHAINS.get(owner, chain)
    yield from (rule(named, table=table), rule(named, table=table, handle=None), legacy(named, table=table))
    yield from (legacy(named, table=table, number=None), rule(chain, table=table, kind="policy", handle=None))
    if owner != owners.ORACLE:  # whose image has iptables
        yield rule("forward", family="inet", table="mine")
        yield rule("filter_FORWARD", family="inet", table="firewalld", kind="policy", handle=None)


def cases(owner: str) -> Iterator[Case]:
    """Yield all that may stop packets and be that owner's."""
    directions: tuple[Direction, ...] = ("in", "out")
    versions: tuple[Version, ...] = (4, 6)
    for (hook, table, chain), way, version in itertools.product(HOOKS, directions, versions):
        for culprit, verdict in itertools.product(culprits(owner, table, chain), ("dropped", "refused", "oneway")):
            yield Case(
                way=way, version=version, verdict=verdict, culprit=culprit, owner=owner, hook=hook,
                early=hook == "prerouting", interface="eth0", bridge="br-mailcow",
                inner=(25, 443) if way == "in" else (), outer=(2525, 443) if way == "in" else (),
            )  # fmt: skip


def remedies(owner: str) -> Iterator[tuple[Case, Remedy]]:
    made = given(owner)
    for case in cases(owner):
        yield case, ways.remedy(made, [case], [case])


def test_every_owner_has_a_name_and_is_asked_here() -> None:
    assert set(PROGRAMS) | {"docker-user", "", "nftables", "iptables", "libvirt", "podman", "kubernetes"} == set(OWNERS)


@pytest.mark.parametrize("owner", OWNERS)
def test_no_remedy_harms_the_host(owner: str) -> None:
    host = given(owner).host
    for case, remedy in remedies(owner):
        assert advice.faults_of(remedy, host) == [], case
        assert remedy.text, case


@pytest.mark.parametrize("owner", OWNERS)
def test_a_remedy_runs_what_belongs_to_the_owner(owner: str) -> None:
    for case, remedy in remedies(owner):
        programs = {line.split()[0].removesuffix("-save") for line in remedy.commands}
        assert programs <= PROGRAMS.get(owner, BY_HAND), case


def lets_through(line: str) -> str:
    """Return what a line names of the packets that it lets through: without it, it would be everybody's."""
    words = line.replace('"', "")
    named = re.search(
        r"(-[io]|[io]ifname|in on|out on) br-mailcow|--dports 2525,443|tcp dport \{ (2525|25), 443 }", words
    )
    answers = re.search(r"ctstate RELATED,ESTABLISHED -j|! --syn|--sport 53|!= syn|udp sport 53", words)
    return (named or answers or [""])[0]


@pytest.mark.parametrize("owner", [*LINES, "ufw"])
def test_a_line_names_mailcows_bridge_or_its_ports(owner: str) -> None:
    seen = 0
    for case, remedy in remedies(owner):
        for line in remedy.commands:
            if not line.startswith(("grep", "nft -a")) and not line.endswith("-save"):
                seen += 1
                assert lets_through(line), (case, line)
    assert seen


@pytest.mark.parametrize("owner", LINES)
def test_a_line_is_of_the_family_and_backend_that_its_rule_is_in(owner: str) -> None:
    for case, remedy in remedies(owner):
        programs = {line.split()[0] for line in remedy.commands if "list" not in line and "-save" not in line} - {"sed"}
        iptables = "iptables" if case.version == 4 else "ip6tables"
        native = not owners.compatible(case.culprit, given(owner).host.twin.get().tables)
        old = case.culprit.backend == "ip_tables"
        if owner in ("oracle-cloud", "docker-user") or not native:
            assert programs <= {f"{iptables}-legacy" if old else iptables}, case
        else:
            assert programs == {"nft"}, case


@pytest.mark.parametrize("owner", ["", "docker-user", "iptables", "libvirt"])
def test_lines_of_iptables_are_said_as_a_shell_reads_them(owner: str) -> None:
    for case, remedy in remedies(owner):
        for line in remedy.commands:
            words = shlex.split(line)
            if words[0] != "nft" and not words[0].endswith("-save"):
                verdict = "RETURN" if owner == "docker-user" else "ACCEPT"
                assert words[-2:] == ["-j", verdict], case
                assert ("-t" in words) is (case.culprit.table in ("raw", "mangle") and owner != "docker-user"), case


@pytest.mark.parametrize("kind", ["forwarding", "route", "filter", "nat", "socket"])
@pytest.mark.parametrize("settings", [{}, {"iptables": False}, {"ip6tables": False}], ids=["plain", "off", "off6"])
def test_what_no_rule_stops_is_put_right_without_harm(kind: Any, settings: dict[str, Any]) -> None:
    config = DaemonConfig("/etc/docker/daemon.json", True, settings)
    made = look(twin=twin(), services=managers(), os_release=release(), engine=ENGINE, daemon_config=config, conf={})
    for way, version, verdict in itertools.product(("in", "out"), (4, 6), ("dropped", "oneway", "elsewhere")):
        case = Case(
            way=way, version=version, verdict=verdict, culprit=Culprit(kind=kind), owner="", hook="",  # type: ignore[arg-type]
            interface="eth0.7", bridge="br-mailcow", inner=(25,), outer=(25,),
        )  # fmt: skip
        remedy = ways.remedy(made, [case], [case])
        assert advice.faults_of(remedy, made.host) == []
        assert remedy.text
        assert all(file.path.startswith("/etc/sysctl.d/90-mailcow-") for file in remedy.files)


@pytest.mark.parametrize("init", ["systemd", "openrc"])
def test_docker_is_restarted_as_the_host_does_it(init: Any) -> None:
    system = release() if init == "systemd" else release("alpine", "3.20")
    made = look(twin=twin(), services=Services(init, ()), os_release=system, engine=ENGINE, conf={})
    [line] = ways.restart(made, "Docker's own rules are missing.").commands
    assert line == {"systemd": "systemctl restart docker", "openrc": "rc-service docker restart"}[init]
