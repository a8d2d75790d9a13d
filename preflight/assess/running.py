"""Run one check: what comes of it is a result, whatever happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice

import msgspec

from preflight.checks import Check, Look, Named, findings
from preflight.facts import MissingFact
from preflight.report.model import Finding, Remedy, Result, Severity, Status
from preflight.text.sentences import noted, paragraph, say, told

DETAIL = 2000  # characters of another program's words
SUBJECTS = 200  # a check that names more subjects than this has been fooled

_BUG = noted("This is a bug in mailcow preflight, not in this host: please report it with the facts (preflight facts).")


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
        subjects = {_name(subject): subject for subject in islice(check.subjects(look), SUBJECTS)}
    except MissingFact as missing:
        yield findings.missing(missing)
    except Exception as error:  # noqa: BLE001 - the one place that catches a check's failure
        yield _error(None, _describe(error))
    else:
        if not subjects:
            yield _error(None, say("The check had nothing to look at."))
        for subject in subjects.values():
            yield from _guarded(check, look, subject)


def _guarded(check: Check, look: Look, subject: str | Named | None) -> Iterator[Finding]:
    """Run a check on one subject (None: it names its own); what stops it is a finding too."""
    count, name = 0, None if subject is None else _name(subject)
    try:
        for finding in check.run(look) if subject is None else check.run(look, subject):
            count += 1
            if count > SUBJECTS:
                return
            yield finding if name is None else msgspec.structs.replace(finding, subject=name)
    except MissingFact as missing:
        yield msgspec.structs.replace(findings.missing(missing), subject=name)
    except Exception as error:  # noqa: BLE001 - the one place that catches a check's failure
        yield _error(name, _describe(error))
    else:
        if not count:
            yield _error(name, say("The check produced no result."))


def _describe(error: Exception) -> str:
    return say("It ended with {error}.", error=f"{type(error).__name__}: {error}"[:300].rstrip("."))


def _name(subject: str | Named) -> str:
    return subject if isinstance(subject, str) else subject.subject


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
