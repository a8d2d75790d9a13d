"""The lab's own judging of rehearsals, without a host: it must not call alike what is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.lab.rehearsed import strays
from tests.lab.scenario import Scenario, scenarios
from tests.lab.stack import Outcome

PLAYED = Scenario("x", "", "debian13", rehearse=True)
PREVENTED = Scenario("x", "", "debian13", rehearse="prevented")
HERE = {"198.51.100.10=25": "postfix-mailcow 198.51.100.10"}
UP = Outcome("", (), {}, HERE)
HELD = Outcome("listen tcp4 0.0.0.0:25: bind: address already in use", ("postfix-mailcow",))
OVERLAP = Outcome("failed to create network x: Pool overlaps with other one", ("postfix-mailcow",))
LIMIT = Outcome("error setting rlimit", ("dovecot-mailcow",))
SICK = Outcome("dependency failed: container is unhealthy", ("unbound-mailcow",))


def container(**changed: Any) -> dict[str, Any]:
    whole = {"states": [[0.5, "running"]], "healthcheck": False, "started": True, "unmet": [], "cause": ""}
    return whole | changed


def results(
    *, made: bool = True, cause: str = "", answer: str = "answered", **containers: dict[str, Any]
) -> dict[tuple[str, str | None], dict[str, Any]]:
    names = {"postfix-mailcow": container(started=not cause), "dovecot-mailcow": container()}
    names |= {f"{name}-mailcow": row for name, row in containers.items()}
    answers = {} if cause else {"198.51.100.10": {"answer": answer}}
    return {
        ("rehearsal.network", None): {"evidence": {"made": made}, "reason": None},
        ("rehearsal.publish", "25/tcp"): {"evidence": {"cause": cause, "answers": answers}},
        ("rehearsal.health", None): {"evidence": {"containers": names}},
    }


ALIKE: dict[str, tuple[dict[str, Any], Outcome]] = {
    "all is well": ({}, UP),
    "a port is held": ({"cause": "in-use"}, HELD),
    "the network is refused": ({"made": False}, OVERLAP),
    "a limit": ({"dovecot": container(started=False, cause="limits")}, LIMIT),
    "a limit that the lab lowers": ({"dovecot": container(started=False, cause="limits")}, UP),
    "a health check": ({"unbound": container(states=[[0.5, "unhealthy"]], healthcheck=True)}, SICK),
}
UNLIKE: dict[str, tuple[dict[str, Any], Outcome, str]] = {
    "a port that was held later": ({}, HELD, "Docker could not publish [25]"),
    "a port that was held before": ({"cause": "in-use"}, UP, "Docker published [25]"),
    "a network that was refused later": ({}, OVERLAP, "the rehearsal's network was made"),
    "a network that was refused before": ({"made": False}, UP, "the rehearsal's network was refused"),
    "a health check that failed later": ({}, SICK, "all was well in the rehearsal"),
    "one that failed before": (
        {"unbound": container(states=[[0.5, "unhealthy"]], healthcheck=True)}, UP, "run, and did not in the rehearsal",
    ),
    "one that waited": ({"acme": container(unmet=["nginx-mailcow"])}, UP, "run, and did not in the rehearsal"),
    "a port that was silent": ({"answer": "silent"}, UP, "25/tcp at 198.51.100.10"),
    "a port that was silent later": ({}, Outcome("", (), {}, {"198.51.100.10=25": "timeout"}), "25/tcp at"),
}  # fmt: skip


@pytest.mark.parametrize("what", ALIKE)
def test_what_is_alike(what: str) -> None:
    given, outcome = ALIKE[what]
    assert list(strays(PLAYED, results(**given), outcome)) == []


@pytest.mark.parametrize("what", UNLIKE)
def test_what_is_not(what: str) -> None:
    given, outcome, words = UNLIKE[what]
    assert any(words in line for line in strays(PLAYED, results(**given), outcome))


def test_a_rehearsal_that_was_not_to_begin_or_did_not() -> None:
    nothing = {("rehearsal.network", None): {"evidence": {"source": "x"}, "reason": "A mailcow runs."}}
    assert list(strays(PREVENTED, nothing, UP)) == []
    assert list(strays(PLAYED, nothing, UP)) == ["the rehearsal did not begin: A mailcow runs."]
    assert list(strays(PREVENTED, results(), UP)) == ["the rehearsal was to be prevented"]
    assert list(strays(PLAYED, {}, UP)) == ["there was no rehearsal"]
    assert list(strays(replace(PLAYED, rehearse=False), {}, UP)) == []


@pytest.mark.parametrize(("asked", "least"), [("", 35), ("all", 100)])
def test_many_hosts_are_rehearsed(asked: str, least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_REHEARSE", asked)
    assert sum(bool(one.rehearse) for one in scenarios()) >= least
