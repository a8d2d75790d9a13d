"""Hold a report against what was expected of it and what then happened. Pure: nothing here touches a host."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.lab.scenario import Expect, Scenario
from tests.lab.stack import Outcome

BAD = ("fail", "warn", "unknown", "error")


@dataclass(frozen=True)
class Verdict:
    """What came of one scenario."""

    name: str
    found: list[str] = field(default_factory=list)  # faults that the report names as expected
    missed: list[str] = field(default_factory=list)
    clean: int = 0  # results that had nothing to report, and reported nothing
    alarms: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)  # prediction and outcome
    broken: str = ""  # the lab itself
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        return not (self.missed or self.alarms or self.differs or self.broken)


def judge(scenario: Scenario, report: Mapping[str, Any], outcome: Outcome, known: Mapping[str, str]) -> Verdict:
    """Compare; `known` are check ids (patterns) whose findings are true of every such host."""
    results = {(row["check"], row["subject"]): row for row in report.get("results", ())}
    verdict = Verdict(scenario.name)
    expected = {(expect.check, expect.subject): expect for expect in scenario.expect}
    for key, expect in expected.items():
        wrong = unlike(expect, results.get(key))
        if wrong:
            (verdict.missed if expect.fault else verdict.alarms).append(f"{expect}, but {wrong}")
        elif expect.fault:
            verdict.found.append(str(expect))
    clean = 0
    for (check, subject), row in results.items():
        if (check, subject) in expected or any(fnmatch.fnmatchcase(check, pattern) for pattern in known):
            continue
        if row["status"] in BAD:
            verdict.alarms.append(f"{check} {subject or ''} {row['status']}: {row['message'] or row['reason']}")
        else:
            clean += 1
    verdict.differs.extend(differences(scenario, results, outcome))
    return Verdict(scenario.name, verdict.found, verdict.missed, clean, verdict.alarms, verdict.differs)


def unlike(expect: Expect, row: Mapping[str, Any] | None) -> str:
    """Say in what a result differs from the one expected; '' where it does not."""
    if row is None:
        return "there is no such result"
    if row["status"] != expect.status:
        return f"it is {row['status']}: {row['message'] or row['reason']}"
    if expect.holder is not None:
        holder = row["evidence"].get("holder") or {}
        names = [holder.get(key) for key in ("process", "unit", "container")]
        if expect.holder not in names:
            return f"its holder is {[name for name in names if name] or 'not named'}"
    if expect.says is not None and not re.search(expect.says, row["message"] or ""):
        return f"it says: {row['message']}"
    return ""


def differences(
    scenario: Scenario, results: Mapping[tuple[str, str | None], Mapping[str, Any]], outcome: Outcome
) -> list[str]:
    """List where the outcome is not what the scenario says, or not what the report lets expect."""
    truth, found = scenario.truth, []
    if truth.error and not re.search(truth.error, outcome.error):
        found.append(f"Compose should say {truth.error!r}, it says {outcome.error or 'nothing'!r}")
    if not truth.error and outcome.error and not truth.failing:
        found.append(f"Compose says {outcome.error!r}")
    if not truth.error and set(outcome.failing) != set(truth.failing):
        found.append(f"failing are {list(outcome.failing) or 'none'}, not {list(truth.failing) or 'none'}")
    if not set(truth.failing) <= set(outcome.failing):
        found.append(f"failing are {list(outcome.failing)}, without some of {list(truth.failing)}")
    predicted = {
        int(match[1])
        for (check, subject), row in results.items()
        if check == "ports.free" and row["status"] == "fail" and (match := re.search(r"(\d+)/tcp$", subject or ""))
    }
    if not scenario.then and not scenario.unknowable:
        found += [
            f"{port} could not be published, and was not predicted" for port in outcome.held if port not in predicted
        ]
    if predicted and outcome.up:
        found.append(f"the stack came up, against the prediction for {sorted(predicted)}")
    failed = [check for (check, _), row in results.items() if row["status"] == "fail" and _expected(scenario, check)]
    if failed and outcome.up and not scenario.observe:
        found.append(f"{', '.join(sorted(set(failed)))} fail, and no harm was seen")
    return found


def _expected(scenario: Scenario, check: str) -> bool:
    return any(expect.check == check for expect in scenario.expect)
