"""Ports that nobody listens on, and that are taken all the same: by rules of the firewall that send packets elsewhere.

Docker publishes a port with such a rule of its own, so what counts is which of the rules a packet meets first.
"""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Iterable

from msgspec import Struct

from preflight.checks import Look
from preflight.checks.holders import wording
from preflight.checks.holders.conflicts import Case
from preflight.facts import Diversion, Nat
from preflight.mailcow.plan import Binding
from preflight.net.addresses import is_inner, is_loopback, parse
from preflight.report.evidence.ports import DiversionEvidence
from preflight.report.model import Remedy, Status
from preflight.text.sentences import noted, paragraph, phrase, say

NAMES = {
    "podman": "Podman", "kubernetes": "Kubernetes (CNI)", "firewalld": "firewalld", "libvirt": "libvirt", "lxd": "LXD",
    "incus": "Incus", "cilium": "Cilium",
}  # fmt: skip
ADVICE = {
    "": noted(
        "Remove the rule where it is loaded from, such as /etc/ufw/before.rules, /etc/iptables/rules.v4,"
        " /etc/nftables.conf or a script, and load the rules again."
    ),
    "podman": noted("Publish the port of the Podman container on another one, or stop the container."),
    "kubernetes": noted(
        "Give the pod (hostPort) or the service (LoadBalancer, NodePort) another port in Kubernetes; with k3s it is"
        " usually Traefik and its load balancer."
    ),
    "firewalld": noted(
        "Remove the forwarding from firewalld's zone or policy, with --permanent too:"
        " firewall-cmd --remove-forward-port, --remove-rich-rule."
    ),
    "libvirt": noted("Remove the forwarding from the network or from the hook in /etc/libvirt/hooks."),
    "lxd": noted("Remove the proxy device or the network forward from LXD, or give it another port."),
    "incus": noted("Remove the proxy device or the network forward from Incus, or give it another port."),
    "cilium": noted("Give the pod (hostPort) or the service another port in Kubernetes."),
}
_WORST = (Status.FAIL, Status.UNKNOWN, Status.WARN)


class Verdict(Struct, frozen=True):
    """What a rule means for a port."""

    status: Status
    rule: Diversion
    effect: str  # a sentence


def judge(look: Look, binding: Binding, case: Case) -> list[Verdict]:
    """Return what takes a port's packets, the worst first. What the engine itself publishes is told by the engine."""
    if not look.host.nat.known or is_loopback(binding.address):
        return []
    found = [
        verdict
        for rule in look.host.nat.get().diversions
        if rule.port == binding.port and rule.owner != "docker" and not (rule.owner == "podman" and case.own)
        if _meets(look, binding, case, rule)
        if (verdict := _verdict(look, rule)) is not None
    ]
    return sorted(found, key=lambda verdict: _WORST.index(verdict.status))


def unread(look: Look, binding: Binding) -> str:
    """Return why it is not known whether a rule takes the port, a sentence; '' = it is known, or was never asked."""
    nat = look.host.nat.get() if look.host.nat.known and not is_loopback(binding.address) else Nat()
    match nat.unread:
        case "denied":
            return say("Only root may read the rules of the firewall that may take it.")
        case "late":
            return say("The rules of the firewall that may take it are too many to be read in time.")
        case "refused":
            return say("The kernel did not tell the rules of the firewall that may take it.")
    return ""


def help_for(look: Look) -> Remedy:
    """Say how rules that were not read become known."""
    if look.host.nat.get().unread != "denied":
        return Remedy(say("Look yourself for rules that send this port elsewhere."), ("iptables -t nat -S",))
    if look.host.view.container:
        return Remedy(say("Add --privileged to docker run."), place="docker-run")
    return Remedy(say("Run the check as root."))


def _meets(look: Look, binding: Binding, case: Case, rule: Diversion) -> bool:
    """Say whether a rule can take packets for an address that mailcow's port is published on."""
    version = 4 if rule.family == "ipv4" else 6
    if not any(parsed.version == version for half in case.outcomes if (parsed := parse(half)) is not None):
        return False
    bound = parse(binding.address) if binding.address else None
    if bound is not None and not bound.is_unspecified:
        addresses = {str(bound)}
    elif look.host.links.known:
        links = look.host.links.get()
        addresses = {entry.address for link in links for entry in link.addresses if entry.scope == "global"}
    else:
        return True
    addresses = {text for text in addresses if (parsed := parse(text)) is not None and parsed.version == version}
    left = {text for text in addresses if not _within(text, rule.not_destinations)}
    return any(_within(text, rule.destinations) for text in left) if rule.destinations else bool(left)


def _within(address: str, networks: Iterable[str]) -> bool:
    parsed = ipaddress.ip_address(address)
    for text in networks:
        try:
            if parsed in ipaddress.ip_network(text, strict=False):
                return True
        except ValueError:
            continue
    return False


def _verdict(look: Look, rule: Diversion) -> Verdict | None:
    """Say what comes of a rule; None: mailcow is reached all the same."""
    if rule.interfaces and set(rule.interfaces) <= set(rule.not_interfaces):
        return None  # a rule before it has taken all that it is for
    if _from_inside(look, rule):
        return None
    partial = _partial(look, rule)
    if rule.order == "after":
        # Docker's rule comes first then, and what the other one serves is not reached any more.
        effect = say("Docker's own rule would come before it, and what is reached there now no longer would be.")
        return None if partial or rule.conditions else Verdict(Status.WARN, rule, effect)
    if rule.conditions:
        listed = ", ".join(rule.conditions)
        return Verdict(Status.UNKNOWN, rule, say("It asks for more than can be judged here: {listed}.", listed=listed))
    if partial:
        return Verdict(Status.WARN, rule, partial)
    if rule.order == "either":
        effect = say("Whether it or Docker's own rule comes first depends on which of them was loaded last.")
        return Verdict(Status.WARN, rule, effect)
    return Verdict(Status.FAIL, rule, say("It comes before Docker's own rule, so nobody would reach mailcow there."))


def _from_inside(look: Look, rule: Diversion) -> bool:
    """Say whether a rule is only for what this host's own containers and virtual machines send."""
    links = [link for link in look.host.links.value or () if _named(link.name, rule.interfaces)]
    return bool(links) and all(map(is_inner, links))


def _partial(look: Look, rule: Diversion) -> str:
    """Say for whom alone a rule holds, in a sentence; '' = for everybody who comes in from the world."""
    if rule.sources:
        return say("It holds for connections from these networks alone: {networks}.", networks=", ".join(rule.sources))
    uplinks = {route.interface for route in look.host.routes.value or () if route.destination in ("0.0.0.0/0", "::/0")}
    if rule.interfaces and not any(_named(name, rule.interfaces) for name in uplinks):
        listed = ", ".join(rule.interfaces)
        return say("It holds for connections that come in by these interfaces alone: {listed}.", listed=listed)
    if uplinks and all(_named(name, rule.not_interfaces) for name in uplinks):
        listed = ", ".join(rule.not_interfaces)
        return say("It leaves out connections that come in by these interfaces: {listed}.", listed=listed)
    return ""


def _named(name: str, patterns: Iterable[str]) -> bool:
    return any(name == one or (one.endswith("*") and name.startswith(one[:-1])) for one in patterns)


def message(binding: Binding, verdict: Verdict) -> str:
    """Say which rule takes a port's packets, where they go, and what comes of it."""
    rule = verdict.rule
    values = {"port": binding.subject, "to": to(rule)}
    said = say("A rule of the firewall sends IPv4 packets for {port} elsewhere: {to}.", **values)
    if rule.family == "ipv6":
        said = say("A rule of the firewall sends IPv6 packets for {port} elsewhere: {to}.", **values)
    where = {"chain": rule.chain, "table": rule.table}
    place = say("The rule is in the chain {chain} of the table {table}.", **where)
    if rule.owner:
        place = say(
            "The rule is in the chain {chain} of the table {table}, and belongs to {owner}.",
            owner=NAMES.get(rule.owner, rule.owner),
            **where,
        )
    return paragraph(said, place, verdict.effect)


def to(rule: Diversion) -> str:
    """Write where a rule sends packets."""
    if rule.to.startswith(":"):
        return phrase("port {number} of this host", number=rule.to[1:])
    return rule.to or phrase("an unknown place")


def evidence(verdicts: Iterable[Verdict]) -> tuple[DiversionEvidence, ...]:
    """Return the rules as the report's evidence has them."""
    return tuple(
        DiversionEvidence(
            family=rule.family,
            backend=rule.backend,
            table=rule.table,
            chain=rule.chain,
            rule=rule.rule,
            to=rule.to or None,
            owner=rule.owner or None,
            order=rule.order,
            destinations=rule.destinations,
            sources=rule.sources,
            interfaces=rule.interfaces,
            conditions=rule.conditions,
        )
        for rule in (verdict.rule for verdict in verdicts)
    )


def remedy(look: Look, binding: Binding, verdicts: list[Verdict]) -> Remedy:
    """Say how to get the port back from whoever owns the first rule; the commands show each rule."""
    owner = verdicts[0].rule.owner
    text = say(ADVICE[owner if owner in ADVICE else ""])
    commands = dict.fromkeys(_show(look, verdict.rule) for verdict in verdicts)
    return Remedy(paragraph(text, wording.alternative(look, binding, [])), tuple(commands))


def _show(look: Look, rule: Diversion) -> str:
    """Return the command that shows a rule and its neighbours."""
    if rule.native:
        table = " ".join(map(shlex.quote, rule.table.split(" ", 1)))
        return f"nft -a list chain {table} {shlex.quote(rule.chain)}"
    program = "iptables" if rule.family == "ipv4" else "ip6tables"
    release = look.host.os_release.value
    # Where both are installed, the plain name is usually the newer one's.
    if rule.backend == "ip_tables" and release and {"debian", "ubuntu"} & {release.id, *release.id_like}:
        program += "-legacy"
    return f"{program} -t nat -S {shlex.quote(rule.chain)}"
