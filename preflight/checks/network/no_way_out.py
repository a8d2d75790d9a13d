"""What stops all connections at once: it is one finding, and what hangs on it says so. Pure."""

from __future__ import annotations

from msgspec import Struct

from preflight.checks import Look
from preflight.checks.findings import unknown
from preflight.facts.outgoing import Attempt, Outcome, Outgoing
from preflight.net.addresses import version
from preflight.packets.routing import way_out
from preflight.report.model import Finding, Remedy, Status
from preflight.text.sentences import noted, paragraph, say

VERSIONS = {"IPv4": 4, "IPv6": 6}
# Servers that a firewall tells apart would not all answer in the same way; of fewer it may be chance.
ENOUGH = 3
_FAILED: tuple[Outcome, ...] = ("refused", "prohibited", "unreachable", "filtered")
_ASKS_NOBODY = ("NXDOMAIN", "NODATA", "blocked")

_NO_WAY = {
    "refused": noted("Every connection over {family} is refused."),
    "prohibited": noted("A firewall prohibits every connection over {family}."),
    "unreachable": noted("Every server tried is unreachable over {family}."),
    "filtered": noted("No connection over {family} is answered."),
    "unsent": noted("This host has no {family} route to the Internet."),
}


class Cause(Struct, frozen=True):
    """What stops connections: the finding, and the sentence by which others refer to it.

    `told`: it has a row of its own. A host without IPv6 has none here, that is for network.ipv6 to judge.
    """

    finding: Finding
    reason: str
    names: bool = False  # it only stops what must be looked up first
    told: bool = True


def of_all(look: Look, outgoing: Outgoing) -> Cause | None:
    """Return what stops all connections, or all that have a name; None: nothing does."""
    if cause := _no_route(look, outgoing) or _silence(outgoing):
        return cause
    dead = families(outgoing)
    if len(dead) == len(VERSIONS):
        return next(cause for cause in dead.values() if cause.told)
    return _no_names(outgoing)


def before_any(look: Look, outgoing: Outgoing) -> Cause | None:
    """Return what keeps connections from being tried at all: no route, no names."""
    return _no_route(look, outgoing) or _no_names(outgoing)


def told(look: Look) -> Cause | None:
    """Return what stops all connections where network.outbound tells of it, so that no other check need."""
    outgoing = look.host.outgoing.value if look.told_by("network.outbound") else None
    return of_all(look, outgoing) if outgoing and outgoing.trials else None


def _routeless(look: Look) -> bool:
    """Say whether it is known that the host has no route to the Internet."""
    host = look.host
    known = host.ways.known or (host.routes.known and host.rules.known)
    return known and all(way_out(host, one) is None for one in VERSIONS.values())


def _no_route(look: Look, outgoing: Outgoing) -> Cause | None:
    attempts = [attempt for trial in outgoing.trials for attempt in trial.attempts]
    if any(attempt.outcome != "unsent" for attempt in attempts) or not (attempts or _routeless(look)):
        return None
    reason = say("This host has no route to the Internet.")
    text = say("Add a default route to this host, or ask your hosting provider for its gateway.")
    return Cause(Finding(status=Status.WARN, message=reason, remedy=Remedy(text, ("ip route", "ip -6 route"))), reason)


def _silence(outgoing: Outgoing) -> Cause | None:
    """Return the cause by which neither name servers nor any server whose address is known gives an answer."""
    names = {trial.names for trial in outgoing.trials if trial.names}
    outcomes = {attempt.outcome for trial in outgoing.trials for attempt in trial.attempts}
    if names != {"timeout"} or "filtered" not in outcomes or not outcomes <= {"filtered", "silent", "unsent", "late"}:
        return None
    reason = say("Nothing on the Internet answers this host, name servers included.")
    text = say("Check the uplink and its gateway, and the firewalls of this host and of your provider.")
    return Cause(Finding(status=Status.WARN, message=reason, remedy=Remedy(text, ("ip route",))), reason)


def families(outgoing: Outgoing) -> dict[str, Cause]:
    """Return the IP versions over which nothing at all gets out, each with its cause."""
    return {family: cause for family, one in VERSIONS.items() if (cause := _dead(outgoing, family, one)) is not None}


def _dead(outgoing: Outgoing, family: str, wanted: int) -> Cause | None:
    told = [
        (trial.goal.protocol, attempt)
        for trial in outgoing.trials
        for attempt in trial.attempts
        if version(attempt.address) == wanted and attempt.outcome not in ("silent", "late")
    ]
    attempts = [attempt for _, attempt in told]
    # A firewall of this host's own has another word for datagrams.
    outcomes = {(protocol, attempt.outcome) for protocol, attempt in told}
    if not outcomes or len({protocol for protocol, _ in outcomes}) < len(outcomes):
        return None
    _, outcome = min(outcomes)  # TCP's
    if any(one not in (*_FAILED, "unsent") for _, one in outcomes):
        return None
    if outcome == "unsent":
        return _cause(outcome, family, attempts, told=family == "IPv4")
    if outcome not in _FAILED or len({attempt.address for attempt in attempts}) < ENOUGH:
        return None
    return _cause(outcome, family, attempts)


def _cause(outcome: Outcome, family: str, attempts: list[Attempt], *, told: bool = True) -> Cause:
    reason = say(_NO_WAY[outcome], family=family)
    senders = {attempt.by for attempt in attempts}
    sender = senders.pop() if len(senders) == 1 else ""
    by = say("The message came from {by}.", by=sender) if sender else None
    text = say("Allow outgoing {family} connections in the firewalls of this host and of your provider.", family=family)
    if outcome == "unsent":
        text = say("Set up {family} on this host, with a default route.", family=family)
    finding = Finding(status=Status.WARN, message=paragraph(reason, by), remedy=Remedy(text))
    return Cause(finding, reason, told=told)


def _no_names(outgoing: Outgoing) -> Cause | None:
    """Return what keeps all names from being looked up; None: one of them was, or there is but one."""
    asked = [trial for trial in outgoing.trials if trial.names]
    hosts = {trial.goal.host for trial in asked}
    if any(trial.names == "NOERROR" for trial in asked) or len(hosts) < 2:
        return None
    servers = ", ".join(outgoing.servers)
    if not outgoing.servers:
        reason = say("This host has no name server.")
        help_ = say("Add a name server to /etc/resolv.conf, or set one with --resolver.")
        return Cause(unknown(reason, help_, place="host"), reason, names=True)
    help_ = say("Make sure that this host reaches its name servers, or set another one with --resolver.")
    if all(trial.names in _ASKS_NOBODY for trial in asked):
        reason = say("The name servers know none of the names that mailcow needs: {servers}.", servers=servers)
        return Cause(
            Finding(status=Status.WARN, message=reason, remedy=Remedy(help_, place="host")), reason, names=True
        )
    reason = say("The name servers did not resolve a single name: {servers}.", servers=servers)
    return Cause(unknown(reason, help_, place="host"), reason, names=True)
