"""Say that mailcow's network overlaps with others, and what to do about it."""

from __future__ import annotations

import ipaddress
import shlex

from preflight.checks import Look
from preflight.checks.network.subnets import (
    PRIVATE,
    UNIQUE_LOCAL,
    Family,
    Neighbour,
    capturing,
    everywhere,
    propose,
)
from preflight.mailcow.conf.networks import octets
from preflight.net import addresses
from preflight.net.addresses import IpNetwork
from preflight.report.evidence.network import SubnetEvidence
from preflight.report.model import Finding, Remedy, Setting, Status
from preflight.text.sentences import paragraph, phrase, say


def outside(wanted: IpNetwork) -> bool:
    """Say whether mailcow's own name server would refuse to answer this network: it serves private ones alone."""
    if isinstance(wanted, ipaddress.IPv4Network):
        return not any(wanted.subnet_of(private) for private in PRIVATE)
    return not wanted.subnet_of(UNIQUE_LOCAL)


def conflict(look: Look, family: Family, met: list[Neighbour], hard: list[Neighbour]) -> Finding:
    """Make the finding on what meets a network; `hard`: what of it does not leave mailcow's network as it is."""
    wanted, elsewhere = family.wanted, outside(family.wanted)
    # What takes every packet, or is asked before all tables, takes those of any other network as well.
    hopeless = any(row.what == "rule" or _of_everything(row, wanted) for row in hard)
    another = elsewhere or any(row.what != "interface" for row in met)
    proposal = (look.proposals.get(family.subject) or propose(look, wanted)) if another and not hopeless else None
    rows = ", ".join(row.text for row in (hard or met)[:5])
    text = unreachable = private = None
    if hard:
        text = say(
            "{wanted}, which mailcow uses, overlaps on this host with: {networks}.",
            wanted=wanted,
            networks=rows,
        )
    elif met:
        text = say(
            "{wanted}, which mailcow uses, is part of a larger network of this host: {networks}.",
            wanted=wanted,
            networks=rows,
        )
        unreachable = say("mailcow cannot reach hosts that have these addresses in the larger network.")
    if hard and hard[0].what in ("route", "rule") and capturing(look, wanted, hard) is not None:
        unreachable = say("This route is looked up before the main routing table, so mailcow would be unreachable.")
    if elsewhere:
        private = say(
            "mailcow's name server answers private networks only, and {wanted} is not private.", wanted=wanted
        )
    return Finding(
        status=Status.FAIL if hard or (elsewhere and family.version == 4) else Status.WARN,
        message=paragraph(text, unreachable, private),
        expected=phrase("a separate private network"),
        found=(hard or met)[0].text if met else str(wanted),
        evidence=SubnetEvidence(wanted=str(wanted), conflicts=tuple(row.evidence for row in met), proposal=proposal),
        remedy=_first_in_main(look, wanted, hard) if hopeless else _elsewhere(look, family, met, proposal),
    )


def _of_everything(row: Neighbour, wanted: IpNetwork) -> bool:
    network = addresses.network(row.subnet)
    return row.what == "route" and network is not None and network.prefixlen <= everywhere(wanted)


def _first_in_main(look: Look, wanted: IpNetwork, hard: list[Neighbour]) -> Remedy:
    """Have packets to mailcow's network routed by the main table, where Docker enters its route."""
    before = capturing(look, wanted, hard)
    family = "-6 " if wanted.version == 6 else ""
    if not before:
        text = say("Change the routing rules so that {wanted} is looked up in the main table first.", wanted=wanted)
        return Remedy(text, (f"ip {family}rule",))
    text = say("Add a rule that looks up {wanted} in the main routing table first.", wanted=wanted)
    lasting = say("The rule lasts until the next reboot. Add it to this host's network configuration, too.")
    rule = f"ip {family}rule add to {wanted} lookup main priority {before - 1}"
    return Remedy(paragraph(text, lasting), (rule,))


def _elsewhere(look: Look, family: Family, met: list[Neighbour], proposal: str | None) -> Remedy:
    """Propose another network, or to remove the bridge that is in the way."""
    commands: tuple[str, ...] = ()
    if proposal:
        value = octets(proposal) if family.version == 4 else proposal
        name, path = family.variable, look.plan.conf_path
        text = say(
            "Set {setting} in {path} before the first start. generate_config.sh creates this file.",
            setting=f"{name}={value}",
            path=path,
        )
        commands = (f"sed -i -e '$a {name}={value}' -e '/^{name}=/d' {shlex.quote(path)}",)
        lines = (Setting(name, value),)
        return Remedy(text, commands, place="mailcow.conf", when="cloned", settings=lines)
    if any(row.what == "interface" for row in met):
        bridge = look.plan.bridge
        owners = [entry.name for entry in look.host.engine.get().networks if entry.interface == bridge]
        text = say("A host can run only one mailcow. If {bridge} is no longer used, remove it.", bridge=bridge)
        return Remedy(text, tuple(f"docker network rm {shlex.quote(name)}" for name in owners))
    return Remedy(say("Free one of the private networks of this host for mailcow."))
