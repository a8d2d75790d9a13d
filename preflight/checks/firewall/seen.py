"""Where the engine was seen to add other rules than are known of its version: a network was started to look."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET, UnsetType

from preflight.checks import Look
from preflight.checks.firewall.culprits import NUMBERS
from preflight.facts import PublishRun
from preflight.report.evidence.firewall import DifferingEvidence
from preflight.text.sentences import say

READS = ("probes.publishing",)


def sentences(look: Look) -> Iterator[str]:
    """Yield that Docker's rules are others, in which chains, and whether those were tried."""
    run = _run(look)
    if run is None:
        return
    chains = ", ".join(dict.fromkeys(f"{one.table} {one.chain}" for one in run.differing))
    yield say(
        "Docker's rules on this host differ from those expected for its version. Chains that differ: {chains}.",
        chains=chains,
    )
    if run.doubt:
        yield say("Not all of them could be tested for mailcow's network.")
    else:
        yield say("The rules that Docker added for a test network were tested.")


def evidence(look: Look) -> tuple[DifferingEvidence, ...] | UnsetType:
    """Return the rules that differ."""
    run = _run(look)
    if run is None:
        return UNSET
    return tuple(
        DifferingEvidence(
            only=one.only, family=NUMBERS[one.version], table=one.table, chain=one.chain, rule=one.rule or None
        )
        for one in run.differing
    )


def _run(look: Look) -> PublishRun | None:
    """Return what was seen, where it differs and what is derived counts."""
    twin = look.host.twin.value
    run = look.host.probes.publishing.or_(None)
    return run if run is not None and run.differing and twin is not None and twin.derived else None
