"""SPF records, evaluated for the addresses that this host sends from."""

from __future__ import annotations

from preflight.checks import Look
from preflight.checks.dns import pointers, spf_records
from preflight.checks.dns.deliveries import served
from preflight.checks.dns.names import enter, finding, fqdn, known, of_registered, settled, some, texts_of
from preflight.checks.findings import Outcome
from preflight.facts.records import Txt
from preflight.net.hostnames import bare
from preflight.policies.spf.evaluation import LOOKUPS, VOIDS, Verdict, evaluate
from preflight.policies.spf.macros import Mail
from preflight.policies.spf.syntax import Faulty, Record, parse, records
from preflight.policies.spf.walk import Walk
from preflight.report.model import Finding, Remedy, Status
from preflight.text.sentences import paragraph, say


def judge(look: Look, domain: str) -> Finding:
    """Judge a domain's SPF record."""
    of_registered(look, domain)
    found = records(record.text for record in settled(look, domain, "TXT").of(Txt))
    outcome = _judged(look, domain, found)
    expected = texts_of(outcome.remedy)
    return finding(
        outcome.status, outcome.message, domain, "TXT", expected=expected, found=found, remedy=outcome.remedy
    )


def _judged(look: Look, domain: str, found: tuple[str, ...]) -> Outcome:
    if not found:
        return _none(look, domain)
    if len(found) > 1:
        return _several(look, domain, found)
    try:
        record = parse(found[0])
    except Faulty as fault:
        message = say(
            "Receivers ignore the SPF record of {domain}: the term {term} is not valid.", domain=domain, term=fault.term
        )
        remedy = Remedy(say("Correct or remove the term {term}.", term=fault.term), place="dns")
        return Outcome(Status.WARN, message, spf_records.without(look, domain, found[0], fault.term) or remedy)
    return _evaluated(look, domain, record, found[0])


def mail_from(look: Look, address: str, domain: str) -> Mail:
    """Return what is evaluated for an address."""
    return Mail(address, f"postmaster@{domain}", fqdn(look))


def _evaluated(look: Look, domain: str, record: Record, text: str) -> Outcome:
    mails = [mail_from(look, address, domain) for address in pointers.sending(look)]
    answers = known(look)
    verdicts = {mail.address: evaluate(answers.of, mail) for mail in mails}
    for verdict in verdicts.values():
        if verdict.answer is not None:
            settled(look, bare(verdict.answer.name), verdict.answer.type)  # raises: nobody settled it
    if broken := next((one for one in verdicts.values() if one.outcome == "permerror"), None):
        return _broken(look, domain, broken, text)
    if lacking := {address: one for address, one in verdicts.items() if one.outcome != "pass"}:
        return _lacking(look, domain, lacking, record, text)
    walk = Walk(answers.get, mails)
    walk.questions(domain)
    if walk.lookups > LOOKUPS:
        return _long(domain)
    if any(term.kind == "all" and term.result == "pass" for term in record.terms):
        return _open(look, domain, text)
    message = say(
        "The SPF record of {domain} lets this host send: {addresses}.", domain=domain, addresses=some(verdicts)
    )
    return Outcome(Status.PASS, message)


def _none(look: Look, domain: str) -> Outcome:
    message = say("{domain} has no SPF record.", domain=domain)
    entry = spf_records.new(look, domain)
    if not served(look, domain):
        return Outcome(Status.WARN, message, enter((entry,)))
    text = say("Mail for {domain} goes elsewhere today, and the server there may send its mail too.", domain=domain)
    return Outcome(Status.WARN, message, enter((entry,), text, when="last"))


def _several(look: Look, domain: str, found: tuple[str, ...]) -> Outcome:
    message = say(
        "{domain} has {count} SPF records. Receivers ignore them all: only one is allowed.",
        domain=domain,
        count=len(found),
    )
    text = say("Keep one SPF record with all servers that send mail for {domain}. Remove the others.",
               domain=domain)  # fmt: skip
    return Outcome(Status.WARN, message, spf_records.merged(look, domain, found, text) or Remedy(text, place="dns"))


def _broken(look: Look, domain: str, verdict: Verdict, text: str) -> Outcome:
    """Warn of a record that ends in a permanent error for every receiver."""
    values = {"domain": domain, "at": verdict.at, "term": verdict.term}
    if verdict.reason == "lookups":
        return _long(domain)
    message, advice = _fault(verdict, values)
    remedy = Remedy(advice, place="dns")
    if verdict.at == domain and verdict.reason in ("include", "redirect"):
        remedy = spf_records.without(look, domain, text, verdict.term) or remedy
    return Outcome(Status.WARN, message, remedy)


def _fault(verdict: Verdict, values: dict[str, str]) -> tuple[str, str]:
    """Say what is wrong, and what to do about it."""
    correct = say("Correct or remove the term {term} in the SPF record of {at}.", **values)
    match verdict.reason:
        case "include" | "redirect":
            what = say("The SPF record of {domain} fails at {term}: there is no SPF record at that name.", **values)
            return what, correct
        case "several":
            what = say("The SPF record of {domain} refers to {at}, which has several SPF records.", **values)
            return what, say("Keep only one SPF record at {at}, or remove the term that refers to it.", **values)
        case "voids":
            what = say(
                "The SPF record of {domain} refers to more than {most} names without records, the last one in {term}.",
                most=VOIDS,
                **values,
            )
            return what, say("Remove terms with names that do not exist from the SPF record of {at}.", **values)
        case "exchanges":
            what = say("The SPF record of {domain} fails at {term}: that name has too many MX records.", **values)
            return what, say("List the servers with ip4: and ip6: in the SPF record of {at}.", **values)
        case _:
            what = say(
                "The SPF record of {domain} fails: the term {term} in the record of {at} is not valid.", **values
            )
            return what, correct


def _long(domain: str) -> Outcome:
    values = {"domain": domain, "most": LOOKUPS}
    message = say(
        "The SPF record of {domain} needs more than {most} DNS lookups. Receivers stop there and ignore the record.",
        **values,
    )
    text = say(
        "In the SPF record of {domain}, remove providers that you no longer use, and replace a and mx with their "
        "addresses (ip4: and ip6:). At most {most} of include, a, mx, ptr, exists and redirect are allowed, including "
        "those in included records.",
        **values,
    )
    return Outcome(Status.WARN, message, Remedy(text, place="dns"))


def _lacking(look: Look, domain: str, lacking: dict[str, Verdict], record: Record, text: str) -> Outcome:
    outcomes = ", ".join(dict.fromkeys(one.outcome for one in lacking.values()))
    message = say(
        "The SPF record of {domain} does not let this host send from {addresses} (result: {outcomes}).",
        domain=domain,
        addresses=some(lacking),
        outcomes=outcomes,
    )
    if spf_records.will_do(look, domain, text):
        later = say("It will, as soon as the MX and address records of this host are correct.")
        remedy = Remedy(say("Leave the SPF record of {domain} as it is. Fix dns.mx and dns.address.", domain=domain),
                        place="dns", when="last" if served(look, domain) else "now")  # fmt: skip
        return Outcome(Status.WARN, paragraph(message, later), remedy)
    others = [term.text for term in record.terms if term.kind in ("include", "redirect")]
    later = say("Remove {others} once mail is no longer sent that way.", others=some(others))
    remedy = spf_records.extended(look, domain, text, later if others else None)
    return Outcome(Status.WARN, message, remedy)


def _open(look: Look, domain: str, text: str) -> Outcome:
    message = say('The SPF record of {domain} lets anyone send ("all" has no minus).', domain=domain)
    remedy = spf_records.closed(look, domain, text)
    return Outcome(Status.WARN, message, remedy or Remedy(paragraph(say("End the SPF record with -all.")), place="dns"))
