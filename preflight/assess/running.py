"""Run one check: what comes of it is a result, whatever happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec

from preflight.checks import Check, Look
from preflight.facts import MissingFact
from preflight.report.model import Evidence, Finding, Remedy, Result, Severity, SourceEvidence, Status
from preflight.text.sentences import noted, paragraph, say, skipped_because, told, unknown_because

DETAIL = 2000  # characters of another program's words
SUBJECTS = 200  # a check that names more subjects than this has been fooled

_BUG = noted("This is a bug in mailcow preflight, not in this host: please report it with the facts (preflight facts).")
_NO_HELP = noted("Run the check again where this can be read; the reason says what was in the way.")


def run(check: Check, look: Look, timer: Callable[[], float] = time.perf_counter) -> Iterator[Result]:
    """Run one check on all its subjects: at least one result comes back, each subject once."""
    severity = look.requirements.severities.get(check.id, check.severity)
    began = timer()
    timed: dict[str | None, tuple[Finding, float]] = {}
    for finding in _findings(check, look):
        if finding.subject in timed:  # (check, subject) is unique in a report
            twice = say("The check judged its one object twice.")
            if finding.subject:
                twice = say("The check judged {subject} twice.", subject=finding.subject)
            finding = _error(finding.subject, twice)
        now = timer()
        timed[finding.subject] = (finding, now - began)
        began = now
    for finding, seconds in timed.values():
        yield _result(check, severity, finding, round(seconds, 6))


def _findings(check: Check, look: Look) -> Iterator[Finding]:
    if check.subjects is None:
        yield from _guarded(check, look, None)
        return
    try:
        subjects = check.subjects(look)[:SUBJECTS]
    except MissingFact as missing:
        yield _missing(missing, None)
    except Exception as error:  # noqa: BLE001 - the one place that catches a check's failure
        yield _error(None, _describe(error))
    else:
        if not subjects:
            yield _error(None, say("The check had nothing to look at."))
        for subject in dict.fromkeys(subjects):
            yield from _guarded(check, look, subject)


def _guarded(check: Check, look: Look, subject: str | None) -> Iterator[Finding]:
    """Run a check on one subject (None: it names its own); what stops it is a finding too."""
    count = 0
    try:
        for finding in check.run(look) if subject is None else check.run(look, subject):
            count += 1
            if count > SUBJECTS:
                return
            yield finding if subject is None else msgspec.structs.replace(finding, subject=subject)
    except MissingFact as missing:
        yield _missing(missing, subject)
    except Exception as error:  # noqa: BLE001 - the one place that catches a check's failure
        yield _error(subject, _describe(error))
    else:
        if not count:
            yield _error(subject, say("The check came to no result."))


def _describe(error: Exception) -> str:
    return say("It ended with {error}.", error=f"{type(error).__name__}: {error}"[:300].rstrip("."))


def _missing(missing: MissingFact, subject: str | None) -> Finding:
    why = missing.missing
    skipped, reason = why.kind == "skip", _sentence(why.reason)
    return Finding(
        status=Status(why.kind),
        subject=subject,
        message=skipped_because(reason) if skipped else unknown_because(reason),
        remedy=None if skipped else Remedy(why.help or say(_NO_HELP), why.commands),
        reason=reason,
        detail=why.detail,
        evidence=SourceEvidence(source=missing.source) if missing.source else Evidence(),
    )


def _sentence(reason: str) -> str:
    """Return a reason as a sentence; facts that were recorded early have clauses without a full stop."""
    return reason if reason.endswith(".") else f"{reason[:1].upper()}{reason[1:]}."


def _error(subject: str | None, what: str) -> Finding:
    """Make the result of a check that failed; `what` is a sentence."""
    message = paragraph(say("The check itself failed."), what)
    return Finding(status=Status.ERROR, subject=subject, message=message, remedy=Remedy(say(_BUG)), reason=what)


def _result(check: Check, severity: Severity, finding: Finding, seconds: float) -> Result:
    status = finding.status
    if status is Status.FAIL and severity is not Severity.REQUIRED:
        status = Status.WARN
    if status is Status.WARN and severity is Severity.INFO:
        status = Status.PASS
    remedy = finding.remedy
    if remedy is None and status not in (Status.PASS, Status.SKIP):
        remedy = Remedy(told(check.remedy))
    return Result(
        check=check.id,
        subject=finding.subject,
        section=check.section,
        severity=severity,
        status=status,
        was=None,
        title=told(check.title),
        message=finding.message,
        detail=_cut(finding.detail),
        expected=finding.expected,
        found=finding.found,
        evidence=finding.evidence,
        remedy=remedy,
        docs=check.links,
        reason=finding.reason,
        seconds=seconds,
    )


def _cut(detail: str | None) -> str | None:
    """Return another program's words, no more than anybody reads; None: it said nothing."""
    detail = (detail or "").strip()
    return f"{detail[:DETAIL]}…" if len(detail) > DETAIL else detail or None
