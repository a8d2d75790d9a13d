"""The output of a monitoring plugin, read back as Nagios reads it, whatever a host is called."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given

from preflight.render import Context, render
from preflight.render.nagios import BYTES
from preflight.report.model import Remedy, Report, Severity, Status, Verdict
from tests.render import reports
from tests.render.hostile import ANY, VALUES

STATES = {
    Verdict.READY: "OK", Verdict.READY_WITH_WARNINGS: "WARNING", Verdict.NOT_READY: "CRITICAL",
    Verdict.UNDETERMINED: "UNKNOWN",
}  # fmt: skip
DATUM = re.compile(r"(?P<label>[^\s='|]+)=(?P<value>\d+(?:\.\d+)?)(?P<unit>s?);(?P<warn>);(?P<crit>);(?P<min>0)")


class Output(NamedTuple):
    """What Nagios takes from a plugin: $SERVICEOUTPUT$, $SERVICEPERFDATA$, $LONGSERVICEOUTPUT$."""

    state: str
    said: str
    performance: dict[str, str]
    long: list[str]


def read(text: str) -> Output:
    assert len(text.encode()) < 8192, "Nagios drops the rest"
    assert text.count("|") == 1, "a second one begins performance data again"
    assert text.endswith("\n")
    first, *more = text.removesuffix("\n").split("\n")
    said, _, performance = first.partition(" | ")
    match = re.fullmatch(r"PREFLIGHT (OK|WARNING|CRITICAL|UNKNOWN): (.+)", said)
    assert match, said
    data = [DATUM.fullmatch(word) for word in performance.split(" ")]
    assert all(data), performance
    found = {datum["label"]: datum["value"] + datum["unit"] for datum in data if datum}
    assert len(found) == len(data)
    return Output(match[1], match[2], found, more)


def nagios(report: Report) -> Output:
    return read(render(report, "nagios"))


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_state_and_numbers_are_the_reports(name: str) -> None:
    report = reports.SAMPLES[name]()
    made = nagios(report)
    assert made.state == STATES[report.verdict]
    time = made.performance.pop("time")
    assert time == f"{report.seconds:.3f}s"
    assert {label: int(value) for label, value in made.performance.items()} == msgspec.to_builtins(report.counts)
    told = [line for line in made.long if line.startswith("[")]
    assert len(told) == sum(row.status not in (Status.PASS, Status.SKIP) for row in report.results)


def test_warnings_that_count_are_critical() -> None:
    strict = msgspec.structs.replace(reports.warned(), verdict=Verdict.NOT_READY)
    assert nagios(strict).state == "CRITICAL"


def test_nothing_judged_is_not_ok() -> None:
    for report in (reports.report(), reports.report(reports.result("dns.mx", "skip"))):
        assert report.verdict is Verdict.READY
        made = nagios(report)
        assert (made.state, made.said.startswith("Nothing was judged")) == ("UNKNOWN", True)


def test_the_gravest_stands_first_and_advice_once() -> None:
    advice = Remedy("Stop it.", ("systemctl stop exim4 | cat",))
    report = reports.report(
        reports.result("dns.mx", "unknown", reason="The name server does not answer."),
        reports.result("resources.swap", "warn", "There is no swap.", severity=Severity.RECOMMENDED),
        *(reports.result("ports.free", "fail", "It is in use.", subject=f"{p}/tcp", remedy=advice) for p in (25, 465)),
        reports.result("network.mtu", "ignored", "It is 1400.", reason="a tunnel"),
        reports.result("dns.spf", "pass"),
    )
    made = nagios(report)
    assert made.said == "Not ready for mailcow: 1 passed, 2 failed, 1 warning, 1 unknown, 1 waived"
    assert made.long == [
        "[CRITICAL] ports.free (25/tcp): It is in use.", "    What to do: Stop it.",
        "[CRITICAL] ports.free (465/tcp): It is in use.",
        "[WARNING] resources.swap: There is no swap.", "    What to do: Mend it.",
        "[UNKNOWN] dns.mx: The name server does not answer.",
        "[OK] network.mtu: It is 1400.", "    Waived because: a tunnel",
    ]  # fmt: skip


def test_of_very_many_findings_the_first_are_told_and_all_are_counted() -> None:
    rows = [reports.result("dns.mx", "fail", "x" * 200, subject=f"{n}.example") for n in range(300)]
    made = nagios(reports.report(*rows))
    told = sum(line.startswith("[") for line in made.long)
    assert 20 < told < 300
    assert made.long[-1] == f"and {300 - told} more"
    assert made.performance["fail"] == "300"


@pytest.mark.parametrize("value", VALUES)
def test_hostile_values_are_text(value: str) -> None:
    hostile(value)


@given(ANY)
def test_any_value_is_text(value: str) -> None:
    hostile(value)


def hostile(value: str) -> None:
    for context in (Context(), Context(redacted=True)):
        text = render(reports.hostile(value), "nagios", context)
        assert all(line.isprintable() for line in text.split("\n"))
        assert len(text.encode()) <= BYTES + 400
        assert read(text).state == "CRITICAL"
