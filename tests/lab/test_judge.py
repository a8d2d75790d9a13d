"""The lab's own judging, without a host: it must not call good what is not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from preflight.checks import catalogue
from tests.lab import figure
from tests.lab.judge import Verdict, judge, strayed
from tests.lab.kinds import KINDS
from tests.lab.scenario import Expect, Observe, Scenario, Truth, scenarios
from tests.lab.stack import SERVICES, Outcome

HELD = Expect("ports.free", "fail", "25/tcp", holder="exim4.service")
SAYS = "listen tcp4 0.0.0.0:25: bind: address already in use"
TRUTH = Truth("address already in use", ("postfix-mailcow",))
ANSWERS = {"198.51.100.10=25": "postfix-mailcow 198.51.100.1"}


def row(check: str, status: str, subject: str | None = None, unit: str = "exim4.service") -> dict[str, Any]:
    evidence = {"holder": {"process": "exim4", "unit": unit, "container": None}}
    return {
        "check": check,
        "subject": subject,
        "status": status,
        "message": f"{check}!",
        "reason": None,
        "evidence": evidence,
        "remedy": {"text": "Stop it.", "commands": []},
    }


def judged(scenario: Scenario, outcome: Outcome, *rows: dict[str, Any]) -> Verdict:
    return judge(scenario, {"results": rows}, outcome, {"resources.*": "the machine's"})


def played(name: str, title: str, **more: Any) -> Scenario:
    return Scenario(name, title, "debian13", rehearse=False, **more)


FAULT = played("exim4", "Exim", expect=(HELD,), truth=TRUTH)
FAILED = Outcome(SAYS, ("postfix-mailcow",))
UP = Outcome("", (), ANSWERS)


def test_a_fault_that_is_found() -> None:
    verdict = judged(FAULT, FAILED, row("ports.free", "fail", "25/tcp"), row("ports.free", "pass", "80/tcp"))
    assert (verdict.good, verdict.found, verdict.clean) == (True, ["ports.free 25/tcp: fail"], 1)


@pytest.mark.parametrize(
    "found",
    [row("ports.free", "pass", "25/tcp"), row("ports.free", "fail", "25/tcp", unit="other.service"), row("x", "pass")],
)
def test_a_fault_that_is_not_found_or_has_another_holder(found: dict[str, Any]) -> None:
    assert len(judged(FAULT, FAILED, found).missed) == 1


def test_advice_that_is_another_one() -> None:
    wanted = [replace(expect, advises="Stop .*") for expect in FAULT.expect]
    found = row("ports.free", "fail", "25/tcp")
    assert judged(replace(FAULT, expect=tuple(wanted)), FAILED, found).good
    found["remedy"] = None
    assert len(judged(replace(FAULT, expect=tuple(wanted)), FAILED, found).missed) == 1


def test_a_false_alarm() -> None:
    verdict = judged(played("clean", ""), UP, row("ports.free", "warn", "80/tcp"), row("resources.swap", "warn"))
    assert (len(verdict.alarms), verdict.clean, verdict.good) == (1, 0, False)


@pytest.mark.parametrize(
    ("scenario", "outcome", "words"),
    [
        (played("clean", ""), FAILED, "Compose says"),
        (played("clean", ""), Outcome("", ("acme-mailcow",), ANSWERS), "failing are ['acme-mailcow']"),
        (played("clean", ""), Outcome("", (), {"198.51.100.10=25": "timeout"}), "without an answer"),
        (FAULT, UP, "Compose should say"),
        (FAULT, Outcome("no space left on device", ("postfix-mailcow",)), "Compose should say"),
        (FAULT, Outcome(SAYS.replace(":25:", ":26:"), ("postfix-mailcow",)), "26 could not be published"),
        (FAULT, Outcome(SAYS, ("nginx-mailcow",)), "not ['postfix-mailcow']"),
        (played("x", "", expect=(HELD,)), UP, "no harm was seen"),
    ],
)
def test_an_outcome_unlike_the_prediction(scenario: Scenario, outcome: Outcome, words: str) -> None:
    verdict = judged(scenario, outcome, row("ports.free", "fail", "25/tcp"))
    assert any(words in text for text in verdict.differs), verdict.differs


def test_harm_that_is_seen_elsewhere() -> None:
    seen = played("x", "", expect=(HELD,), observe=(Observe("true"),))
    assert judged(seen, UP, row("ports.free", "fail", "25/tcp")).differs == []


def test_a_subject_may_be_a_pattern() -> None:
    wish = Expect("docker.leftovers", "warn", "container:*")
    old = played("x", "", expect=(wish,))
    rows = [row("docker.leftovers", "warn", f"container:{name}") for name in "ab"]
    assert judged(old, UP, *rows).good
    assert not judged(old, UP, *rows, row("docker.leftovers", "warn", "volume:c")).good
    assert not judged(old, UP).good


def test_the_figure() -> None:
    good = Verdict("a", found=["x"], clean=9)
    bad = Verdict("b", missed=["y | z"], alarms=["w"], differs=["v"], clean=4)
    assert figure.line([good, bad]).startswith("1/2 faults found, 1/14 false alarms, 1 predictions unlike the outcome")
    assert json.loads(figure.document([good, bad]))["totals"]["as_expected"] == 1
    assert "| b | two\\|bars |" in figure.table([good, bad], {"a": "one", "b": "two|bars"})


SCENARIOS = scenarios()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_scenario_means_something(scenario: Scenario) -> None:
    ids = {check.id for check in catalogue()}
    assert scenario.host in KINDS
    assert scenario.network in ("ipv4", "dual")
    assert {expect.check for expect in scenario.expect} <= ids
    assert {expect.status for expect in scenario.expect} <= {"pass", "warn", "fail", "unknown", "skip"}
    assert set(scenario.truth.failing) <= set(SERVICES)
    assert scenario.title
    clean = scenario.title.startswith("nothing")
    required = {expect.status for expect in scenario.expect} & {"fail", "unknown"}
    assert not (clean and required)


def test_there_are_enough() -> None:
    assert len(SCENARIOS) >= 40
    assert {scenario.host for scenario in SCENARIOS} == set(KINDS)


def reached(port: int, verdict: str | None, family: str = "ipv4") -> dict[str, Any]:
    found = row("firewall.inbound", "pass" if verdict == "delivered" else "fail", f"{port}/tcp")
    return {**found, "evidence": {"families": {family: verdict and {"verdict": verdict}}}}


@pytest.mark.parametrize(
    ("verdict", "said", "differs"),
    [
        ("delivered", "postfix-mailcow 198.51.100.1", False),
        ("delivered", "postfix-mailcow 172.22.1.1", True),
        ("delivered", "timeout", True),
        ("proxy", "postfix-mailcow 172.22.1.1", False),
        ("proxy", "postfix-mailcow 198.51.100.1", True),
        ("dropped", "timeout", False),
        ("dropped", "postfix-mailcow 198.51.100.1", True),
        ("oneway", "timeout", False),
        ("depends", "timeout", False),
        (None, "timeout", False),
    ],
)
def test_a_packets_predicted_way_is_held_against_who_answers(verdict: str | None, said: str, differs: bool) -> None:
    outcome = Outcome("", (), {"198.51.100.10=25": said})
    results = {("firewall.inbound", "25/tcp"): reached(25, verdict)}
    assert bool(list(strayed(results, outcome))) is differs


def test_of_ipv6_only_whether_it_answers_is_held() -> None:
    results = {("firewall.inbound", "25/tcp"): reached(25, "delivered", "ipv6")}
    for said, differs in (("postfix-mailcow 172.22.1.1", False), ("timeout", True)):
        assert bool(list(strayed(results, Outcome("", (), {"2001:db8::10=25": said})))) is differs
