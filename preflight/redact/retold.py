"""The results of the real host, told in the words that its stand-ins call for."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter

import msgspec

from preflight.assess.waivers import Waiver, waived
from preflight.redact.tokens import everywhere
from preflight.report.evidence.network import SubnetEvidence
from preflight.report.model import Evidence, Remedy, Result, Status
from preflight.text.sentences import noted, say

WITHHELD = noted("What was found is left out, as it cannot be told without names or addresses.")
_ASK = noted("Run the check without --redact to see what was found, and what to do about it.")


def retold(
    real: Iterable[Result], twins: Iterable[Result], waivers: tuple[Waiver, ...], today: datetime.date
) -> Iterator[Result]:
    """Yield a result for each real one; where a check came to other results on the stand-ins, the status alone.

    `waivers` mean real subjects; of their reasons all is shown.
    """
    by_check = {check: list(results) for check, results in groupby(twins, attrgetter("check"))}
    for check, group in groupby(real, attrgetter("check")):
        results, others = list(group), by_check.get(check, [])
        if [result.was or result.status for result in results] == [other.status for other in others]:
            words = others
        else:
            words = [_withheld(result, number) for number, result in enumerate(results, 1)]
        for result, other in zip(results, words, strict=True):
            yield _joined(result, other, waivers, today)


def _joined(real: Result, told: Result, waivers: tuple[Waiver, ...], today: datetime.date) -> Result:
    """Give a real result other words; what waives it is said anew."""
    before = msgspec.structs.replace(real, status=real.was or real.status, was=None, reason=told.reason)
    made = msgspec.structs.replace(
        told,
        severity=real.severity,
        status=real.status,
        was=real.was,
        reason=waived(before, waivers, today).reason,
        seconds=real.seconds,
    )
    if isinstance(real.evidence, SubnetEvidence) and isinstance(told.evidence, SubnetEvidence):
        return _with_proposal(made, real.evidence, told.evidence)
    return made


def _with_proposal(result: Result, real: SubnetEvidence, twin: SubnetEvidence) -> Result:
    """Propose what is free on the real host: it is none of its own. What is free beside stand-ins may be taken."""
    if real.proposal is None or twin.proposal is None:
        return result
    old, new = twin.proposal.removesuffix(".0/24"), real.proposal.removesuffix(".0/24")
    evidence = msgspec.structs.replace(twin, proposal=real.proposal)
    remedy = everywhere(result.remedy, lambda said: said.replace(f"_NETWORK={old}", f"_NETWORK={new}"))
    return msgspec.structs.replace(result, remedy=remedy, evidence=evidence)


def _withheld(real: Result, number: int) -> Result:
    """Tell a status and nothing else."""
    silent = (real.was or real.status) in (Status.UNKNOWN, Status.ERROR, Status.SKIP)
    return msgspec.structs.replace(
        real,
        subject=None if real.subject is None else f"({number})",
        message=say(WITHHELD),
        expected=None,
        found=None,
        evidence=Evidence(),
        remedy=Remedy(say(_ASK)) if real.remedy else None,
        reason=say(WITHHELD) if silent else None,
    )
