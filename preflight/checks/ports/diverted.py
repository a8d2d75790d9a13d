"""Ports that nobody listens on, and that are taken all the same: by rules of the firewall that send packets elsewhere.

Docker publishes a port with such a rule of its own, so what counts is which of the rules a packet meets first.
"""

from __future__ import annotations

from collections.abc import Iterable

from preflight.checks import Look
from preflight.checks.holders.conflicts import Case
from preflight.checks.ports.rules import Consequence
from preflight.checks.remedies import rights
from preflight.facts import Diversion, Nat
from preflight.mailcow.plan import Binding
from preflight.net.addresses import is_inner, is_loopback, parse_address, version, within
from preflight.report.model import Remedy, Status
from preflight.text.sentences import say

_WORST = (Status.FAIL, Status.UNKNOWN, Status.WARN)


def consequences(look: Look, binding: Binding, case: Case) -> list[Consequence]:
    """Return what takes a port's packets, the worst first. What the engine itself publishes is told by the engine."""
    if is_loopback(binding.address):
        return []
    found = [
        consequence
        for rule in look.host.nat.or_(Nat()).diversions
        if rule.port == binding.port and rule.owner != "docker" and not (rule.owner == "podman" and case.own)
        if _meets(look, binding, case, rule)
        if (consequence := _consequence(look, rule)) is not None
    ]
    return sorted(found, key=lambda consequence: _WORST.index(consequence.status))


def unread(look: Look, binding: Binding) -> str:
    """Return why it is not known whether a rule takes the port, a sentence; '' = it is known, or was never asked."""
    nat = Nat() if is_loopback(binding.address) else look.host.nat.or_(Nat())
    match nat.unread:
        case "denied":
            return say("Only root may read the firewall rules that may redirect the port.")
        case "late":
            return say("Too many firewall rules may redirect the port: they cannot be read in time.")
        case "refused":
            return say("The kernel did not return the firewall rules that may redirect the port.")
    return ""


def help_for(look: Look) -> Remedy:
    """Say how rules that were not read become known."""
    if look.host.nat.get().unread != "denied":
        return Remedy(say("Check for rules that send this port elsewhere."), ("iptables -t nat -S",))
    return rights.more(look.host)


def _meets(look: Look, binding: Binding, case: Case, rule: Diversion) -> bool:
    """Say whether a rule can take packets for an address that mailcow's port is published on."""
    if not any(version(half) == rule.version for half in case.outcomes):
        return False
    bound = parse_address(binding.address) if binding.address else None
    if bound is not None and not bound.is_unspecified:
        addresses = {str(bound)}
    elif look.host.links.known:
        links = look.host.links.get()
        addresses = {entry.address for link in links for entry in link.addresses if entry.scope == "global"}
    else:
        return True
    left = {text for text in addresses if version(text) == rule.version and not within(text, rule.not_destinations)}
    return any(within(text, rule.destinations) for text in left) if rule.destinations else bool(left)


def _consequence(look: Look, rule: Diversion) -> Consequence | None:
    """Say what comes of a rule; None: mailcow is reached all the same."""
    if rule.interfaces and set(rule.interfaces) <= set(rule.not_interfaces):
        return None  # a rule before it has taken all that it is for
    if _from_inside(look, rule):
        return None
    partial = _partial(look, rule)
    if rule.order == "after":
        # Docker's rule comes first then, and what the other one serves is not reached any more.
        effect = say("Docker's own rule would come before it, so its current target would no longer be reachable.")
        return None if partial or rule.conditions else Consequence(Status.WARN, rule, effect)
    if rule.conditions:
        listed = ", ".join(rule.conditions)
        return Consequence(
            Status.UNKNOWN, rule, say("It has conditions that cannot be evaluated here: {listed}.", listed=listed)
        )
    if partial:
        return Consequence(Status.WARN, rule, partial)
    if rule.order == "either":
        effect = say("Whether it or Docker's own rule comes first depends on which of them was loaded last.")
        return Consequence(Status.WARN, rule, effect)
    return Consequence(
        Status.FAIL, rule, say("It comes before Docker's own rule, so nobody would reach mailcow there.")
    )


def _from_inside(look: Look, rule: Diversion) -> bool:
    """Say whether a rule is only for what this host's own containers and virtual machines send."""
    links = [link for link in look.host.links.or_(()) if _named(link.name, rule.interfaces)]
    return bool(links) and all(map(is_inner, links))


def _partial(look: Look, rule: Diversion) -> str:
    """Say for whom alone a rule holds, in a sentence; '' = for everybody who comes in from the world."""
    if rule.sources:
        return say("It applies only to connections from these networks: {networks}.", networks=", ".join(rule.sources))
    uplinks = {route.interface for route in look.host.routes.or_(()) if route.destination in ("0.0.0.0/0", "::/0")}
    if rule.interfaces and not any(_named(name, rule.interfaces) for name in uplinks):
        listed = ", ".join(rule.interfaces)
        return say("It applies only to connections that come in on these interfaces: {listed}.", listed=listed)
    if uplinks and all(_named(name, rule.not_interfaces) for name in uplinks):
        listed = ", ".join(rule.not_interfaces)
        return say("It does not apply to connections that come in on these interfaces: {listed}.", listed=listed)
    return ""


def _named(name: str, patterns: Iterable[str]) -> bool:
    return any(name == one or (one.endswith("*") and name.startswith(one[:-1])) for one in patterns)
