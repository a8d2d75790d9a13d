"""Why there is no result of a part of the rehearsal: what came before it has failed, or its time was over."""

from __future__ import annotations

from preflight.checks.findings import unknown
from preflight.facts import Rehearsal
from preflight.report.model import Evidence, Finding
from preflight.text.sentences import say

NOTHING = Evidence()


def without_network(run: Rehearsal) -> Finding | None:
    """Say that nothing was rehearsed for want of a network; None: it was made."""
    if run.network.made:
        return None
    reason = say("Docker did not create mailcow's network (see rehearsal.network).")
    return unknown(reason, say("Fix that first."))


def unasked(run: Rehearsal, evidence: Evidence = NOTHING) -> Finding | None:
    """Say why nothing was connected to; None: it was."""
    if run.asked:
        return None
    if run.late:
        reason = say("The rehearsal ran out of time before this was tested.")
        return unknown(reason, say("Run it again when this host is less busy."), evidence=evidence)
    reason = say("The container that tests connections did not answer.")
    help = say("Build the image of this version with `make image`, or run preflight as a container.")
    return unknown(reason, help, detail=run.error or None, evidence=evidence, place="docker-run")
