"""Recorded hosts: what `preflight facts` wrote on real machines gives the same report, byte for byte but for times.

PREFLIGHT_UPDATE_GOLDENS=1 writes the reports beside the facts anew; read the difference then. A part that has become
known since a host was recorded is added to its facts as unknown.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import msgspec
import pytest

from preflight.checks import catalogue
from preflight.facts import Host
from preflight.facts.parts import PARTS, fact
from preflight.report.documents import decode_report, encode, read_facts
from preflight.report.model import Status, Verdict
from tests.line import Line, Run

HOSTS = Path(__file__).parent / "hosts"
FACTS = sorted(path for path in HOSTS.glob("*.json") if not path.name.endswith(".report.json"))
OLDER = sorted((HOSTS / "older").glob("*.json"))  # as the versions wrote them that first knew such documents
REPORTS = {
    "markdown": ".report.md",
    "json": ".report.json",
    "text": ".report.txt",
    "sh": ".report.sh",
    "conf": ".report.conf",
}
UPDATE = os.environ.get("PREFLIGHT_UPDATE_GOLDENS") == "1"
# The run's and each result's own, which differ from run to run; the times among the facts were recorded and do not.
TIMES = re.compile(
    r'(?m)(?<=^  "seconds": )[^,\n]+|(?<=^      "seconds": )[^,\n]+|(?<= UTC, in )[0-9.]+(?= s\.$)'
    r"|(?<= UTC · )[0-9.]+(?= s ·)"
)


def names(path: Path) -> str:
    return path.stem


@pytest.fixture(params=FACTS, ids=names)
def facts(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    if UPDATE:
        path.write_text(encode(read_facts(path)), "utf-8")
    return path


def test_there_are_recorded_hosts() -> None:
    assert FACTS


MOVED = {"engine_limits"}  # parts that stood among another one, where they are found again
OPTIONAL = {"rehearsal"}  # those that have to be asked for: nobody can have asked for them before there were any


@pytest.mark.parametrize("part", [part for part in PARTS if part not in MOVED])
def test_facts_recorded_before_a_part_was_looked_at_stay_readable(part: str, preflight: Line, tmp_path: Path) -> None:
    document = json.loads(FACTS[0].read_text("utf-8"))
    group, _, name = part.rpartition(".")
    (document[group] if group else document).pop(name, None)
    path = tmp_path / "facts.json"
    path.write_text(json.dumps(document), "utf-8")
    missing = fact(read_facts(path), part).missing
    assert missing.kind == ("skip" if part in OPTIONAL else "unknown")
    assert ("was not given" if part in OPTIONAL else "come from a version") in missing.reason
    assert statuses(preflight("--facts", str(path), "--format", "json")).get("error", []) == []


def statuses(run: Run) -> dict[str, list[str]]:
    """Return the checks of a JSON report by their status."""
    found: dict[str, list[str]] = {}
    for row in json.loads(run.out)["results"]:
        found.setdefault(row["status"], []).append(row["check"])
    return found


@pytest.mark.parametrize("redact", [(), ("--redact",)])
@pytest.mark.parametrize("facts", OLDER, ids=names)
def test_facts_of_older_versions_are_judged(facts: Path, redact: tuple[str, ...], preflight: Line) -> None:
    """The recorded bytes, which nobody rewrites: only what was not looked at then is unknown."""
    run = preflight("--facts", str(facts), "--format", "json", *redact)
    found = statuses(run)
    known = read_facts(facts)
    before = {part for part in PARTS if (why := fact(known, part).missing) and "come from a version" in why.reason}
    allowed = {entry.id for entry in catalogue() if before & set(entry.reads)}
    assert run.code == 1
    assert len(found["pass"]) > 40
    assert found.get("error", []) == []
    assert set(found.get("unknown", [])) <= allowed, before


def test_recorded_facts_come_back_as_they_were(facts: Path) -> None:
    host = read_facts(facts)
    assert encode(host) == facts.read_text("utf-8")
    assert msgspec.json.decode(encode(host), type=Host) == host


def judged(facts: Path) -> list[str]:
    """Ask for the checks of the report alone: one that came later disturbs no report."""
    report = json.loads((HOSTS / f"{facts.stem}{REPORTS['json']}").read_text("utf-8"))
    ids = dict.fromkeys(row["check"] for row in report["results"])
    return [word for name in ids for word in ("--only", name)]


@pytest.mark.parametrize("form", REPORTS)
def test_recorded_facts_give_the_same_report(facts: Path, form: str, preflight: Line) -> None:
    run = preflight("--facts", str(facts), "--format", form, *([] if UPDATE else judged(facts)))
    assert run.err == ""
    told = TIMES.sub("0", run.out)
    golden = HOSTS / f"{facts.stem}{REPORTS[form]}"
    if UPDATE:
        golden.write_text(told, "utf-8")
    assert told == golden.read_text("utf-8"), "PREFLIGHT_UPDATE_GOLDENS=1 rewrites the reports"


def test_a_replayed_report_is_whole_and_ends_with_its_verdict(facts: Path, preflight: Line) -> None:
    run = preflight("--facts", str(facts), "--format", "json")
    report = decode_report(run.out)
    codes = {Verdict.READY: 0, Verdict.READY_WITH_WARNINGS: 0, Verdict.NOT_READY: 1, Verdict.UNDETERMINED: 3}
    assert run.code == codes[report.verdict]
    assert Status.ERROR not in {result.status for result in report.results}
    assert report.started == read_facts(facts).started
    assert encode(report) == run.out


def test_another_time_of_day_is_no_difference_and_another_fact_is_one(
    facts: Path, preflight: Line, tmp_path: Path
) -> None:
    document = json.loads(facts.read_text("utf-8"))
    changed = tmp_path / facts.name
    reports = []
    for seconds, name in ((document["seconds"], "mx1"), (9.5, "mx1"), (9.5, "other")):
        changed.write_text(json.dumps(document | {"seconds": seconds, "name": {"source": "uname", "value": name}}))
        reports.append([TIMES.sub("0", preflight("--facts", str(changed), "--format", form).out) for form in REPORTS])
    first, later, renamed = reports
    assert first == later
    assert all(one != other for one, other in zip(first, renamed, strict=True))
