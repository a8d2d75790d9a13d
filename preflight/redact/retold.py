"""The results of the real host, told in the words that its pseudonyms call for."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import attrgetter

import msgspec

from preflight.assess.waivers import Waiver, waived
from preflight.redact.likeness import alike, same
from preflight.redact.tokens import everywhere
from preflight.report.evidence.network import SubnetEvidence
from preflight.report.model import Evidence, Remedy, Result
from preflight.text.sentences import noted, say

WITHHELD = noted("The finding is left out because it cannot be shown without names or addresses.")
_ASK = noted("Run the check without --redact to see what was found and what to do about it.")


def retold(
    real: Iterable[Result], twins: Iterable[Result], waivers: tuple[Waiver, ...], today: datetime.date
) -> Iterator[Result]:
    """Yield a result for each real one, in its words; where they are not the real one's, the status alone.

    Where a check came to other results on the pseudonyms, none of its words are told, and no subjects. `waivers` mean
    real subjects; of their reasons all is shown.
    """
    by_check = {check: list(results) for check, results in groupby(twins, attrgetter("check"))}
    for check, group in groupby(real, attrgetter("check")):
        results, others = list(group), by_check.get(check, [])
        if [result.was or result.status for result in results] == [other.status for other in others]:
            words = [_true(result, other) for result, other in zip(results, others, strict=True)]
        else:
            words = [_withheld(result, result.subject and f"({number})") for number, result in enumerate(results, 1)]
        for result, other in zip(results, words, strict=True):
            yield _joined(result, other, waivers, today)


def _true(real: Result, shown: Result) -> Result:
    """Return a result as it is shown; words and values that are not the real host's are left out."""
    if not same(real.message, shown.message):
        return _withheld(real, shown.subject)
    expected, found = (
        other if same(one, other) else None
        for one, other in ((real.expected, shown.expected), (real.found, shown.found))
    )
    return msgspec.structs.replace(shown, expected=expected, found=found)


def _joined(real: Result, told: Result, waivers: tuple[Waiver, ...], today: datetime.date) -> Result:
    """Give a real result other words; what waives it is said anew."""
    before = msgspec.structs.replace(real, status=real.was or real.status, was=None, reason=told.reason)
    return msgspec.structs.replace(
        told,
        severity=real.severity,
        status=real.status,
        was=real.was,
        reason=waived(before, waivers, today).reason,
        seconds=real.seconds,
    )


def _withheld(real: Result, subject: str | None) -> Result:
    """Tell a status and nothing else, on a subject as it may be told."""
    silent = (real.was or real.status).undecided
    return msgspec.structs.replace(
        real,
        subject=subject,
        message=say(WITHHELD),
        detail=None,
        expected=None,
        found=None,
        evidence=Evidence(),
        remedy=withheld(real.remedy),
        reason=say(WITHHELD) if silent else None,
    )


def proposals(results: Iterable[Result]) -> dict[str, str]:
    """Return the networks that were proposed, by subject: they are free on the real host, and none of its own."""
    return {
        result.subject or "": result.evidence.proposal
        for result in results
        if isinstance(result.evidence, SubnetEvidence) and result.evidence.proposal
    }


def unique(results: Iterable[Result], unveil: Callable[[str], str]) -> Iterator[Result]:
    """Yield results whose values are placeholders, as those in their sentences are; (check, subject) stays unique."""
    seen: set[tuple[str, str | None]] = set()
    for number, result in enumerate(results, 1):
        values = ("subject", "expected", "found", "evidence")
        changed = {name: everywhere(getattr(result, name), unveil) for name in values}
        subject = changed["subject"]
        if (result.check, subject) in seen:
            changed["subject"] = f"{subject or ''} ({number})".strip()
        seen.add((result.check, changed["subject"]))
        # What another program said is left out: a placeholder of it would tell nobody anything.
        yield msgspec.structs.replace(result, **changed, detail=None, remedy=_remedy(result.remedy, unveil))


def advised(real: Iterable[Result], shown: Iterable[Result]) -> Iterator[Result]:
    """Yield results as they are shown; advice that is not the real host's is left out."""
    for one, other in zip(real, shown, strict=True):
        good = other.remedy is None or alike(one.remedy, other.remedy)
        yield other if good else msgspec.structs.replace(other, remedy=withheld(one.remedy))


def withheld(real: Remedy | None) -> Remedy | None:
    """Say of a remedy only where and when it is followed."""
    return None if real is None else Remedy(say(_ASK), place=real.place, when=real.when)


def _remedy(remedy: Remedy | None, unveil: Callable[[str], str]) -> Remedy | None:
    if remedy is None:
        return None
    values = {
        name: everywhere(getattr(remedy, name), unveil)
        for name in ("commands", "files", "records", "removes", "settings")
    }
    return msgspec.structs.replace(remedy, **values)
