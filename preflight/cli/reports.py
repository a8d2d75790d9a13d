"""Reports: rendered in the formats that were asked for, and written where they go."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from preflight.checks import Check, catalogue
from preflight.cli import outputs
from preflight.cli.outputs import Target
from preflight.cli.streams import colored, put, say
from preflight.render import Context, render
from preflight.render.context import Coverage
from preflight.report.model import Report

if TYPE_CHECKING:
    from preflight.report.compare import Comparison


def write(
    report: Report,
    targets: tuple[Target, ...],
    checks: tuple[Check, ...],
    since: Comparison | None,
    *,
    color: str,
    redacted: bool,
) -> None:
    """Render the report in every format that was asked for, then write them all."""
    why = {entry.id: entry.why for entry in checks}
    coverage = Coverage(len(checks), len(catalogue()))

    def rendered(target: Target) -> str:
        shown = colored(color, target.path)
        return render(
            report, target.format, Context(why=why, color=shown, since=since, redacted=redacted, coverage=coverage)
        )

    outputs.write({target: rendered(target) for target in targets}, put)
    if all(target.path is not None for target in targets):  # nothing on standard output says how it went
        from preflight.render.opening import written

        say(f"preflight: {written(report, coverage, tuple(target.path or '' for target in targets))}")
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary and any(target.format == "github" for target in targets):
        try:
            outputs.append_summary(summary, rendered(Target("markdown", summary)))
        except OSError as error:
            say(f"preflight: GITHUB_STEP_SUMMARY {summary}: the summary was not written: {error.strerror}")
