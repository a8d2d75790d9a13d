"""The first lines promise no more than was looked at."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from preflight.render import words
from preflight.render.context import Coverage
from preflight.render.digest import digest
from preflight.render.opening import Opening, opening
from preflight.report.model import Report, Severity, Status
from tests.render import reports


def begun(*results: Any, coverage: Coverage | None = None) -> Opening:
    made = reports.report(*results)
    return opening(made, digest(made), coverage)


PASS = reports.result("a.b", "pass")


def waived(was: str, severity: str = "required") -> Any:
    row = reports.result("a.c", "fail" if was == "fail" else "unknown")
    changed = {"status": Status.IGNORED, "was": Status(was), "severity": Severity(severity), "reason": "We know."}
    return msgspec.structs.replace(row, **changed)


def test_a_good_host_is_ready_and_told_how_to_go_on() -> None:
    found = begun(PASS)
    assert (found.symbol, found.state, found.headline) == ("✅", "pass", "Ready for mailcow")
    assert found.install == words.INSTALL
    assert words.SKIPPED_TOO not in found.next


@pytest.mark.parametrize(("severity", "told"), [("required", True), ("recommended", False)])
def test_what_was_skipped_is_said_not_to_be_judged(severity: str, told: bool) -> None:
    row = msgspec.structs.replace(reports.result("a.d", "skip"), severity=Severity(severity))
    assert (words.SKIPPED_TOO in begun(PASS, row).next) is told


def test_a_part_of_the_checks_does_not_tell_whether_mailcow_can_be_installed() -> None:
    found = begun(PASS, coverage=Coverage(1, 40))
    assert (found.headline, found.install) == (words.PARTLY_READY, "")
    assert "1 of 40" in found.next
    assert found.next.startswith(words.PARTLY_NEXT.format(asked=1, all=40))
    assert begun(PASS, coverage=Coverage(40, 40)).headline == "Ready for mailcow"


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        (waived("fail"), True), (waived("unknown"), True), (waived("error"), True), (waived("warn"), False),
        (waived("unknown", "recommended"), False),
    ],
)  # fmt: skip
def test_what_stands_in_the_way_and_is_ignored_is_no_readiness(row: Any, counts: bool) -> None:
    found = begun(PASS, row)
    assert (found.headline == words.WAIVED_READY) is counts
    assert (found.symbol, found.install) == (("⚠", "") if counts else ("✅", words.INSTALL))
    assert ("this run: 1." in found.next) is counts


def test_both_at_once_are_both_told() -> None:
    found = begun(PASS, waived("fail"), coverage=Coverage(2, 40))
    assert "2 of 40" in found.next
    assert "this run: 1." in found.next


def test_what_is_wrong_is_so_whatever_was_asked() -> None:
    bad = begun(PASS, reports.result("a.c", "fail"), coverage=Coverage(2, 40))
    assert (bad.symbol, bad.headline) == ("❌", "Not ready for mailcow")
    open_ = begun(PASS, reports.result("a.c", "unknown"))
    assert (open_.symbol, open_.state, open_.install) == ("❓", "unknown", "")
    nothing: Report = reports.report(reports.result("a.c", "skip"))
    assert opening(nothing, digest(nothing)).headline == words.UNJUDGED
