"""What a container that asked for something has shown: the same four ends for every such experiment."""

from __future__ import annotations

from msgspec import Struct

from preflight.facts import TrialRun
from preflight.model import Finding, Remedy, Status

LACKING = 3  # the exit code of a container that was started without what it had asked for


class Words(Struct, frozen=True):
    """What to say of each end but for that which says nothing; `{error}` stands for the engine's own words."""

    held: str
    lacking: str
    refused: str
    short: str  # for tables: what a container lacks


def judge(ran: TrialRun, words: Words, remedy: Remedy | None = None) -> Finding:
    """Judge one; `remedy` None: the check's own."""
    evidence: dict[str, object] = {"started": ran.started, "exit_code": ran.exit_code}
    if ran.started and ran.exit_code not in (0, LACKING):
        reason = f"the container ended with exit code {ran.exit_code} {ran.error}".strip()
        return Finding(
            status=Status.UNKNOWN,
            message=f"This could not be found out: {reason}.",
            reason=reason,
            evidence=evidence,
            remedy=Remedy("Look at what the engine logs."),
        )
    status, message, found = Status.FAIL, words.refused.format(error=ran.error.rstrip(".")), "refused"
    if ran.started and ran.exit_code == 0:
        status, message, found = Status.PASS, words.held, "started"
    elif ran.started:
        message, found = words.lacking, words.short
    return Finding(
        status=status,
        message=message,
        expected="starts",
        found=found,
        evidence=evidence,
        remedy=None if status is Status.PASS else remedy,
    )
