"""JUnit XML: valid for Jenkins and GitLab whatever a host is called, one test case for each check and subject."""

from __future__ import annotations

import io
from collections import Counter
from functools import cache
from xml.etree import ElementTree

import junitparser
import pytest
import xunitparser
from hypothesis import given
from lxml import etree

from preflight.render import render
from preflight.report.model import Remedy, Report, Severity, Status
from tests.render import reports
from tests.render.hostile import ANY, VALUES
from tests.tools import SCHEMA, lacking

OF_A_CASE = {"failure": "fail", "error": "unknown error", "skipped": "skip ignored", None: "pass warn"}


@cache
def schema() -> etree.XMLSchema:
    """Return the schema of Jenkins' xUnit plugin. GitLab publishes none; what it reads is a part of this one."""
    return etree.XMLSchema(etree.parse(SCHEMA if SCHEMA.exists() else lacking("the schema of JUnit's XML")))


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_jenkins_schema_has_nothing_against_a_report(name: str) -> None:
    schema().assertValid(etree.fromstring(render(reports.SAMPLES[name](), "junit").encode()))


@pytest.mark.parametrize("value", VALUES)
def test_jenkins_schema_has_nothing_against_hostile_values(value: str) -> None:
    text = render(reports.hostile(value), "junit")
    schema().assertValid(etree.fromstring(text.encode()))
    assert not schema().validate(etree.fromstring(text.replace(" name=", " nom=").encode()))


def parsed(report: Report) -> ElementTree.Element:
    text = render(report, "junit")
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites')
    return ElementTree.fromstring(text.encode("utf-8"))  # expat refuses what XML forbids


def cases(root: ElementTree.Element) -> list[ElementTree.Element]:
    return list(root.iter("testcase"))


def outcome(case: ElementTree.Element) -> str | None:
    found = [child.tag for child in case if child.tag != "system-out"]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_each_check_and_subject_is_a_test_case(name: str) -> None:
    report = reports.SAMPLES[name]()
    root = parsed(report)
    told = [(case.get("classname"), case.get("name")) for case in cases(root)]
    assert sorted(told) == sorted(
        (result.check, result.check + (f"[{result.subject}]" if result.subject else "")) for result in report.results
    )
    assert len(set(told)) == len(told)  # GitLab takes two of one name for one
    by_name = {case.get("name"): outcome(case) for case in cases(root)}
    for result in report.results:
        name = result.check + (f"[{result.subject}]" if result.subject else "")
        assert result.status.value in OF_A_CASE[by_name[name]].split()


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_other_programs_read_the_same(name: str) -> None:
    """junitparser and xunitparser each find every result, with its outcome, its time and what it says."""
    report = reports.SAMPLES[name]()
    text = render(report, "junit")
    (suites, total), read = xunitparser.parse(io.StringIO(text)), junitparser.JUnitXml.fromstring(text.encode())
    assert (total.testsRun, len(total.failures), len(total.errors), len(total.skipped)) == (
        read.tests, read.failures, read.errors, read.skipped,
    ) == (len(report.results), report.counts.fail, report.counts.unknown + report.counts.error,
          report.counts.skip + report.counts.ignored)  # fmt: skip
    theirs = {case.name: case for suite in read for case in suite}
    for case in suites:
        other = theirs.pop(case.methodname)
        (result,) = [r for r in report.results if r.check + (f"[{r.subject}]" if r.subject else "") == other.name]
        outcome = None if case.result == "success" else case.result
        assert [type(found).__name__.lower() for found in other.result] == ([outcome] if outcome else [])
        assert result.status.value in OF_A_CASE[outcome].split()
        assert case.time.total_seconds() == other.time == pytest.approx(result.seconds)
        said = [case.stdout or "", other.system_out or ""]
        assert [result.message in out for out in said] == [result.status is Status.WARN] * 2
        if result.status in (Status.FAIL, Status.UNKNOWN):
            assert result.message in (case.trace or "")
    assert theirs == {}


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_the_sums_are_right(name: str) -> None:
    root = parsed(reports.SAMPLES[name]())
    for element in root.iter():
        if element.tag in ("testsuite", "testsuites"):
            found = Counter(outcome(case) for case in cases(element))
            wanted = {"tests": found.total(), "failures": found["failure"], "errors": found["error"]}
            assert {key: int(element.get(key, "")) for key in wanted} == wanted
            assert int(element.get("skipped", found["skipped"])) == found["skipped"]
    assert sum(int(suite.get("tests", "")) for suite in root) == int(root.get("tests", ""))


def one(status: str, **given: object) -> ElementTree.Element:
    values: dict[str, object] = {"reason": "it is so", "remedy": Remedy("Mend it.", ("mend --now",))} | given
    (case,) = cases(
        parsed(reports.report(reports.result("dns.mx", status, "It is wrong.", subject="example.org", **values)))
    )
    return case


def test_a_failure_tells_what_is_wrong_and_what_to_do() -> None:
    failure = one("fail", reason=None, expected="free", found="taken").find("failure")
    assert failure is not None
    assert failure.attrib == {"message": "It is wrong.", "type": "required.fail"}
    assert failure.text is not None
    assert failure.text.splitlines()[:4] == [
        "It is wrong.", "Expected: free · Found: taken", "What to do: Mend it.", "    mend --now",
    ]  # fmt: skip


def test_a_warning_passes_and_its_output_tells_it() -> None:
    case = one("warn", reason=None, severity=Severity.RECOMMENDED)
    assert outcome(case) is None
    assert (case.findtext("system-out") or "").startswith("WARNING\nIt is wrong.\n")
    assert one("pass", remedy=None).findtext("system-out") is None
    assert "mend --now" in (one("pass").findtext("system-out") or "")  # a remark


@pytest.mark.parametrize(
    ("status", "was", "tag", "kind"),
    [
        ("unknown", None, "error", "required.unknown"),
        ("error", None, "error", "required.error"),
        ("skip", None, "skipped", "required.skip"),
        ("ignored", Status.FAIL, "skipped", "required.fail"),
    ],
)
def test_a_reason_is_the_message(status: str, was: Status | None, tag: str, kind: str) -> None:
    told = one(status, was=was).find(tag)
    assert told is not None
    assert told.attrib == {"message": "it is so", "type": kind}


def test_times_are_seconds_and_the_clock_is_the_reports() -> None:
    root = parsed(reports.report(reports.result("dns.mx", seconds=1234.5678), reports.result("dns.spf", seconds=0.0)))
    (suite,) = root
    assert [case.get("time") for case in cases(root)] == ["1234.568", "0.000"]
    assert (suite.get("time"), root.get("time")) == ("1234.568", "1.234")
    assert (suite.get("timestamp"), suite.get("hostname"), suite.get("name")) == ("2026-11-23T01:23:45", "vm1", "dns")


@pytest.mark.parametrize("value", VALUES)
def test_hostile_values_stay_text(value: str) -> None:
    hostile(value)


@given(ANY)
def test_any_value_stays_text(value: str) -> None:
    hostile(value)


def test_no_file_of_the_agents_is_attached() -> None:
    text = render(reports.hostile("[[ATTACHMENT|/etc/shadow]]"), "junit")
    assert "[[ATTACHMENT|" not in "".join(ElementTree.fromstring(text).itertext())


def hostile(value: str) -> None:
    report = reports.hostile(value)
    root = parsed(report)
    assert len(cases(root)) == len(report.results)
    told = "".join(element.text or "" for element in root.iter()) + "".join(
        text for element in root.iter() for text in element.attrib.values()
    )
    assert all(character.isprintable() or character == "\n" for character in told)
