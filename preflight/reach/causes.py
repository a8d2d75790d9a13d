"""Why a port at an address does not pass: one word for each cause. Pure."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from preflight.net.addresses import is_loopback, is_public, version
from preflight.reach.document import Status
from preflight.reach.facts import Attempt, Look

# Causes that leave it open whether the world reaches the port.
OPEN = frozenset({"late", "no-way", "expired", "near", "rewritten-here", "between", "port-25"})
MAIL = 25


def cause(look: Look, one: Attempt) -> str:
    """Return why an attempt does not pass; '' = it does. Outcomes are causes, too."""
    if one.outcome in ("late", "unsent"):
        return "late" if one.outcome == "late" else "no-way"
    if one.outcome != "reached" and _over(look):
        return "expired"
    if one.local:
        return "local-open" if one.outcome == "reached" else ""
    if one.outcome == "reached":
        return _reached(one)
    if elsewhere(look, one.address):
        return "elsewhere"
    return "port-25" if one.port == MAIL and _closed_here(look, one) else one.outcome


def status(cause: str) -> Status:
    """Return what a cause makes of a row."""
    return "pass" if not cause else "unknown" if cause in OPEN else "fail"


def elsewhere(look: Look, address: str) -> bool:
    """Say whether the name leads to an address that is not the host's, as far as the host knows its own."""
    same = [told for told in look.told if version(told) == version(address) and is_public(told)]
    return bool(same) and address not in look.told and address in (look.resolved or ())


def _over(look: Look) -> bool:
    """Say whether the hold was over when a port was tried, or may have been: it ended while all were.

    Where one answers although it was over before, this machine's clock is wrong, and tells nothing.
    """
    if look.now <= look.until:
        return look.now + look.seconds > look.until
    return all(other.outcome != "reached" for other in look.attempts)


def _reached(one: Attempt) -> str:
    if near(one):
        return "near"
    if together(one.seen_as, one.own):
        return "relay"
    if one.seen_as and not is_public(one.seen_as):
        return "rewritten" if is_public(one.client) else "rewritten-here"
    if one.seen_as and is_public(one.client) and one.seen_as != one.client:
        return "between"
    return "crossed" if one.heard_at != one.inside else ""


def near(one: Attempt) -> bool:
    """Say whether this machine is so near to the host that a firewall or a router between would not show."""
    return (
        one.same_kernel
        or is_loopback(one.address)
        or not is_public(one.address)
        or together(one.client, one.address)
        or one.seen_as == one.address
        or (one.seen_as == one.client and not is_public(one.client))
    )


def together(one: str, other: str) -> bool:
    """Say whether two addresses are of one small network: mailcow's are as large, and most that have hosts in them."""
    if not one or not other or version(one) != version(other):
        return False
    return ip_address(other) in ip_network(f"{one}/{64 if ':' in one else 24}", strict=False)


def _closed_here(look: Look, one: Attempt) -> bool:
    """Say whether port 25 may be closed by the network of this machine: only there it fails, and elsewhere as well."""
    beside = any(other.outcome == "reached" and other.address == one.address for other in look.attempts)
    if not beside:
        return False
    greeted = [control for control in look.controls if control.greeted]
    if one.outcome == "other":  # a proxy that takes all mail connections of this network says the same everywhere
        return bool(one.said) and any(control.said == one.said for control in greeted)
    return not greeted
