"""Whether mailcow's connections get out: each verdict, for the ports that are concerned, and what is done about it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from preflight.facts import Culprit, Exit, Fact, Twin
from preflight.report.model import Result, Status
from tests.build import look, measured, run
from tests.checks.hosts import release
from tests.checks.twins import ENGINE, families, journey, managers, rule, twin

ESTABLISHED = 'oifname "br-mailcow" ct state established,related accept'
ANSWERS = "-o br-mailcow -m conntrack --ctstate RELATED,ESTABLISHED"


def one(given: Twin, **facts: Any) -> Result:
    known = {"os_release": release(), "engine": ENGINE, "services": managers(), "conf": {}, **facts}
    (result,) = run("firewall.forwarding", look(twin=given, **known))
    return result


def test_what_gets_out_passes() -> None:
    result = one(twin())
    assert result.status is Status.PASS
    assert result.message == "Connections from mailcow's network will get out. IP versions tested: IPv4."
    assert "network get out." in one(twin(derived=False)).message
    four = measured(result)["families"]["ipv4"]
    assert (four["verdict"], four["ports"]) == ("delivered", [])


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("dropped", "do not get out over IPv4: they are dropped."),
        ("refused", "do not get out over IPv4: they are refused."),
        ("oneway", "get out over IPv4, but the answers are lost."),
        ("elsewhere", "over IPv4 are redirected to another destination."),
        ("proxy", "over IPv4 are redirected to another destination."),
    ],
)
def test_what_does_not_get_out_fails(verdict: str, words: str) -> None:
    result = one(twin(exits=(journey(verdict),)))
    assert (result.status, result.found, result.expected) == (Status.FAIL, "stopped", "get out")
    assert words in result.message
    assert result.remedy


def test_one_port_that_is_closed_is_named() -> None:
    given = twin()
    lost = Exit("tcp", 25, journey("refused", rule()))
    result = one(msgspec.structs.replace(given, exits=(lost, *given.exits[1:])))
    assert "Affected ports: 25/tcp." in result.message
    assert "The rule with handle 12 in the FORWARD chain of the ip filter table stops them." in result.message
    four = measured(result)["families"]["ipv4"]
    assert (four["verdict"], four["ports"], four["handle"]) == ("refused", ["25/tcp"], 12)


@pytest.mark.parametrize(
    ("culprit", "names", "wanted"),
    [
        (rule("ufw-reject-forward"), ("ufw",), ("ufw route allow in on br-mailcow",)),
        (rule("DOCKER-USER"), (), (
            "iptables -I DOCKER-USER -i br-mailcow -j RETURN", f"iptables -I DOCKER-USER {ANSWERS} -j RETURN",
        )),
        (rule("forward", family="inet"), (), (
            "nft 'insert rule inet filter forward position 12 iifname \"br-mailcow\" accept'",
            f"nft 'insert rule inet filter forward position 12 {ESTABLISHED}'",
        )),
        (Culprit(kind="filter"), (), (
            "printf '%s\\n' 'net.ipv4.conf.all.rp_filter = 2' > /etc/sysctl.d/90-mailcow-rp-filter.conf",
            "sysctl -p /etc/sysctl.d/90-mailcow-rp-filter.conf",
        )),
        (Culprit(kind="route"), (), ("ip rule", "ip route show table all")),
    ],
)  # fmt: skip
def test_advice_fits_the_owner(culprit: Culprit, names: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    result = one(twin(exits=(journey("dropped", culprit),)), services=managers(*names))
    assert result.remedy
    assert result.remedy.commands == wanted


def test_a_policy_of_firewalld() -> None:
    stop = rule("filter_FORWARD", family="inet", table="firewalld")
    result = one(twin(exits=(journey("refused", stop),)), services=managers("firewalld"))
    assert result.remedy
    assert "firewall-cmd --permanent --policy=mailcow-out --set-target=ACCEPT" in result.remedy.commands
    assert result.remedy.commands[-2:] == ("firewall-cmd --reload", "systemctl restart docker")


def test_the_worse_of_both_families_decides() -> None:
    given = twin(exits=(journey(), journey("dropped", rule(family="ip6"), version=6)), families=families(six="judged"))
    result = one(given)
    assert result.status is Status.FAIL
    assert "over IPv6" in result.message
    assert "IPv4:" not in result.message


def test_what_depends_and_what_is_blind_is_unknown() -> None:
    result = one(twin(exits=(journey("depends", depends=("statistic",)),)))
    assert (result.status, result.reason) == (
        Status.UNKNOWN, "The result depends on rule conditions that change: statistic.",
    )  # fmt: skip
    result = one(twin(families=families("blind", doubt="control")))
    assert result.status is Status.UNKNOWN
    assert "did not carry packets" in (result.reason or "")
    result = one(twin(families=families("none", "none")))
    assert result.reason == "This host has no address with a default route, so nothing gets out."


def test_missing_rules_of_docker_are_one_cause() -> None:
    result = one(twin(exits=(journey("dropped"),), tables=()))
    assert result.remedy
    assert result.remedy.commands == ("systemctl restart docker",)


def test_without_an_engine_its_absence_is_the_reason() -> None:
    given = twin(families=families("blind", doubt="derivation"))
    result = one(given, engine=Fact.unknown("docker", "No engine answers."))
    assert (result.status, result.reason) == (Status.UNKNOWN, "No engine answers.")
