"""What is said of a rule of the firewall that takes a port's packets, and how its owner gives the port back."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from msgspec import Struct

from preflight.checks import Look
from preflight.checks.holders import wording
from preflight.facts import Diversion
from preflight.mailcow.plan import Binding
from preflight.report.evidence.ports import DiversionEvidence
from preflight.report.model import Remedy, Status
from preflight.text.sentences import noted, paragraph, phrase, say

_NAMES = {
    "podman": "Podman", "kubernetes": "Kubernetes (CNI)", "firewalld": "firewalld", "libvirt": "libvirt", "lxd": "LXD",
    "incus": "Incus", "cilium": "Cilium",
}  # fmt: skip
_ADVICE = {
    "": noted(
        "Remove the rule where it is loaded from, such as /etc/ufw/before.rules, /etc/iptables/rules.v4, "
        "/etc/nftables.conf or a script. Then load the rules again."
    ),
    "podman": noted("Publish another port for the Podman container, or stop the container."),
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


class Consequence(Struct, frozen=True):
    """What a rule means for a port."""

    status: Status
    rule: Diversion
    effect: str  # a sentence


def message(binding: Binding, consequence: Consequence) -> str:
    """Say which rule takes a port's packets, where they go, and what comes of it."""
    rule = consequence.rule
    values = {"port": binding.subject, "to": to(rule)}
    said = say("A firewall rule sends IPv4 packets for {port} elsewhere: {to}.", **values)
    if rule.version == 6:
        said = say("A firewall rule sends IPv6 packets for {port} elsewhere: {to}.", **values)
    where = {"chain": rule.chain, "table": rule.table}
    place = say("The rule is in the {chain} chain of the {table} table.", **where)
    if rule.owner:
        place = say(
            "The rule is in the {chain} chain of the {table} table and belongs to {owner}.",
            owner=_NAMES.get(rule.owner, rule.owner),
            **where,
        )
    return paragraph(said, place, consequence.effect)


def to(rule: Diversion) -> str:
    """Write where a rule sends packets."""
    if rule.own_port is not None:
        return phrase("port {number} of this host", number=rule.own_port)
    return rule.to or phrase("an unknown place")


def evidence(consequences: Iterable[Consequence]) -> tuple[DiversionEvidence, ...]:
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
        for rule in (consequence.rule for consequence in consequences)
    )


def remedy(look: Look, binding: Binding, consequences: list[Consequence]) -> Remedy:
    """Say how to get the port back from whoever owns the first rule; the commands show each rule."""
    owner = consequences[0].rule.owner
    text = say(_ADVICE[owner if owner in _ADVICE else ""])
    commands = dict.fromkeys(_show(look, consequence.rule) for consequence in consequences)
    return Remedy(paragraph(text, wording.alternative(look, binding, [])), tuple(commands))


def _show(look: Look, rule: Diversion) -> str:
    """Return the command that shows a rule and its neighbours."""
    if rule.native:
        return f"nft -a list chain {shlex.join(rule.place)}"
    program = "iptables" if rule.version == 4 else "ip6tables"
    release = look.host.os_release.value
    # Where both are installed, the plain name is usually the newer one's.
    if rule.backend == "ip_tables" and release and {"debian", "ubuntu"} & {release.id, *release.id_like}:
        program += "-legacy"
    return f"{program} -t nat -S {shlex.quote(rule.chain)}"
