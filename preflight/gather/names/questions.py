"""What is to be asked of the DNS for one mail host, by what is known already. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from preflight.facts import Answers
from preflight.facts.records import Mx, Ptr
from preflight.gather.names.budget import TARGETS
from preflight.net.addresses import reverse_name, usual

Question = tuple[str, str]  # name, type


class MailHost(Struct, frozen=True):
    """Whom the questions are about: names as plan.py has them, and the host's public addresses."""

    fqdn: str
    domains: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    selector: str = "dkim"  # of the DKIM key


def due(host: MailHost, answers: Answers) -> list[Question]:
    """Return all that can be asked by now, asked already or not, the important questions first, each once."""
    return _each_once((*SOURCES, *ABOVE), host, answers)


def records(host: MailHost, answers: Answers) -> list[Question]:
    """Return the questions for the records themselves, without those that tell who has them."""
    return _each_once(SOURCES, host, answers)


def _each_once(sources: Iterable[Source], host: MailHost, answers: Answers) -> list[Question]:
    found = [question for source in sources for question in source(host, answers)]
    return list({Answers.key(*question): question for question in found}.values())


def first(host: MailHost, _: Answers) -> Iterator[Question]:
    """Yield the questions that depend on no answer."""
    yield from _addresses([host.fqdn])
    yield from ((reverse_name(one), "PTR") for one in map(usual, host.addresses) if one)
    yield from ((domain, "MX") for domain in host.domains)
    yield from _addresses(f"{label}.{domain}" for domain in host.domains for label in LABELS)


def targets(_: MailHost, answers: Answers) -> Iterator[Question]:
    """Yield the questions for the addresses of the names that MX and PTR records lead to."""
    for answer in answers.by_question.values():
        exchanges = (record.exchange for record in answer.of(Mx)[:TARGETS])
        names = (*exchanges, *(record.target for record in answer.of(Ptr)[:TARGETS]))
        yield from _addresses(name for name in names if name.strip("."))


def certificates(host: MailHost, _: Answers) -> Iterator[Question]:
    """Yield the questions about who may issue the certificate."""
    from preflight.gather.names import offered

    yield from offered.certificates(host)


def services(host: MailHost, _: Answers) -> Iterator[Question]:
    """Yield the questions about services that are announced."""
    from preflight.gather.names import offered

    yield from offered.services(host)


def published(host: MailHost, answers: Answers) -> Iterator[Question]:
    """Yield the questions for what domains publish about their mail."""
    from preflight.gather.names import published

    yield from published.questions(host, answers)


def beginnings(host: MailHost, answers: Answers) -> Iterator[Question]:
    """Yield the questions for the zones that the names are in, and for their servers."""
    from preflight.gather.names import zones

    yield from zones.questions(host, answers)


def _addresses(names: Iterable[str]) -> Iterator[Question]:
    yield from ((name, kind) for name in names for kind in ("A", "AAAA"))


Source = Callable[[MailHost, Answers], Iterator[Question]]
LABELS = ("autodiscover", "autoconfig")
# Each says what it wants asked by what is known: a chain of any length is followed round by round.
SOURCES: tuple[Source, ...] = (first, targets, certificates, published, services)
ABOVE: tuple[Source, ...] = (beginnings,)
