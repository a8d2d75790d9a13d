"""Whether mailcow's networks are free."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import skipped, unknown
from preflight.checks.network.subnet_conflict import conflict, outside
from preflight.checks.network.subnets import Family, Neighbour, families, mailcow_networks, neighbours
from preflight.checks.remedies import install
from preflight.checks.sources import PREREQUISITES, issue
from preflight.facts import NO_ENGINE, require
from preflight.packets.tables import rules_of
from preflight.report.evidence.network import SubnetEvidence
from preflight.report.model import Finding, Severity, Status
from preflight.text import versions
from preflight.text.sentences import paragraph, phrase, say


@check(
    severity=Severity.REQUIRED,
    reads=("links", "routes", "rules", "engine", "contact", "commands"),
    remedy="Set IPV4_NETWORK or IPV6_NETWORK in mailcow.conf to a free network.",
    docs=(PREREQUISITES,),
    sources=(issue(3373),),
    subject="family",
    subjects=families,
)
def subnet(look: Look, family: Family) -> Iterator[Finding]:
    """mailcow's networks do not overlap with any other network of this host

    mailcow's containers have fixed addresses in their own network. If another network of the engine has the same
    addresses, Docker refuses mailcow's network ("Pool overlaps with other one"). If a route covers them, mailcow or the
    destination of the route is unreachable.
    """
    wanted = family.wanted
    if family.version == 6 and _without_ipv6(look):
        reason = say("mailcow's network has no IPv6 (ENABLE_IPV6=false).")
        yield skipped(reason)
        return
    met = neighbours(look, wanted)
    if family.version == 4:
        met += _bridge(look)
    hard = [neighbour for neighbour in met if not neighbour.wider]
    if hard or outside(wanted):
        yield conflict(look, family, met, hard)
        return
    require(look.host.routes, look.host.links)  # without them there is no saying that nothing else meets it
    rules_of(look.host, family.version)
    if met:
        yield conflict(look, family, met, hard)
        return
    alone = _no_engine(look)
    if not alone and not look.host.engine.get().whole("networks"):
        reason = say("The engine did not list all of its networks.")
        yield unknown(reason, say("List the networks on the host."), "docker network ls")
        return
    free = say("{wanted} is free for mailcow's network.", wanted=wanted)
    none_yet = say("Docker is not installed yet, so no other Docker network exists.") if alone else None
    yield Finding(
        status=Status.PASS,
        message=paragraph(free, none_yet),
        expected=str(wanted),
        found=phrase("free"),
        evidence=SubnetEvidence(wanted=str(wanted), conflicts=(), proposal=None),
    )


def _no_engine(look: Look) -> bool:
    """Say whether there is no engine on this host, and so no network of one. One that only stands still has some."""
    contact = look.host.contact.value
    silent = not look.host.engine.known and contact is not None and contact.state == "absent"
    return silent and install.nothing(look.host)


def _without_ipv6(look: Look) -> bool:
    """Say whether the engine leaves IPV6_NETWORK alone. Docker 25.0.0 to 25.0.2 ignore that IPv6 is off."""
    version = versions.parse_version(look.host.engine.or_(NO_ENGINE).version)
    return not look.plan.ipv6 and not (version is not None and (25, 0, 0) <= version[:3] <= (25, 0, 2))


def _bridge(look: Look) -> list[Neighbour]:
    """Return mailcow's bridge where another network of the engine has it. One of nobody's, the engine takes over."""
    known = look.host.engine.or_(NO_ENGINE).networks
    own = mailcow_networks(look)
    # A rehearsal's is gone in a moment.
    others = [
        entry.name for entry in known if entry.interface == look.plan.bridge and entry not in own and not entry.run
    ]
    return [Neighbour("interface", look.plan.bridge, name) for name in others[:1]]
