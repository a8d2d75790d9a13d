"""A port on an address that cannot be used here."""

from __future__ import annotations

from preflight.checks import Look
from preflight.checks.ports.rows import evidence, row, variables
from preflight.mailcow.plan import Binding
from preflight.report.model import Finding, Remedy, Status
from preflight.text.sentences import phrase, say


def unpublished(binding: Binding) -> Finding:
    """Say that the engine leaves a port out: it is for IPv6 alone, which mailcow's network does not have."""
    message = say(
        "The engine would silently skip {subject}: mailcow's network has no IPv6 (ENABLE_IPV6=false), and the "
        "engine has no userland proxy.",
        subject=binding.subject,
    )
    advice = say(
        "Set an IPv4 address of this host in {variables}, or set ENABLE_IPV6=true in mailcow.conf.",
        variables=variables(binding),
    )
    return row(
        Status.WARN,
        message,
        evidence(binding, "engine"),
        expected=phrase("published"),
        found=phrase("not published"),
        remedy=Remedy(advice, place="mailcow.conf"),
    )


def nowhere(look: Look, binding: Binding) -> Finding:
    """Say that the host does not have the address, or may not use it yet."""
    message = say(
        "{subject} cannot be bound: this host does not have that address ('cannot assign requested address').",
        subject=binding.subject,
    )
    advice = say("Set an address of this host in {variables}, or none.", variables=variables(binding))
    if any(entry.address == binding.address for link in look.host.links.or_(()) for entry in link.addresses):
        message = say(
            "{subject} cannot be bound: an interface has the address, but the kernel does not let programs use it yet.",
            subject=binding.subject,
        )
        advice = say("Find out why the address is tentative or has failed: another host may have it too.")
    return row(
        Status.FAIL,
        message,
        evidence(binding, "bind"),
        expected=phrase("an address of this host"),
        found=binding.address,
        remedy=Remedy(advice, ("ip address",)),
    )
