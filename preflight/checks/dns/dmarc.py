"""DMARC records: whether one counts for a domain, what it asks for, and whether its reports arrive."""

from __future__ import annotations

from msgspec import UNSET

from preflight.checks import Look
from preflight.checks.dns.names import (
    any_answer,
    enter,
    finding,
    known,
    of_registered,
    settled,
    some,
    text_record,
    texts_of,
    texts_there,
)
from preflight.checks.findings import Outcome
from preflight.facts import Answer
from preflight.facts.records import Txt
from preflight.policies.dmarc import Policy, corrected, near, parse, texts
from preflight.policies.dmarc_tree import Found, discover, grant, names, owner, reached, refusing
from preflight.report.model import DnsRecord, Finding, Remedy, Status
from preflight.text.sentences import paragraph, say

FIRST = "v=DMARC1; p=none"
CONSENT = "v=DMARC1"


def judge(look: Look, domain: str) -> Finding:
    """Judge the DMARC record that counts for a domain."""
    of_registered(look, domain)
    name = owner(domain)
    own = settled(look, name, "TXT")
    found = [one.text for one in own.of(Txt)]
    outcome = _judged(look, domain, own)
    expected = texts_of(outcome.remedy)
    return finding(outcome.status, outcome.message, name, "TXT", expected=expected, found=found, remedy=outcome.remedy)


def _judged(look: Look, domain: str, own: Answer) -> Outcome:
    name, get = owner(domain), known(look).get
    if len(texts(own)) > 1:
        message = say("{name} has several DMARC records. Receivers ignore them all.", name=name)
        return Outcome(
            Status.WARN, message, Remedy(say("Keep only one DMARC record at {name}.", name=name), place="dns")
        )
    if not texts(own):
        if meant := near(own):
            return _near(look, domain, meant[0])
        for above in reached(get, domain):
            if above != names(domain)[-1]:  # a silent top-level domain makes no difference but to a few
                settled(look, owner(above), "TXT")
    counting = discover(get, domain)
    if counting is None:
        return _none(look, domain)
    return _counting(look, domain, counting)


def _near(look: Look, domain: str, text: str) -> Outcome:
    name = owner(domain)
    message = say("The record of {name} is not a DMARC record. The text v=DMARC1; must come first.", name=name)
    entry = _entry(domain, corrected(text))
    advice = say("Replace the record of {name} with this one: {line}", name=name, line=entry.line)
    return Outcome(Status.WARN, message, _replaced(look, advice, entry, text))


def _replaced(look: Look, advice: str, entry: DnsRecord, old: str) -> Remedy:
    return Remedy(advice, place="dns", records=(entry,), removes=texts_there(look, entry.name, (old,)) or UNSET)


def _none(look: Look, domain: str) -> Outcome:
    message = say("{domain} has no DMARC record.", domain=domain)
    answer = any_answer(look, domain, "TXT")
    astray = texts(answer)
    if astray:
        message = paragraph(
            message, say("There is one at {domain} itself, where receivers do not look.", domain=domain)
        )
    text = say("Use a stricter policy (p=quarantine or p=reject) once mailcow signs with DKIM and you have tested it.")
    return Outcome(Status.WARN, message, enter((_entry(domain, _moved(astray)),), text))


def _moved(astray: tuple[str, ...]) -> str:
    """Return what a misplaced record says, put right where it has a fault; of several, none was meant."""
    if len(astray) != 1:
        return FIRST
    return corrected(astray[0]) if _fault(parse(astray[0]), {"name": ""}) else astray[0]


def _entry(domain: str, text: str) -> DnsRecord:
    return text_record(owner(domain), text)


def _counting(look: Look, domain: str, found: Found) -> Outcome:
    policy = found.policy
    asked = policy.asked if found.at == domain else policy.below
    values = {"name": owner(found.at), "domain": domain, "asked": asked}
    if fault := _fault(policy, values):
        entry = _entry(found.at, corrected(policy.text))
        advice = say("Replace the record of {name} with this one: {line}", line=entry.line, **values)
        return Outcome(Status.WARN, fault, _replaced(look, advice, entry, policy.text))
    if refused := refusing(known(look).get, found):
        message = say(
            "{hosts} will not get reports about {at}: no DNS record there allows them.",
            hosts=some(refused),
            at=found.at,
        )
        grants = some(text_record(grant(found.at, host), CONSENT).line for host in refused)
        advice = say(
            "Ask the operator of the receiving domain to allow the reports, or send them to another "
            "address. In zone file format, the operator adds: {grants}",
            grants=grants,
        )
        return Outcome(Status.WARN, message, Remedy(advice, place="dns"))
    return Outcome(Status.PASS, paragraph(_good(domain, found, values), *_remarks(found)))


def _fault(policy: Policy, values: dict[str, str]) -> str | None:
    """Say what keeps receivers from doing what a record asks for; None where nothing does."""
    if not policy.asked:
        return say("The DMARC record of {name} has no policy: p= is missing or not valid.", **values)
    if wrong := [tag for tag in policy.wrong if tag in ("p", "sp", "np")]:
        return say(
            "The DMARC record of {name} counts as p=none, because it has no valid value for {tags}.",
            tags=some(wrong),
            **values,
        )
    if policy.repeated:
        return say(
            "The DMARC record of {name} has the same tag more than once: {tags}. Receivers may ignore the record.",
            tags=some(policy.repeated),
            **values,
        )
    return None


def _good(domain: str, found: Found, values: dict[str, str]) -> str:
    if found.at == domain:
        return say("{name} has a DMARC record (p={asked}).", **values)
    return say("The DMARC record of {name} also applies to {domain} (p={asked}).", **values)


def _remarks(found: Found) -> list[str]:
    policy = found.policy
    made = []
    if policy.testing:
        made.append(say("It is marked as a test (t=y): receivers may apply a weaker policy."))
    if policy.wrong:
        made.append(
            say("Receivers ignore these tags, because their values are not valid: {tags}.", tags=some(policy.wrong))
        )
    if policy.removed:
        made.append(say("These tags have had no meaning since RFC 9989: {tags}.", tags=some(policy.removed)))
    return made
