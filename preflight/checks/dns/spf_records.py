"""SPF records to enter: those that are there with what they lack, held against the evaluator before they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import UNSET

from preflight.checks import Look
from preflight.checks.dns import pointers
from preflight.checks.dns.deliveries import served
from preflight.checks.dns.names import addresses_of, enter, fqdn, known, settled_or_none, text_record, texts_there
from preflight.facts import Answer, MissingFact, absolute
from preflight.facts.records import A, Mx, Record, Txt
from preflight.net import addresses
from preflight.policies.spf.evaluation import evaluate
from preflight.policies.spf.macros import Mail
from preflight.policies.spf.syntax import Faulty, parse
from preflight.report.model import DnsRecord, Remedy, When
from preflight.text.sentences import paragraph, say

Overlay = dict[tuple[str, str], Answer]


def new(look: Look, domain: str) -> DnsRecord:
    """Return a first record: mailcow's own, with the addresses that its terms do not cover once all is entered."""
    text = "v=spf1 mx a -all"
    return text_record(domain, _with(text, _uncovered(look, domain, text, _soon(look, domain))))


def will_do(look: Look, domain: str, text: str) -> bool:
    """Say whether a record lets this host send as soon as other checks' records are entered."""
    return bool(_sending(look)) and not _uncovered(look, domain, text, _soon(look, domain))


def _soon(look: Look, domain: str) -> Overlay:
    """Return what dns.mx and dns.address have entered: this host for the domain's mail, with its own address."""
    name = fqdn(look)
    soon = _overlay((domain, "MX", Mx(10, absolute(name))))
    own = addresses.public(look.vouched, look.host.links.or_(()), 4)
    if not set(addresses_of(settled_or_none(look, name, "A"))) & set(own):
        soon |= _overlay(*((name, "A", A(one)) for one in own))
    return soon


def extended(look: Look, domain: str, text: str, later: str | None) -> Remedy:
    """Add this host to a record, and take nothing from it."""
    made = _grown(look, domain, text)
    return _replace(look, domain, text, made, later)


def without(look: Look, domain: str, text: str, term: str) -> Remedy | None:
    """Take a term out of a record that nobody accepts because of it; None where that heals nothing."""
    left = " ".join(word for word in text.split(" ") if word and word != term)
    made = _sound(look, domain, left)
    return _replace(look, domain, text, made, say("The new record omits {term}.", term=term)) if made else None


def merged(look: Look, domain: str, texts: tuple[str, ...], before: str) -> Remedy | None:
    """Make one record of several: the terms of all, and the ending of the mildest; None where that is none."""
    words = [word for text in texts for word in text.split(" ")[1:] if word]
    endings = [word.lower() for word in words if word.lower().lstrip("+-~?") == "all"]
    rest = dict.fromkeys(word for word in words if word.lower() not in endings and "redirect=" not in word.lower())
    if any("redirect=" in word.lower() for word in words):
        return None
    mildest = next((word for word in ("all", "+all", "?all", "~all", "-all") if word in endings), "")
    ending = "?all" if mildest in ("all", "+all") else mildest
    made = _sound(look, domain, " ".join(filter(None, ("v=spf1", *rest, ending))))
    return enter((text_record(domain, made),), before, removes=texts_there(look, domain, texts)) if made else None


def closed(look: Look, domain: str, text: str) -> Remedy | None:
    """End a record with -all, where it let everybody send."""
    words = ["-all" if word.lower() in ("all", "+all") else word for word in text.split(" ")]
    made = _sound(look, domain, " ".join(words))
    return _replace(look, domain, text, made, when="last" if served(look, domain) else "now") if made else None


def _replace(look: Look, domain: str, old: str, made: str, later: str | None = None, when: When = "now") -> Remedy:
    entry = text_record(domain, made)
    text = say("Replace the SPF record of {domain} with this one: {line}", domain=domain, line=entry.line)
    removes = texts_there(look, domain, (old,)) or UNSET
    return Remedy(paragraph(text, later), place="dns", when=when, records=(entry,), removes=removes)


def _sound(look: Look, domain: str, text: str) -> str | None:
    """Return a record with this host in it; None where the addresses are not known, or it is none after all."""
    if not _sending(look):
        return None
    try:
        made = _grown(look, domain, text)
        parse(made)
        failed = _uncovered(look, domain, made, {})
    except (Faulty, MissingFact):
        return None
    return None if failed else made


def _grown(look: Look, domain: str, text: str) -> str:
    return _with(text, _uncovered(look, domain, text, {}))


def _with(text: str, lacking: Iterable[str]) -> str:
    """Put addresses in front of all terms, where they cost no lookup and no other term comes before them."""
    version, _, rest = text.partition(" ")
    added = [f"ip{addresses.version(address)}:{address}" for address in lacking]
    return " ".join(filter(None, (version, *added, rest.strip())))


def _uncovered(look: Look, domain: str, text: str, soon: Overlay) -> list[str]:
    """Return the addresses of this host that a record does not let send, with records that come beside it."""
    lookup = _beside(look, soon | _overlay((domain, "TXT", Txt((text,)))))
    name, known = fqdn(look), _sending(look)
    return [one for one in known if not _passes(lookup, Mail(one, f"postmaster@{domain}", name))]


def _passes(lookup: Callable[[str, str], Answer], mail: Mail) -> bool:
    try:
        return evaluate(lookup, mail).outcome == "pass"
    except MissingFact:
        return False


def _sending(look: Look) -> tuple[str, ...]:
    try:
        return pointers.sending(look)
    except MissingFact:
        return ()


def _beside(look: Look, soon: Overlay) -> Callable[[str, str], Answer]:
    answers = known(look)
    return lambda name, kind: soon.get((name, kind)) or answers.of(name, kind)


def _overlay(*rows: tuple[str, str, Record]) -> Overlay:
    made: Overlay = {}
    for name, kind, one in rows:
        before = made[name, kind].records if (name, kind) in made else ()
        made[name, kind] = Answer(absolute(name), kind, "NOERROR", (*before, one))
    return made
