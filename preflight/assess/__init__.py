"""Judge a host: run the checks on what is known of it, and make the report. Pure but for the clock it is given."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterable

from preflight import __version__
from preflight.assess.running import run
from preflight.assess.waivers import Waiver, waived
from preflight.checks import Check, Look
from preflight.facts import Host
from preflight.mailcow.plan import Plan
from preflight.mailcow.requirements import Requirements
from preflight.report.model import (
    SCHEMA,
    Counts,
    HostSummary,
    Report,
    RequirementsSource,
    Result,
    Severity,
    Status,
    Tool,
    Verdict,
)


def assess(
    host: Host,
    plan: Plan,
    requirements: Requirements,
    checks: tuple[Check, ...],
    waivers: tuple[Waiver, ...] = (),
    *,
    strict: bool = False,
    proposals: dict[str, str] | None = None,
    timer: Callable[[], float] = time.perf_counter,
) -> Report:
    """Run the checks and make the report. A check's own failure is a result, and the other checks go on.

    `proposals`: free networks that were found before, for checks that see pseudonyms in place of the host's own.
    """
    look = Look(host, plan, requirements, frozenset(check.id for check in checks), proposals or {})
    today = datetime.date.fromisoformat(host.started[:10])
    began = timer()
    results = tuple(waived(result, waivers, today) for check in checks for result in run(check, look, timer))
    counts = Counts(**{_field(status): sum(r.status is status for r in results) for status in Status})
    return Report(
        schema=SCHEMA,
        tool=Tool("mailcow-preflight", __version__),
        requirements=RequirementsSource(requirements.name, requirements.source, requirements.read.isoformat()),
        host=summary(host),
        started=host.started,
        # No time is negative, whatever a facts document says.
        seconds=round(max(0.0, host.seconds) + timer() - began, 3),
        verdict=verdict(results, strict=strict),
        counts=counts,
        results=results,
    )


def _field(status: Status) -> str:
    return "pass_" if status is Status.PASS else status.value


def summary(host: Host) -> HostSummary:
    """Sum the host up in a line."""
    return HostSummary(
        name=host.name.value,
        os=host.os_release.value.pretty_name if host.os_release.value else None,
        kernel=host.kernel.value,
        architecture=host.machine.value,
        engine=host.engine.value.version if host.engine.value else None,
    )


def verdict(results: Iterable[Result], *, strict: bool = False) -> Verdict:
    """Say in one word what the results mean; only required ones can make it undetermined."""
    found = {(result.status, result.severity) for result in results}
    statuses = {status for status, _ in found}
    if Status.FAIL in statuses or (strict and Status.WARN in statuses):
        return Verdict.NOT_READY
    if any(status.open and severity is Severity.REQUIRED for status, severity in found):
        return Verdict.UNDETERMINED
    return Verdict.READY_WITH_WARNINGS if Status.WARN in statuses else Verdict.READY
