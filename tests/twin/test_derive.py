"""What the engine would add is added in a namespace, by the machine's own iptables and nft."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from msgspec import Struct
from msgspec.structs import replace

from preflight.twin import derive, derive_nft, derive_programs
from preflight.twin.derive import Underivable
from preflight.twin.derive_state import State
from preflight.twin.request import Port, Request
from preflight.twin.spaces import Space

PROGRAMS = {4: "iptables", 6: "ip6tables"}
FAMILIES: tuple[tuple[Literal[4, 6], str], ...] = ((4, "ip"), (6, "ip6"))
ENGINES = Path(__file__).parent / "engines"
PORTS = (
    Port("", 25, "postfix-mailcow", 25, "172.22.1.253"),
    Port("", 465, "postfix-mailcow", 465, "172.22.1.253"),
    Port("", 443, "nginx-mailcow", 443, "172.22.1.3"),
    Port("127.0.0.1", 7654, "redis-mailcow", 6379, "172.22.1.249"),
)


class Stage(Struct):
    """What is derived from a stage: the twin alone."""

    twin: Space


def request(engine: str = "26.1.5", **changed: Any) -> Request:
    return Request(
        bridge="br-mailcow", subnet4="172.22.1.0/24", engine=engine, **{"ports": PORTS, "subnet6": "", **changed}
    )


@pytest.fixture(params=["nft", "legacy"])
def backend(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have the engine's iptables be that of nf_tables, or that of ip_tables."""
    for program in ("iptables", "ip6tables"):
        for kind in ("", "-save", "-restore"):
            (tmp_path / f"{program}{kind}").symlink_to(f"/usr/sbin/{program}-{request.param}{kind}")
    monkeypatch.setattr(derive_programs, "PATH", (str(tmp_path), *derive_programs.PATH))
    return str(request.param)


def run(*words: str, text: str = "") -> str:
    return subprocess.run(words, input=text, capture_output=True, text=True, check=True).stdout


def saved(backend: str, program: str = "iptables") -> str:
    """Return all rules as the fixtures have them: without what changes each time."""
    text = run(f"{program}-{backend}-save")
    return "".join(line + "\n" for line in text.splitlines() if not line.startswith("#"))


def switch(name: str, value: str | None = None) -> str:
    """Set a value of the namespace, or read it."""
    path = Path("/proc/sys/net", name)
    if value is not None:
        path.write_text(value)
    return path.read_text().strip()


def rules_of(name: str) -> str:
    return (ENGINES / f"{name}.rules").read_text()


MAILCOW6 = "fd4d:6169:6c63:6f77::"
BOTH = tuple(replace(port, container6=MAILCOW6 + port.container4.rpartition(".")[2]) for port in PORTS)


@pytest.mark.parametrize("variant", ["proxy", "hairpin"])
@pytest.mark.parametrize("engine", ["20.10.24", "26.1.5", "28.5.2", "29.0.4", "29.7.2"])
def test_the_rules_are_those_of_the_engine(
    namespaces: Callable[[], Space], backend: str, engine: str, variant: str
) -> None:
    """As recorded of engines: after the start, and with the network and its ports.

    Those of Debian 12, 13 and sid, and two that were built from moby/moby's tags docker-v29.0.4 and docker-v29.7.2.
    """
    stage = Stage(namespaces())
    with stage.twin.entered():
        switch("ipv4/ip_forward", "1")
        # The second of the two that were started there found it switched on by the first.
        switch("ipv6/conf/all/forwarding", "1" if variant == "hairpin" else "0")
        for version, program in PROGRAMS.items():
            run(f"{program}-{backend}-restore", text=rules_of(f"{engine}-{variant}-start-{version}"))
    asked = request(engine, ports=BOTH, subnet6=f"{MAILCOW6}/64", userland_proxy=variant == "proxy")
    assert derive.apply(asked, stage) == ""
    for version, program in PROGRAMS.items():
        with stage.twin.entered():
            found = tables(saved(backend, program))
        for name, table in tables(rules_of(f"{engine}-{variant}-up-{version}")).items():
            # Of ip_tables there was none, and none is made.
            expected = [] if (name, backend) == ("*raw", "legacy") else table
            assert sorted(found[name]) == sorted(expected)
            assert [shape(rule) for rule in found[name]] == [shape(rule) for rule in expected]


@pytest.mark.parametrize("variant", ["proxy", "hairpin"])
@pytest.mark.parametrize("engine", ["29.0.4", "29.7.2"])
def test_the_rules_are_those_of_the_engine_that_has_nftables(
    namespaces: Callable[[], Space], engine: str, variant: str
) -> None:
    """Its tables are loaded as they were after its start, and then hold what they held with the network."""
    stage, recorded = Stage(namespaces()), f"{engine}-nftables-{variant}"
    with stage.twin.entered():
        for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):  # else this engine makes no network
            switch(name, "1")
        for version in PROGRAMS:
            run("nft", "-f", "-", text=rules_of(f"{recorded}-start-{version}"))
    asked = request(engine, backend="nftables", ports=BOTH, subnet6=f"{MAILCOW6}/64", userland_proxy=variant == "proxy")
    assert derive.apply(asked, stage) == ""
    for version, family in FAMILIES:
        with stage.twin.entered():
            found = derive_nft.listed(version, run("nft", "list", "table", family, derive_nft.TABLE))
        expected = derive_nft.listed(version, rules_of(f"{recorded}-up-{version}"))
        assert found.keys() == expected.keys()
        for place, rules in expected.items():
            assert [shape(rule) for rule in found[place]] == [shape(rule) for rule in rules], place
            assert sorted(found[place]) == sorted(rules)


def shape(rule: str) -> str:
    """Return a rule without the port that it is for: which of two ports comes first is of no effect."""
    return re.sub(r"--dport \d+|(172|fd4d|\[fd4d)[^ ]*[.:]\d+\]?(/\d+|:\d+)", "*", rule)


def tables(text: str) -> dict[str, list[str]]:
    """Return chains and rules by their table."""
    parts = [part.splitlines() for part in text.split("COMMIT\n") if part]
    return {"*raw": [], **{part[0]: part[1:] for part in parts if any(line.startswith("-A") for line in part)}}


def test_in_the_engines_own_root(namespaces: Callable[[], Space]) -> None:
    stage = Stage(namespaces())
    with stage.twin.entered():
        run("iptables-restore", text=rules_of("26.1.5-proxy-start-4"))
    assert derive.apply(request(root=f"/proc/{os.getpid()}/root"), stage) == ""
    with stage.twin.entered():
        assert "-A DOCKER ! -i br-mailcow -p tcp -m tcp --dport 25 -j DNAT" in run("iptables-save")


@pytest.mark.parametrize("engine", ["20.10.24", "28.5.2", "29.7.2"])
def test_where_its_chains_were_flushed_the_engine_fails_and_says_so(
    namespaces: Callable[[], Space], backend: str, engine: str
) -> None:
    stage = Stage(namespaces())
    with stage.twin.entered():
        # The tables are there, and nothing in them.
        run(
            f"iptables-{backend}-restore",
            text="*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n",
        )
    failed = derive.apply(request(engine), stage)
    assert "No chain/target/match by that name" in failed or "does not exist" in failed


MIXED = "tcp dport { 25, 465 } ct state new counter drop"  # iptables does not print a table with such a rule
BLOCKED = "-A DOCKER-USER -s 192.0.2.9/32 -j DROP"


def with_native_rule(stage: Stage, engine: str, chain: str, *lines: str) -> None:
    with stage.twin.entered():
        run("iptables-nft-restore", text=rules_of(f"{engine}-proxy-start-4"))
        run("iptables-nft-restore", "--noflush", text="\n".join(["*filter", *lines, "COMMIT", ""]))
        run("nft", "-f", "-", text=f"insert rule ip filter {chain} {MIXED}\n")
        assert "is incompatible" in run("iptables-nft-save")


@pytest.mark.parametrize("backend", ["nft"], indirect=True)
@pytest.mark.parametrize("engine", ["20.10.24", "26.1.5", "28.5.2", "29.0.4", "29.7.2"])
def test_chains_among_rules_that_iptables_cannot_print_are_left_whole(
    namespaces: Callable[[], Space], backend: str, engine: str
) -> None:
    stage = Stage(namespaces())
    with_native_rule(stage, engine, "FORWARD", BLOCKED.replace("-A", "-I"))
    assert derive.apply(request(engine), stage) == ""
    with stage.twin.entered():
        user, docker = (run("iptables-nft", "-S", chain).splitlines() for chain in ("DOCKER-USER", "DOCKER"))
        run("nft", "delete", "rule", "ip", "filter", "FORWARD", "handle", _handle())
        forward = run("iptables-nft", "-S", "FORWARD").splitlines()
    assert user == ["-N DOCKER-USER", BLOCKED, *["-A DOCKER-USER -j RETURN"] * (engine < "28")]
    assert sum("--dport 25 -j ACCEPT" in line for line in docker) == 1
    assert forward[1] == "-A FORWARD -j DOCKER-USER"


def _handle() -> str:
    """Return the handle of the native rule."""
    (line,) = (
        one
        for one in run("nft", "-a", "list", "chain", "ip", "filter", "FORWARD").splitlines()
        if "ct state new" in one
    )
    return line.rpartition(" ")[2]


@pytest.mark.parametrize("backend", ["nft"], indirect=True)
@pytest.mark.parametrize(
    ("chain", "lines", "words"),
    [
        ("DOCKER-USER", (), "chain `DOCKER-USER' in table `filter' is incompatible"),
        ("FORWARD", (":FORWARD_IN_ZONES - [0:0]",), "firewalld: filter"),
    ],
)
def test_what_an_engine_makes_of_chains_that_it_cannot_read_is_not_known(
    namespaces: Callable[[], Space], backend: str, chain: str, lines: tuple[str, ...], words: str
) -> None:
    stage = Stage(namespaces())
    with_native_rule(stage, "26.1.5", chain, *lines)
    with pytest.raises(derive.Underivable) as raised:
        derive.apply(request("26.1.5"), stage)
    assert words in str(raised.value)


def test_what_is_not_there_is_not_asked_for(namespaces: Callable[[], Space], tmp_path: Path, backend: str) -> None:
    """A table of ip_tables, or nf_tables as a whole: the question would load its module."""
    stage = Stage(namespaces())
    with stage.twin.entered():
        run("iptables-nft-restore", text=rules_of("26.1.5-proxy-start-4"))
    called = tmp_path / "called"
    for name in ("iptables-restore", *(("iptables-save",) if backend == "nft" else ())):
        (tmp_path / name).unlink()
        (tmp_path / name).write_text(f"#!/bin/sh\necho {name} >> {called}\n")
        (tmp_path / name).chmod(0o755)
    modules = ("xt_tcpudp", "xt_nat", "xt_conntrack", "xt_addrtype", "xt_MASQUERADE")
    assert derive.apply(request(modules=modules), stage) == "iptables: No chain/target/match by that name."
    assert not called.exists()
    with stage.twin.entered():
        assert run("iptables-legacy-save") == ""


def test_from_28_forwarding_is_switched_on_and_the_rest_dropped(namespaces: Callable[[], Space], backend: str) -> None:
    stage = Stage(namespaces())
    with stage.twin.entered():
        switch("ipv4/ip_forward", "0")
        run(
            f"iptables-{backend}-restore",
            text=rules_of("28.5.2-proxy-start-4").replace("FORWARD DROP", "FORWARD ACCEPT"),
        )
    assert derive.apply(request("28.5.2"), stage) == ""
    with stage.twin.entered():
        assert ":FORWARD DROP" in saved(backend)
        assert switch("ipv4/ip_forward") == "1"


@pytest.mark.parametrize(
    ("engine", "changed"), [("26.1.5", {}), ("28.5.2", {"ip_forward": False}), ("28.5.2", {"iptables": False})]
)
def test_forwarding_that_stays_off_and_policies_that_stay(
    namespaces: Callable[[], Space], engine: str, changed: dict[str, Any]
) -> None:
    stage = Stage(namespaces())
    with stage.twin.entered():
        switch("ipv4/ip_forward", "0")
        run("iptables-restore", text=rules_of(f"{engine}-proxy-start-4").replace("FORWARD DROP", "FORWARD ACCEPT"))
    assert derive.apply(request(engine, **changed), stage) == ""
    with stage.twin.entered():
        assert ":FORWARD ACCEPT" in run("iptables-save")
        assert switch("ipv4/ip_forward") == ("1" if "iptables" in changed else "0")


def test_ipv6(namespaces: Callable[[], Space], backend: str) -> None:
    ports = (Port("", 25, "postfix-mailcow", 25, "172.22.1.253", "fd4d::253"),)
    start = rules_of("28.5.2-proxy-start-4")
    stage = Stage(namespaces())
    with stage.twin.entered():
        run(f"iptables-{backend}-restore", text=start)
        run(
            f"ip6tables-{backend}-restore",
            text=start.replace("127.0.0.0/8", "::1").replace("172.17.0.0/16", "fd00::/80"),
        )
    assert derive.apply(request("28.5.2", ports=ports, subnet6="fd4d::/64"), stage) == ""
    with stage.twin.entered():
        found = saved(backend, "ip6tables")
        assert [switch(f"ipv6/conf/{name}/forwarding") for name in ("all", "default")] == ["1", "1"]
    redirected = (
        "-A DOCKER ! -s fe80::/10 ! -i br-mailcow -p tcp -m tcp --dport 25 -j DNAT --to-destination [fd4d::253]:25"
    )
    assert redirected in found
    assert "-A POSTROUTING -s fd4d::/64 ! -o br-mailcow -j MASQUERADE" in found


def test_without_rules_of_its_own_the_engine_leaves_all_to_docker_proxy(namespaces: Callable[[], Space]) -> None:
    stage = Stage(namespaces())
    assert derive.apply(request(iptables=False), stage) == ""
    with stage.twin.entered():
        assert run("nft", "list", "ruleset") == ""


def test_without_docker_proxy_the_host_gets_at_its_loopback_ports(namespaces: Callable[[], Space]) -> None:
    stage = Stage(namespaces())
    with stage.twin.entered():
        run("ip", "link", "add", "br-mailcow", "type", "veth", "peer", "other")
        run("iptables-restore", text=rules_of("26.1.5-proxy-start-4"))
    assert derive.apply(request(userland_proxy=False), stage) == ""
    with stage.twin.entered():
        assert switch("ipv4/conf/br-mailcow/route_localnet") == "1"


NATIVE = """
table ip docker-bridges {
    map filter-forward-in-jumps { type ifname : verdict; }
    chain filter-FORWARD { type filter hook forward priority 0; oifname vmap @filter-forward-in-jumps; }
    chain nat-prerouting-and-output { }
}
"""


def test_an_engine_with_nf_tables(namespaces: Callable[[], Space]) -> None:
    stage = Stage(namespaces())
    asked = request("29.7.2", backend="nftables")
    with stage.twin.entered():
        switch("ipv4/ip_forward", "0")
        run("nft", "-f", "-", text=NATIVE)
    assert derive.apply(asked, stage) == "IPv4 forwarding is disabled"
    with stage.twin.entered():
        switch("ipv4/ip_forward", "1")
    assert derive.apply(asked, stage) == ""
    with stage.twin.entered():
        listed = run("nft", "list", "table", "ip", "docker-bridges")
        assert "tcp dport 25 counter packets 0 bytes 0 dnat to 172.22.1.253:25" in listed
        assert 'elements = { "br-mailcow" : jump filter-forward-in__br-mailcow }' in listed


FIREWALLD = 'table inet firewalld {{ chain a {{ iifname "{name}" accept; }}; }}'


@pytest.mark.parametrize("backend_of_the_engine", ["iptables+firewalld", "nftables+firewalld"])
def test_firewalld_has_the_bridge_in_its_zone(namespaces: Callable[[], Space], backend_of_the_engine: str) -> None:
    stage = Stage(namespaces())
    with stage.twin.entered():
        switch("ipv4/ip_forward", "1")
        run("iptables-restore", text=rules_of("28.5.2-proxy-start-4"))
        run("nft", "-f", "-", text=FIREWALLD.format(name="docker0"))
    assert derive.apply(request("29.7.2", backend=backend_of_the_engine), stage) == ""
    with stage.twin.entered():
        assert 'iifname "br-mailcow" accept' in run("nft", "list", "table", "inet", "firewalld")


def test_firewalld_that_uses_iptables(namespaces: Callable[[], Space], backend: str) -> None:
    zones = "*filter\n:INPUT_ZONES - [0:0]\n:IN_docker - [0:0]\n-A INPUT_ZONES -i docker0 -g IN_docker\nCOMMIT\n"
    for engine, kind in (("26.1.5", "iptables"), ("29.7.2", "nftables+firewalld")):
        stage = Stage(namespaces())
        with stage.twin.entered():
            switch("ipv4/ip_forward", "1")
            run(f"iptables-{backend}-restore", text=rules_of("26.1.5-proxy-start-4"))
            run(f"iptables-{backend}-restore", "--noflush", text=zones)
        assert derive.apply(request(engine, backend=kind), stage) == ""
        with stage.twin.entered():
            assert "-A INPUT_ZONES -i br-mailcow -g IN_docker" in saved(backend)


def test_firewalld_without_a_bridge_of_the_engine_to_go_by(namespaces: Callable[[], Space]) -> None:
    stage = Stage(namespaces())
    with stage.twin.entered():
        run("iptables-restore", text=rules_of("26.1.5-proxy-start-4"))
        run("nft", "-f", "-", text=FIREWALLD.format(name="eth0"))
    with pytest.raises(Underivable, match="firewalld"):
        derive.apply(request(), stage)


def test_a_module_that_is_not_there_is_not_loaded(namespaces: Callable[[], Space]) -> None:
    stage = Stage(namespaces())
    modules = ("nf_tables", *(names[-1] for names in derive.needs(request())))
    with stage.twin.entered():
        run("iptables-restore", text=rules_of("26.1.5-proxy-start-4"))
    with pytest.raises(Underivable, match="xt_nat"):
        derive.apply(request(modules=tuple(name for name in modules if name != "xt_nat")), stage)
    assert derive.apply(request(modules=modules), stage) == ""


@pytest.mark.parametrize(
    ("changed", "first"),
    [
        ({}, ("xt_tcpudp",)),
        ({"iptables": False}, None),
        ({"iptables": False, "subnet6": "fd4d::/64"}, ("xt_tcpudp",)),
        ({"backend": "nftables"}, ("nf_tables",)),
    ],
)
def test_what_the_kernel_must_have(changed: dict[str, Any], first: tuple[str, ...] | None) -> None:
    assert next(iter(derive.needs(request(**changed))), None) == first


def test_the_rules_by_the_engines_backend() -> None:
    state = State(chains=frozenset())
    assert derive.rules(request("29.7.2"), 4, state).startswith("*raw\n")
    assert derive.rules(request("29.7.2", backend="nftables"), 4, state).startswith("table ip docker-bridges {\n")
    assert derive.rules(request("29.7.2"), 6, state) == ""
    with pytest.raises(Underivable):
        derive.rules(request(""), 4, state)
