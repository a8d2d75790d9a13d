"""An engine is seen at work: a stand-in does in a namespace what a real one does, and more; the twin counts that."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace

from preflight.facts.probes import Differing, PublishRun
from preflight.facts.twin import Twin
from preflight.twin import derive
from preflight.twin.derive_state import Change, Underivable
from preflight.twin.request import Given, Port, Request
from preflight.twin.spaces import Space
from preflight.twin.trial import INSIDE, LOCAL_INSIDE, Trial, Up
from tests.twin.test_play import ENGINE, NETWORK, REQUEST, needs_programs, run, told, verdicts

pytestmark = needs_programs
ENGINES = Path(__file__).parent / "engines"
NET = replace(REQUEST, bridge="br-pf0123abcd", subnet4="198.18.7.0/28", ports=())
UP = Up(
    containers={4: "198.18.7.2", 6: "fd12::2"}, gateways={4: "198.18.7.1"}, ports={4: 49153, 6: 49155}, local=49154,
    ids=("0123456789abcdef",),
)  # fmt: skip
PUBLISHED = (
    Port("", 49153, "", INSIDE, "198.18.7.2", "fd12::2"),
    Port("127.0.0.1", 49154, "", LOCAL_INSIDE, "198.18.7.2", "fd12::2"),
)


class Stage(Struct):
    """What is derived from a stage: the twin alone."""

    twin: Space


@pytest.fixture
def host(namespaces: Callable[[], Space]) -> Space:
    space = namespaces()
    with space.entered():
        run(NETWORK, "sh", "-e")
        run(ENGINE, "iptables-nft-restore")
    return space


def publish(host: Space, *more: str, asked: Request = NET) -> None:
    """Stand for an engine that makes the network: it does what is derived, and a few commands more."""
    assert derive.apply(replace(asked, ports=PUBLISHED), Stage(host)) == ""
    with host.entered():
        for command in more:
            subprocess.run(["iptables-nft", *command.split()], check=True, capture_output=True)


def remove(host: Space) -> None:
    """Take away all that names the network, as an engine does."""
    with host.entered():
        saved = subprocess.run(["iptables-nft-save"], capture_output=True, text=True, check=True).stdout
        kept = [line for line in saved.splitlines() if not any(name in line for name in (NET.bridge, "198.18.7."))]
        run("\n".join((*kept, "")), "iptables-nft-restore")


def seen(host: Space, *more: str) -> tuple[PublishRun, tuple[Given, ...]]:
    with host.entered():
        trial = Trial(NET)
        assert trial.obstacle(4) == ""
    publish(host, *more)
    with host.entered():
        result = trial.result(UP, REQUEST)
    remove(host)
    return result


def played(host: Space, **changed: Any) -> Twin:
    with host.entered():
        asked = msgspec.json.encode(replace(REQUEST, **changed)).decode()
        words = [sys.executable, "-I", "-m", "preflight.twin", asked]
        ran = subprocess.run(words, capture_output=True, check=True, timeout=60)
    return msgspec.json.decode(ran.stdout, type=Twin)


def test_an_engine_that_does_what_is_derived_agrees(host: Space) -> None:
    assert seen(host) == (PublishRun((4,)), ())


def test_bans_that_come_meanwhile_are_not_the_engines(host: Space) -> None:
    assert seen(host, "-I INPUT -s 203.0.113.9 -j DROP", "-I FORWARD -s 203.0.113.9 -j DROP") == (PublishRun((4,)), ())


def test_one_rule_more_is_told_and_the_verdict_is_by_it(host: Space) -> None:
    """As of an engine that drops what comes to a published port, which no version is known to do."""
    rule = f"-d 198.18.7.2/32 ! -i {NET.bridge} -o {NET.bridge} -p tcp -m tcp --dport {INSIDE} -j DROP"
    result, given = seen(host, f"-I DOCKER {rule}")
    signed = "-d {container}/32 ! -i {bridge} -o {bridge} -p tcp -m tcp --dport {inside} -j DROP"
    assert result == PublishRun((4,), (Differing(4, "engine", "filter", "DOCKER", signed),))
    assert set(verdicts(played(host)).values()) == {"delivered"}
    twin = played(host, given=given)
    assert set(verdicts(twin).values()) == {"dropped"}
    culprit = told(twin, 25).culprit
    assert culprit is not None
    assert (culprit.table, culprit.chain, culprit.predicted) == ("filter", "DOCKER", True)


def test_one_rule_less_is_told_and_the_verdict_is_by_that(host: Space) -> None:
    """Without its redirection, connections end at docker-proxy alone."""
    rule = f"! -i {NET.bridge} -p tcp -m tcp --dport 49153 -j DNAT --to-destination 198.18.7.2:{INSIDE}"
    result, given = seen(host, f"-t nat -D DOCKER {rule}")
    [one] = result.differing
    assert (one.only, one.table, one.chain, result.doubt) == ("derived", "nat", "DOCKER", "")
    assert set(verdicts(played(host, given=given)).values()) == {"proxy"}


def test_what_cannot_be_carried_over_leaves_the_verdict_open(host: Space) -> None:
    result, given = seen(host, f"-I DOCKER -o {NET.bridge} -s 198.18.7.1 -j DROP")
    assert "{gateway}" in result.doubt
    assert given == (Given(4, doubt=result.doubt),)
    [family] = [one for one in played(host, given=given).families if one.version == 4]
    assert (family.state, family.doubt, family.detail) == ("blind", "derivation", result.doubt)


def test_a_version_that_was_not_tried_is_open_where_the_other_differs(host: Space) -> None:
    six = replace(REQUEST, ip6tables=True, subnet6="fd4d::/64")
    with host.entered():
        trial = Trial(replace(NET, ip6tables=True, subnet6="fd12::/64"))
        trial.without(6)
    publish(host, f"-I DOCKER -i {NET.bridge} -j DROP")
    with host.entered():
        result, given = trial.result(UP, six)
    assert [(one.version, bool(one.doubt)) for one in given] == [(4, False), (6, True)]
    assert result.doubt.startswith("IPv6: engine: filter DOCKER")


def test_carried_rules_that_fail_say_nothing_of_the_engine(host: Space) -> None:
    far = Given(4, (Change("-I", "filter", "DOCKER", "-j DROP", 4000),))
    with pytest.raises(Underivable):
        derive.apply(replace(REQUEST, given=(far,)), Stage(host))


@pytest.mark.parametrize(
    ("change", "obstacle"),
    [
        ("sysctl -qw net.ipv4.ip_forward=0", "forwarding"),
        ("iptables-nft -t nat -F; iptables-nft -t nat -X DOCKER", "missing"),
        ("iptables-nft -I FORWARD -j LOG", "lasting"),
        ("", ""),
    ],
)
def test_where_no_network_should_be_made(host: Space, change: str, obstacle: str) -> None:
    with host.entered():
        run(change, "sh", "-e")
        assert Trial(NET).obstacle(4) == obstacle
        assert Trial(replace(NET, iptables=False)).obstacle(4) == "rules"


@pytest.mark.parametrize("lacking", ["veth", "xt_nat", "xt_MASQUERADE", ""])
def test_no_network_is_made_that_loads_a_module(host: Space, lacking: str) -> None:
    loaded = {"xt_tcpudp", "xt_nat", "xt_conntrack", "xt_addrtype", "xt_MASQUERADE", "nf_tables", "veth"} - {lacking}
    with host.entered():
        trial = Trial(replace(NET, modules=tuple(sorted(loaded))))
        assert trial.obstacle(4) == ("modules" if lacking else "")


def test_no_table_is_made_that_the_engine_would_leave(namespaces: Callable[[], Space]) -> None:
    """From 28 on a published port has rules in raw, where there is none before the first one."""
    space = namespaces()
    with space.entered():
        run(NETWORK, "sh", "-e")
        run((ENGINES / "28.5.2-proxy-start-4.rules").read_text(), "iptables-nft-restore")
        asked = replace(NET, engine="28.5.2")
        assert Trial(asked).obstacle(4) == "raw"
        run("iptables-nft -t raw -A PREROUTING -d 127.0.0.1 ! -i lo -j DROP", "sh", "-e")
        assert Trial(asked).obstacle(4) == ""


def test_a_container_without_an_address_shows_nothing(host: Space) -> None:
    with host.entered():
        trial = Trial(NET)
        for up in (replace_up(containers={}), replace_up(ports={})):
            with pytest.raises(Underivable, match="IPv4"):
                trial.result(up, REQUEST)


def replace_up(**changed: Any) -> Up:
    return replace(UP, **changed)


NATIVE = """
table ip docker-bridges {
    map filter-forward-in-jumps { type ifname : verdict; }
    map filter-forward-out-jumps { type ifname : verdict; }
    map nat-postrouting-in-jumps { type ifname : verdict; }
    map nat-postrouting-out-jumps { type ifname : verdict; }
    chain filter-FORWARD { type filter hook forward priority 0; oifname vmap @filter-forward-in-jumps; }
    chain nat-prerouting-and-output { }
    chain raw-PREROUTING { type filter hook prerouting priority raw; policy accept; }
}
"""


def test_an_engine_with_nf_tables(host: Space) -> None:
    asked = replace(NET, engine="29.7.2", backend="nftables", userland_proxy=False)
    table = "ip docker-bridges"
    with host.entered():
        with pytest.raises(Underivable):
            Trial(asked)
        run(NATIVE, "nft", "-f", "-")
        trial = Trial(asked)
        assert trial.obstacle(4) == ""
    publish(host, asked=asked)
    with host.entered():
        assert trial.result(UP, REQUEST) == (PublishRun((4,)), ())
        run(f"add rule {table} filter-forward-in__{NET.bridge} tcp dport {INSIDE} counter drop", "nft", "-f", "-")
        run(f'delete element {table} nat-postrouting-in-jumps {{ "{NET.bridge}" }}', "nft", "-f", "-")
        result, given = trial.result(UP, replace(REQUEST, engine="29.7.2", backend="nftables"))
    assert [(one.only, one.chain, one.rule) for one in result.differing] == [
        ("engine", "filter-forward-in__{bridge}", "tcp dport {inside} counter drop"),
        ("derived", "nat-postrouting-in-jumps", '"{bridge}" : jump nat-postrouting-in__{bridge}'),
    ]
    assert [one.doubt for one in given] == [result.doubt] != [""]
    assert json.loads(msgspec.json.encode(given))[0]["changes"] == []
