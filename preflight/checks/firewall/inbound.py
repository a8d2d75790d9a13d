"""Whether connections from the Internet reach mailcow through this host's own rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from preflight.checks import Look, check
from preflight.checks.findings import skipped
from preflight.checks.firewall import culprits, engine_rules, overlaps, seen, unseen, verdicts, ways
from preflight.checks.firewall.culprits import NUMBERS, Case
from preflight.checks.holders.conflicts import RUNNING, publishes
from preflight.checks.sources import PACKET_FILTERING, PREREQUISITES, issue
from preflight.facts import NO_ENGINE, Arrival, Family, Journey, Twin
from preflight.mailcow.plan import Binding, Published
from preflight.net.addresses import is_loopback, parse_address
from preflight.report.evidence.firewall import FamiliesEvidence, FamilyEvidence, FirewallEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import noted, paragraph, phrase, say

_HOSTER = noted(
    "A firewall outside this host, such as your hosting provider's, is not visible from here. To test it, run preflight"
    " with --rehearse --hold 120, and run one of the commands that it prints on another machine."
)
_LOST = {
    "dropped": noted("Connections from the Internet to {subject} do not reach mailcow: they are dropped ({families})."),
    "refused": noted("Connections from the Internet to {subject} do not reach mailcow: they are refused ({families})."),
    "oneway": noted("Connections from the Internet to {subject} reach mailcow, but its answers are lost ({families})."),
    "elsewhere": noted("Connections from the Internet to {subject} are redirected away from mailcow ({families})."),
    "proxy": noted("Connections from the Internet to {subject} arrive only through docker-proxy ({families})."),
}
_RELAY = noted("mailcow then sees Docker's own address instead of the client's, which may make it an open relay.")
_FOUND = {
    "dropped": noted("dropped"), "refused": noted("refused"), "oneway": noted("answers lost"),
    "elsewhere": noted("redirected"), "proxy": noted("through docker-proxy"),
}  # fmt: skip
_REACHES = noted("reaches mailcow")
_NEIGHBOUR = {
    "delivered": noted("Connections from this host's own network do reach mailcow over {family}."),
    "lost": noted("Connections from this host's own network do not reach mailcow over {family}."),
}


class Leg(Struct, frozen=True):
    """What becomes of a port's connections in one family."""

    family: Family
    journey: Journey | None  # None: nothing was sent
    neighbour: Journey | None = None
    case: Case | None = None

    @property
    def status(self) -> Status:
        """Judge it."""
        return verdicts.status(self.journey) if self.journey else Status.UNKNOWN

    @property
    def name(self) -> str:
        """Return the family's name."""
        return NUMBERS[self.family.version]


def _subjects(look: Look) -> tuple[str, ...]:
    beyond = [binding for binding in look.plan.bindings if not is_loopback(binding.address)]
    return tuple(binding.subject for binding in beyond or look.plan.bindings)


@check(
    severity=Severity.REQUIRED,
    reads=("twin", "services", "daemon_config", "ipv6", "nat", "os_release", "binds", *overlaps.READS, *seen.READS),
    remedy="Allow mailcow's connections in the firewall that stops them, and keep all its other rules.",
    docs=(PREREQUISITES, PACKET_FILTERING),
    sources=(issue(2792), issue(2104)),
    subject="port",
    subjects=_subjects,
)
def inbound(look: Look, subject: str) -> Iterator[Finding]:
    """Connections from the Internet reach mailcow through this host's firewall

    Docker forwards mailcow's ports to its containers. Rules for the host's own ports do not apply to them, and rules
    for forwarded packets may drop them. preflight sends packets through a copy of this host's rules. Before mailcow
    runs, the copy includes the rules that Docker would add. A firewall outside this host is not visible from here.
    """
    binding = next(entry for entry in look.plan.bindings if entry.subject == subject)
    if is_loopback(binding.address):
        yield skipped(say("The port is published for this host only."))
        return
    twin = look.host.twin.get()
    if (told := _told_already(look, twin, binding)) is not None:
        yield told
        return
    legs = _legs(look, twin, binding)
    judged = [leg for leg in legs if leg.family.state not in ("none", "off")]
    if not judged:
        yield _nowhere(look, binding, legs)
    else:
        yield _judged(look, binding, legs, judged)


def _told_already(look: Look, twin: Twin, binding: Binding) -> Finding | None:
    """Return a finding that refers to the check which tells what stands in the way before any firewall does."""
    if _published(look, binding):
        return skipped(say("Another container publishes this port now (see ports.free)."))
    tried = look.host.binds.or_(())
    if any((one.address, one.outcome) == (binding.address, "EADDRNOTAVAIL") for one in tried):
        return skipped(say("This host does not have the address (see ports.free)."))
    return overlaps.told(look, twin)


def _published(look: Look, binding: Binding) -> bool:
    """Say whether a container that is not mailcow's has the port: its connections are that one's until it is free."""
    containers = look.host.engine.or_(NO_ENGINE).containers
    return any(
        entry.state in RUNNING
        and not entry.run
        and entry.project != look.plan.project
        and publishes(entry, binding.address, binding.port)
        for entry in containers
    )


def _legs(look: Look, twin: Twin, binding: Binding) -> list[Leg]:
    """Return what becomes of a port's connections in each family that it is published in."""
    address = parse_address(binding.address) if binding.address else None
    found = next((one for one in twin.arrivals if (one.address, one.port) == (binding.address, binding.port)), None)
    return [
        _leg(look, binding, family, found)
        for family in twin.families
        if address is None or address.version == family.version
    ]


def _leg(look: Look, binding: Binding, family: Family, arrival: Arrival | None) -> Leg:
    def of(source: Literal["internet", "neighbour"]) -> Journey | None:
        journeys = arrival.journeys if arrival and family.state == "judged" else ()
        return next((one for one in journeys if (one.version, one.source) == (family.version, source)), None)

    journey = of("internet")
    if journey is None:
        return Leg(family, None)
    case = None
    if journey.verdict in verdicts.LOST:
        inner = tuple(dict.fromkeys(_inside(published, binding) for published in binding.published))
        case = culprits.make(
            look.host, journey, family, way="in", bridge=look.plan.bridge, inner=inner, outer=(binding.port,)
        )
    return Leg(family, journey, of("neighbour"), case)


def _inside(published: Published, binding: Binding) -> int:
    """Return the port in the container: rules see that one where they come after Docker's translation."""
    return binding.port if published.kind == "web" else published.inside or published.port


def _nowhere(look: Look, binding: Binding, legs: list[Leg]) -> Finding:
    reason = say("This host has no address with a default route, so no connection comes in.")
    if any(leg.family.state == "off" for leg in legs):
        reason = say("This host has no address with a default route for an IP version that mailcow uses.")
    return Finding(
        status=Status.UNKNOWN,
        message=paragraph(
            say("Could not determine whether {subject} can be reached.", subject=binding.subject), reason
        ),
        evidence=_evidence(look, legs),
        remedy=Remedy(say("Set up the network first, then run this check again."), ("ip address", "ip route")),
        reason=reason,
    )


def _judged(look: Look, binding: Binding, legs: list[Leg], judged: list[Leg]) -> Finding:
    status = verdicts.worst(leg.status for leg in judged)
    decides = [leg for leg in judged if leg.status is status]
    if status is Status.UNKNOWN:
        return _unknown(look, binding, legs, decides[0])
    if status is Status.PASS:
        return _reached(look, binding, legs, decides)
    return _lost(look, binding, legs, decides)


def _reached(look: Look, binding: Binding, legs: list[Leg], judged: list[Leg]) -> Finding:
    families = ", ".join(leg.name for leg in judged)
    sentence = say("Connections from the Internet to {subject} reach mailcow.", subject=binding.subject)
    if look.host.twin.get().derived:
        sentence = say("Connections from the Internet to {subject} will reach mailcow.", subject=binding.subject)
    over = say("IP versions tested: {families}.", families=families)
    rest = (
        *_others(legs),
        *_neighbours(judged),
        *unseen.sentences(look.host.twin.get()),
        *seen.sentences(look),
        say(_HOSTER),
    )
    return Finding(
        status=Status.PASS,
        message=paragraph(sentence, over, *rest),
        expected=phrase(_REACHES),
        found=phrase(_REACHES),
        evidence=_evidence(look, legs),
    )


def _lost(look: Look, binding: Binding, legs: list[Leg], lost: list[Leg]) -> Finding:
    told: list[str] = []
    kinds = list(dict.fromkeys(leg.journey.verdict for leg in lost if leg.journey))
    for verdict in kinds:
        group = [leg for leg in lost if leg.journey and leg.journey.verdict == verdict]
        families = ", ".join(leg.name for leg in group)
        told.append(say(_LOST[verdict], subject=binding.subject, families=families))
        if verdict == "proxy":
            told.append(say(_RELAY))
        told += [text for leg in group if leg.case for text in culprits.sentences(leg.case)]
    cases = [leg.case for leg in lost if leg.case]
    rules = dict.fromkeys(case.culprit.rule for case in cases if case.culprit.rule)
    return Finding(
        status=Status.FAIL,
        message=paragraph(*dict.fromkeys(told), *_neighbours(lost), *seen.sentences(look)),
        detail="\n".join(rules) or None,
        expected=phrase(_REACHES),
        found=phrase(_FOUND[kinds[0]]),
        evidence=_evidence(look, legs),
        remedy=_remedy(look, lost, cases),
    )


def _remedy(look: Look, lost: list[Leg], cases: list[Case]) -> Remedy:
    if engine_rules.told(look):
        return ways.restart(look, say("Docker's own rules are missing on this host (see firewall.backend)."))
    if cases:
        return ways.remedy(look, cases, _all_cases(look))
    if any(leg.journey and leg.journey.verdict == "proxy" for leg in lost):
        return ways.proxied(look)
    text = say("Check the rules for forwarded packets, and allow packets to mailcow's bridge.")
    return Remedy(text, ("nft list ruleset", "iptables-save"))


def _all_cases(look: Look) -> list[Case]:
    """Return what stops the connections of all ports, so that one cause has one remedy."""
    twin = look.host.twin.get()
    bindings = [binding for binding in look.plan.bindings if not is_loopback(binding.address)]
    return [leg.case for binding in bindings for leg in _legs(look, twin, binding) if leg.case]


def _unknown(look: Look, binding: Binding, legs: list[Leg], leg: Leg) -> Finding:
    twin, family = look.host.twin.get(), leg.family
    reason = verdicts.undecided(twin, leg.journey) if leg.journey else verdicts.blind(look, family)
    doubt: str = leg.journey.reason if leg.journey else family.doubt
    head = say(
        "Could not determine whether {subject} can be reached over {name}.", subject=binding.subject, name=leg.name
    )
    return Finding(
        status=Status.UNKNOWN,
        message=paragraph(head, reason, *seen.sentences(look)),
        detail=family.detail or None if leg.journey is None else None,
        evidence=_evidence(look, legs),
        remedy=verdicts.help_for(look, doubt),
        reason=reason,
    )


def _others(legs: list[Leg]) -> Iterator[str]:
    """Yield what there is to say of a family that was not judged."""
    for leg in legs:
        if leg.family.state == "none":
            yield say("This host has no address with a default route for {family}.", family=leg.name)
        elif leg.family.state == "off":
            yield say("mailcow does not use {family}.", family=leg.name)


def _neighbours(legs: list[Leg]) -> Iterator[str]:
    """Yield where connections from the host's own network fare otherwise: that decides nothing."""
    for leg in legs:
        if leg.journey is None or leg.neighbour is None:
            continue
        passes = leg.neighbour.verdict == "delivered"
        if passes != (leg.journey.verdict == "delivered") and leg.neighbour.verdict not in ("depends", "unknown"):
            kind = "delivered" if passes else "lost"
            yield say(_NEIGHBOUR[kind], family=leg.name)


def _evidence(look: Look, legs: list[Leg]) -> FirewallEvidence:
    found = {leg.family.version: _of(leg, look.plan.bridge) for leg in legs}
    families = FamiliesEvidence(ipv4=found.get(4), ipv6=found.get(6))
    return FirewallEvidence(families=families, derived=look.host.twin.get().derived, differing=seen.evidence(look))


def _of(leg: Leg, bridge: str) -> FamilyEvidence:
    if leg.journey is None:
        return FamilyEvidence(verdict=leg.family.state if leg.family.state in ("none", "off") else "unknown")
    return verdicts.evidence(leg.journey, leg.neighbour, leg.case, (leg.family.interface, bridge))
