"""What one connection came to. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from preflight.checks import Look
from preflight.checks.findings import skipped, unknown
from preflight.checks.network.no_way_out import VERSIONS, Cause
from preflight.facts.outgoing import Attempt, Goal, Outcome, Trial, Use
from preflight.net.addresses import version
from preflight.report.evidence.network import ConnectionEvidence
from preflight.report.model import Finding, Remedy, Status
from preflight.text.sentences import noted, paragraph, say

# From the one that says most to the one that says least.
_WEIGHT: tuple[Outcome, ...] = (
    "foreign", "unwelcome", "reached", "prohibited", "refused", "filtered", "unreachable", "mute", "silent", "unsent",
    "late",
)  # fmt: skip
_FAILED = ("foreign", "prohibited", "refused", "filtered", "unreachable")
_MESSAGES: dict[str, str] = {
    "foreign": noted("Something else answers in place of {goal} over {families}: connections are intercepted."),
    "prohibited": noted("A firewall prohibits connections to {goal} over {families}."),
    "refused": noted("Connections to {goal} over {families} are refused."),
    "filtered": noted("{goal} does not answer over {families}. A firewall may drop these packets."),
    "unreachable": noted("{goal} is unreachable over {families}."),
}
_OPEN: dict[str, str] = {
    "mute": noted("{goal} accepts connections, but does not respond as expected. A firewall may cut the connection."),
    "silent": noted("{goal} did not answer over UDP. Such servers may stay silent, so this proves nothing."),
    "unsent": noted("This host has no route to {goal} over {families}."),
    "late": noted("This run reached its deadline before {goal} answered."),
}
_USES: dict[Use, str] = {
    "asked": "",
    "images": noted("The engine pulls mailcow's images from there."),
    "updates": noted("mailcow's updates come from there."),
    "signatures": noted("ClamAV's additional signatures come from there."),
    "rules": noted("Spam filter rules come from there."),
    "fuzzy": noted("Rspamd compares mail with known spam there."),
    "lists": noted("mailcow asks there whether Spamhaus answers this network."),
    "addresses": noted("mailcow asks there for its public address."),
    "certificates": noted("mailcow's certificate is signed there."),
    "mail": noted("Mail to other servers uses such connections."),
    "dns": noted("mailcow's own resolver queries such servers."),
}


def judged(look: Look, trial: Trial, cause: Cause | None, families: dict[str, Cause]) -> Finding:
    """Judge one connection by what is left of it where a cause stops others."""
    measured = _evidence(trial)
    if cause is not None and (not cause.names or trial.names):
        return skipped(cause.reason, evidence=measured)
    if trial.names not in ("", "NOERROR"):
        return replace(_no_name(trial), evidence=measured)
    left = {family: one for family, one in measured.families.items() if family not in families}
    if not left:
        stopped = [families[family] for family in measured.families if family in families]
        reason = stopped[0].reason if stopped else say("The name has no address that can be tried.")
        return skipped(reason, evidence=measured)
    found = _judged(trial, left)
    if found.status is not Status.PASS and (proxy := _proxy(look, trial.goal)):
        reason = say(
            "The proxy {proxy} is used for this connection. Whether the proxy reaches the server was not tested.",
            proxy=proxy,
        )
        return skipped(reason, evidence=measured)
    return replace(found, evidence=measured, expected="reached", found=", ".join(dict.fromkeys(left.values())))


def _evidence(trial: Trial) -> ConnectionEvidence:
    families = {
        family: _best(attempt for attempt in trial.attempts if version(attempt.address) == one)
        for family, one in VERSIONS.items()
    }
    known: dict[str, str] = {family: best.outcome for family, best in families.items() if best}
    addresses = tuple(attempt.address for attempt in trial.attempts)
    return ConnectionEvidence(families=known, addresses=addresses, use=trial.goal.use)


def _best(attempts: Iterable[Attempt]) -> Attempt | None:
    return min(attempts, key=lambda attempt: _WEIGHT.index(attempt.outcome), default=None)


def _judged(trial: Trial, left: dict[str, str]) -> Finding:
    goal, outcomes = trial.goal, set(left.values())
    worst = next((outcome for outcome in _WEIGHT if outcome in outcomes and outcome in _FAILED), None)
    if worst is None and "reached" in outcomes:
        families = ", ".join(family for family, outcome in left.items() if outcome == "reached")
        message = say("{goal} is reachable over {families}.", goal=goal.subject, families=families)
        return Finding(status=Status.PASS, message=message)
    text = say("Allow connections to {goal} in the firewalls of this host and of your provider.", goal=goal.subject)
    use = say(_USES[goal.use]) if _USES[goal.use] else None
    if worst is None:
        open_ = next(outcome for outcome in _WEIGHT if outcome in outcomes)
        return unknown(say(_OPEN[open_], goal=goal.subject, families=", ".join(left)), text)
    return _failed(trial, worst, [family for family, outcome in left.items() if outcome == worst], use, text)


def _failed(trial: Trial, outcome: str, families: list[str], use: str | None, text: str) -> Finding:
    ended = [
        attempt
        for attempt in trial.attempts
        if attempt.outcome == outcome and any(VERSIONS[family] == version(attempt.address) for family in families)
    ]
    by = next((attempt.by for attempt in ended if attempt.by), "")
    message = say(_MESSAGES[outcome], goal=trial.goal.subject, families=", ".join(families))
    sender = say("The message came from {by}.", by=by) if by else None
    if outcome == "foreign":
        text = say("Find out what answers there: a proxy, a filter or a login page. Exempt this host from it.")
    said = next((attempt.said for attempt in ended if attempt.said), None)
    return Finding(status=Status.WARN, message=paragraph(message, sender, use), detail=said, remedy=Remedy(text))


def _no_name(trial: Trial) -> Finding:
    """Say why a name has no address."""
    host = trial.goal.host
    compare = say("Compare with another name server. A filter may block this name.")
    match trial.names:
        case "NXDOMAIN":
            message = say("The name server says that {host} does not exist.", host=host)
            return Finding(status=Status.WARN, message=message, remedy=Remedy(compare))
        case "NODATA":
            message = say("The name server has no address for {host}.", host=host)
            return Finding(status=Status.WARN, message=message, remedy=Remedy(compare))
        case "blocked":
            message = say("The name server answers 0.0.0.0 for {host}. It filters this name.", host=host)
            return Finding(status=Status.WARN, message=message, remedy=Remedy(compare))
        case _:
            return unknown(say("The name server did not resolve {host}.", host=host), compare)


def _proxy(look: Look, goal: Goal) -> str:
    """Return the proxy that such connections go through; '' = none is known."""
    engine, outgoing = look.host.engine.value, look.host.outgoing.get()
    by_use = {"images": engine.proxies if engine else {}, "updates": outgoing.proxies}
    proxies = by_use.get(goal.use, {})
    return proxies.get("HTTP_PROXY" if goal.speech == "http" else "HTTPS_PROXY", "")
