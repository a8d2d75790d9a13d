"""The results of the real host, told in the words that its stand-ins call for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import attrgetter

import msgspec

from preflight.assess.waivers import Waiver
from preflight.redact.tokens import everywhere
from preflight.report.evidence.network import SubnetEvidence
from preflight.report.model import Evidence, Remedy, Result, Status
from preflight.text.sentences import noted, say

Text = Callable[[str], str]

WITHHELD = noted("What was found is left out, as it cannot be told without names or addresses.")
_ASK = noted("Run the check without --redact to see what was found, and what to do about it.")


def retold(
    real: Iterable[Result], twins: Iterable[Result], waivers: tuple[Waiver, ...], text: Text
) -> Iterator[Result]:
    """Yield a result for each real one; where a check came to other results on the stand-ins, the status alone.

    `text` leaves of a sentence what may be said: waivers' reasons stand in no fact.
    """
    by_check = {check: list(results) for check, results in groupby(twins, attrgetter("check"))}
    for check, group in groupby(real, attrgetter("check")):
        results, others = list(group), by_check.get(check, [])
        if [result.was or result.status for result in results] == [other.status for other in others]:
            for result, other in zip(results, others, strict=True):
                yield _joined(result, other, waivers, text)
        else:
            for number, result in enumerate(results, 1):
                yield _withheld(result, None if result.subject is None else f"({number})", text)


def _joined(real: Result, twin: Result, waivers: tuple[Waiver, ...], text: Text) -> Result:
    """Give a real result the words of its twin."""
    waived = any(waiver.means(real) for waiver in waivers)
    made = msgspec.structs.replace(
        twin,
        severity=real.severity,
        status=real.status,
        was=real.was,
        reason=text(real.reason) if waived and real.reason else twin.reason,
        seconds=real.seconds,
    )
    if isinstance(real.evidence, SubnetEvidence) and isinstance(twin.evidence, SubnetEvidence):
        return _with_proposal(made, real.evidence, twin.evidence)
    return made


def _with_proposal(result: Result, real: SubnetEvidence, twin: SubnetEvidence) -> Result:
    """Propose what is free on the real host: it is none of its own. What is free beside stand-ins may be taken."""
    if real.proposal is None or twin.proposal is None:
        return result
    old, new = twin.proposal.removesuffix(".0/24"), real.proposal.removesuffix(".0/24")
    evidence = msgspec.structs.replace(twin, proposal=real.proposal)
    remedy = everywhere(result.remedy, lambda said: said.replace(f"_NETWORK={old}", f"_NETWORK={new}"))
    return msgspec.structs.replace(result, remedy=remedy, evidence=evidence)


def _withheld(real: Result, subject: str | None, text: Text) -> Result:
    """Tell a status and nothing else."""
    reason = say(WITHHELD) if real.status in (Status.UNKNOWN, Status.ERROR, Status.SKIP) else None
    return msgspec.structs.replace(
        real,
        subject=subject,
        message=say(WITHHELD),
        expected=None,
        found=None,
        evidence=Evidence(),
        remedy=Remedy(say(_ASK)) if real.remedy else None,
        reason=text(real.reason) if real.status is Status.IGNORED and real.reason else reason,
    )
