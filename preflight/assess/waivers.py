"""Waivers: findings that do not count, and what becomes of their results."""

from __future__ import annotations

import datetime
import fnmatch

import msgspec
from msgspec import Struct

from preflight.report.model import Result, Status
from preflight.text.sentences import paragraph, phrase, say


class Waiver(Struct, frozen=True):
    """A finding that does not count: of this check, on this subject (None: any), for this reason, through this date."""

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


def waived(result: Result, waivers: tuple[Waiver, ...], today: datetime.date) -> Result:
    """Make a waived finding `ignored`; where all that was said of it is over, the result counts, and says so."""
    covering = [waiver for waiver in waivers if waiver.covers(result)]
    valid = next((waiver for waiver in covering if not waiver.over(today)), None)
    if valid is not None:
        reason = valid.reason or phrase("no reason was given")
        if valid.until:
            reason = phrase("{reason} (through {date})", reason=reason, date=valid.until.isoformat())
        return msgspec.structs.replace(result, status=Status.IGNORED, was=result.status, reason=reason)
    if not covering:
        return result
    last = max(covering, key=lambda waiver: waiver.until or datetime.date.min)
    over = say("The waiver expired on {date}. This counts again.", date=last.until)
    if last.reason:
        over = say("The waiver ({why}) expired on {date}. This counts again.", why=last.reason, date=last.until)
    return msgspec.structs.replace(result, reason=paragraph(result.reason, over))
