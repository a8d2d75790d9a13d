"""How other operators' mail servers greet this host, each and all of them. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from preflight.checks.findings import Outcome as Said
from preflight.checks.findings import skipped, unknown
from preflight.checks.network.no_way_out import VERSIONS, Cause
from preflight.facts.outgoing import Attempt, Outcome, Outgoing, Trial
from preflight.net.addresses import version, with_port
from preflight.report.evidence.network import GreetingEvidence
from preflight.report.model import Finding, Remedy, Status
from preflight.text.sentences import noted, paragraph, say

ANSWERED: tuple[Outcome, ...] = ("reached", "unwelcome", "foreign")
_SAME = 2  # of one mail server that another answers for, it may be the operator's own doing
_BLOCKED: dict[str, str] = {
    "refused": noted("Connections to port 25 are refused."),
    "prohibited": noted("A firewall prohibits connections to port 25."),
    "unreachable": noted("No mail server is reachable on port 25."),
    "filtered": noted("Connections to port 25 are not answered."),
    "mute": noted("Connections to port 25 succeed, but no mail server sends a greeting. A filter may hold it back."),
}
_OPEN = noted(
    "Ask your hosting provider in a ticket to open outgoing port 25. Many providers block it until a customer asks, or"
    " until the first invoice is paid. If they refuse, set a relay host in mailcow and send mail through it."
)
_EXEMPT = noted("Ask your hosting provider to exempt this host from the filter on port 25.")


def subject(trial: Trial) -> str:
    """Name a mail server as the report does."""
    return with_port(trial.goal.host, trial.goal.port)


def _of(smtp: Outgoing, family: str) -> list[Attempt]:
    return [one for trial in smtp.trials for one in trial.attempts if version(one.address) == VERSIONS[family]]


def blocked_families(smtp: Outgoing) -> dict[str, Cause]:
    """Return the IP versions over which no mail server at all answers, each with its cause."""
    return {family: cause for family in VERSIONS if (cause := _blocked(smtp, family)) is not None}


def _blocked(smtp: Outgoing, family: str) -> Cause | None:
    outcomes = [one.outcome for one in _of(smtp, family)]
    if outcomes and all(outcome == "unsent" for outcome in outcomes):
        reason = say("This host has no {family} route to the Internet.", family=family)
        return Cause(Finding(status=Status.SKIP, message=reason, reason=reason), reason, told=False)
    failed = [outcome for outcome in outcomes if outcome in _BLOCKED]
    if not failed or any(outcome in ANSWERED for outcome in outcomes):
        return None
    why = say(_BLOCKED[max(failed, key=failed.count)])
    reason = say("Port 25 is blocked over {family}: none of the mail servers tried greets this host.", family=family)
    by = {one.by for one in _of(smtp, family) if one.by}
    sender = say("The message came from {by}.", by=", ".join(sorted(by))) if by else None
    remedy = Remedy(say(_OPEN), place="provider")
    return Cause(Finding(status=Status.WARN, message=paragraph(reason, why, sender), remedy=remedy), reason)


def blocked(smtp: Outgoing) -> Cause | None:
    """Return the cause by which no mail server at all answers, over no IP version; None: one does."""
    dead = blocked_families(smtp)
    living = [family for family in VERSIONS if _of(smtp, family) and family not in dead]
    told = [cause for cause in dead.values() if cause.told]
    return told[0] if told and not living else None


def intercepted(smtp: Outgoing) -> Cause | None:
    """Return the cause by which somebody else greets in place of every mail server; None: one greets itself."""
    answered = [(trial, one) for trial in smtp.trials for one in trial.attempts if one.outcome in ANSWERED]
    if len({trial.goal.host for trial, _ in answered}) < _SAME:
        return None
    if any(one.outcome != "foreign" for _, one in answered):
        return None
    reason = say("Port 25 is intercepted: something else answers in place of every mail server.")
    said = next((one.said for _, one in answered if one.said), None)
    remedy = Remedy(say(_EXEMPT), place="provider")
    return Cause(Finding(status=Status.WARN, message=reason, detail=said, remedy=remedy), reason)


def judged(trial: Trial, cause: Cause | None, families: dict[str, Cause]) -> Finding:
    """Judge one mail server; where it alone does not answer, that says nothing of this host."""
    evidence = _evidence(trial)
    if cause is not None and (not cause.names or trial.names):
        return skipped(cause.reason, evidence=evidence)
    left = {family: outcome for family, outcome in evidence.families.items() if family not in families}
    stopped = [families[family] for family in evidence.families if family in families]
    if not left and stopped:
        return skipped(stopped[0].reason, evidence=evidence)
    found = _judged(subject(trial), left)
    said = evidence.greeting if found.status is Status.WARN else None
    made = Finding(status=found.status, message=found.message, remedy=found.remedy, detail=said)
    if found.status is Status.UNKNOWN:
        help_ = say("Check whether other mail servers greet this host. If they do, you can ignore this one.")
        made = unknown(found.message, help_)
    outcomes = ", ".join(dict.fromkeys(left.values())) or None
    return replace(made, evidence=evidence, expected="reached", found=outcomes)


def _judged(name: str, left: dict[str, str]) -> Said:
    def over(outcome: str) -> str:
        return ", ".join(family for family, one in left.items() if one == outcome)

    if families := over("foreign"):
        message = say("Something else answers in place of {name} over {families}.", name=name, families=families)
        return Said(Status.WARN, message, Remedy(say(_EXEMPT), place="provider"))
    if families := over("unwelcome"):
        message = say(
            "{name} answers over {families}, but accepts no mail from this host.", name=name, families=families
        )
        text = say("Look up this host's address in block lists, and read the server's message.")
        return Said(Status.WARN, message, Remedy(text))
    if families := over("reached"):
        return Said(Status.PASS, say("{name} greets this host over {families}.", name=name, families=families))
    if not left:
        return Said(Status.UNKNOWN, say("The name server gave no address for {name}.", name=name))
    return Said(Status.UNKNOWN, say("{name} did not greet this host.", name=name))


def _evidence(trial: Trial) -> GreetingEvidence:
    weight = ("foreign", "unwelcome", "reached")
    families: dict[str, str] = {}
    for family, wanted in VERSIONS.items():
        outcomes = [one.outcome for one in trial.attempts if version(one.address) == wanted]
        if outcomes:
            families[family] = next((one for one in weight if one in outcomes), outcomes[0])
    greeting = next((one.said for one in trial.attempts if one.said), "")
    addresses = tuple(one.address for one in trial.attempts)
    return GreetingEvidence(families=families, addresses=addresses, greeting=greeting)
