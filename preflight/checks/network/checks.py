"""The networks that mailcow makes, and the host's own way to the world."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import skipped, unknown
from preflight.checks.network import container_mtu, whole_ipv6
from preflight.checks.network.subnet_conflict import conflict, outside
from preflight.checks.network.subnets import Neighbour, neighbours, own, parse
from preflight.checks.sources import DISABLE_IPV6, PREREQUISITES, issue
from preflight.facts import NO_ENGINE
from preflight.net.addresses import own_public
from preflight.packets.routing import rules_of, way_out
from preflight.report.evidence.network import Ipv6Evidence, MtuEvidence, SubnetEvidence
from preflight.report.model import Finding, Severity, Status
from preflight.text import versions
from preflight.text.sentences import paragraph, phrase, say

ENGINES = ("dockerd", "docker")


@check(
    severity=Severity.REQUIRED,
    reads=("links", "routes", "rules", "engine", "contact", "commands"),
    remedy="Give mailcow a network of its own with IPV4_NETWORK or IPV6_NETWORK in mailcow.conf.",
    docs=(PREREQUISITES,),
    sources=(issue(3373),),
    subject="family",
    subjects=lambda _: ("IPv4", "IPv6"),
)
def subnet(look: Look, subject: str) -> Iterator[Finding]:
    """mailcow's networks overlap with no other network of this host

    mailcow's containers have fixed addresses in a network of their own. If another network of the engine has
    it, Docker refuses ("Pool overlaps with other one"). If a route has it, one of the two is unreachable.
    """
    text = look.plan.ipv4_network if subject == "IPv4" else look.plan.ipv6_network
    wanted = parse(text)
    if subject == "IPv6" and _without_ipv6(look):
        reason = say("mailcow's network has no IPv6 (ENABLE_IPV6=false).")
        yield skipped(reason)
        return
    assert wanted is not None  # the plan holds only networks
    met = neighbours(look, wanted)
    if subject == "IPv4":
        met += _bridge(look)
    hard = [neighbour for neighbour in met if not neighbour.wider]
    if hard or outside(wanted):
        yield conflict(look, subject, wanted, met, hard)
        return
    for fact in (look.host.routes, look.host.links):
        fact.get()  # without them there is no saying that nothing else meets it
    rules_of(look.host, wanted.version)
    if met:
        yield conflict(look, subject, wanted, met, hard)
        return
    alone = _no_engine(look)
    if not alone and not look.host.engine.get().whole("networks"):
        reason = say("The engine did not list all of its networks.")
        yield unknown(reason, say("Look at them yourself."), "docker network ls")
        return
    free = say("{wanted} is free for mailcow's network.", wanted=text)
    none_yet = say("Docker is not installed yet, so no other Docker network exists.") if alone else None
    yield Finding(
        status=Status.PASS,
        message=paragraph(free, none_yet),
        expected=text,
        found=phrase("free"),
        evidence=SubnetEvidence(wanted=text, conflicts=(), proposal=None),
    )


def _no_engine(look: Look) -> bool:
    """Say whether there is no engine on this host, and so no network of one. One that only stands still has some."""
    contact, commands = look.host.contact.value, look.host.commands.value
    if look.host.engine.known or contact is None or contact.state != "absent" or commands is None:
        return False
    installed = [name for name in ENGINES if (found := commands.get(name)) is not None and found.path]
    asked = all(name in commands for name in ENGINES)
    return asked and not installed


def _without_ipv6(look: Look) -> bool:
    """Say whether the engine leaves IPV6_NETWORK alone. Docker 25.0.0 to 25.0.2 ignore that IPv6 is off."""
    version = versions.parse(look.host.engine.or_(NO_ENGINE).version)
    return not look.plan.ipv6 and not (version is not None and (25, 0, 0) <= version[:3] <= (25, 0, 2))


def _bridge(look: Look) -> list[Neighbour]:
    """Return mailcow's bridge where another network of the engine has it. One of nobody's, the engine takes over."""
    known = look.host.engine.or_(NO_ENGINE).networks
    others = [entry.name for entry in known if entry.interface == look.plan.bridge and entry not in own(look)]
    return [Neighbour("interface", look.plan.bridge, name) for name in others[:1]]


@check(
    severity=Severity.RECOMMENDED,
    reads=("ways", "routes", "rules", "links", "engine", "engine_start", "daemon_config", "override"),
    remedy="Give mailcow's network the MTU of the way to the Internet, in docker-compose.override.yml.",
    docs=(PREREQUISITES,),
    sources=(issue(1558),),
)
def mtu(look: Look) -> Iterator[Finding]:
    """Packets of mailcow's containers fit through the host's way to the Internet

    Docker gives its networks an MTU of 1500. If the host's own way takes less (OpenStack, PPPoE, VPN), large
    packets get lost, and TLS handshakes with some hosts hang while others work.
    """
    way = way_out(look.host, 4, look.plan.ipv4_network) or way_out(look.host, 6, look.plan.ipv6_network)
    if way is None:
        reason = say("The host has no default route.")
        yield skipped(reason)
        return
    of_link = next((link.mtu for link in look.host.links.get() if link.name == way.interface), None)
    found = min(filter(None, (of_link, way.mtu)), default=None)
    if found is None:
        reason = say("Could not read the MTU of {interface}.", interface=way.interface)
        help_ = say("Look at it on the host.")
        evidence = MtuEvidence(interface=way.interface, mtu=None)
        yield unknown(reason, help_, "ip link", evidence=evidence)
        return
    yield _fits(look, way.interface, found)


def _fits(look: Look, interface: str, found: int) -> Finding:
    """Hold the MTU that mailcow's network gets against that of the way out."""
    usual = look.requirements.mtu
    wanted = container_mtu.told(look)
    evidence = MtuEvidence(interface=interface, mtu=found)
    values = {"interface": interface, "found": found}
    message = say("{interface}, the way to the Internet, has an MTU of {found}.", **values)
    override = look.host.override.value
    if found < usual and override is not None and not override.clear and not wanted.made:
        reason = say("Could not determine whether {path} sets the MTU of mailcow's network.", path=override.path)
        help_ = say("Compare it with what docker compose makes of it.")
        command = f"cd {shlex.quote(look.plan.directory)} && docker compose config"
        return unknown(reason, help_, command, message=paragraph(message, reason), evidence=evidence)
    if (wanted.mtu or usual) <= found:
        fits = say("{path} sets the MTU of mailcow's network to {wanted}.", path=wanted.path, wanted=wanted.mtu or 0)
        if wanted.made:
            fits = say("mailcow's network has an MTU of {wanted}.", wanted=wanted.mtu or 0)
        return Finding(
            status=Status.PASS,
            message=paragraph(message, fits if wanted.mtu else None),
            expected=phrase("{wanted} or more", wanted=wanted.mtu or usual),
            found=str(found),
            evidence=evidence,
        )
    too_large = say(
        "{interface}, the way to the Internet, has an MTU of {found}. Docker uses {wanted} for mailcow's network.",
        **values,
        wanted=wanted.mtu or usual,
    )
    return Finding(
        status=Status.WARN,
        message=paragraph(too_large, container_mtu.remark(look)),
        expected=phrase("{wanted} or more", wanted=wanted.mtu or usual),
        found=str(found),
        evidence=evidence,
        remedy=container_mtu.remedy(look, found),
    )


@check(
    severity=Severity.RECOMMENDED,
    reads=("ipv6", "links", "ways", "routes", "rules", "daemon_config", "engine", "engine_start", "handed"),
    remedy="Make IPv6 work as a whole, or switch it off with ENABLE_IPV6=false in mailcow.conf.",
    docs=(DISABLE_IPV6,),
    sources=(issue(4388), issue(5659)),
)
def ipv6(look: Look) -> Iterator[Finding]:
    """IPv6 works as a whole or not at all

    With IPv6 on the host and none in mailcow's network, Docker's proxy hides the senders' addresses, and mailcow
    may take strangers for its own. With an address and no route, mail to half the world waits for time-outs.
    """
    kernel = look.host.ipv6.get()
    global_ = own_public(look.host.links.get(), 6)
    way = way_out(look.host, 6)
    evidence = Ipv6Evidence(
        supported=kernel.supported,
        disabled=kernel.disabled,
        addresses=tuple(global_),
        default_route=way is not None,
        enabled=look.plan.ipv6,
    )
    problem = whole_ipv6.off(look, kernel) or whole_ipv6.half(look, global_, way)
    problem = problem or whole_ipv6.scoped(look)
    lost = whole_ipv6.lost(look, evidence, way) if problem is None else None
    if lost:
        yield lost
    elif problem:
        message, remedy = problem
        yield Finding(status=Status.WARN, message=message, evidence=evidence, remedy=remedy)
    elif global_ and way and look.plan.ipv6:
        message = say(
            "IPv6 works here: {address} with a default route over {interface}.",
            address=global_[0],
            interface=way.interface,
        )
        yield Finding(status=Status.PASS, message=message, found=global_[0], evidence=evidence)
    else:
        message = say("This host has no IPv6 to the Internet. mailcow works without it.")
        yield Finding(status=Status.PASS, message=message, found=phrase("none"), evidence=evidence)
