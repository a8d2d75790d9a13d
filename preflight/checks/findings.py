"""How findings are made: of what was measured, and those that decide nothing, which say why, and what would help."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from preflight.facts import MissingFact
from preflight.facts.base import Place
from preflight.report.model import Evidence, Finding, Remedy, SourceEvidence, Status
from preflight.text.sentences import noted, say, skipped_because, unknown_because

NOTHING = Evidence()
_NO_HELP = noted("Run the check again where this can be read. The reason says what prevented it.")


class Outcome(Struct, frozen=True):
    """What something comes to, before it is said of what: a status, a sentence, and what helps."""

    status: Status
    message: str
    remedy: Remedy | None = None


class Measured(Struct, frozen=True, kw_only=True):
    """What a check wanted and what it found, whatever that comes to."""

    evidence: Evidence
    expected: str | None = None
    found: str | None = None

    def judged(
        self, status: Status, message: str, remedy: Remedy | None = None, *, found: str | None = None
    ) -> Finding:
        """Make the finding that decides; `found` where it is said in other words."""
        return Finding(
            status=status,
            message=message,
            expected=self.expected,
            found=found or self.found,
            evidence=self.evidence,
            remedy=remedy,
        )

    def skipped(self, reason: str) -> Finding:
        """Make the finding that says why nothing was checked."""
        return skipped(reason, expected=self.expected, found=self.found, evidence=self.evidence)

    def unknown(
        self, reason: str, help: str, *commands: str, message: str | None = None, place: Place = "host"
    ) -> Finding:
        """Make the finding that says why nothing is known, and what would help."""
        made = unknown(reason, help, *commands, message=message, evidence=self.evidence, place=place)
        return replace(made, expected=self.expected, found=self.found)


def skipped(
    reason: str,
    *,
    subject: str | None = None,
    expected: str | None = None,
    found: str | None = None,
    evidence: Evidence = NOTHING,
) -> Finding:
    """Make a finding that says why nothing was checked."""
    return Finding(
        status=Status.SKIP,
        subject=subject,
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
    place: Place = "host",
) -> Finding:
    """Make a finding that says why nothing is known, and what would help; `message` where more is to be said."""
    return Finding(
        status=Status.UNKNOWN,
        message=message or unknown_because(reason),
        detail=detail,
        expected=expected,
        found=found,
        evidence=evidence,
        remedy=Remedy(help, commands, place),
        reason=reason,
    )


def missing(fact: MissingFact, evidence: Evidence = NOTHING) -> Finding:
    """Make what a check comes to whose fact is missing; where nothing was measured, its evidence is the source."""
    why = fact.missing
    skips, reason = why.kind == "skip", _sentence(why.reason)
    return Finding(
        status=Status(why.kind),
        message=skipped_because(reason) if skips else unknown_because(reason),
        remedy=None if skips else Remedy(why.help or say(_NO_HELP), why.commands, why.place),
        reason=reason,
        detail=why.detail,
        evidence=SourceEvidence(source=fact.source) if fact.source and evidence == NOTHING else evidence,
    )


def _sentence(reason: str) -> str:
    """Return a reason as a sentence; facts that were recorded early have clauses without a full stop."""
    return reason if reason.endswith(".") else f"{reason[:1].upper()}{reason[1:]}."
