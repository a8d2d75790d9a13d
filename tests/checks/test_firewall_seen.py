"""Docker was seen to add other rules than its version is known to: told, with what was tried, and never a status."""

from __future__ import annotations

from typing import Any

import pytest

from preflight.facts import Differing, Fact, PublishRun
from preflight.report.model import Result, Status
from tests.build import look, measured, run
from tests.checks.hosts import release
from tests.checks.twins import ENGINE, families, journey, managers, twin

DROP = Differing(4, "engine", "filter", "DOCKER", "-i {bridge} -j DROP")
ORDER = Differing(4, "order", "nat", "POSTROUTING")
SEEN = PublishRun((4,), (DROP, ORDER))
HEAD = (
    "Docker's rules on this host differ from those expected for its version."
    " Chains that differ: filter DOCKER, nat POSTROUTING."
)
TRIED = "The rules that Docker added for a test network were tested."
CHECKS = ("firewall.inbound", "firewall.forwarding", "firewall.backend")


def first(check: str, publishing: object, *journeys: Any, **more: Any) -> Result:
    known = {"os_release": release(), "engine": ENGINE, "services": managers(), "conf": {}, "publishing": publishing}
    return run(check, look(twin=twin(*journeys, exits=journeys, **more), **known))[0]


@pytest.mark.parametrize("check", CHECKS)
def test_what_differs_is_told_with_its_rules(check: str) -> None:
    result = first(check, SEEN)
    assert result.status is Status.PASS
    assert f"{HEAD} {TRIED}" in result.message
    assert measured(result)["differing"] == [
        {"only": "engine", "family": "IPv4", "table": "filter", "chain": "DOCKER", "rule": "-i {bridge} -j DROP"},
        {"only": "order", "family": "IPv4", "table": "nat", "chain": "POSTROUTING", "rule": None},
    ]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    ("publishing", "derived"),
    [(PublishRun((4, 6)), True), (Fact.skipped("x", "--no-probe was given."), True), (SEEN, False)],
    ids=["agreed", "not tried", "mailcow is up"],
)
def test_nothing_is_said_where_nothing_differs(check: str, publishing: object, derived: bool) -> None:
    result = first(check, publishing, derived=derived)
    assert "differ from those expected" not in result.message
    assert "differing" not in measured(result)


@pytest.mark.parametrize("check", CHECKS[:2])
def test_what_is_lost_by_it_is_a_failure_that_tells_it(check: str) -> None:
    result = first(check, SEEN, journey("dropped"))
    assert result.status is Status.FAIL
    assert result.message.endswith(TRIED)


@pytest.mark.parametrize("check", CHECKS[:2])
def test_what_could_not_be_carried_over_is_unknown_and_says_so(check: str) -> None:
    result = first(
        check, PublishRun((4,), (DROP,), doubt="-s {gateway}"), families=families("blind", doubt="derivation")
    )
    assert result.status is Status.UNKNOWN
    assert "Could not determine the rules that Docker would add for mailcow." in result.message
    assert result.message.endswith("Not all of them could be tested for mailcow's network.")
