"""The checks of mailcow's networks and of the host's way to the world, on made-up hosts."""

from __future__ import annotations

import ipaddress
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.checks import catalogue
from preflight.checks.network.subnets import propose
from preflight.facts import (
    Address,
    Command,
    ConfFile,
    Contact,
    DaemonConfig,
    Engine,
    EngineNetwork,
    Fact,
    Ipv6,
    Link,
    Override,
    Route,
    RoutingRule,
    View,
    Way,
)  # fmt: skip
from preflight.gather.access.roots import Roots
from preflight.gather.conf import mailcow_conf, override
from preflight.gather.engine import daemon
from preflight.render.shell import folded
from preflight.report.model import Result, Status, WrittenFile
from tests.build import look, measured, run

PASS, WARN, FAIL, UNKNOWN, SKIP = Status.PASS, Status.WARN, Status.FAIL, Status.UNKNOWN, Status.SKIP
ETH0 = Link("eth0", 1500, True, (Address("192.0.2.2", 24, "global"),))
DEFAULT = Route("0.0.0.0/0", "eth0", "192.0.2.1", 0)
ON_LINK = Route("192.0.2.0/24", "eth0", "", 0)


def engine(*networks: EngineNetwork, version: str = "28.5.2", pools: tuple[str, ...] = ()) -> Engine:
    return Engine(version=version, api_version="1.51", networks=networks, address_pools=pools)


def network(name: str, *subnets: str, interface: str = "br-x", **more: Any) -> EngineNetwork:
    return EngineNetwork(name, "id", "bridge", subnets, interface, False, **more)


MAILCOW = network(
    "mailcowdockerized_mailcow-network", "172.22.1.0/24", "fd4d:6169:6c63:6f77::/64",
    interface="br-mailcow", project="mailcowdockerized",
)  # fmt: skip


def subnet(family: str = "IPv4", conf: dict[str, str] | None = None, **facts: Any) -> Result:
    facts = {"links": (ETH0,), "routes": (DEFAULT, ON_LINK), "engine": engine(), **facts}
    (row,) = (row for row in run("network.subnet", look(conf=conf or {}, **facts)) if row.subject == family)
    return row


def routes(*more: Route) -> tuple[Route, ...]:
    return (DEFAULT, ON_LINK, *more)


@pytest.mark.parametrize(("family", "wanted"), [("IPv4", "172.22.1.0/24"), ("IPv6", "fd4d:6169:6c63:6f77::/64")])
def test_a_free_network(family: str, wanted: str) -> None:
    row = subnet(family)
    assert row.status is PASS
    assert measured(row) == {"wanted": wanted, "conflicts": [], "proposal": None}


@pytest.mark.parametrize(
    ("destination", "status", "wider"),
    [
        ("172.22.1.0/24", FAIL, False),
        ("172.22.1.128/25", FAIL, False),
        ("172.22.1.7/32", FAIL, False),
        ("172.16.0.0/12", WARN, True),
        ("128.0.0.0/1", PASS, None),  # half of a default route, as VPNs add it
        ("172.22.2.0/24", PASS, None),
    ],
)
def test_routes(destination: str, status: Status, wider: bool | None) -> None:
    row = subnet(routes=routes(Route(destination, "tun0", "", 0)))
    assert row.status is status
    if status is not PASS:
        assert measured(row)["conflicts"] == [{"what": "route", "name": "tun0", "subnet": destination, "wider": wider}]
        proposal = ipaddress.ip_network(row.evidence.proposal)
        assert not proposal.overlaps(ipaddress.ip_network(destination))
        assert row.remedy is not None
        assert f"IPV4_NETWORK={str(proposal).removesuffix('.0/24')}" in row.remedy.text


def test_a_wide_refusal_is_beaten_by_mailcows_own_route() -> None:
    assert subnet(routes=routes(Route("172.16.0.0/12", "*", "", 0))).status is PASS
    assert subnet(routes=routes(Route("172.22.1.0/24", "*", "", 0))).status is FAIL


def test_an_address_of_the_host_inside() -> None:
    link = Link("eth1", 1500, True, (Address("172.22.1.9", 16, "global"),))
    row = subnet(links=(ETH0, link), routes=routes(Route("172.22.0.0/16", "eth1", "", 0)))
    assert row.status is FAIL
    assert [entry["what"] for entry in measured(row)["conflicts"]] == ["route", "address"]
    # The route is enough where it is as narrow.
    row = subnet(links=(ETH0, link), routes=routes(Route("172.22.1.0/24", "eth1", "", 0)))
    assert [entry["what"] for entry in measured(row)["conflicts"]] == ["route"]


def test_a_docker_network_with_its_bridge_and_route_is_one_conflict() -> None:
    bridge = Link("br-x", 1500, True, (Address("172.22.0.1", 16, "global"),))
    row = subnet(
        links=(ETH0, bridge), routes=routes(Route("172.22.0.0/16", "br-x", "", 0)),
        engine=engine(network("other", "172.22.0.0/16")),
    )  # fmt: skip
    assert row.status is FAIL
    assert measured(row)["conflicts"] == [
        {"what": "docker network", "name": "other", "subnet": "172.22.0.0/16", "wider": False}
    ]
    assert "the Docker network other (172.22.0.0/16)" in row.message


def test_mailcow_itself_and_our_own_probes_are_no_conflict() -> None:
    bridge = Link("br-mailcow", 1500, True, (Address("172.22.1.1", 24, "global"),))
    at = routes(Route("172.22.1.0/24", "br-mailcow", "", 0))
    assert subnet(links=(ETH0, bridge), routes=at, engine=engine(MAILCOW)).status is PASS
    assert subnet("IPv6", links=(ETH0, bridge), routes=at, engine=engine(MAILCOW)).status is PASS
    probe = network("probe", "172.22.1.0/24", interface="br-probe", run="abc")
    at = routes(Route("172.22.1.0/24", "br-probe", "", 0))
    assert subnet(routes=at, engine=engine(probe)).status is PASS


def test_another_mailcows_bridge() -> None:
    old = engine(network("old", "172.22.9.0/24", interface="br-mailcow"))
    row = subnet(engine=old)
    assert row.status is FAIL
    assert row.evidence.proposal is None  # another network would not help
    assert row.remedy is not None
    assert row.remedy.commands == ("docker network rm old",)
    assert subnet("IPv6", engine=old).status is PASS  # said once


@pytest.mark.parametrize("address", ["172.22.1.1", "172.22.1.9", "10.9.8.1"])
def test_nobodys_bridge_is_taken_over_by_the_engine(address: str) -> None:
    bridge = Link("br-mailcow", 1500, False, (Address(address, 24, "global"),))
    at = routes(Route("172.22.1.0/24", "br-mailcow", "", 0))
    assert subnet(links=(ETH0, bridge), routes=at).status is PASS
    other = Link("br-other", 1500, False, (Address("172.22.1.1", 24, "global"),))
    assert subnet(links=(ETH0, bridge, other), routes=at).status is FAIL


@pytest.mark.parametrize("value", ["100.64.1", "170.20.20", "8.8.8"])
def test_a_network_that_is_not_private(value: str) -> None:
    row = subnet(conf={"IPV4_NETWORK": value})
    assert (row.status, row.evidence.proposal) == (FAIL, "172.22.1.0/24")
    row = subnet("IPv6", conf={"IPV6_NETWORK": "2001:db8::/64"})
    assert (row.status, row.evidence.proposal) == (WARN, "fd4d:6169:6c63:6f77::/64")


def test_ipv6() -> None:
    row = subnet("IPv6", engine=engine(network("six", "fd4d:6169:6c63::/48")))
    assert (row.status, row.evidence.proposal) == (FAIL, None)
    row = subnet("IPv6", routes=routes(Route("fd4d:6169:6c63:6f77::/64", "wg0", "", 0), Route("::/0", "eth0", "", 0)))
    assert (row.status, row.evidence.proposal) == (FAIL, "fd4d:6169:6c63:6f78::/64")
    assert row.remedy is not None
    assert "IPV6_NETWORK=fd4d:6169:6c63:6f78::/64" in row.remedy.text
    assert subnet("IPv6", routes=routes(Route("2000::/3", "eth0", "fe80::1", 0))).status is PASS
    assert subnet("IPv6", routes=routes(Route("fd00::/8", "wg0", "", 0))).status is WARN


def test_without_ipv6_its_network_is_not_made() -> None:
    clash = network("six", "fd4d:6169:6c63:6f77::/64")
    off = {"ENABLE_IPV6": "false"}
    assert subnet("IPv6", conf=off, engine=engine(clash)).status is SKIP
    assert subnet("IPv6", conf=off, engine=engine(clash, version="25.0.2")).status is FAIL  # which makes it anyway
    assert subnet("IPv6", conf=off, engine=engine(clash, version="25.0.3")).status is SKIP


def test_what_is_not_known_proves_no_pass_but_a_failure() -> None:
    gone = Fact.unknown("engine", "The engine does not answer.")
    assert subnet(engine=gone).reason == "The engine does not answer."
    assert subnet(routes=Fact.unknown("r", "No routes.")).status is UNKNOWN
    assert subnet(links=Fact.unknown("l", "No links.")).status is UNKNOWN
    row = subnet(engine=gone, routes=routes(Route("172.22.1.0/24", "tun0", "", 0)))
    assert row.status is FAIL


def test_a_list_of_networks_that_is_not_whole_proves_no_pass_but_a_failure() -> None:
    for cut, status in ((("networks",), Status.UNKNOWN), (("volumes",), PASS), ((), Status.UNKNOWN)):
        said = msgspec.structs.replace(engine(), truncated=True, cut=cut)
        assert subnet(engine=said).status is status
    clash = engine(network("other", "172.22.1.0/24"))
    assert subnet(engine=msgspec.structs.replace(clash, truncated=True, cut=("networks",))).status is Status.FAIL


def test_a_proposal_keeps_clear_of_the_engines_own_pools() -> None:
    clash = network("a", "172.22.1.0/24")
    assert subnet(engine=engine(clash)).evidence.proposal == "172.16.1.0/24"
    told = engine(clash, pools=("172.16.0.0/12",))
    assert subnet(engine=told).evidence.proposal == "10.22.1.0/24"
    everything = engine(clash, pools=("172.16.0.0/12", "10.0.0.0/8", "192.168.0.0/16"))
    assert subnet(engine=everything).evidence.proposal == "172.22.2.0/24"
    full = routes(Route("172.16.0.0/12", "a", "", 0), Route("10.0.0.0/8", "b", "", 0))
    assert subnet(routes=full).evidence.proposal is None


NETWORKS = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(4, 32)), max_size=40)


@given(NETWORKS)
def test_a_proposal_is_free_and_private(pairs: list[tuple[int, int]]) -> None:
    held = [ipaddress.IPv4Network(pair, strict=False) for pair in pairs]
    given_ = look(
        conf={}, links=(), engine=engine(), routes=tuple(Route(str(entry), "x", "", 0) for entry in held)
    )  # fmt: skip
    found = propose(given_, ipaddress.IPv4Network("172.22.1.0/24"))
    assert found == propose(given_, ipaddress.IPv4Network("172.22.1.0/24"))
    if found:
        network_ = ipaddress.IPv4Network(found)
        assert network_.prefixlen == 24
        assert network_.is_private
        assert not any(network_.overlaps(entry) for entry in held)


def test_hostile_facts_break_nothing() -> None:
    odd = engine(network("x", "nonsense", "1/2/3"))
    assert subnet(engine=odd, routes=(Route("x", "y", "z", 0),), links=(Link("a", None, None, (Address("b", 1, ""),)),))


def lookup(table: int, priority: int, **more: Any) -> RoutingRule:
    return RoutingRule(version=4, priority=priority, action="table", table=table, **more)


RULES = (lookup(255, 0), lookup(254, 32766), lookup(253, 32767))


def ruled(*more: RoutingRule) -> tuple[RoutingRule, ...]:
    return tuple(sorted((*RULES, *more), key=lambda rule: rule.priority))


def test_a_wider_route_that_is_looked_up_before_the_main_table_is_no_mere_warning() -> None:
    """Tailscale takes subnets that another of its machines announces, in a table before the main one."""
    at = routes(Route("172.16.0.0/12", "tailscale0", "", 0, 52))
    row = subnet(routes=at, rules=ruled(lookup(52, 5270)))
    assert (row.status, measured(row)["conflicts"]) == (FAIL, [
        {"what": "route", "name": "tailscale0", "subnet": "172.16.0.0/12", "wider": False, "table": 52}
    ])  # fmt: skip
    assert "table 52" in row.message
    assert row.evidence.proposal == "10.22.1.0/24"
    assert subnet(routes=at, rules=ruled(lookup(52, 32770))).status is WARN  # after the main table: mailcow's wins
    assert subnet(routes=at, rules=ruled(lookup(52, 5270, mark=7, mask=7))).status is PASS
    assert subnet(routes=at, rules=RULES).status is PASS  # nobody looks there


def test_a_default_route_that_takes_everything_is_met_by_a_rule() -> None:
    row = subnet(routes=routes(Route("0.0.0.0/0", "wg0", "", 0, 52)), rules=ruled(lookup(52, 5270)))
    assert (row.status, row.evidence.proposal) == (FAIL, None)
    assert row.remedy is not None
    assert row.remedy.commands == ("ip rule add to 172.22.1.0/24 lookup main priority 5269",)
    first = lookup(254, 5269, destination="172.22.1.0/24")
    at = routes(Route("0.0.0.0/0", "wg0", "", 0, 52))
    assert subnet(routes=at, rules=ruled(first, lookup(52, 5270))).status is PASS
    assert subnet(routes=at, rules=ruled(lookup(254, 9, suppress=0), lookup(52, 5270))).status is PASS
    assert subnet(routes=at, rules=ruled(lookup(254, 9, suppress=24), lookup(52, 5270))).status is FAIL


def test_a_whole_network_taken_for_the_hosts_own() -> None:
    at = routes(Route("172.16.0.0/12", "lo", "", 0, 255, "local"))
    assert subnet(routes=at, rules=RULES).status is FAIL


def test_other_tables_without_their_rules_prove_no_pass() -> None:
    at = routes(Route("10.0.0.0/8", "", "", 0, 52))
    row = subnet(routes=at, rules=Fact.unknown("r", "No rules."))
    assert (row.status, row.reason) == (UNKNOWN, "No rules.")
    at = (*at, Route("172.22.1.0/24", "tun0", "", 0))
    assert subnet(routes=at, rules=Fact.unknown("r", "No rules.")).status is FAIL


def test_without_an_engine_the_networks_are_held_against_routes_and_addresses() -> None:
    gone = Fact.unknown("engine", "No Docker engine answers.")
    contact = Contact("unix:///var/run/docker.sock", "absent")
    none = {name: Command(None) for name in ("dockerd", "docker", "git")}
    row = subnet(engine=gone, contact=contact, commands=none)
    assert (row.status, "not installed yet" in row.message) == (PASS, True)
    clash = routes(Route("172.22.1.0/24", "tun0", "", 0))
    assert subnet(engine=gone, contact=contact, commands=none, routes=clash).status is FAIL
    wide = routes(Route("172.16.0.0/12", "tun0", "", 0))
    assert subnet(engine=gone, contact=contact, commands=none, routes=wide).status is WARN
    # One that only does not run has networks that nobody tells; so has one elsewhere, or one that hangs.
    for installed in ("dockerd", "docker"):
        there = {**none, installed: Command(f"/usr/bin/{installed}")}
        assert subnet(engine=gone, contact=contact, commands=there).status is UNKNOWN
    for state in ("refused", "timeout", "denied", "invalid"):
        asked = Contact("tcp://192.0.2.1:2375", state)  # type: ignore[arg-type]
        assert subnet(engine=gone, contact=asked, commands=none).status is UNKNOWN
    assert subnet(engine=gone, contact=contact).status is UNKNOWN
    assert subnet(engine=gone, contact=contact, commands={"git": Command(None)}).status is UNKNOWN


@pytest.mark.parametrize("before", ["A=1\nIPV4_NETWORK=172.22.1\nB=2\n", "A=1\nIPV4_NETWORK=172.22.1", "A=1", "A=1\n"])
def test_the_network_is_changed_by_the_command_as_it_is_pasted(before: str, tmp_path: Path) -> None:
    there = tmp_path / "mail cow.conf"
    there.write_text(before)
    clash = routes(Route("172.22.1.0/24", "tun0", "", 0))
    conf = Fact.of("test", ConfFile(str(there), True, {}))
    facts: dict[str, Any] = {"links": (ETH0,), "routes": clash, "engine": engine()}
    row, _ = run("network.subnet", look(mailcow_conf=conf, **facts))
    assert row.remedy is not None
    assert (row.remedy.place, row.remedy.when) == ("mailcow.conf", "cloned")
    for _ in range(2):
        subprocess.run(["sh", "-c", row.remedy.commands[0]], check=True)
    written = mailcow_conf.parse(there.read_bytes(), str(there))
    assert written.settings["IPV4_NETWORK"].value == row.evidence.proposal.removesuffix(".0/24")
    assert not written.duplicates
    assert "A=1" in there.read_text().splitlines()
    row, _ = run("network.subnet", look(mailcow_conf=Fact.of("test", written), **facts))
    assert row.status is PASS


# --- network.mtu ---------------------------------------------------------------------------------------------


def mtu(*links: Link, at: tuple[Route, ...] = (DEFAULT,)) -> Result:
    (row,) = run("network.mtu", look(conf={}, links=links, routes=at))
    return row


def eth(value: int | None, name: str = "eth0") -> Link:
    return Link(name, value, True, ())


@pytest.mark.parametrize(("value", "status"), [(1500, PASS), (9000, PASS), (1499, WARN), (1450, WARN), (None, UNKNOWN)])
def test_mtu(value: int | None, status: Status) -> None:
    row = mtu(eth(value))
    assert (row.status, measured(row)) == (status, {"interface": "eth0", "mtu": value})
    if status is WARN:
        assert row.remedy is not None
        assert "/opt/mailcow-dockerized/docker-compose.override.yml" in row.remedy.text


def of_root(root: Path) -> Result:
    """Judge the MTU of a root with a way of 1450, as a run does that reads mailcow's directory in it."""
    roots = Roots(str(root), View(container=False, root=str(root), live=False, network=False, privileged=None))
    conf = Fact.of("test", ConfFile("/mail cow/mailcow.conf", True, {}))
    given_ = look(
        links=(eth(1450),), routes=(DEFAULT,), mailcow_conf=conf, override=override.override(roots, "/mail cow"),
        daemon_config=daemon.daemon_config(roots),
    )  # fmt: skip
    (row,) = run("network.mtu", given_)
    return row


def pasted(row: Result, root: Path, shell: str) -> int:
    assert row.remedy is not None
    text = "\n".join(folded(row.remedy.commands, 74)).replace("/mail cow/", f"{root}/mail cow/")
    return subprocess.run([shell, "-c", text], cwd=root, capture_output=True, check=False).returncode


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_mtu_is_set_by_the_commands_as_they_are_pasted(shell: str, tmp_path: Path) -> None:
    row = of_root(tmp_path)
    assert row.status is WARN
    assert pasted(row, tmp_path, shell) != 0  # mailcow is not cloned yet: nothing is made where a clone would then fail
    assert list(tmp_path.iterdir()) == []
    there = tmp_path / "mail cow/docker-compose.override.yml"
    there.parent.mkdir()
    assert pasted(row, tmp_path, shell) == 0
    wanted = "networks:\n  mailcow-network:\n    driver_opts:\n      com.docker.network.driver.mtu: 1450\n"
    assert there.read_text() == wanted
    assert row.remedy is not None
    assert row.remedy.when == "cloned"
    assert row.remedy.files == (WrittenFile("/mail cow/docker-compose.override.yml", wanted),)
    assert of_root(tmp_path).status is PASS  # what it advised is done
    there.write_text("services: {}\n")  # and a file that came meanwhile is left alone
    assert pasted(row, tmp_path, shell) != 0
    assert there.read_text() == "services: {}\n"


@pytest.mark.parametrize("before", ["services: {}\n", "services:\n  a:\n    ports:\n      - '1:1'", ""])
def test_the_mtu_is_added_to_a_file_that_is_there(before: str, tmp_path: Path) -> None:
    there = tmp_path / "mail cow/docker-compose.override.yml"
    there.parent.mkdir()
    there.write_text(before)
    row = of_root(tmp_path)
    assert row.status is WARN
    for _ in range(2):  # twice does no harm
        assert pasted(row, tmp_path, "sh") == 0
    assert there.read_text().startswith(before)
    assert there.read_text().count("mailcow-network") == 1
    assert of_root(tmp_path).status is PASS


def test_an_override_with_networks_of_its_own_is_changed_by_hand(tmp_path: Path) -> None:
    there = tmp_path / "mail cow/docker-compose.override.yml"
    there.parent.mkdir()
    there.write_text("networks:\n  mailcow-network:\n    driver_opts:\n      com.docker.network.driver.mtu: 1480\n")
    row = of_root(tmp_path)
    assert (row.status, row.remedy and row.remedy.commands) == (WARN, ("cat '/mail cow/docker-compose.override.yml'",))
    assert "1480" in row.message
    there.write_text("networks:\n  mailcow-network:\n    driver_opts:\n      com.docker.network.driver.mtu: 1400\n")
    assert of_root(tmp_path).status is PASS
    there.write_text("networks:\n  mailcow-network:\n    driver_opts: *opts # com.docker.network.driver.mtu\n")
    assert of_root(tmp_path).status is UNKNOWN


def test_the_engines_own_setting_counts_from_version_24(tmp_path: Path) -> None:
    (tmp_path / "etc/docker").mkdir(parents=True)
    there = tmp_path / "etc/docker/daemon.json"
    there.write_text('{"default-network-opts": {"bridge": {"com.docker.network.driver.mtu": "1450"}}}')
    row = of_root(tmp_path)
    assert (row.status, "/etc/docker/daemon.json" in row.message) == (PASS, True)
    there.write_text('{"default-network-opts": {"overlay": {"com.docker.network.driver.mtu": "1450"}}}')
    assert of_root(tmp_path).status is WARN
    there.write_text('{"default-network-opts": {"bridge": {"com.docker.network.driver.mtu": "1480"}}}')
    assert of_root(tmp_path).status is WARN
    there.write_text('{"mtu": 1450}')
    row = of_root(tmp_path)
    assert (row.status, "default bridge only" in row.message) == (WARN, True)
    told = DaemonConfig("d.json", True, {"default-network-opts": ["bridge=com.docker.network.driver.mtu=1450"]})
    for version, status in (("23.0.6", WARN), ("24.0.0", PASS), ("28.5.2", PASS)):
        facts = {"links": (eth(1450),), "routes": (DEFAULT,), "daemon_config": told, "engine": engine(version=version)}
        (row,) = run("network.mtu", look(conf={}, **facts))
        assert row.status is status
        assert ("23.0.6 does not know" in row.message) == (status is WARN)


def test_a_network_that_is_there_already_counts_and_nothing_else() -> None:
    told = DaemonConfig("d.json", True, {"default-network-opts": ["bridge=com.docker.network.driver.mtu=1450"]})
    facts: dict[str, Any] = {"links": (eth(1450),), "routes": (DEFAULT,), "daemon_config": told}
    for value, status in ((None, WARN), (1500, WARN), (1450, PASS), (1400, PASS)):
        made = msgspec.structs.replace(MAILCOW, mtu=value)
        (row,) = run("network.mtu", look(conf={}, engine=engine(made), **facts))
        assert row.status is status
        if status is WARN:
            assert row.remedy is not None
            assert "docker compose down" in row.remedy.text
    written = Override(path="/x/docker-compose.override.yml", present=True, mtu=1450, networks=True)
    (row,) = run("network.mtu", look(conf={}, engine=engine(MAILCOW), override=written, **facts))
    assert row.remedy is not None
    assert (row.remedy.commands, row.remedy.when) == ((), "last")


def test_the_default_route_that_is_taken_counts() -> None:
    second = Route("0.0.0.0/0", "wwan0", "", 600)
    assert mtu(eth(1500), eth(1400, "wwan0"), at=(second, DEFAULT)).status is PASS
    vpn = Route("0.0.0.0/1", "tun0", "", 0)
    assert mtu(eth(1500), eth(1400, "tun0"), at=(DEFAULT, vpn)).evidence.interface == "tun0"
    assert mtu(eth(1400), at=(Route("::/0", "eth0", "fe80::1", 0),)).status is WARN
    assert mtu(eth(1400), at=()).status is SKIP
    assert mtu(eth(1400), at=(Route("0.0.0.0/0", "*", "", 0),)).status is SKIP


def test_the_way_that_the_kernel_names_counts() -> None:
    """A tunnel by wg-quick: the default route of the main table stays, and another table's is taken."""
    links = (eth(1500), eth(1420, "wg0"))
    tunnel = Way(destination="1.1.1.1", interface="wg0", table=51820)
    (row,) = run("network.mtu", look(conf={}, links=links, routes=(DEFAULT,), ways=(tunnel,)))
    assert (row.status, measured(row)) == (WARN, {"interface": "wg0", "mtu": 1420})
    narrow = Way(destination="1.1.1.1", interface="eth0", gateway="192.0.2.1", mtu=1400)
    (row,) = run("network.mtu", look(conf={}, links=links, routes=(DEFAULT,), ways=(narrow,)))
    assert (row.status, measured(row)) == (WARN, {"interface": "eth0", "mtu": 1400})
    refused = Way(destination="1.1.1.1", error="ENETUNREACH")
    (row,) = run("network.mtu", look(conf={}, links=links, routes=(DEFAULT,), ways=(refused,)))
    assert row.status is SKIP


# --- network.ipv6 --------------------------------------------------------------------------------------------

ON = Ipv6(True, False, True)
SIX = Link("eth0", 1500, True, (Address("2001:db8::2", 64, "global"), Address("fe80::2", 64, "link")))
LOCAL = Link("eth0", 1500, True, (Address("fd00::2", 64, "global"), Address("fe80::2", 64, "link")))
SIX_DEFAULT = Route("::/0", "eth0", "fe80::1", 1024)


def ipv6(kernel: Ipv6, link: Link, *at: Route, conf: dict[str, str] | None = None, **facts: Any) -> Result:
    (row,) = run("network.ipv6", look(conf=conf, ipv6=kernel, links=(link,), routes=(DEFAULT, *at), **facts))
    return row


@pytest.mark.parametrize(
    ("kernel", "link", "at", "conf", "status"),
    [
        (ON, SIX, (SIX_DEFAULT,), None, PASS),
        (ON, SIX, (SIX_DEFAULT,), {"ENABLE_IPV6": "true"}, PASS),
        (ON, SIX, (Route("2000::/3", "eth0", "fe80::1", 0),), None, PASS),
        (ON, SIX, (), None, WARN),  # an address that leads nowhere
        (ON, SIX, (), {"ENABLE_IPV6": "false"}, WARN),
        (ON, SIX, (SIX_DEFAULT,), {"ENABLE_IPV6": "false"}, WARN),  # senders' addresses get lost
        (ON, LOCAL, (), None, PASS),
        (ON, LOCAL, (SIX_DEFAULT,), None, PASS),
        (ON, ETH0, (), {"ENABLE_IPV6": "false"}, PASS),
        (Ipv6(False, False, False), ETH0, (), None, WARN),
        (Ipv6(False, False, False), ETH0, (), {"ENABLE_IPV6": "false"}, PASS),
        (Ipv6(True, True, False), ETH0, (), None, PASS),  # mailcow's installer sees that
        (Ipv6(True, True, False), ETH0, (), {"ENABLE_IPV6": "true"}, WARN),
        (Ipv6(True, True, False), ETH0, (), {"ENABLE_IPV6": "false"}, PASS),
    ],
)
def test_ipv6_as_a_whole(
    kernel: Ipv6, link: Link, at: tuple[Route, ...], conf: dict[str, str] | None, status: Status
) -> None:
    row = ipv6(kernel, link, *at, conf=conf)
    assert row.status is status
    assert row.evidence.supported is kernel.supported


LEARNED = Route("::/0", "eth0", "fe80::1", 1024, learned=True)


def advertised(value: int | None = 1, *, forwarding: bool | None = False) -> Ipv6:
    return Ipv6(True, False, True, forwarding, {} if value is None else {"eth0": value, "all": 1})


@pytest.mark.parametrize(
    ("kernel", "at", "status"),
    [
        (advertised(), LEARNED, WARN),
        (advertised(2), LEARNED, PASS),
        (advertised(forwarding=True), LEARNED, PASS),  # it was learned since, or else it would be gone
        (advertised(), SIX_DEFAULT, PASS),  # of the administrator, or of a program that reads advertisements itself
        (advertised(0), SIX_DEFAULT, PASS),
        (advertised(None), LEARNED, UNKNOWN),
        (advertised(forwarding=None), LEARNED, UNKNOWN),
        (advertised(None, forwarding=None), SIX_DEFAULT, PASS),
    ],
)
def test_a_default_route_that_routers_advertise_goes_when_docker_forwards(
    kernel: Ipv6, at: Route, status: Status
) -> None:
    row = ipv6(kernel, SIX, at)
    assert row.status is status
    if status is WARN:
        assert row.remedy is not None
        assert row.remedy.files == (
            WrittenFile("/etc/sysctl.d/90-accept-ra.conf", "net.ipv6.conf.eth0.accept_ra = 2\n"),
        )
        assert (row.evidence.accept_ra, row.evidence.default_route) == (1, True)


def test_an_advertised_route_is_none_of_mailcows_business_without_ipv6_or_forwarding() -> None:
    assert ipv6(advertised(), SIX, LEARNED, Route("::/0", "eth0", "fe80::9", 2048)).status is PASS  # another stays
    daemon_ = DaemonConfig("/etc/docker/daemon.json", True, {"ip-forward": False})
    assert ipv6(advertised(), SIX, LEARNED, daemon_config=daemon_).status is PASS
    assert "addresses of IPv6 clients" in ipv6(advertised(), SIX, LEARNED, conf={"ENABLE_IPV6": "false"}).message


def test_a_route_that_is_gone_already_is_explained() -> None:
    row = ipv6(advertised(forwarding=True), SIX)
    assert row.remedy is not None
    assert (row.status, "sysctl -p /etc/sysctl.d/90-accept-ra.conf" in row.remedy.commands) == (WARN, True)
    row = ipv6(advertised(2, forwarding=True), SIX)
    assert row.remedy is not None
    assert row.remedy.commands == ("ip -6 route show",)


def test_a_vlan_has_a_dot_in_its_name() -> None:
    link = msgspec.structs.replace(SIX, name="eth0.7")
    kernel = Ipv6(True, False, True, False, {"eth0.7": 1})
    row = ipv6(kernel, link, msgspec.structs.replace(LEARNED, interface="eth0.7"))
    assert row.remedy is not None
    assert row.remedy.files[0].text == "net/ipv6/conf/eth0.7/accept_ra = 2\n"


def test_addresses_of_bridges_to_containers_are_not_the_hosts() -> None:
    for name, inner in (("docker0", False), ("virbr0", False), ("br-web", True)):
        bridge = msgspec.structs.replace(SIX, name=name, inner=inner)
        row = ipv6(ON, bridge)
        assert (row.status, measured(row)["addresses"]) == (PASS, [])
    assert ipv6(ON, msgspec.structs.replace(SIX, name="vmbr0")).status is WARN


@pytest.mark.parametrize(
    ("version", "server", "status"),
    [
        ("25.0.5", "fe80::1%ens192", WARN),
        ("24.0.7", "fe80::1%eth0", WARN),
        ("25.0.5", "fe80::1%br-lan", PASS),  # which those engines do not take for an address
        ("25.0.5", "2001:db8::53", PASS),
        ("25.0.5", "192.0.2.53", PASS),
        ("26.0.0", "fe80::1%ens192", PASS),
        ("28.5.2", "fe80::1%ens192", PASS),
    ],
)
def test_a_name_server_with_a_scope(version: str, server: str, status: Status) -> None:
    facts: dict[str, Any] = {"engine": engine(version=version), "handed": ("192.0.2.53", server)}
    row = ipv6(ON, SIX, SIX_DEFAULT, **facts)
    assert row.status is status
    if server == "fe80::1%ens192" and status is WARN:
        assert "does not start" in row.message
    given_ = DaemonConfig("/etc/docker/daemon.json", True, {"dns": ["192.0.2.53"]})
    assert ipv6(ON, SIX, SIX_DEFAULT, daemon_config=given_, **facts).status is PASS  # as advised
    assert "fe80" not in ipv6(ON, ETH0, conf={"ENABLE_IPV6": "false"}, **facts).message


def test_an_engine_that_leaves_ip6tables_alone() -> None:
    daemon = DaemonConfig("/etc/docker/daemon.json", True, {"ip6tables": False})
    assert ipv6(ON, SIX, SIX_DEFAULT, daemon_config=daemon).status is WARN
    assert ipv6(ON, ETH0, daemon_config=daemon).status is PASS


def test_what_is_not_known_is_unknown() -> None:
    (row,) = run("network.ipv6", look(conf={}))
    assert row.status is UNKNOWN


def test_who_asks_for_the_way_out_reads_the_rules_too() -> None:
    for entry in catalogue():
        if "ways" in entry.reads:
            assert {"rules", "routes"} <= set(entry.reads), entry.id


def test_a_rule_for_mailcows_own_network_decides_its_way() -> None:
    links = (eth(1500), eth(1400, "wg0"))
    at = (DEFAULT, Route("0.0.0.0/0", "wg0", "", 0, 9))
    asked = Way(destination="1.1.1.1", interface="eth0", gateway="192.0.2.1", table=254)
    for network_, status in (("10.5.5", WARN), ("10.6.6", PASS)):
        rules = ruled(lookup(9, 100, source="10.5.5.0/24"))
        (row,) = run(
            "network.mtu", look(conf={"IPV4_NETWORK": network_}, links=links, routes=at, rules=rules, ways=(asked,))
        )
        assert row.status is status
