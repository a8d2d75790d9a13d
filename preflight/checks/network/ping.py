"""Whether the addresses answer that mailcow's resolver pings to know whether it is healthy."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from preflight.checks import Look, check
from preflight.checks.findings import skipped, unknown
from preflight.checks.network import asking
from preflight.checks.sources import PREREQUISITES, issue
from preflight.facts import Ping, RecursionRun
from preflight.mailcow.recursion import documented
from preflight.report.evidence.network import PingEvidence
from preflight.report.model import Finding, Remedy, Setting, Severity, Status
from preflight.text.sentences import noted, paragraph, phrase, say

VARIABLE = "SKIP_UNBOUND_HEALTHCHECK"
_SILENT = noted("{target} does not answer pings from a container.")
_ONE = noted("mailcow's health check tolerates one such address, not two.")
_BOTH = noted("The host itself gets no answer either, so the cause is probably in the network beyond this host.")
_HOST = noted("It answers the host itself, so this host's firewall or Docker's forwarding is the cause.")
_OWN = noted("This host's own firewall also stops pings from the host itself.")
_ALLOW = noted("In this host's firewall, allow ICMP echo requests from mailcow's network and the replies to them.")
_ASK = noted("Ask your hosting provider to allow outgoing ICMP echo requests (ping) and the replies.")
_SKIP = noted(
    "Ask your hosting provider to allow outgoing ICMP echo requests (ping). If this is refused, set"
    " SKIP_UNBOUND_HEALTHCHECK=y in mailcow.conf once mailcow is cloned, with a lower-case y."
)


@check(
    severity=Severity.REQUIRED,
    reads=asking.READS,
    remedy="Allow outgoing ICMP echo requests for containers too, or set SKIP_UNBOUND_HEALTHCHECK=y in mailcow.conf.",
    docs=(PREREQUISITES,),
    sources=(issue(5651), issue(5649)),
    subject="address",
)
def ping(look: Look) -> Iterator[Finding]:
    """A container gets answers from the addresses that mailcow's resolver pings

    The health check of mailcow's resolver pings three public addresses. If more than one of them does not answer, the
    resolver is unhealthy, and most of mailcow does not start.
    """
    run = look.host.probes.recursion.get()
    if not run.bridge.pings:
        yield _unasked(run)
        return
    silent = [one for one in run.bridge.pings if one.outcome not in ("answered", "unable")]
    elsewhere = _elsewhere(look, run, silent) if silent else None
    for one in run.bridge.pings:
        evidence = _evidence(run, one)
        if one in silent and elsewhere is not None:
            yield skipped(elsewhere, subject=one.target, evidence=evidence)
        elif one in silent and _switched_off(look):
            reason = say("SKIP_UNBOUND_HEALTHCHECK=y is set in mailcow.conf, so the resolver's health is not checked.")
            yield skipped(reason, subject=one.target, evidence=evidence)
        else:
            yield _judged(run, one, len(silent))


def _elsewhere(look: Look, run: RecursionRun, silent: list[Ping]) -> str | None:
    """Return why silence is no finding here; None: it is one."""
    host = all(_evidence(run, one).host == "answered" for one in silent)
    if (why := asking.told_elsewhere(look, host=host)) is not None:
        return why
    if asking.unlike_mailcows(look, asking.judge(run)):
        return say("The firewall blocks Docker's own bridge, but lets mailcow's network out.")
    return None


def _switched_off(look: Look) -> bool:
    """Say whether mailcow's health check is switched off: it compares with a lower-case y, and nothing else."""
    conf = look.host.mailcow_conf.value
    setting = conf.settings.get(VARIABLE) if conf else None
    return setting is not None and setting.value == "y"


def _judged(run: RecursionRun, one: Ping, silent: int) -> Finding:
    evidence = _evidence(run, one)
    if one.outcome == "answered":
        message = say("{target} answers pings from a container.", target=one.target)
        return Finding(
            status=Status.PASS, subject=one.target, message=message, expected=phrase("answers"),
            found=phrase("answers"), evidence=evidence,
        )  # fmt: skip
    if one.outcome == "unable":
        reason = say("Containers on this engine are not allowed to send pings.")
        help = say("Ping the address manually from a container.")
        return replace(unknown(reason, help, evidence=evidence), subject=one.target)
    tolerated = silent <= documented().pings.tolerated < len(run.bridge.pings)
    return Finding(
        status=Status.WARN if tolerated else Status.FAIL,
        subject=one.target,
        message=paragraph(say(_SILENT, target=one.target), _place(evidence), say(_ONE) if tolerated else None),
        expected=phrase("answers"),
        found=phrase("no answer"),
        evidence=evidence,
        remedy=_remedy(run, evidence),
    )


def _place(evidence: PingEvidence) -> str | None:
    """Say who stops it, as far as the host's own pings tell."""
    if evidence.host == "answered":
        return say(_HOST)
    if evidence.host == "denied":
        return say(_OWN)
    return None if evidence.host in ("", "unable") else say(_BOTH)


def _remedy(run: RecursionRun, evidence: PingEvidence) -> Remedy:
    if evidence.host in ("answered", "denied"):
        return Remedy(say(_ALLOW), ("nft list ruleset", "iptables-save"))
    # Where name servers are out of reach as well, an unchecked resolver would not work either.
    if asking.cause(run.bridge) not in asking.WORKS:
        return Remedy(say(_ASK), place="provider")
    return Remedy(say(_SKIP), place="provider", settings=(Setting(VARIABLE, "y"),), choice=True)


def _unasked(run: RecursionRun) -> Finding:
    reason, help, commands = asking.unasked(run)
    return unknown(reason, help, *commands, detail=run.bridge.error)


def _evidence(run: RecursionRun, one: Ping) -> PingEvidence:
    host = next((other for other in run.host.pings if other.target == one.target), None)
    return PingEvidence(bridge=one.outcome, host=host.outcome if host else "", seconds=one.seconds, sent=one.sent)
