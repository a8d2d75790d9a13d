"""Whether name servers on the Internet answer a container, as mailcow's resolver asks them."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import skipped, unknown
from preflight.checks.network import asking
from preflight.checks.network.asking import Cause, Judged
from preflight.checks.sources import PREREQUISITES, issue
from preflight.facts import Asking, RecursionRun
from preflight.report.evidence.network import AskedEvidence, RecursionEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import noted, paragraph, phrase, say

_SAID: dict[Cause, str] = {
    "intercepted": noted("Something else answers in place of the name servers that a container queries."),
    "proxied": noted(
        "Something else answers in place of the name servers that a container queries, and keeps DNSSEC signatures."
    ),
    "closed": noted("No name server on the Internet answers a container, over UDP or TCP."),
    "udp": noted("Name servers answer a container over TCP, but not over UDP."),
    "tcp": noted("Name servers answer a container over UDP, but not over TCP. Long answers cannot be fetched."),
    "stripped": noted("Answers from name servers arrive without their DNSSEC signatures."),
    "large": noted(
        "Small answers from name servers arrive, but the DNSSEC keys of the root zone do not arrive over UDP."
    ),
    "short": noted(
        "Small answers from name servers arrive, but the DNSSEC keys of the root zone arrive over neither UDP nor TCP."
    ),
}
_WHERE = {
    "own": noted("This host's own firewall also stops queries from the host itself."),
    "forwarding": noted("The host itself gets better results, so its firewall or Docker's forwarding is the cause."),
    "beyond": noted(
        "The host itself gets no better results, so the cause is probably in the network beyond this host."
    ),
    "": noted("The same queries could not be sent from the host itself, so the location of the cause is not known."),
}
_FOUND: dict[Cause, str] = {
    "intercepted": noted("intercepted"), "closed": noted("no answer"), "udp": noted("TCP only"),
    "tcp": noted("UDP only"), "proxied": noted("intercepted"), "short": noted("small answers only"),
    "stripped": noted("no signatures"), "large": noted("small answers only"),
}  # fmt: skip
_HOST = noted(
    "In this host's firewall, allow UDP and TCP port 53 from mailcow's network to any address without redirection, and"
    " the answers back in."
)
_OWN = noted("In this host's firewall, allow outgoing UDP and TCP port 53 to any address, and the answers back in.")
_OPEN = noted(
    "Ask your hosting provider to allow outgoing UDP and TCP port 53 to any address. A stateless firewall, such as the"
    " one in Hetzner Robot, must also let answers in: UDP to ports 1024 to 65535, and TCP with ACK. If only the"
    " provider's own resolver is allowed, add a forward-zone with a validating, non-public resolver to"
    " data/conf/unbound/unbound.conf once mailcow is cloned."
)
_CLEAN = noted(
    "Ask your hosting provider to exempt this host from the DNS proxy on port 53, or to let answers pass unchanged. If"
    " this is refused, add a forward-zone with a validating, non-public resolver to data/conf/unbound/unbound.conf once"
    " mailcow is cloned."
)
_TCP = noted(
    "Ask your hosting provider to allow outgoing UDP port 53 and its answers. If this is refused, add tcp-upstream: yes"
    " to the server section of data/conf/unbound/unbound.conf once mailcow is cloned."
)
_LARGE = noted(
    "Ask your hosting provider to let UDP answers of up to 1232 bytes pass. If this is refused, add"
    " edns-buffer-size: 512 to the server section of data/conf/unbound/unbound.conf once mailcow is cloned."
)
_EXEMPT = noted("Ask your hosting provider to exempt this host from the DNS proxy on port 53.")
_DEPENDS = noted("mailcow's resolver works through it, but depends on it. Block lists, for example, may not answer it.")
_BEYOND = {
    "closed": _OPEN,
    "tcp": _OPEN,
    "short": _OPEN,
    "few": _OPEN,
    "proxied": _EXEMPT,
    "intercepted": _CLEAN,
    "stripped": _CLEAN,
    "udp": _TCP,
    "large": _LARGE,
}
_LOOK = ("nft list ruleset", "iptables-save")


@check(
    severity=Severity.REQUIRED,
    reads=asking.READS,
    remedy="Allow outgoing UDP and TCP port 53 to any address, for containers too, and let answers pass unchanged.",
    docs=(PREREQUISITES,),
    sources=(issue(5651), issue(497)),
)
def recursion(look: Look) -> Iterator[Finding]:
    """Name servers on the Internet answer a container

    mailcow's resolver, Unbound, runs in a container, queries the root and all other name servers itself, and validates
    DNSSEC. If a firewall or a proxy interferes, the resolver is unhealthy, and most of mailcow does not start. Without
    UDP, it takes seconds to give up on each server. Without signatures or the root's keys, no answer is valid.
    Without TCP, only long answers are lost. A proxy that keeps signatures does no harm. These two cases are only
    warnings. If half of the servers do not answer, it is a matter of chance whether the resolver works.
    """
    run = look.host.probes.recursion.get()
    judged = asking.judge(run)
    host = judged.where == "forwarding"
    if judged.bridge and (why := asking.told_elsewhere(look, host=host, ports=(asking.DNS,))) is not None:
        yield skipped(why, evidence=_evidence(run, judged))
    elif asking.unlike_mailcows(look, judged):
        yield _by_rules(run, judged)
    elif judged.bridge == "unasked":
        yield _unasked(run, judged)
    elif judged.bridge:
        yield _told(judged.bridge, judged, run)
    else:
        yield _good(run, judged)


def _good(run: RecursionRun, judged: Judged) -> Finding:
    servers = len({one.address for one in run.bridge.queries if one.question == "zone" and one.outcome == "answered"})
    message = say("Name servers that answer: {count}. Their signed answers arrive over UDP and TCP.", count=servers)
    host = None
    if judged.host not in ("unasked", *asking.WORKS):
        host = say("The host itself gets no such answers, which does not affect mailcow.")
    return _passed(paragraph(message, host), run, judged)


def _by_rules(run: RecursionRun, judged: Judged) -> Finding:
    """Judge by both halves of the way, where Docker's own bridge is no measure of mailcow's."""
    bridge = say("The firewall stops containers on Docker's own bridge, but lets mailcow's network out.")
    host = say("Signed answers from name servers arrive at this host.")
    return _passed(paragraph(host, bridge), run, judged)


def _passed(message: str, run: RecursionRun, judged: Judged) -> Finding:
    wanted = phrase("signed answers")
    return Finding(status=Status.PASS, message=message, expected=wanted, found=wanted, evidence=_evidence(run, judged))


def _told(cause: Cause, judged: Judged, run: RecursionRun) -> Finding:
    remedy = _remedy(cause, judged)
    if cause == "few":
        why = say("At least half of the name servers do not answer, and mailcow's resolver may query these first.")
        evidence = _evidence(run, judged)
        return unknown(why, remedy.text, *remedy.commands, evidence=evidence, place=remedy.place)
    return Finding(
        status=Status.WARN if cause in asking.WORKS else Status.FAIL,
        message=paragraph(say(_SAID[cause]), say(_DEPENDS) if cause == "proxied" else None, say(_WHERE[judged.where])),
        expected=phrase("signed answers"),
        found=phrase(_FOUND[cause]),
        evidence=_evidence(run, judged),
        remedy=remedy,
    )


def _remedy(cause: Cause, judged: Judged) -> Remedy:
    if judged.where == "own":
        return Remedy(say(_OWN), _LOOK)
    if judged.where == "forwarding":
        return Remedy(say(_HOST), _LOOK)
    return Remedy(say(_BEYOND[cause]), place="provider")


def _unasked(run: RecursionRun, judged: Judged) -> Finding:
    """Say why no container asked; what the host itself sees can still prove that it would be in vain."""
    if not run.bridge.error and not run.bridge.spared:
        reason = say("--resolver was given, so no other name server is queried.")
        return skipped(reason, evidence=_evidence(run, judged))
    if judged.host not in ("unasked", *asking.WORKS) and judged.where == "beyond":
        return _told(judged.host, judged, run)
    reason, help, commands = asking.unasked(run)
    return unknown(reason, help, *commands, detail=run.bridge.error, evidence=_evidence(run, judged))


def _evidence(run: RecursionRun, judged: Judged) -> RecursionEvidence:
    return RecursionEvidence(
        cause=judged.bridge, host_cause=judged.host, where=judged.where, bridge=_rows(run.bridge), host=_rows(run.host)
    )


def _rows(side: Asking) -> tuple[AskedEvidence, ...]:
    return tuple(
        AskedEvidence(
            server=one.address, protocol=one.protocol, question=one.question, outcome=one.outcome, error=one.error,
            authoritative=one.authoritative, recursive=one.recursive, signed=one.signed, truncated=one.truncated,
            code=one.code, records=one.records, bytes=one.size, seconds=one.seconds,
        )
        for one in side.queries
    )  # fmt: skip
