"""What became of each published port in the rehearsal."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from preflight.checks import Look, check
from preflight.checks.findings import unknown
from preflight.checks.rehearsal.unplayed import unasked, without_network
from preflight.checks.sources import IP_BINDINGS, PREREQUISITES, issue
from preflight.facts import PortRun, Rehearsal, Reply
from preflight.facts.rehearsal import Answer, Trouble
from preflight.mailcow.plan import Binding
from preflight.report.evidence.rehearsal import AnswerEvidence, RehearsedPortEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import noted, phrase, say


class Fault(Struct, frozen=True):
    """What is said of a port that is not as it should be, what is found, and what helps."""

    message: str
    found: str
    help: str


# Why the engine did not publish a port.
_REFUSED: dict[Trouble, Fault] = {
    "in-use": Fault(
        noted("Docker could not publish {subject}: the port is in use."),
        noted("in use"),
        noted("Free the port, or move it in mailcow.conf (see ports.free)."),
    ),
    "allocated": Fault(
        noted("Docker could not publish {subject}: a container already has this port."),
        noted("in use by a container"),
        noted("Free the port, or move it in mailcow.conf (see ports.free)."),
    ),
    "no-address": Fault(
        noted("Docker could not publish {subject}: this host does not have the address."),
        noted("no such address"),
        noted("Use an address of this host in mailcow.conf (see ports.free)."),
    ),
    "no-right": Fault(
        noted("Docker could not publish {subject}: it is not allowed to bind this port."),
        noted("refused"),
        noted("Run Docker as root (see docker.packaging)."),
    ),
}
_TOGETHER = noted("Docker refused the published ports of {service}, including {subject}.")
# How a port that is published does not answer as it should, the worst first.
_ELSEWHERE = noted("Find out what answers there: another listener, a proxy, or a rule that redirects packets.")
_WRONG: dict[Answer, Fault] = {
    "other": Fault(noted("Another program answers on {subject} at {addresses}."), noted("another program"), _ELSEWHERE),
    "crossed": Fault(
        noted("The container of another service answers on {subject} at {addresses}."),
        noted("another service"),
        noted("Look for a firewall rule that redirects packets for this port (see ports.free)."),
    ),
    "mute": Fault(
        noted("Something accepts connections to {subject} at {addresses} but sends nothing."),
        noted("no answer"),
        _ELSEWHERE,
    ),
    "closed": Fault(
        noted("Connections to {subject} at {addresses} are accepted and closed."),
        noted("closed"),
        noted("Check Docker's log, and find out whether the firewall blocks this host from its own containers."),
    ),
    "refused": Fault(
        noted("{subject} is published, but connections to it at {addresses} are refused."),
        noted("refused"),
        noted("Restart Docker, and check whether something removes its rules from the firewall."),
    ),
}


@check(
    severity=Severity.REQUIRED,
    reads=("rehearsal",),
    remedy="Free the port, or remove what answers in mailcow's place.",
    docs=(PREREQUISITES, IP_BINDINGS),
    sources=(issue(63),),
    subject="port",
)
def publish(look: Look) -> Iterator[Finding]:
    """mailcow's ports are published, and mailcow answers there

    In the rehearsal, Docker publishes each of mailcow's ports. This host connects to each port and must receive the
    stand-in's own token. If Docker refuses one port, the whole container does not start.
    """
    run = look.host.rehearsal.get()
    if (why := without_network(run)) is not None:
        yield why
        return
    for binding in look.plan.bindings:
        played = [one for one in run.ports if (one.address, one.port) == (binding.address, binding.port)]
        yield replace(_judged(run, binding, played), subject=binding.subject)


def _judged(run: Rehearsal, binding: Binding, played: list[PortRun]) -> Finding:
    evidence = _evidence(binding, played)
    refused = next((one for one in played if one.error), None)
    if refused is not None:
        return _refused(binding, refused, evidence)
    if not played or not all(one.published for one in played):
        reason = say("The rehearsal ran out of time before this was tested.")
        if any(one.name == binding.published[0].service and one.error for one in run.containers):
            service = binding.published[0].service
            reason = say("The container of {service} was refused (see rehearsal.health).", service=service)
        return unknown(reason, say("Fix the cause, and run the rehearsal again."), evidence=evidence)
    if (why := unasked(run, evidence)) is not None:
        return why
    return _heard(binding, [reply for one in played for reply in one.replies], evidence)


def _refused(binding: Binding, one: PortRun, evidence: RehearsedPortEvidence) -> Finding:
    """Say that the engine refused it, alone or with others."""
    refused = _REFUSED.get(one.cause) if one.named else None
    if refused is None:
        message = say(_TOGETHER, service=one.service, subject=binding.subject)
        remedy = say("Check Docker's message and log, fix the cause, and run the rehearsal again.")
        return _told(Status.FAIL, message, phrase("refused"), evidence, remedy, one.error)
    message = say(refused.message, subject=binding.subject)
    return _told(Status.FAIL, message, phrase(refused.found), evidence, say(refused.help), one.error)


def _heard(binding: Binding, replies: list[Reply], evidence: RehearsedPortEvidence) -> Finding:
    """Judge how it answered wherever it was tried."""
    for answer, wrong in _WRONG.items():
        at = [reply for reply in replies if reply.answer == answer]
        if at:
            addresses = ", ".join(reply.address for reply in at)
            message = say(wrong.message, subject=binding.subject, addresses=addresses)
            return _told(Status.FAIL, message, phrase(wrong.found), evidence, say(wrong.help), at[0].said)
    unheard = [reply.address for reply in replies if reply.answer != "answered"]
    if unheard or not replies:
        return _unheard(binding, unheard, evidence)
    addresses = ", ".join(reply.address for reply in replies)
    message = say("{subject} was published, and answered at {addresses}.", subject=binding.subject, addresses=addresses)
    return _told(Status.PASS, message, phrase("answered"), evidence)


def _unheard(binding: Binding, addresses: list[str], evidence: RehearsedPortEvidence) -> Finding:
    """Say that this host's own connections are stopped, which tells nothing of those of others."""
    if not addresses:
        reason = say("This host has no address at which {subject} could be tested.", subject=binding.subject)
        return unknown(reason, say("Give this host an address."), evidence=evidence)
    reason = say(
        "{subject} was published, but this host does not reach it at {addresses}. This host's own packets are stopped.",
        subject=binding.subject, addresses=", ".join(addresses),
    )  # fmt: skip
    help = say("Let this host reach its own containers. For connections from other machines, see firewall.inbound.")
    return unknown(reason, help, evidence=evidence, expected=phrase("answered"), found=phrase("no answer"))


def _told(
    status: Status, message: str, found: str, evidence: RehearsedPortEvidence, remedy: str = "", detail: str = ""
) -> Finding:
    return Finding(
        status=status,
        message=message,
        detail=detail or None,
        expected=phrase("answered"),
        found=found,
        evidence=evidence,
        remedy=Remedy(remedy) if remedy else None,
    )


def _evidence(binding: Binding, played: list[PortRun]) -> RehearsedPortEvidence:
    return RehearsedPortEvidence(
        services=tuple(dict.fromkeys(one.service for one in binding.published)),
        published=bool(played) and all(one.published for one in played),
        cause=next((one.cause for one in played if one.cause), ""),
        answers={
            reply.address: AnswerEvidence(
                answer=reply.answer, seconds=reply.seconds, peer=reply.peer, error=reply.error
            )
            for one in played
            for reply in one.replies
        },
    )  # fmt: skip
