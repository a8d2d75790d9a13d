"""The lab's figure: faults found of faults present, false alarms of clean results, and where outcomes differed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from tests.lab.judge import Verdict


def totals(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """Add up all scenarios."""
    return {
        "scenarios": len(verdicts),
        "as_expected": sum(verdict.good for verdict in verdicts),
        "faults_found": sum(len(verdict.found) for verdict in verdicts),
        "faults_present": sum(len(verdict.found) + len(verdict.missed) for verdict in verdicts),
        "false_alarms": sum(len(verdict.alarms) for verdict in verdicts),
        "clean": sum(verdict.clean + len(verdict.alarms) for verdict in verdicts),
        "differences": sum(len(verdict.differs) for verdict in verdicts),
        "harms": sum(len(verdict.harms) for verdict in verdicts),
        "second_tries": sum(bool(verdict.before) for verdict in verdicts),
    }


def line(verdicts: Sequence[Verdict]) -> str:
    """Say the figure in one line."""
    said = totals(verdicts)
    return (
        f"{said['faults_found']}/{said['faults_present']} faults found, "
        f"{said['false_alarms']}/{said['clean']} false alarms, "
        f"{said['differences']} predictions unlike the outcome, "
        f"{said['harms']} pieces of advice that do not heal or do harm, "
        f"{said['as_expected']}/{said['scenarios']} scenarios as expected"
        + (f", {said['second_tries']} of them played twice" if said["second_tries"] else "")
    )


def document(verdicts: Sequence[Verdict]) -> str:
    """Write the figure as JSON."""
    rows = [{**asdict(verdict), "good": verdict.good} for verdict in verdicts]
    return json.dumps({"totals": totals(verdicts), "scenarios": rows}, indent=1) + "\n"


def table(verdicts: Sequence[Verdict], titles: dict[str, str]) -> str:
    """Write the figure as a Markdown table."""
    return "\n".join(_lines(verdicts, titles)) + "\n"


def _lines(verdicts: Sequence[Verdict], titles: dict[str, str]) -> Iterator[str]:
    yield f"{line(verdicts)}.\n"
    yield "| Scenario | Fault | Found | Missed | False alarms | Unlike the outcome | s |"
    yield "| --- | --- | --: | --: | --: | --: | --: |"
    for verdict in verdicts:
        counts = (len(verdict.found), len(verdict.missed), len(verdict.alarms), len(verdict.differs))
        numbers = " | ".join("–" if verdict.broken else str(count) for count in counts)
        title = titles[verdict.name].replace("|", "\\|")
        yield f"| {verdict.name} | {title} | {numbers} | {verdict.seconds:.0f} |"
    for verdict in verdicts:
        for word, row in verdict.complaints:
            yield f"\n- {verdict.name}, {word}: {row}"
        if verdict.broken:
            yield f"\n- {verdict.name}, not run: {verdict.broken}"
        for row in filter(None, verdict.before):
            yield f"\n- {verdict.name}, at the first try: {row}"
