"""The CAA records that count for the names of mailcow's certificate, and which those names are."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from preflight.checks import Look
from preflight.checks.dns.names import (
    addresses_of,
    alias,
    any_answer,
    fqdn,
    settled,
    settled_or_none,
    undetermined,
)
from preflight.facts import Answer, MissingFact
from preflight.facts.records import Caa
from preflight.mailcow.certificate import is_asked_for
from preflight.net.hostnames import registrable
from preflight.policies.caa import AUTHORITY, climb
from preflight.text.sentences import say


class Relevant(Struct, frozen=True):
    """The records that count for a name and whose they are (RFC 8659, 3). Without any, everybody may issue.

    `above`: the name one label up, where its records keep mailcow from asking at all; '' where it asks.
    """

    at: str = ""
    records: tuple[Caa, ...] = ()
    above: str = ""


def relevant(look: Look, name: str) -> Relevant:
    """Return what counts for a name; raise where a name server does not say: an authority issues nothing then."""
    above = name.partition(".")[2]
    asked = not above or is_asked_for(_records(look, above), AUTHORITY)
    at, records = next(_sets(look, name), ("", ()))
    return Relevant(at, records, "" if asked else above)


def _sets(look: Look, name: str) -> Iterator[tuple[str, tuple[Caa, ...]]]:
    """Yield the sets up the tree; those of an alias are its target's, and nothing is looked for above the target."""
    host = fqdn(look)
    if name != host and is_missing(look, name) and (own := _records(look, host)):
        yield _owner(look, host), own  # it will be an alias of the host's name
    for one in climb(name):
        if records := _records(look, one):
            yield _owner(look, one), records


def _owner(look: Look, name: str) -> str:
    return alias(any_answer(look, name, "CAA")) or name


def _records(look: Look, name: str) -> tuple[Caa, ...]:
    """Return a name's CAA records; a server of one's own zones may refuse to tell of those that all share."""
    answer = any_answer(look, name, "CAA")
    if answer and answer.rcode == "REFUSED" and registrable(name) is None:
        return ()
    found = settled(look, name, "CAA")
    if found.broken:
        help = say("Correct the CNAME record of {name}.", name=name)
        raise undetermined(say("The chain of CNAME records of {name} is broken.", name=name), help, place="dns")
    return found.of(Caa)


def others(look: Look) -> tuple[str, ...]:
    """Return the further names that mailcow asks for: they lead to this host, or will once they are entered."""
    host = fqdn(look)
    names = [f"{label}.{domain}" for domain in look.plan.domains for label in look.plan.certificate.labels]
    return tuple(name for name in names if name != host and (is_missing(look, name) or _leads_here(look, name)))


def is_missing(look: Look, name: str) -> bool:
    """Say whether a name certainly has no address, so that a record is still to be entered."""
    return all(one is not None and not one.records and not one.alias for one in _addresses(look, name))


def _leads_here(look: Look, name: str) -> bool:
    own = {one for answer in _addresses(look, fqdn(look)) for one in addresses_of(answer)}
    answers = _addresses(look, name)
    found = {one for answer in answers for one in addresses_of(answer)}
    return alias(answers[0]) == fqdn(look) or bool(found and found <= own)


def _addresses(look: Look, name: str) -> tuple[Answer | None, Answer | None]:
    return settled_or_none(look, name, "A"), settled_or_none(look, name, "AAAA")


def cause(look: Look, name: str) -> tuple[str, str]:
    """Return what decides about a name: names with the same cause have the same result. ('', ''): no record does."""
    try:
        found = relevant(look, name)
    except MissingFact as missing:
        return "?", missing.missing.reason
    return found.at, "" if found.above == found.at else found.above
