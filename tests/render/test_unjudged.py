"""A report in which nothing was judged says so, whatever its verdict is by the contract."""

from __future__ import annotations

import pytest

from preflight.render import render
from preflight.render.words import INSTALL, UNJUDGED
from preflight.report.model import Report, Severity, Status, Verdict
from tests.render import reports

SKIPPED = reports.result("dns.mx", "skip", reason="--offline was given")
OPEN = reports.result("network.mtu", "unknown", reason="no MTU could be read", severity=Severity.RECOMMENDED)
WAIVED_OPEN = reports.result("network.mtu", "ignored", reason="known", was=Status.UNKNOWN)
WAIVED = reports.result("network.mtu", "ignored", reason="known", was=Status.WARN)
PASSED = reports.result("dns.mx", subject="example.org")


def first_lines(report: Report, form: str) -> str:
    return "\n".join(render(report, form).split("\n\n")[:4])


@pytest.mark.parametrize("form", ["markdown", "text"])
@pytest.mark.parametrize("results", [(), (SKIPPED,), (SKIPPED, OPEN), (WAIVED_OPEN,)])
def test_where_nothing_was_judged_nothing_is_called_ready(results: tuple[reports.Result, ...], form: str) -> None:
    report = reports.report(*results)
    assert report.verdict is Verdict.READY
    head = first_lines(report, form)
    assert UNJUDGED.lower() in head.splitlines()[0].lower()
    assert "✅" not in head
    assert "does not say whether" in " ".join(head.split())
    assert "ready for" not in head.lower()
    assert INSTALL not in render(report, form)
    assert '"verdict": "ready"' in render(report, "json")


@pytest.mark.parametrize("form", ["markdown", "text"])
@pytest.mark.parametrize("result", [PASSED, WAIVED])
def test_one_judgement_is_enough_for_a_verdict(result: reports.Result, form: str) -> None:
    report = reports.report(SKIPPED, OPEN, result)
    head = first_lines(report, form)
    assert "ready for mailcow" in head.lower()
    assert INSTALL in render(report, form)


def test_what_is_undetermined_is_still_called_that() -> None:
    report = reports.report(reports.result("docker.engine", "unknown", reason="it does not answer"))
    assert first_lines(report, "markdown").startswith("# ❓ Undetermined")
