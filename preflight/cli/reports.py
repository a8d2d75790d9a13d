"""Reports: rendered in the formats that were asked for, and written where they go."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec import structs

from preflight.checks import Check, catalogue
from preflight.cli import outputs
from preflight.cli.outputs import Target
from preflight.cli.streams import put, say, shape
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
    show_passed: bool,
) -> None:
    """Render the report in every format that was asked for, then write them all."""
    why = {entry.id: entry.why for entry in checks}
    coverage = Coverage(len(checks), len(catalogue()))

    beside = Context(why=why, since=since, redacted=redacted, coverage=coverage, show_passed=show_passed)

    def rendered(target: Target) -> str:
        shown = structs.replace(beside, **shape(color, target.path)) if target.format == "text" else beside
        return render(report, target.format, shown)

    outputs.write({target: rendered(target) for target in targets}, put)
    _told(report, coverage, targets)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary and any(target.format == "github" for target in targets):
        try:
            outputs.append_summary(summary, rendered(Target("markdown", summary)))
        except OSError as error:
            say(f"preflight: GITHUB_STEP_SUMMARY {summary}: Cannot write the summary: {error.strerror}")


def _told(report: Report, coverage: Coverage, targets: tuple[Target, ...]) -> None:
    """Say how it went where standard output does not, and which files go with our container."""
    from preflight.cli.kept import lost

    paths = tuple(target.path for target in targets if target.path is not None)
    if len(paths) == len(targets):
        from preflight.render.opening import written

        say(f"preflight: {written(report, coverage, paths)}")
    if paths and (gone := lost(paths, os.environ)):
        say(f"preflight: {gone}")
