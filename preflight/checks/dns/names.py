"""What every check of the DNS needs: an answer that settles a question, zone lines, and a finding made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import UNSET

from preflight.checks import Look
from preflight.checks.dns import extended
from preflight.facts import Answer, Answers, Missing, MissingFact
from preflight.facts.base import Place
from preflight.facts.records import Mx, Record, Txt
from preflight.net import addresses, hostnames
from preflight.net.hostnames import bare
from preflight.report.evidence.names import RecordsEvidence
from preflight.report.model import DnsRecord, Finding, Remedy, Status, When
from preflight.text.sentences import noted, paragraph, phrase, say

SETTLED = ("NOERROR", "NXDOMAIN")
BEHIND_NAT = noted("Give this host's public address with --public-ip.")
_OF_HOSTS = ("A", "AAAA", "MX", "PTR")  # every zone has SOA and NS, and an example's may have texts
_TTL = 3600
# Several records, and one: today, or only once mailcow is there.
_ENTER = (
    (
        noted("Enter these records at your DNS provider: {lines}"),
        noted("Enter this record at your DNS provider: {lines}"),
    ),
    (
        noted("Once mailcow is tested, enter these records at your DNS provider: {lines}"),
        noted("Once mailcow is tested, enter this record at your DNS provider: {lines}"),
    ),
)
_PIECE = 255  # bytes of one text of a TXT record


def no_hostname() -> MissingFact:
    """Make what ends a check as skipped where there is no name to ask for."""
    return MissingFact(Missing("skip", say("No --hostname was given."), cause="no-hostname"), "")


def fqdn(look: Look) -> str:
    """Return the future mail host's name; the check is skipped if there is none, unknown if it is an example's."""
    if not look.plan.fqdn:
        raise no_hostname()
    if is_placeholder(look):
        raise undetermined(
            say("{name} is an example name, not the name of this host.", name=look.plan.fqdn),
            say("Give the name of your own mail host with --hostname."),
        )
    return look.plan.fqdn


def is_placeholder(look: Look) -> bool:
    """Say whether the host name is one of the documentation's examples and the DNS has no record for it.

    Laboratories have such names, and a name server that knows them.
    """
    name = look.plan.fqdn or ""
    first = any_answer(look, name, "A")
    if first is None or first.rcode not in SETTLED or first.denied in ("root", "top"):
        return False
    if first.records or first.alias or not hostnames.placeholder(name):
        return False
    below = f".{hostnames.registrable(name) or name}."
    rows = [
        answer
        for answer in known(look).by_question.values()
        if f".{answer.name}".endswith(below) and answer.type in _OF_HOSTS
    ]
    return all(is_null(record) for answer in rows for record in answer.records)


def is_null(record: Record) -> bool:
    """Say whether a record is the null MX, which says that a name takes no mail (RFC 7505)."""
    return isinstance(record, Mx) and bare(record.exchange) == ""


def domains(look: Look) -> tuple[str, ...]:
    """Return the mail domains; the check is skipped where there is no host name."""
    fqdn(look)
    return look.plan.domains


def undetermined(reason: str, help: str, detail: str = "", place: Place = "docker-run") -> MissingFact:
    """Make what ends a check as unknown; `place`: most are known once the options are others."""
    return MissingFact(Missing("unknown", reason, help, detail=detail, place=place), "DNS")


def known(look: Look) -> Answers:
    """Return the answers to judge by: the resolver's, or those that a look has in their place."""
    return look.answers or look.host.answers.get()


def settled(look: Look, name: str, kind: str) -> Answer:
    """Return an answer that settles the question: there is such a record, or there is none. Else raise."""
    answer = known(look).of(name, kind)
    if answer.rcode not in SETTLED or answer.truncated or extended.is_forged(answer):
        raise _unsettled(answer, name, kind)
    if answer.denied:
        raise denied(answer)
    return answer


def _unsettled(answer: Answer, name: str, kind: str) -> MissingFact:
    """Make what ends a check where an answer settles nothing, with what the server itself says of it."""
    values = {"server": answer.server or "DNS", "name": name, "kind": kind, "rcode": answer.rcode}
    again = say("Run the check again, or set another server with --resolver.")
    if answer.rcode in SETTLED and answer.truncated:
        return undetermined(say("{server} left out records of {name} {kind}.", **values), again)
    if answer.rcode in SETTLED:
        own = say("The answer from {server} for {name} {kind} does not come from the DNS.", **values)
        return undetermined(paragraph(own, extended.why(answer)), say("Set another server with --resolver."))
    if answer.rcode == "timeout":
        return undetermined(say("{server} did not answer a query for {name} {kind}.", **values), again)
    if answer.rcode == "error":
        return undetermined(say("The query to {server} for {name} {kind} failed.", **values), again, answer.detail)
    help = say("Check the zone's name servers and its DNSSEC signatures, or set another server with --resolver.")
    if answer.rcode == "REFUSED":
        help = say("Allow this host to query the name server for this name, or set another server with --resolver.")
    reason = say("{server} answered {rcode} to a query for {name} {kind}.", **values)
    if extended.is_bogus(answer):
        reason = say("{server} rejects the records of {name} {kind}: their DNSSEC signatures are not valid.", **values)
    return undetermined(paragraph(reason, extended.why(answer)), help, place="dns")


def denied(answer: Answer) -> MissingFact:
    """Make what ends a check if the name server denies what is above a name, so that its answer means nothing."""
    name, server, above = bare(answer.name), answer.server or "DNS", bare(answer.above)
    if answer.denied == "domain":
        return undetermined(_unregistered(above), say("Correct the name, or register {domain}.", domain=above))
    if answer.denied == "strange":
        return undetermined(_no_top(above), say("Correct the name."))
    help = say("Set another server with --resolver, such as --resolver 9.9.9.9.")
    if answer.denied == "root":
        return undetermined(
            say("{server} does not know the root of the DNS, so its answer for {name} means nothing.",
                server=server, name=name),
            help,
        )  # fmt: skip
    return undetermined(
        say("{server} says that .{above} does not exist, so its answer for {name} means nothing.",
            server=server, above=above, name=name),
        help,
    )  # fmt: skip


def of_registered(look: Look, domain: str) -> None:
    """Skip a check of a domain that nobody has: dns.hostname or dns.mx has that as its finding."""
    if not hostnames.askable(domain):
        reason = say("{domain} cannot be looked up in the DNS.", domain=domain)
        raise MissingFact(Missing("skip", reason), "DNS")
    answers = [any_answer(look, domain, kind) for kind in ("MX", "TXT")]
    wrong = next(filter(None, map(typo, answers)), None)
    if wrong:
        raise MissingFact(Missing("skip", wrong), "DNS")


def of_registered_host(look: Look) -> None:
    """Skip a check of a mail host whose name is none, or below a domain that nobody has: dns.hostname finds that."""
    name = fqdn(look)
    if wrong := hostnames.fault(name, name) or typo(any_answer(look, name, "A")):
        raise MissingFact(Missing("skip", wrong), "DNS")


def typo(answer: Answer | None) -> str | None:
    """Say in a sentence that nobody has the domain of a name; None if that is not so."""
    if answer is None or answer.denied not in ("domain", "strange"):
        return None
    above = bare(answer.above)
    text = _unregistered(above) if answer.denied == "domain" else _no_top(above)
    return paragraph(text, say("Check the spelling."))


def _unregistered(domain: str) -> str:
    return say("The domain {domain} does not exist in the DNS. It is not registered, or not active.", domain=domain)


def _no_top(ending: str) -> str:
    return say("There is no top-level domain .{ending}.", ending=ending)


def settled_or_none(look: Look, name: str, kind: str) -> Answer | None:
    """Return an answer that settles the question, None where there is no such answer."""
    answer = any_answer(look, name, kind)
    if answer is None or answer.rcode not in SETTLED or answer.denied or answer.truncated:
        return None
    return None if extended.is_forged(answer) else answer


def any_answer(look: Look, name: str, kind: str) -> Answer | None:
    """Return an answer whatever it is; None if there is none."""
    found = look.host.answers.or_(Answers()) if look.answers is None else look.answers
    return found.get(name, kind)


def addresses_of(answer: Answer | None) -> tuple[str, ...]:
    """Return the addresses of an A or AAAA answer in their usual form; a strange one as it is."""
    return tuple(addresses.usual(one) or one for one in answer.addresses) if answer else ()


def alias(answer: Answer | None) -> str | None:
    """Return where the name leads, if it is a CNAME."""
    return bare(answer.alias) if answer and answer.alias else None


def record(name: str, kind: str, value: str) -> DnsRecord:
    """Make a record to enter."""
    return DnsRecord(name, kind, value, _TTL)


def text_record(name: str, text: str) -> DnsRecord:
    """Make a TXT record to enter, cut into as many texts as it needs."""
    return record(name, "TXT", str(Txt(tuple(text[start : start + _PIECE] for start in range(0, len(text), _PIECE)))))


def texts_of(remedy: Remedy | None) -> tuple[str, ...]:
    """Return the texts of the TXT records that a remedy enters, as people write them."""
    return tuple(re.sub(r'^"|" "|"$', "", entry.value) for entry in remedy.records) if remedy else ()


def those(name: str, kind: str, values: Iterable[str]) -> tuple[DnsRecord, ...]:
    """Make records of a name that are there and have to go."""
    return tuple(record(name, kind, value) for value in values)


def texts_there(look: Look, name: str, texts: Iterable[str]) -> tuple[DnsRecord, ...]:
    """Make those TXT records of a name, cut as they are, that have one of these texts and have to go."""
    answer, wanted = settled_or_none(look, name, "TXT"), set(texts)
    return those(name, "TXT", (str(one) for one in answer.of(Txt) if one.text in wanted)) if answer else ()


def enter(
    entries: Iterable[DnsRecord], before: str = "", when: When = "now", removes: tuple[DnsRecord, ...] = ()
) -> Remedy:
    """Say which records belong into the zone; `before` says what becomes of those that it `removes`."""
    made = tuple(entries)
    later, one = when == "last", len(made) == 1
    text = say(_ENTER[later][one], lines=" · ".join(entry.line for entry in made))
    return Remedy(
        paragraph(before, text if made else None), place="dns", when=when, records=made, removes=removes or UNSET
    )


def switch(kind: str, entry: DnsRecord, removes: tuple[DnsRecord, ...]) -> Remedy:
    """Say how records that serve somebody today are replaced: last, and slowly enough to go back."""
    text = paragraph(
        say("Once mailcow is tested, set the TTL of the old {kind} record to 300 s.", kind=kind),
        say("When its old TTL is over, replace it with: {line}", line=entry.line),
    )
    return Remedy(text, place="dns", when="last", records=(entry,), removes=removes or UNSET)


def some(values: Iterable[str]) -> str:
    """List values for a sentence, not more than four; how many were left out stands behind them."""
    listed = [value[:120] for value in values]
    more = (f"… (+{len(listed) - 4})",) if len(listed) > 4 else ()
    return ", ".join((*listed[:4], *more))


def finding(
    status: Status,
    message: str,
    name: str,
    kind: str,
    *,
    expected: Iterable[str] = (),
    found: Iterable[str] = (),
    remedy: Remedy | None = None,
) -> Finding:
    """Make a finding about the records of a name; those still missing are the records of its remedy."""
    wanted, there = tuple(expected), tuple(found)
    missing = tuple(entry.line for entry in remedy.records) if remedy else ()
    return Finding(
        status=status,
        message=message,
        expected=some(wanted) or None,
        found=some(there) or phrase("no data"),
        evidence=RecordsEvidence(name=name, type=kind, expected=wanted, found=there, zone=missing),
        remedy=remedy,
    )
