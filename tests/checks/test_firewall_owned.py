"""What is done about a rule, as its owner does it: files, switches, and what makes it last."""

from __future__ import annotations

from typing import Any

import pytest

from preflight.checks import Look
from preflight.checks.firewall import ways
from preflight.checks.firewall.culprits import Case
from preflight.facts import Culprit, RuleFile, Services
from preflight.report.model import Remedy
from tests.build import look
from tests.checks.hosts import release
from tests.checks.twins import ENGINE, docker_tables, legacy, managers, rule, twin

KNOWN = "-m conntrack --ctstate RELATED,ESTABLISHED"
BOOT = "These rules are lost at reboot. Also add them to the file from which your own rules are loaded."
BEGIN = "firewall-cmd --permanent"


def made(services: Services | None = None, *, derived: bool = True) -> Look:
    given = twin(tables=docker_tables(), derived=derived)
    return look(twin=given, services=services or managers(), os_release=release(), engine=ENGINE, conf={})


def case(culprit: Culprit, owner: str, **more: Any) -> Case:
    given = {
        "way": "in", "version": 4, "verdict": "dropped", "hook": "forward", "interface": "eth0",
        "bridge": "br-mailcow", "inner": (25,), "outer": (2525,),
    }  # fmt: skip
    return Case(culprit=culprit, owner=owner, **{**given, **more})


def advice(*cases: Case, services: Services | None = None, derived: bool = True) -> Remedy:
    return ways.remedy(made(services, derived=derived), cases, cases)


# --- ufw --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chain", "path"),
    [
        ("ufw-before-forward", "/etc/ufw/before.rules"), ("ufw-after-forward", "/etc/ufw/after.rules"),
        ("ufw6-before-forward", "/etc/ufw/before6.rules"), ("ufw6-after-forward", "/etc/ufw/after6.rules"),
    ],
)  # fmt: skip
def test_a_rule_of_ufws_own_files_is_looked_for_there(chain: str, path: str) -> None:
    remedy = advice(case(rule(chain), "ufw"))
    assert remedy.commands == (f"grep -n forward {path}",)
    assert remedy.text == f"Change the rule in {path} so that it excludes mailcow's bridge, then reload the rules."


def test_each_file_of_ufw_is_named_once_and_other_chains_have_their_command() -> None:
    chains = ("ufw-before-forward", "ufw6-before-forward", "ufw-before-forward", "ufw-reject-forward")
    remedy = advice(*(case(rule(chain), "ufw") for chain in chains))
    assert remedy.commands == (
        "grep -n forward /etc/ufw/before.rules /etc/ufw/before6.rules",
        "ufw route allow out on br-mailcow proto tcp from any to any port 25",
    )
    assert remedy.text.count("/etc/ufw/before.rules") == 1
    assert "Allow ufw to forward mailcow's connections." in remedy.text


@pytest.mark.parametrize(
    ("more", "commands"),
    [
        ({}, ("ufw route allow out on br-mailcow proto tcp from any to any port 25",)),
        ({"verdict": "oneway"}, (
            "ufw route allow out on br-mailcow proto tcp from any to any port 25", "ufw route allow in on br-mailcow",
        )),
        ({"way": "out", "inner": (), "outer": ()}, ("ufw route allow in on br-mailcow",)),
    ],
)  # fmt: skip
def test_ufw_forwards_in_the_direction_that_is_closed(more: dict[str, Any], commands: tuple[str, ...]) -> None:
    remedy = advice(case(rule("ufw-reject-forward"), "ufw", **more))
    assert remedy.commands == commands
    assert ("The ports are those inside the containers." in remedy.text) is any("port" in one for one in commands)
    assert "Keep all other rules as they are." in remedy.text


def test_a_rule_of_the_users_own_is_preceded() -> None:
    remedy = advice(case(rule("ufw-user-forward"), "ufw", way="out", inner=()))
    assert remedy.commands == ("ufw route prepend allow in on br-mailcow",)


# --- firewalld --------------------------------------------------------------------------------------------------------

FIREWALLD = rule("filter_FORWARD", family="inet", table="firewalld")
IN = (
    f"{BEGIN} --new-policy=mailcow-in", f"{BEGIN} --policy=mailcow-in --set-priority=-100",
    f"{BEGIN} --policy=mailcow-in --add-ingress-zone=ANY", f"{BEGIN} --policy=mailcow-in --add-egress-zone=docker",
    f"{BEGIN} --policy=mailcow-in --add-port=25/tcp",
)  # fmt: skip
OUT = (
    f"{BEGIN} --new-policy=mailcow-out", f"{BEGIN} --policy=mailcow-out --set-priority=-100",
    f"{BEGIN} --policy=mailcow-out --add-ingress-zone=docker", f"{BEGIN} --policy=mailcow-out --add-egress-zone=ANY",
    f"{BEGIN} --policy=mailcow-out --set-target=ACCEPT",
)  # fmt: skip
AGAIN = ("firewall-cmd --reload", "systemctl restart docker")


@pytest.mark.parametrize(
    ("more", "commands"),
    [
        ({}, (*IN, *AGAIN)),
        ({"verdict": "oneway"}, (*IN, *OUT, *AGAIN)),
        ({"way": "out", "inner": (), "outer": ()}, (*OUT, *AGAIN)),
    ],
    ids=["in", "answers", "out"],
)
def test_firewalld_gets_a_policy_for_the_direction_that_is_closed(
    more: dict[str, Any], commands: tuple[str, ...]
) -> None:
    remedy = advice(case(FIREWALLD, "firewalld", **more))
    assert remedy.commands == commands
    assert "restart Docker after firewalld reloads" in remedy.text


def test_firewalld_that_is_strict_wants_a_forward_port_in_the_zone_of_the_uplink() -> None:
    strict = rule("filter_FORWARD_dnat", family="inet", table="firewalld")
    remedy = advice(case(strict, "firewalld"), case(FIREWALLD, "firewalld"))
    assert remedy.commands == ("firewall-cmd --list-all-zones",)
    assert remedy.text == (
        "StrictForwardPorts is set to yes, so firewalld rejects ports that Docker publishes. "
        "Add a forward port for each of mailcow's ports to the zone of eth0."
    )


# --- Docker, and what is written beside it ----------------------------------------------------------------------------


def test_a_rule_that_docker_will_add_is_not_cured_by_its_restart() -> None:
    remedy = advice(case(rule("DOCKER", predicted=True), "docker"))
    assert remedy.commands == ("cat /etc/docker/daemon.json",)
    assert "Docker's network settings" in remedy.text
    assert advice(case(rule("DOCKER"), "docker")).commands == ("systemctl restart docker",)


def test_lines_of_docker_user_do_not_outlast_a_reboot() -> None:
    remedy = advice(case(rule("DOCKER-USER"), "docker-user"))
    assert BOOT in remedy.text
    assert "Keep all other rules as they are." in remedy.text
    assert [line.rpartition(" ")[2] for line in remedy.commands] == ["RETURN", "RETURN"]


@pytest.mark.parametrize(("owner", "name"), [("ferm", "ferm"), ("firehol", "FireHOL")])
def test_a_manager_with_files_of_its_own_keeps_them(owner: str, name: str) -> None:
    remedy = advice(case(rule(), owner))
    assert remedy.text == (
        f"In the configuration of {name}, accept packets that are forwarded to and from br-mailcow. "
        "Keep all other rules as they are. "
        f"Restart Docker each time {name} reloads its rules, because Docker's own rules may then be lost."
    )


@pytest.mark.parametrize("owner", ["csf", "shorewall"])
def test_managers_that_know_docker_are_told_to_keep_its_rules_and_all_others(owner: str) -> None:
    remedy = advice(case(rule(), owner))
    assert "keeps Docker's rules" in remedy.text
    assert "Keep all other rules as they are." in remedy.text
    assert remedy.commands[-1] == "systemctl restart docker"


@pytest.mark.parametrize(
    ("owner", "commands"),
    [
        ("fail2ban", ("fail2ban-client banned",)),
        ("crowdsec", ("cscli decisions list",)),
        ("netfilter-mailcow", ()),
    ],
)
def test_bans_are_looked_at_and_not_lifted_as_a_whole(owner: str, commands: tuple[str, ...]) -> None:
    remedy = advice(case(rule("x"), owner))
    assert remedy.commands == commands
    assert remedy.text == "A ban blocks ordinary addresses. Find it and lift no others."


# --- Oracle Cloud's image ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "program"), [(4, "iptables"), (6, "ip6tables")])
@pytest.mark.parametrize("chain", ["FORWARD", "INPUT"])
def test_oracles_rules_are_added_to_and_kept(chain: str, version: Any, program: str) -> None:
    hook = chain.lower()
    given = case(rule(chain), "oracle-cloud", version=version, way="out", hook=hook, inner=(), outer=())
    remedy = advice(given)
    path = f"/etc/iptables/rules.v{version}"
    matches = ("-i br-mailcow", f"-o br-mailcow {KNOWN}")
    assert remedy.commands == (
        *(f"{program} -I {chain} {match} -j ACCEPT" for match in matches),
        *(f"sed -i '/^-A {chain} -j REJECT/i -A {chain} {match} -j ACCEPT' {path}" for match in matches),
    )
    for words in ("Oracle Cloud's image", "do not remove any", "Do not save the running rules", "security list"):
        assert words in remedy.text


@pytest.mark.parametrize(
    ("culprit", "more"),
    [
        (rule("InstanceServices"), {}),
        (rule("PREROUTING", table="raw"), {"hook": "prerouting", "early": True}),
        (rule(table="mangle"), {}),
    ],
    ids=["called", "early", "another table"],
)
def test_no_line_is_written_into_oracles_file_that_it_has_no_place_for(culprit: Culprit, more: dict[str, Any]) -> None:
    remedy = advice(case(culprit, "oracle-cloud", **more))
    assert remedy.commands
    assert all(line.startswith("iptables ") for line in remedy.commands)


# --- by hand ----------------------------------------------------------------------------------------------------------

FOUR, SIX, BOTH = (RuleFile(f"/etc/{name}", 3) for name in ("iptables/rules.v4", "iptables/rules.v6", "nftables.conf"))
SAME = "Add the same rules to {path} so that they persist after a reboot."
SAVED = "Do not save the running rules: Docker's own rules would be saved with them."


@pytest.mark.parametrize(
    ("owner", "version", "files", "path"),
    [
        ("iptables", 4, (FOUR, SIX), FOUR.path), ("iptables", 6, (FOUR, SIX), SIX.path),
        ("iptables", 4, (SIX,), ""), ("iptables", 6, (FOUR,), ""), ("iptables", 4, (), ""),
        ("nftables", 4, (BOTH,), BOTH.path), ("nftables", 6, (BOTH,), BOTH.path), ("", 4, (FOUR,), ""),
    ],
)  # fmt: skip
def test_lines_outlast_a_reboot_in_the_file_of_their_family(
    owner: str, version: Any, files: tuple[RuleFile, ...], path: str
) -> None:
    services = managers(owner or "iptables", rule_files=files)
    text = advice(case(rule(), owner, version=version), services=services).text
    assert (SAME.format(path=path) in text) is bool(path)
    assert (SAVED in text) is bool(path)
    assert (BOOT in text) is not bool(path)
    assert text.startswith("Add rules that allow only mailcow's connections. Keep all other rules")


@pytest.mark.parametrize(
    ("owner", "more", "place"),
    [
        ("libvirt", {}, "FORWARD"), ("podman", {}, "FORWARD"), ("kubernetes", {}, "FORWARD"),
        ("libvirt", {"hook": "postrouting"}, "CHAIN"), ("", {}, "CHAIN"), ("iptables", {}, "CHAIN"),
    ],
)  # fmt: skip
def test_only_chains_that_a_program_empties_are_passed_by(owner: str, more: dict[str, Any], place: str) -> None:
    found = advice(case(rule("CHAIN", number=None), owner, **more)).commands
    assert all(f"-I {place} " in line for line in found)
    mangled = advice(case(rule("CHAIN", table="mangle"), owner, **more)).commands
    assert all("FORWARD" not in line for line in mangled)


def test_a_number_of_a_programs_own_chain_is_none_of_the_built_in_one() -> None:
    found = advice(case(legacy("LIBVIRT_FWX", number=7), "libvirt")).commands
    assert [line.partition(" -o")[0].partition(" -i")[0] for line in found] == ["iptables-legacy -I FORWARD"] * 2


def test_one_cause_in_both_backends_has_lines_for_each() -> None:
    native = rule("forward", family="inet", table="mine")
    found = advice(case(rule(), ""), case(native, "")).commands
    assert [line.partition(" ")[0] for line in found] == ["iptables", "iptables", "nft", "nft"]


@pytest.mark.parametrize(
    ("culprit", "shown"),
    [
        (rule("POSTROUTING", table="mangle"), "nft -a list ruleset"),
        (legacy("POSTROUTING", table="mangle"), "iptables-legacy-save"),
        (legacy("POSTROUTING", table="mangle", family="ip6"), "ip6tables-legacy-save"),
    ],
)
def test_where_no_line_helps_the_rules_are_shown_that_the_rule_is_among(culprit: Culprit, shown: str) -> None:
    version = 6 if culprit.family == "ip6" else 4
    given = case(culprit, "", way="out", hook="postrouting", version=version)
    assert advice(given).commands == (shown,)


# --- several causes ---------------------------------------------------------------------------------------------------


def test_each_cause_has_its_part_and_no_sentence_or_command_comes_twice() -> None:
    remedy = advice(
        case(rule("ufw-reject-forward"), "ufw"), case(rule("DOCKER"), "docker"), case(rule("DOCKER"), "docker"),
        case(Culprit(kind="socket"), "", hook=""),
    )  # fmt: skip
    assert remedy.commands == (
        "ufw route allow out on br-mailcow proto tcp from any to any port 25", "systemctl restart docker",
    )  # fmt: skip
    assert remedy.text.count("Restart Docker to restore its rules.") == 1


def test_ports_are_brought_together_where_nothing_else_differs() -> None:
    first = case(rule(counter=3), "", inner=(25,), outer=(2525,))
    second = case(rule(counter=9), "", inner=(80, 25), outer=(8080,))
    other = case(rule(handle=13), "", inner=(443,), outer=(443,))
    [joined, alone] = ways.merged([first, second, other])
    assert (joined.inner, joined.outer) == ((25, 80), (2525, 8080))
    assert alone == other
