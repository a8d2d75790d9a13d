"""The firewall's check: who writes rules beside Docker, and how it is switched off."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from preflight.cli.params import WaiverType
from preflight.facts import OsRelease, RuleFile, Service, Services, Switch
from preflight.report.model import Result, Status
from tests.build import VIEW, host, look, measured, run
from tests.checks.hosts import release

DEBIAN = release()


CONF, RULES4, RULES6 = "/etc/nftables.conf", "/etc/iptables/rules.v4", "/etc/iptables/rules.v6"
DENIED = RuleFile(RULES4, None, why="Permission denied")


def manager(name: str = "firewalld", *files: RuleFile, **more: Any) -> Service:
    given = {"unit": f"{name}.service", "enabled": True, "active": True, **more}
    return Service(name=name, kind="firewall", rule_files=files, **given)


def switched(name: str, variable: str, value: str, on: bool | None, **more: Any) -> Service:
    return manager(name, switch=Switch(variable, value, on), **more)


def results(*found: Service, system: OsRelease = DEBIAN, init: str = "systemd", processes: bool = True) -> list[Result]:
    return run("firewall.managers", look(services=Services(init, found, processes), os_release=system))


def one(*found: Service, **more: Any) -> Result:
    (result,) = results(*found, **more)
    return result


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (manager(), "firewalld is switched on and may conflict with Docker."),
        (switched("ufw", "ENABLED", "yes", True), "conflict with Docker. Its configuration has ENABLED=yes."),
        (switched("csf", "TESTING", "1", None), "has TESTING=1."),
        (switched("csf", "", "", False, process=90), "csf is switched on"),
        (switched("ferm", "ENABLED", "", None), "has ENABLED=."),
        (switched("shorewall", "STARTUP_ENABLED", "yes", True), "has STARTUP_ENABLED=yes."),
        (manager("nftables", RuleFile(CONF, 3, flushes=True)), f"Rules in its files: {CONF} (3)."),
        (manager("iptables", RuleFile(RULES4, 0), RuleFile(RULES6, 1)), f"files: {RULES4} (0), {RULES6} (1)."),
        (manager("iptables", DENIED, RuleFile(RULES6, 0)), f"Cannot read {RULES4}: Permission denied."),
        (manager("iptables"), "iptables is switched on"),
    ],
)
def test_a_manager_beside_docker(found: Service, words: str) -> None:
    result = one(found)
    assert (result.status, result.subject, result.expected) == (Status.WARN, found.name, "none")
    assert words in result.message


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (manager(), "active and enabled at boot"), (manager(active=False), "enabled at boot"),
        (manager(active=None), "enabled at boot"), (manager(enabled=False), "active"),
        (manager(enabled=None), "active"),
    ],
)  # fmt: skip
def test_what_is_found_is_whether_it_runs_and_whether_it_comes_back(found: Service, state: str) -> None:
    assert one(found).found == state


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (manager("fail2ban"), "bans single addresses"),
        (manager("crowdsec"), "bans single addresses"),
        (manager("nftables", RuleFile(CONF, 0, flushes=True)), f"its files contain no rules: {CONF}."),
        (
            manager("iptables", RuleFile(RULES4, 0), RuleFile(RULES6, 0)),
            f"its files contain no rules: {RULES4}, {RULES6}.",
        ),
    ],
)
def test_a_manager_that_may_stay(found: Service, words: str) -> None:
    result = one(found)
    assert (result.status, result.subject, result.remedy) == (Status.PASS, found.name, None)
    assert words in result.message
    assert "firewall.inbound" in result.message


@pytest.mark.parametrize(
    "found",
    [
        switched("ufw", "ENABLED", "no", False), switched("csf", "", "", False),
        manager(enabled=False, active=False), manager(enabled=False, active=False, masked=True),
        manager(enabled=False, active=None), switched("ufw", "ENABLED", "yes", True, enabled=False, active=False),
        Service(name="exim4", kind="mta", unit="exim4.service", enabled=True, active=True),
    ],
)  # fmt: skip
def test_what_is_switched_off_passes(found: Service) -> None:
    result = one(found)
    assert (result.status, result.subject, result.found) == (Status.PASS, None, "none")
    assert "No known firewall manager is switched on." in result.message


@pytest.mark.parametrize(
    "name", ["ufw", "csf", "firewalld", "nftables", "iptables", "shorewall", "ferm", "firehol", "unheard-of"]
)
def test_what_protects_the_host_is_never_switched_off_by_a_command(name: str) -> None:
    result = one(manager(name))
    assert result.remedy
    assert result.remedy.commands == ()
    assert f"Keep {name}: it protects SSH" in result.remedy.text
    assert f"--ignore 'firewall.managers:{name}=kept'" in result.remedy.text
    assert not re.search(r"ufw disable|disable --now|csf -x|systemctl stop", result.remedy.text)


def test_the_warning_can_be_accepted_by_the_option_that_is_named() -> None:
    result = one(manager("ufw"))
    assert result.remedy
    given = re.findall(r"--ignore '([^']+)'", result.remedy.text)
    (ignore,) = [WaiverType().convert(word, None, None) for word in given]
    assert ignore.covers(result)
    assert ignore.reason == "kept"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (manager("iptables", chains=("InstanceServices",), closes=("INPUT", "FORWARD")), "Oracle Cloud"),
        (manager("iptables", closes=("INPUT", "FORWARD")), "reject forwarded packets"),
        (manager("nftables", RuleFile(CONF, 3, flushes=True)), "`flush ruleset`"),
        (manager("csf"), "DOCKER"), (manager("shorewall"), "DOCKER=Yes"), (manager(), "zone named docker"),
    ],
)  # fmt: skip
def test_advice_fits_the_manager(found: Service, words: str) -> None:
    plain = one(manager("unheard-of"))
    for result, there in ((one(found), True), (plain, False)):
        assert result.remedy
        assert (words in result.remedy.text.replace("DOCKER-USER", "")) is there


def test_a_manager_of_several_units_has_one_row() -> None:
    pair = (manager("shorewall"), manager("shorewall", unit="shorewall6.service", active=False))
    result = one(*pair)
    assert measured(result) == {
        "units": ["shorewall.service", "shorewall6.service"], "enabled": True, "active": True, "detail": ""
    }  # fmt: skip


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (switched("ufw", "ENABLED", "yes", True), "ENABLED=yes"),
        (switched("csf", "", "", False, process=90), "disabled; pid 90"),
        (manager("nftables", RuleFile(CONF, 3, flushes=True)), f"{CONF} (3); it removes all rules first"),
        (manager("iptables", DENIED, RuleFile(RULES6, 0)), f"{RULES4}: Permission denied; {RULES6} (0)"),
    ],
)
def test_what_its_files_say_is_evidence(found: Service, words: str) -> None:
    assert one(found).evidence.detail == words


def test_each_manager_has_its_row() -> None:
    found = results(switched("ufw", "ENABLED", "yes", True), manager(), manager("fail2ban"))
    assert [(r.subject, r.status) for r in found] == [
        ("ufw", Status.WARN), ("firewalld", Status.WARN), ("fail2ban", Status.PASS)
    ]  # fmt: skip


def test_unknown_services_are_unknown() -> None:
    (result,) = run("firewall.managers", look(os_release=DEBIAN))
    assert (result.status, result.reason) == (Status.UNKNOWN, "The test gives no services.")


def test_hidden_processes_are_no_pass() -> None:
    result = one(processes=False)
    assert (result.status, result.reason) == (Status.UNKNOWN, "Running processes are not visible.")
    assert one(manager(), processes=False).status is Status.WARN
    given = host(view=msgspec.structs.replace(VIEW, live=False), services=Services("systemd", (), False))
    (of_copy,) = run("firewall.managers", look(given))
    assert of_copy.status is Status.PASS
