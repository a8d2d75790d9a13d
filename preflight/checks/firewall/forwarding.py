"""Whether connections from mailcow's network get out through this host's own rules, and their answers back."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from preflight.checks import Look, check
from preflight.checks.firewall import culprits, engine_rules, overlaps, seen, unseen, verdicts, ways
from preflight.checks.firewall.culprits import NUMBERS, Case
from preflight.checks.sources import PACKET_FILTERING, PREREQUISITES, issue
from preflight.facts import NO_SETTINGS, Exit, Family, Twin
from preflight.report.evidence.firewall import FamiliesEvidence, FamilyEvidence, FirewallEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import noted, paragraph, phrase, say

_LOST = {
    "dropped": noted("Connections from mailcow's network do not get out over {family}: they are dropped."),
    "refused": noted("Connections from mailcow's network do not get out over {family}: they are refused."),
    "oneway": noted("Connections from mailcow's network get out over {family}, but the answers are lost."),
    "elsewhere": noted("Connections from mailcow's network over {family} are redirected to another destination."),
    "proxy": noted("Connections from mailcow's network over {family} are redirected to another destination."),
}
_PORTS = noted("Affected ports: {ports}.")


class Side(Struct, frozen=True):
    """What becomes of all that mailcow sends in one family."""

    family: Family
    exits: tuple[Exit, ...]
    cases: tuple[Case, ...]

    @property
    def lost(self) -> tuple[Exit, ...]:
        """Return what does not get out."""
        return tuple(one for one in self.exits if verdicts.status(one.journey) is Status.FAIL)

    @property
    def status(self) -> Status:
        """Judge it."""
        return verdicts.worst(verdicts.status(one.journey) for one in self.exits) if self.exits else Status.UNKNOWN

    @property
    def first(self) -> Exit:
        """Return the exit that stands for the family: the worst."""
        return min(self.exits, key=lambda one: _ORDER.index(verdicts.status(one.journey)))


_ORDER = (Status.FAIL, Status.UNKNOWN, Status.PASS)


@check(
    severity=Severity.REQUIRED,
    reads=("twin", "services", "daemon_config", "ipv6", "nat", "os_release", *overlaps.READS, *seen.READS),
    remedy="Allow connections from mailcow's network in the firewall that stops them, and keep all its other rules.",
    docs=(PREREQUISITES, PACKET_FILTERING),
    sources=(issue(49528, "moby/moby"),),
)
def forwarding(look: Look) -> Iterator[Finding]:
    """Connections from mailcow's network get out through this host's firewall

    mailcow's containers deliver mail, resolve names and fetch lists and certificates. This host forwards their packets.
    If its rules stop them, mailcow's resolver is unhealthy and nothing else starts.
    """
    twin = look.host.twin.get()
    if (clash := overlaps.told(look, twin)) is not None:
        yield clash
        return
    sides = [_side(look, twin, family) for family in twin.families]
    judged = [side for side in sides if side.family.state not in ("none", "off")]
    if not judged:
        yield _nowhere(look, sides)
        return
    status = verdicts.worst(side.status for side in judged)
    decides = [side for side in judged if side.status is status]
    if status is Status.FAIL:
        yield _lost(look, sides, decides)
    elif status is Status.UNKNOWN:
        yield _unknown(look, sides, decides[0])
    else:
        yield _out(look, sides, judged)


def _side(look: Look, twin: Twin, family: Family) -> Side:
    exits = tuple(one for one in twin.exits if one.journey.version == family.version and family.state == "judged")
    cases = [
        culprits.make(look.host, one.journey, family, way="out", bridge=look.plan.bridge, protocols=(one.protocol,))
        for one in exits
        if one.journey.verdict in verdicts.LOST
    ]
    return Side(family, exits, tuple(case for case in cases if case is not None))


def _out(look: Look, sides: list[Side], judged: list[Side]) -> Finding:
    families = ", ".join(NUMBERS[side.family.version] for side in judged)
    message = say("Connections from mailcow's network get out.")
    if look.host.twin.get().derived:
        message = say("Connections from mailcow's network will get out.")
    over = say("IP versions tested: {families}.", families=families)
    return Finding(
        status=Status.PASS,
        message=paragraph(message, over, *unseen.sentences(look.host.twin.get()), *seen.sentences(look)),
        expected=phrase("get out"),
        found=phrase("get out"),
        evidence=_evidence(look, sides),
    )


def _lost(look: Look, sides: list[Side], lost: list[Side]) -> Finding:
    told: list[str] = []
    for side in lost:
        name = NUMBERS[side.family.version]
        kinds = dict.fromkeys(one.journey.verdict for one in side.lost)
        told += [say(_LOST[verdict], family=name) for verdict in kinds]
        if len(side.lost) < len(side.exits):
            told.append(say(_PORTS, ports=", ".join(map(_named, side.lost))))
        told += [text for case in side.cases for text in culprits.sentences(replace(case, protocols=()))]
    cases = [replace(case, protocols=()) for side in lost for case in side.cases]
    rules = dict.fromkeys(case.culprit.rule for case in cases if case.culprit.rule)
    return Finding(
        status=Status.FAIL,
        message=paragraph(*dict.fromkeys(told), *seen.sentences(look)),
        detail="\n".join(rules) or None,
        expected=phrase("get out"),
        found=phrase("stopped"),
        evidence=_evidence(look, sides),
        remedy=_remedy(look, cases),
    )


def _remedy(look: Look, cases: list[Case]) -> Remedy:
    if engine_rules.told(look):
        return ways.restart(look, say("Docker's own rules are missing on this host (see firewall.backend)."))
    if look.host.daemon_config.or_(NO_SETTINGS).settings.get("iptables") is False:
        return ways.proxied(look)
    if cases:
        return ways.remedy(look, cases, cases)
    text = say("Check the rules for forwarded packets, and allow packets from mailcow's bridge.")
    return Remedy(text, ("nft list ruleset", "iptables-save"))


def _unknown(look: Look, sides: list[Side], side: Side) -> Finding:
    family = side.family
    head = say(
        "Could not determine whether mailcow's connections get out over {family}.", family=NUMBERS[family.version]
    )
    if side.exits:
        journey = side.first.journey
        reason, help = verdicts.undecided(look.host.twin.get(), journey), verdicts.help_for(look, journey.reason)
    else:
        reason, help = verdicts.blind(look, family), verdicts.help_for(look, family.doubt)
    return Finding(
        status=Status.UNKNOWN,
        message=paragraph(head, reason, *seen.sentences(look)),
        detail=(family.detail or None) if not side.exits else None,
        evidence=_evidence(look, sides),
        remedy=help,
        reason=reason,
    )


def _nowhere(look: Look, sides: list[Side]) -> Finding:
    reason = say("This host has no address with a default route, so nothing gets out.")
    return Finding(
        status=Status.UNKNOWN,
        message=paragraph(say("Could not determine whether mailcow's connections get out."), reason),
        evidence=_evidence(look, sides),
        remedy=Remedy(say("Set up the network first, then run this check again."), ("ip address", "ip route")),
        reason=reason,
    )


def _named(one: Exit) -> str:
    return f"{one.port}/{one.protocol}"


def _evidence(look: Look, sides: list[Side]) -> FirewallEvidence:
    found = {side.family.version: _of(side, look.plan.bridge) for side in sides}
    families = FamiliesEvidence(ipv4=found.get(4), ipv6=found.get(6))
    return FirewallEvidence(families=families, derived=look.host.twin.get().derived, differing=seen.evidence(look))


def _of(side: Side, bridge: str) -> FamilyEvidence:
    if not side.exits:
        return FamilyEvidence(verdict=side.family.state if side.family.state in ("none", "off") else "unknown")
    case = next((case for case in side.cases if case.culprit == side.first.journey.culprit), None)
    made = verdicts.evidence(side.first.journey, None, case, (bridge, side.family.interface))
    return replace(made, ports=tuple(map(_named, side.lost)))
