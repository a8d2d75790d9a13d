"""What is known of the host itself: for the first lines of a report."""

from __future__ import annotations

from preflight.render import words
from preflight.report.model import Report, Status


def engine(report: Report) -> str:
    """Return Docker's version, or why there is none: it does not answer, or nobody asked."""
    found = [result.was or result.status for result in report.results if result.check == "docker.engine"]
    if report.host.engine is None and Status.FAIL in found:
        return words.NO_ENGINE
    return report.host.engine or _unread(report, "docker.engine")


def system(report: Report) -> str:
    """Return the operating system, or why it is not known."""
    return report.host.os or _unread(report, "system.os")


def _unread(report: Report, check: str) -> str:
    asked = any(result.check == check and result.status is not Status.SKIP for result in report.results)
    return words.UNKNOWN if asked else words.NOT_CHECKED
