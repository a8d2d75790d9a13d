"""Whether connections leave mailcow's network in the rehearsal."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import skipped, unknown
from preflight.checks.rehearsal.unplayed import unasked, without_network
from preflight.checks.sources import PACKET_FILTERING, issue
from preflight.facts import Rehearsal, WayOut
from preflight.net.addresses import with_port
from preflight.report.evidence.rehearsal import RehearsedEgressEvidence, WayOutEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import paragraph, phrase, say


@check(
    severity=Severity.REQUIRED,
    reads=("rehearsal", "outgoing"),
    remedy="Configure the firewall to forward packets from mailcow's network and to translate their addresses.",
    docs=(PACKET_FILTERING,),
    sources=(issue(5651),),
)
def egress(look: Look) -> Iterator[Finding]:
    """Connections leave mailcow's network

    mailcow resolves names, fetches updates and delivers mail from its own network. In the rehearsal, a container on
    this network connects to servers that the host itself reaches. If that fails, the host does not let its containers
    out.
    """
    run = look.host.rehearsal.get()
    yield without_network(run) or unasked(run) or _judged(look, run)


def _judged(look: Look, run: Rehearsal) -> Finding:
    bridge = next((one for one in run.exits if one.whom == "bridge"), None)
    if bridge is not None and bridge.way == "unsent":
        message = say("A container on mailcow's network does not reach its own gateway.")
        remedy = say("Check Docker's log, and find out whether something changes the bridge {bridge}.",
                     bridge=run.network.bridge)  # fmt: skip
        return _told(run, Status.FAIL, message, Remedy(remedy))
    targets = [one for one in run.exits if one.whom == "target"]
    if not targets:
        return _untried(look, run, bridge)
    four = [one for one in targets if ":" not in one.address]
    six = [one for one in targets if ":" in one.address]
    if not any(one.way == "reached" for one in four or six):
        return _told(run, Status.FAIL, _cut(four or six), Remedy(_help()))
    if six and not any(one.way == "reached" for one in six):
        return _told(run, Status.WARN, _cut(six), Remedy(_help()))
    reached = ", ".join(_place(one) for one in targets if one.way == "reached")
    message = say("A container on mailcow's network reached {servers}.", servers=reached)
    return _told(run, Status.PASS, message)


def _cut(targets: list[WayOut]) -> str:
    return say(
        "A container on mailcow's network reaches none of the servers that this host itself reaches: {servers}.",
        servers=", ".join(map(_place, targets)),
    )


def _help() -> str:
    return say("Let the firewall forward packets to and from mailcow's bridge (see firewall.forwarding).")


def _untried(look: Look, run: Rehearsal, bridge: WayOut | None) -> Finding:
    """Say why no connection left this host."""
    near = None
    if bridge is not None and bridge.way in ("reached", "refused"):
        near = say("A container on mailcow's network reaches this host at its gateway.")
    if look.host.asked.offline:
        reason = paragraph(say("--offline was given, so no connection left this host."), near)
        return skipped(reason, evidence=_evidence(run))
    reason = say("This host cannot reach any server over TCP, so containers had none to try.")
    help = say("First make sure that this host reaches the Internet (see network.outbound).")
    return unknown(paragraph(reason, near), help, evidence=_evidence(run))


def _place(one: WayOut) -> str:
    return with_port(one.address, one.port)


def _told(run: Rehearsal, status: Status, message: str, remedy: Remedy | None = None) -> Finding:
    return Finding(
        status=status,
        message=message,
        expected=phrase("reached"),
        found=phrase("reached") if status is Status.PASS else phrase("not reached"),
        evidence=_evidence(run),
        remedy=remedy,
    )


def _evidence(run: Rehearsal) -> RehearsedEgressEvidence:
    return RehearsedEgressEvidence(
        exits=tuple(
            WayOutEvidence(to=_place(one), whom=one.whom, way=one.way, seconds=one.seconds, error=one.error)
            for one in run.exits
        )
    )
