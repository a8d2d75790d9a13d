"""Hold the dress rehearsal against what happened when the stack was really brought up. Pure, as the judge is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from preflight.facts.engine_words import PORTS
from tests.lab.scenario import Scenario
from tests.lab.stack import Outcome

Results = Mapping[tuple[str, str | None], Mapping[str, Any]]
NETWORK = r"failed to create network|Pool overlaps|same bridge name"


def strays(scenario: Scenario, results: Results, outcome: Outcome) -> Iterator[str]:
    """List where the rehearsal and the outcome disagree."""
    if not scenario.rehearse or scenario.then:  # what happens after the rehearsal is none of it
        return
    network = results.get(("rehearsal.network", None))
    if network is None:
        yield "there was no rehearsal"
        return
    if "made" not in network["evidence"]:  # it did not begin, and says why
        if scenario.rehearse != "prevented":
            yield f"the rehearsal did not begin: {network['reason']}"
        return
    if scenario.rehearse == "prevented":
        yield "the rehearsal was to be prevented"
    made = network["evidence"]["made"]
    settled = network.get("status") != "unknown"  # else it says itself that mailcow.conf lets Compose do something else
    if settled and made is bool(re.search(NETWORK, outcome.error)):
        yield f"the rehearsal's network was {'made' if made else 'refused'}, and Compose says {outcome.error[:200]!r}"
    if made:
        yield from _ports(results, outcome)
        yield from _containers(results, outcome)


def _ports(results: Results, outcome: Outcome) -> Iterator[str]:
    """Hold the ports that Docker refused in the rehearsal, and those that answered, against the stack's."""
    rows = {subject: row for (check, subject), row in results.items() if check == "rehearsal.publish" and subject}
    refused = {_port(subject) for subject, row in rows.items() if row["evidence"].get("cause") in PORTS}
    missed = sorted(set(outcome.held) - refused)
    if missed:
        yield f"Docker could not publish {missed}, and did in the rehearsal"
    if refused and not outcome.error:
        yield f"Docker published {sorted(refused)}, and did not in the rehearsal"
    if not outcome.up:
        return
    for subject, row in rows.items():
        for address, answer in row["evidence"].get("answers", {}).items():
            there = outcome.inside.get(f"{address}={_port(subject)}")
            answered = there is not None and re.match(r"[a-z]+-mailcow ", there)
            if there is not None and bool(answered) is not (answer["answer"] == "answered"):
                yield f"{subject} at {address}: {answer['answer']} in the rehearsal, and then {there}"


def _containers(results: Results, outcome: Outcome) -> Iterator[str]:
    """Hold the containers that would not start, or not become healthy, against those that did not."""
    containers = results[("rehearsal.health", None)]["evidence"].get("containers", {})
    # The stack is brought up within this machine's own limits (stack.lower), the rehearsal within mailcow's.
    bad = {name for name, one in containers.items() if one["cause"] != "limits" and _bad(one)}
    lowered = {name for name, one in containers.items() if one["cause"] == "limits"}
    failing = set(outcome.failing)
    if bad - failing:
        yield f"{sorted(bad - failing)} run, and did not in the rehearsal"
    if failing and not bad and not failing & lowered and not outcome.error_of_conf:
        yield f"{sorted(failing)} fail, and all was well in the rehearsal"


def _bad(one: Mapping[str, Any]) -> bool:
    states = [state for _, state in one["states"]]
    sick = one["healthcheck"] and states[-1:] != ["healthy"]
    return not one["started"] or bool(one["unmet"]) or sick or states[-1:] == ["exited"]


def _port(subject: str) -> int:
    return int(subject.removesuffix("/tcp").rpartition(":")[2])
