"""What becomes of a finding where a zone's own name servers do not say what the resolver says, or not all the same."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from preflight.checks import Look
from preflight.checks.dns.names import known, some
from preflight.facts import Answer, Answers
from preflight.net.hostnames import bare
from preflight.policies.agreement import content, said, serials_of, zone_of
from preflight.report.evidence.names import RecordsEvidence
from preflight.report.model import Finding, Remedy, Status
from preflight.text.durations import duration
from preflight.text.sentences import paragraph, say

Question = tuple[str, str]
STALE = 3  # extended error (RFC 8914): what was kept is told although its time is over
_WORSE = (Status.PASS, Status.WARN, Status.FAIL)


class Group(Struct, frozen=True):
    """The servers by whose answers a record comes to the same."""

    finding: Finding
    servers: tuple[str, ...]

    @property
    def key(self) -> tuple[Status, tuple[str, ...]]:
        """Return what it comes to."""
        return key_of(self.finding)


def key_of(finding: Finding) -> tuple[Status, tuple[str, ...]]:
    """Return what a finding comes to: its status, and the records that count."""
    evidence = finding.evidence
    return finding.status, tuple(sorted(evidence.found)) if isinstance(evidence, RecordsEvidence) else ()


def told(look: Look, questions: tuple[Question, ...], resolved: Finding, groups: tuple[Group, ...]) -> Finding:
    """Return the finding that counts: `resolved` by the resolver's answers, each of `groups` by those of servers."""
    if len(groups) > 1:
        return _torn(look, questions, resolved, groups)
    (group,) = groups
    if group.key == key_of(resolved):
        return resolved
    return _elsewhere(known(look), _differing(known(look), questions), resolved, group.finding)


def _differing(answers: Answers, questions: tuple[Question, ...]) -> Question:
    """Return the first question to which the resolver says something else than the zone's servers."""
    for question in questions:
        answer = answers.of(*question)
        if any(content(one) != content(answer) for one in said(answers, *question)):
            return question
    return questions[0]


def _elsewhere(answers: Answers, question: Question, resolved: Finding, own: Finding) -> Finding:
    """Judge by the zone's servers, which all say the same: the resolver has it from elsewhere, or from before."""
    before, again = answers.of(*question), answers.again.get(Answers.key(*question))
    name, kind = question
    values = {"server": before.server, "name": name, "kind": kind, "found": some(_found(resolved))}
    if again and content(again) in {content(one) for one in said(answers, *question)}:
        return own  # what the cache had is over by now
    is_stale = STALE in before.extended
    unchanged = again is not None and content(again) == content(before) and again.ttl == before.ttl
    if before.authoritative or (unchanged and not is_stale):
        return _split(values, own)
    return _late(values, again or before, own)


def _split(values: dict[str, str], own: Finding) -> Finding:
    remark = say(
        "The name server {server} gives a different answer for {name} {kind}: {found}. It has local records for this "
        "name, which nobody else sees.",
        **values,
    )
    text = say(
        "Enter the same records on {server}, or use another name server on this host. mailcow itself queries the "
        "zone's name servers.",
        **values,
    )
    return _worse(own, paragraph(own.message, remark), text, Remedy(text))


def _late(values: dict[str, str], kept: Answer, own: Finding) -> Finding:
    """Say how long an old answer is still given."""
    if kept.ttl is None:
        remark = say("The name server {server} still has an older answer for {name} {kind}: {found}.", **values)
        text = say("Wait until the TTL of the old record has expired, then run the check again.")
    else:
        left = duration(kept.ttl)
        remark = say(
            "The name server {server} still has an older answer for {name} {kind}, for up to {left}: {found}.",
            left=left,
            **values,
        )
        text = say("Wait {left}, then run the check again.", left=left)
    return _worse(own, paragraph(own.message, remark), text, Remedy(text, place="dns"))


def _worse(own: Finding, message: str, text: str, remedy: Remedy) -> Finding:
    """Return a finding that is a warning at least."""
    if own.status is not Status.PASS:
        return replace(own, message=message, remedy=also(own.remedy, text))
    return replace(own, status=Status.WARN, message=message, remedy=remedy)


def _torn(look: Look, questions: tuple[Question, ...], resolved: Finding, groups: tuple[Group, ...]) -> Finding:
    """Judge where the zone's servers say different things: by the newest copy of the zone, else by the worst."""
    zone = zone_of(known(look).zones, questions[0][0]) or questions[0][0]
    names, serials = _names(look, zone), serials_of(known(look), zone)
    newest = {group.key: max((serials.get(one, -1) for one in group.servers), default=-1) for group in groups}
    ordered = sorted(groups, key=lambda group: (-newest[group.key], group.key != key_of(resolved)))
    first, others = ordered[0], ordered[1:]
    is_newer = newest[first.key] > newest[others[0].key]
    worst = max((_WORSE.index(group.finding.status) for group in (ordered[:1] if is_newer else ordered)), default=0)
    status = _WORSE[max(worst, 1)]
    counting = first if is_newer else next(one for one in ordered if _WORSE.index(one.finding.status) == worst)
    told = [_said(group, names) for group in (counting, *(one for one in ordered if one is not counting))]
    message = paragraph(
        say("The name servers of {zone} do not have the same {kind} records for {name}.",
            zone=bare(zone), kind=questions[0][1], name=questions[0][0]),
        *told[:4],
        counting.finding.message,
    )  # fmt: skip
    behind = [names.get(one, one) for group in others for one in group.servers] if is_newer else list(names.values())
    text = say("Bring {servers} up to date: all name servers of {zone} must have the same copy of the zone.",
               servers=some(behind), zone=bare(zone))  # fmt: skip
    remedy = also(counting.finding.remedy, text)
    return replace(counting.finding, status=status, message=message, remedy=remedy)


def _names(look: Look, zone: str) -> dict[str, str]:
    """Return the names of a zone's servers by their addresses as answers have them."""
    rows = [row for row in known(look).zones.get(zone, ()) if row.names]
    return {row.start.server: f"{bare(row.names[0])} ({row.address})" for row in rows if row.start}


def _said(group: Group, names: dict[str, str]) -> str:
    servers = some(names.get(one, one) for one in group.servers)
    found = _found(group.finding)
    if not found:
        return say("{servers}: no record.", servers=servers)
    return say("{servers}: {found}.", servers=servers, found=some(found))


def _found(finding: Finding) -> tuple[str, ...]:
    evidence = finding.evidence
    return tuple(one.rstrip(".") for one in evidence.found) if isinstance(evidence, RecordsEvidence) else ()


def also(remedy: Remedy | None, text: str | None) -> Remedy:
    """Add a sentence to a remedy, in front of what it says."""
    if remedy is None:
        return Remedy(text or "", place="dns")
    return replace(remedy, text=paragraph(text, remedy.text))
