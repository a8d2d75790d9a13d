"""Hold a report against what was expected of it and what then happened. Pure: nothing here touches a host."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.lab import rehearsed
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
    harms: list[str] = field(default_factory=list)  # what came of following the advice
    broken: str = ""  # the lab itself
    before: list[str] = field(default_factory=list)  # what was wrong at a first try, where this is the second
    seconds: float = 0.0

    @property
    def complaints(self) -> list[tuple[str, str]]:
        """Return all that is not as it should be, each with the kind of complaint."""
        kinds = {"missed": self.missed, "alarm": self.alarms, "differs": self.differs, "advice": self.harms}
        return [(kind, row) for kind, rows in kinds.items() for row in rows]

    @property
    def good(self) -> bool:
        return not (self.complaints or self.broken)


def judge(scenario: Scenario, report: Mapping[str, Any], outcome: Outcome, known: Mapping[str, str]) -> Verdict:
    """Compare; `known` are check ids (patterns) whose findings are true of every such host."""
    results = {(row["check"], row["subject"]): row for row in report.get("results", ())}
    verdict = Verdict(scenario.name)
    for expect in scenario.expect:
        rows = [row for key, row in results.items() if meant(expect, *key)]
        wrong = next(filter(None, (unlike(expect, row) for row in rows)), "" if rows else "there is no such result")
        if wrong:
            (verdict.missed if expect.fault else verdict.alarms).append(f"{expect}, but {wrong}")
        elif expect.fault:
            verdict.found.append(str(expect))
    clean = 0
    for (check, subject), row in results.items():
        if any(meant(expect, check, subject) for expect in scenario.expect):
            continue
        if check.startswith("rehearsal."):  # held against the outcome alone
            continue
        if any(fnmatch.fnmatchcase(check, pattern) for pattern in known):
            continue
        if row["status"] in BAD:
            verdict.alarms.append(f"{check} {subject or ''} {row['status']}: {row['message'] or row['reason']}")
        else:
            clean += 1
    verdict.differs.extend(differences(scenario, results, outcome))
    return Verdict(scenario.name, verdict.found, verdict.missed, clean, verdict.alarms, verdict.differs)


def meant(expect: Expect, check: str, subject: str | None) -> bool:
    """Say whether a result is the one expected, or one of them: a subject may be a pattern."""
    if subject is None or expect.subject is None:
        return (check, subject) == (expect.check, expect.subject)
    return check == expect.check and (subject == expect.subject or fnmatch.fnmatchcase(subject, expect.subject))


def unlike(expect: Expect, row: Mapping[str, Any]) -> str:
    """Say in what a result differs from the one expected; '' where it does not."""
    if row["status"] != expect.status:
        return f"it is {row['status']}: {row['message'] or row['reason']}"
    if expect.holder is not None:
        holder = row["evidence"].get("holder") or {}
        names = [holder.get(key) for key in ("process", "unit", "container")]
        if expect.holder not in names:
            return f"its holder is {[name for name in names if name] or 'not named'}"
    if expect.says is not None and not re.search(expect.says, row["message"] or ""):
        return f"it says: {row['message']}"
    remedy = row["remedy"] or {"text": "", "commands": []}
    advice = "\n".join([remedy["text"], *remedy["commands"]])
    if expect.advises is not None and not re.search(expect.advises, advice):
        return f"it advises: {advice}"
    return ""


Results = Mapping[tuple[str, str | None], Mapping[str, Any]]


def differences(scenario: Scenario, results: Results, outcome: Outcome) -> list[str]:
    """List where the outcome is not what the scenario says, or not what the report lets expect."""
    return [
        *untold(scenario, outcome),
        *unforeseen(scenario, results, outcome),
        *rehearsed.strays(scenario, results, outcome),
    ]


def untold(scenario: Scenario, outcome: Outcome) -> Iterator[str]:
    """Hold the outcome against what the scenario says of it."""
    truth = scenario.truth
    if truth.error and not re.search(truth.error, outcome.error):
        yield f"Compose should say {truth.error!r}, it says {outcome.error or 'nothing'!r}"
    if not truth.error and outcome.error and not truth.failing:
        yield f"Compose says {outcome.error!r}"
    # Where one container fails, Compose may have given up others, more or fewer of them.
    as_said = set(truth.failing) <= set(outcome.failing) if truth.error else truth.failing == outcome.failing
    if not as_said:
        yield f"failing are {list(outcome.failing) or 'none'}, not {list(truth.failing) or 'none'}"
    silent = sorted(place for place, said in outcome.answers.items() if not re.match(r"[a-z]+-mailcow ", said))
    if outcome.up and bool(silent) != truth.unreachable:
        yield f"without an answer: {', '.join(silent) or 'none'}"


def unforeseen(scenario: Scenario, results: Results, outcome: Outcome) -> Iterator[str]:
    """Hold the outcome against the report."""
    if scenario.unknowable:
        return
    ports = predicted(results)
    if outcome.up and not scenario.then:
        yield from strayed(results, outcome)
    if not scenario.then:
        yield from (
            f"{port} could not be published, and was not predicted" for port in outcome.held if port not in ports
        )
    failed = sorted({expect.check for expect in scenario.expect if expect.status == "fail"})
    harm = scenario.observe or scenario.then or scenario.truth.unreachable
    if failed and outcome.up and not harm:
        yield f"{', '.join(failed)} fail, and no harm was seen"


def strayed(results: Results, outcome: Outcome) -> Iterator[str]:
    """List ports that answer although the firewall's row says they do not, or the other way round.

    Who sees whom is held for IPv4 alone: the stack is brought up without what mailcow's installer has the engine do for
    IPv6.
    """
    for place, said in outcome.answers.items():
        address, _, port = place.rpartition("=")
        family = "ipv6" if ":" in address else "ipv4"
        row = results.get(("firewall.inbound", f"{port}/tcp"), {"evidence": {}})
        verdict = ((row["evidence"].get("families") or {}).get(family) or {}).get("verdict")
        answers = re.match(r"[a-z]+-mailcow (\S*)", said)
        if verdict in ("delivered", "proxy") and not answers:
            yield f"{place} does not answer, and was to be {verdict}"
        elif verdict in ("dropped", "refused", "oneway", "elsewhere") and answers:
            yield f"{place} answers, and was to be {verdict}"
        elif verdict in ("delivered", "proxy") and answers and family == "ipv4":
            masked = answers[1].startswith("172.")
            if masked is (verdict == "delivered"):
                yield f"{place} saw {answers[1]}, and was to be {verdict}"


def predicted(results: Results) -> set[int]:
    """Return the ports that cannot be published, by the report; two variables that want one port are one such."""
    found = set()
    for (check, subject), row in results.items():
        if row["status"] == "fail" and check in ("ports.free", "ports.configuration"):
            text = subject if check == "ports.free" else row["message"]
            found |= {int(port) for port in re.findall(r"(\d+)/tcp$|\bport (\d+)", text or "") for port in port if port}
    return found
