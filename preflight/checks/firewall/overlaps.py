"""Where mailcow's network meets another one of this host, no packet can be followed to it: that is told elsewhere."""

from __future__ import annotations

from preflight.checks import Look
from preflight.checks.findings import skipped
from preflight.checks.network import subnets
from preflight.facts import Twin
from preflight.report.model import Finding
from preflight.text.sentences import say

READS = ("links", "routes", "rules", "engine")


def told(look: Look, twin: Twin) -> Finding | None:
    """Return a finding that refers to network.subnet, where a copy of the host's network carries nothing for that."""
    blind = {family.version for family in twin.families if family.doubt == "control"}
    for family in subnets.families(look):
        if family.version in blind and subnets.neighbours(look, family.wanted):
            return skipped(say("mailcow's network overlaps with another network of this host (see network.subnet)."))
    return None
