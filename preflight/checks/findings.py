"""The findings that decide nothing: they say why, and what would help."""

from __future__ import annotations

from preflight.report.model import Evidence, Finding, Remedy, Status
from preflight.text.sentences import skipped_because, unknown_because

NOTHING = Evidence()


def skipped(
    reason: str, *, expected: str | None = None, found: str | None = None, evidence: Evidence = NOTHING
) -> Finding:
    """Make a finding that says why nothing was checked."""
    return Finding(
        status=Status.SKIP,
        message=skipped_because(reason),
        expected=expected,
        found=found,
        evidence=evidence,
        reason=reason,
    )


def unknown(
    reason: str,
    help: str,
    *commands: str,
    message: str | None = None,
    expected: str | None = None,
    found: str | None = None,
    detail: str | None = None,
    evidence: Evidence = NOTHING,
) -> Finding:
    """Make a finding that says why nothing is known, and what would help; `message` where more is to be said."""
    return Finding(
        status=Status.UNKNOWN,
        message=message or unknown_because(reason),
        detail=detail,
        expected=expected,
        found=found,
        evidence=evidence,
        remedy=Remedy(help, commands),
        reason=reason,
    )
