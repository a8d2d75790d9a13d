"""Judge a host: run the checks on what is known of it, and make the report. Pure but for the clock it is given."""

from __future__ import annotations

import datetime
import fnmatch
import time
from collections.abc import Callable, Iterable, Iterator

import msgspec
from msgspec import Struct

from preflight import __version__
from preflight.checks import Check, Look
from preflight.facts import Host, MissingFact
from preflight.mailcow.plan import Plan
from preflight.mailcow.requirements import Requirements
from preflight.report.model import (
    Counts,
    Finding,
    HostSummary,
    Remedy,
    Report,
    RequirementsSource,
    Result,
    Severity,
    Status,
    Tool,
    Verdict,
)
from preflight.text.sentences import noted, paragraph, phrase, say, skipped_because, told, unknown_because

SCHEMA = 1
SUBJECTS = 200  # a check that names more subjects than this has been fooled

_BUG = noted("This is a bug in mailcow preflight, not in this host: please report it with the facts (preflight facts).")
_NO_HELP = noted("Run the check again where this can be read; the reason says what was in the way.")


class Ignore(Struct, frozen=True):
    """A finding that is known: of this check, on this subject (None: on any), for this reason, through this date."""

    check: str
    subject: str | None = None
    reason: str = ""
    until: datetime.date | None = None
    source: str = "--ignore"  # where it was said, for messages

    def means_check(self, result: Result) -> bool:
        """Say whether a result is one of the checks meant."""
        return fnmatch.fnmatchcase(result.check, self.check)

    def means(self, result: Result) -> bool:
        """Say whether a result is meant, whatever became of it. Brackets in a subject are an address's, no pattern."""
        return self.means_check(result) and (
            self.subject in (None, result.subject)
            or fnmatch.fnmatchcase(result.subject or "", str(self.subject).replace("[", "[[]"))
        )

    def covers(self, result: Result) -> bool:
        """Say whether a result is a finding that is meant, on whatever day."""
        return result.status in (Status.WARN, Status.FAIL, Status.UNKNOWN) and self.means(result)

    def over(self, today: datetime.date) -> bool:
        """Say whether its last day has passed."""
        return self.until is not None and self.until < today


def select(checks: Iterable[Check], only: tuple[str, ...], skip: tuple[str, ...]) -> tuple[Check, ...]:
    """Return the checks asked for, by id or glob."""
    return tuple(
        check
        for check in checks
        if (not only or _matches(check.id, only)) and not _matches(check.id, skip)
    )  # fmt: skip


def matching(pattern: str, checks: Iterable[Check]) -> tuple[Check, ...]:
    """Return the checks that an id or a glob means."""
    return tuple(check for check in checks if pattern and fnmatch.fnmatchcase(check.id, pattern))


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def assess(
    host: Host,
    plan: Plan,
    requirements: Requirements,
    checks: tuple[Check, ...],
    ignores: tuple[Ignore, ...] = (),
    *,
    strict: bool = False,
    timer: Callable[[], float] = time.perf_counter,
) -> Report:
    """Run the checks and make the report. A check's own failure is a result, and the other checks go on."""
    look = Look(host, plan, requirements, frozenset(check.id for check in checks))
    today = datetime.date.fromisoformat(host.started[:10])
    began = timer()
    results = tuple(_ignore(result, ignores, today) for check in checks for result in run(check, look, timer))
    counts = Counts(**{_field(status): sum(r.status is status for r in results) for status in Status})
    return Report(
        schema=SCHEMA,
        tool=Tool("mailcow-preflight", __version__),
        requirements=RequirementsSource(requirements.name, requirements.source, requirements.read.isoformat()),
        host=summary(host),
        started=host.started,
        seconds=round(host.seconds + timer() - began, 3),
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
    found = {(result.status, result.severity is Severity.REQUIRED) for result in results}
    statuses = {status for status, _ in found}
    if Status.FAIL in statuses or (strict and Status.WARN in statuses):
        return Verdict.NOT_READY
    if (Status.UNKNOWN, True) in found or (Status.ERROR, True) in found:
        return Verdict.UNDETERMINED
    return Verdict.READY_WITH_WARNINGS if Status.WARN in statuses else Verdict.READY


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
        evidence={"source": missing.source} if missing.source else {},
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
        expected=finding.expected,
        found=finding.found,
        evidence=finding.evidence,
        remedy=remedy,
        docs=check.links,
        reason=finding.reason,
        seconds=seconds,
    )


def _ignore(result: Result, ignores: tuple[Ignore, ...], today: datetime.date) -> Result:
    """Make a known finding `ignored`; where all that was said of it is over, the result counts, and says so."""
    covering = [ignore for ignore in ignores if ignore.covers(result)]
    valid = next((ignore for ignore in covering if not ignore.over(today)), None)
    if valid is not None:
        reason = valid.reason or phrase("no reason was given")
        if valid.until:
            reason = phrase("{reason} (through {date})", reason=reason, date=valid.until.isoformat())
        return msgspec.structs.replace(result, status=Status.IGNORED, was=result.status, reason=reason)
    if not covering:
        return result
    last = max(covering, key=lambda ignore: ignore.until or datetime.date.min)
    over = say("The waiver ended on {date}, so that this counts again.", date=last.until)
    if last.reason:
        over = say("The waiver ({why}) ended on {date}, so that this counts again.", why=last.reason, date=last.until)
    return msgspec.structs.replace(result, reason=paragraph(result.reason, over))
