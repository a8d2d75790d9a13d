"""In which backend rules are: Docker's, and those that mailcow's netfilter container will write."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from preflight.checks.firewall.backend import netfilter
from preflight.facts import Chain, Container, DaemonConfig, Fact, Table, Twin
from preflight.report.model import Result, Status
from tests.build import look, measured, run
from tests.checks.hosts import release
from tests.checks.twins import ENGINE, docker_tables, managers, twin

NFT, LEGACY = docker_tables(), docker_tables("ip_tables")


def one(given: Twin, **facts: Any) -> Result:
    known = {"os_release": release(), "engine": ENGINE, "services": managers(), "conf": {}, **facts}
    (result,) = run("firewall.backend", look(twin=given, **known))
    return result


def tables(*more: Table, docker: tuple[Table, ...] = NFT, derived: bool = True) -> Twin:
    return twin(tables=(*docker, *more), derived=derived)


@pytest.mark.parametrize(("docker", "name"), [(NFT, "nftables"), (LEGACY, "iptables")])
def test_docker_and_mailcow_in_one_backend_pass(docker: tuple[Table, ...], name: str) -> None:
    result = one(tables(docker=docker))
    assert (result.status, result.found) == (Status.PASS, name)
    assert result.message == f"mailcow's netfilter container will pick {name}, which also holds Docker's rules."
    assert measured(result) == {"backends": [name], "engine": name, "netfilter": name, "missing": []}


def native(name: str = "filter", family: str = "inet", rules: int = 4) -> Table:
    return Table("nf_tables", family, name, (Chain("input", rules, "input", 0, "drop"),))


@pytest.mark.parametrize(
    ("given", "picked"),
    [
        ((), "iptables"),
        ((native(),), "iptables"),  # a table that its first question does not ask for
        ((Table("nf_tables", "ip", "filter", ()),), "iptables"),  # what iptables-save writes around it is longer
        ((native(family="ip"),), "nftables"),
        (NFT, "nftables"),
        (LEGACY, "iptables"),
        ((*LEGACY, native(family="ip")), "nftables"),
    ],
)
def test_what_mailcows_container_picks(given: tuple[Table, ...], picked: str) -> None:
    assert netfilter(given) == picked


def test_docker_in_the_other_backend_is_a_warning() -> None:
    result = one(tables(native(family="ip"), docker=LEGACY))
    assert (result.status, result.found) == (Status.WARN, "nftables")
    assert "Docker's rules are in iptables, but mailcow's netfilter container will pick nftables." in result.message
    assert result.remedy
    assert result.remedy.commands[0] == "update-alternatives --display iptables"
    assert one(tables(native(family="ip"), docker=LEGACY), os_release=release("almalinux", "9")).remedy


def test_rules_in_both_are_a_warning() -> None:
    old = Table("ip_tables", "ip", "filter", (Chain("INPUT", 2, "input"),))
    result = one(tables(old))
    assert (result.status, result.found) == (Status.WARN, "both")
    assert "Legacy tables with rules: filter." in result.message
    assert measured(result)["backends"] == ["nftables", "iptables"]


def test_legacy_tables_without_rules_are_none() -> None:
    empty = Table("ip_tables", "ip", "filter", (Chain("INPUT", 0, "input", 0, "accept"),))
    assert one(tables(empty)).status is Status.PASS
    closed = Table("ip_tables", "ip", "filter", (Chain("INPUT", 0, "input", 0, "drop"),))
    assert one(tables(closed)).status is Status.WARN


@pytest.mark.parametrize(
    ("left", "missing"),
    [
        ((), "nat PREROUTING, nat DOCKER, filter FORWARD, filter DOCKER"),
        (NFT[1:], "filter FORWARD, filter DOCKER"),
        (NFT[:1], "nat PREROUTING, nat DOCKER"),
    ],
)
def test_missing_rules_of_docker_are_a_warning(left: tuple[Table, ...], missing: str) -> None:
    result = one(tables(docker=left))
    assert (result.status, result.found) == (Status.WARN, "missing")
    assert f"Docker's own rules are missing on this host: {missing}." in result.message
    assert result.remedy
    assert result.remedy.commands == ("systemctl restart docker",)


@pytest.mark.parametrize(
    "change",
    [
        {"components": ("Podman Engine",)}, {"security_options": ("name=rootless",)},
        {"operating_system": "Docker Desktop"},
    ],
)  # fmt: skip
def test_engines_that_write_no_rules_here_miss_none(change: dict[str, Any]) -> None:
    result = one(tables(docker=()), engine=msgspec.structs.replace(ENGINE, **change))
    assert (result.status, result.found) == (Status.PASS, "iptables")


def test_what_leads_to_dockers_chain_comes_with_its_first_network() -> None:
    none = msgspec.structs.replace(ENGINE, networks=())
    chains = tuple(
        msgspec.structs.replace(chain, rules=chain.rules * (chain.name != "PREROUTING")) for chain in NFT[1].chains
    )
    left = (NFT[0], msgspec.structs.replace(NFT[1], chains=chains))
    assert one(tables(docker=left), engine=none).status is Status.PASS
    assert "nat PREROUTING" in one(tables(docker=left)).message


def test_other_settings_are_told_by_their_own_check() -> None:
    off = DaemonConfig("/etc/docker/daemon.json", True, {"iptables": False})
    result = one(tables(docker=()), daemon_config=off)
    assert (result.status, result.reason) == (
        Status.SKIP, "Docker does not write firewall rules (see docker.daemon-config).",
    )  # fmt: skip
    own = msgspec.structs.replace(ENGINE, firewall_backend="nftables")
    result = one(tables(native("docker-bridges", "ip"), docker=()), engine=own)
    assert result.status is Status.SKIP
    assert one(tables(docker=()), engine=own).found == "missing"


def test_without_an_engine_the_rules_that_are_there_tell() -> None:
    result = one(tables(docker=()), engine=Fact.unknown("docker", "No engine."))
    assert (result.status, result.message) == (
        Status.PASS, "mailcow's netfilter container will pick iptables on this host.",
    )  # fmt: skip


def with_chain(tables: tuple[Table, ...]) -> tuple[Table, ...]:
    first, *rest = tables
    return (msgspec.structs.replace(first, chains=(*first.chains, Chain("MAILCOW", 1))), *rest)


def test_mailcows_own_chain_is_looked_for_where_it_runs() -> None:
    container = Container(
        id="1", name="mailcowdockerized-netfilter-mailcow-1", image="", state="running", service="netfilter-mailcow"
    )
    engine = msgspec.structs.replace(ENGINE, containers=(container,))
    result = one(tables(derived=False), engine=engine)
    assert (result.status, result.found) == (Status.WARN, "no MAILCOW chain")
    assert result.remedy
    assert result.remedy.commands[0] == "docker restart mailcowdockerized-netfilter-mailcow-1"
    assert one(tables(docker=with_chain(NFT), derived=False)).status is Status.PASS
    empty = Table("ip_tables", "ip", "filter", (Chain("MAILCOW", 0),))
    assert one(tables(empty, derived=False)).found == "another backend"


def test_without_a_twin_nothing_is_known() -> None:
    (result,) = run("firewall.backend", look(conf={}))
    assert (result.status, result.reason) == (Status.UNKNOWN, "The test gives no twin.")


# --- by the rules of the container's own start ------------------------------------------------------------------------


def compat(name: str, *chains: Chain, family: str = "ip") -> Table:
    return Table("nf_tables", family, name, chains)


BARE = compat("filter")
LONG = tuple(Chain(f"c{number}", 0) for number in range(9))


@pytest.mark.parametrize(
    ("given", "picked"),
    [
        # A chain is a line of iptables-save, and three of nft; a hook is one more.
        ((compat("filter", *LONG),), "nftables"), ((compat("filter", Chain("INPUT", 0, "input")),), "nftables"),
        ((compat("filter", Chain("x", 0)),), "nftables"),
        # What iptables does not show counts for nft alone.
        ((BARE, compat("mine", Chain("x", 0))), "nftables"), ((BARE, compat("filter", family="inet")), "nftables"),
        ((BARE, compat("nat", family="ip6")), "nftables"), ((BARE, compat("nat")), "iptables"),
        ((BARE, compat("raw"), compat("mangle"), compat("security")), "iptables"),
        # Without `ip filter` nothing else is asked.
        ((compat("nat", *LONG), compat("filter", *LONG, family="ip6")), "iptables"),
        ((Table("ip_tables", "ip", "filter", LONG),), "iptables"),
    ],
)  # fmt: skip
def test_the_longer_listing_wins(given: tuple[Table, ...], picked: str) -> None:
    assert netfilter(given) == picked


@pytest.mark.parametrize(
    ("more", "status"),
    [
        (Table("ip_tables", "ip", "nat", (Chain("x", 1),)), Status.WARN),
        (Table("ip_tables", "ip6", "filter", (Chain("INPUT", 0, "input", 0, "DROP"),)), Status.WARN),
        (Table("ip_tables", "ip", "filter", (Chain("INPUT", 0, "input", 0, "ACCEPT"), Chain("x", 0))), Status.PASS),
        (Table("ip_tables", "ip", "filter", (Chain("INPUT", 0, "input"),)), Status.PASS),
    ],
)
def test_a_legacy_table_counts_where_it_decides_anything(more: Table, status: Status) -> None:
    assert one(tables(more)).status is status


def test_native_tables_beside_legacy_ones_are_no_mixture() -> None:
    """What iptables keeps in nf_tables is mixed with them; rules of nft alone are not."""
    old = Table("ip_tables", "ip", "filter", LEGACY[0].chains)
    result = one(tables(native("mine", "inet"), native("mine", "ip"), old, docker=LEGACY))
    assert result.status is Status.PASS


@pytest.mark.parametrize(
    ("drop", "missing"),
    [
        (("nat", "PREROUTING"), "nat PREROUTING"), (("nat", "DOCKER"), "nat DOCKER"),
        (("filter", "FORWARD"), "filter FORWARD"), (("filter", "DOCKER"), "filter DOCKER"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("backend", ["nf_tables", "ip_tables"])
def test_each_chain_of_dockers_is_missed_alone(backend: Any, drop: tuple[str, str], missing: str) -> None:
    left = tuple(
        msgspec.structs.replace(table, chains=tuple(one for one in table.chains if (table.name, one.name) != drop))
        for table in docker_tables(backend)
    )
    result = one(tables(docker=left))
    assert result.found == "missing"
    assert measured(result)["missing"] == [missing]


def test_a_chain_forward_without_rules_leads_nowhere() -> None:
    first = msgspec.structs.replace(NFT[0], chains=(Chain("FORWARD", 0, "forward", 0, "drop"), Chain("DOCKER", 2)))
    assert measured(one(tables(docker=(first, NFT[1]))))["missing"] == ["filter FORWARD"]
    six = tuple(msgspec.structs.replace(table, family="ip6") for table in NFT)
    assert len(measured(one(tables(docker=six)))["missing"]) == 4  # those for IPv6 are others


OLD = ("DOCKER-ISOLATION-STAGE-1", "DOCKER-ISOLATION-STAGE-2")
FORWARD = ("DOCKER-FORWARD", "DOCKER-BRIDGE", "DOCKER-CT")


@pytest.mark.parametrize(
    ("version", "needed"),
    [
        ("17.12.1", ()), ("18.03.0", OLD), ("20.10.24+dfsg1", OLD), ("26.1.5+dfsg1", OLD), ("27.5.1", OLD),
        ("28.0.0", ()), ("28.0.1", (*FORWARD, *OLD)), ("28.5.2+dfsg3", (*FORWARD, *OLD)), ("29.0.0", FORWARD),
        ("29.7.2", FORWARD), ("30.0.0", ()), ("dev", ()),
    ],
)  # fmt: skip
def test_chains_without_which_an_engine_makes_no_network(version: str, needed: tuple[str, ...]) -> None:
    """What CSF writes back by itself are the oldest of Docker's chains."""
    engine = msgspec.structs.replace(ENGINE, version=version)
    back = msgspec.structs.replace(NFT[0], chains=NFT[0].chains[:2])
    result = one(tables(docker=(back, NFT[1])), engine=engine)
    assert result.status is (Status.WARN if needed else Status.PASS)
    assert measured(result)["missing"] == [f"filter {name}" for name in needed]
    assert one(tables(docker=NFT), engine=engine).status is Status.PASS


def test_remedies_change_no_backend_by_themselves() -> None:
    mixed = tables(Table("ip_tables", "ip", "filter", (Chain("INPUT", 2, "input"),)))
    for system, first in ((release(), "update-alternatives"), (release("almalinux", "9"), "iptables-legacy-save")):
        result = one(mixed, os_release=system)
        assert result.remedy
        assert result.remedy.commands[0].split()[0] == first
        assert "set it to use nftables" in result.remedy.text
        assert all("--set" not in line and "-F" not in line for line in result.remedy.commands)
    apart = one(tables(native(family="ip"), docker=LEGACY))
    assert apart.remedy
    assert "set it to use iptables" in apart.remedy.text


def test_a_container_that_is_not_seen_is_not_restarted_by_name() -> None:
    result = one(tables(derived=False))
    assert result.remedy
    assert result.remedy.commands == ()
    assert result.remedy.text == "Restart mailcow's netfilter container, and check its log."
