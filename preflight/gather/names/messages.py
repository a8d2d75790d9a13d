"""A name server's message, read as the answer to one question: what does not belong to it is passed over. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from preflight.facts import Answer
from preflight.gather.names.rdata import record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dns.message import Message
    from dns.name import Name
    from dns.rrset import RRset

Broken = Literal["", "circle", "long"]

CHAIN = 8  # CNAME records
CODES = 8  # extended errors of one message that are kept


def parse_message(name: str, kind: str, message: Message, asked_of: str) -> Answer:
    """Read the records that answer the question, along the CNAMEs; records of other names are passed over.

    All are kept: a message has 64 KiB at most, and any of them may be the one that is asked for.
    """
    import dns.flags
    import dns.name
    import dns.rcode
    import dns.rdataclass
    import dns.rdatatype

    wanted = dns.rdatatype.from_text(kind)
    first = dns.name.from_text(name)
    aliases, broken = ([first], _sound()) if kind == "CNAME" else _chain(message, first)
    here = aliases[-1]
    rcode = dns.rcode.to_text(message.rcode())
    sets = [rrset for rrset in message.answer if rrset.match(here, dns.rdataclass.IN, wanted, dns.rdatatype.NONE)]
    data = [rdata for rrset in sets for rdata in rrset]
    start = _start(message, first)
    kept = [*sets, *_aliasing(message, aliases[:-1])]
    return Answer(
        name,
        kind,
        rcode,
        () if broken or rcode != "NOERROR" else tuple(sorted(record(kind, rdata) for rdata in data)),
        _text(here) if broken or here != first else None,
        asked_of,
        broken=broken,
        authentic=bool(message.flags & dns.flags.AD),
        truncated=bool(message.flags & dns.flags.TC),
        ttl=min((rrset.ttl for rrset in (kept if data or not start else [*kept, start])), default=None),
        zone=_text(start.name) if start else "",
        authoritative=bool(message.flags & dns.flags.AA),
        referred=_referred(message),
        extended=_extended(message),
    )


def _sound() -> Broken:
    return ""


def _start(message: Message, name: Name) -> RRset | None:
    """Return the start of a zone in a message: as it was asked for, or beside a denial."""
    import dns.rdatatype

    starts = [rrset for rrset in (*message.answer, *message.authority) if rrset.rdtype == dns.rdatatype.SOA]
    return next((rrset for rrset in starts if name.is_subdomain(rrset.name)), starts[0] if starts else None)


def _referred(message: Message) -> str:
    """Return the zone that a server without an answer refers to, '' where it does not."""
    import dns.flags
    import dns.rcode
    import dns.rdatatype

    if message.answer or message.rcode() != dns.rcode.NOERROR or message.flags & dns.flags.AA:
        return ""
    kinds = {rrset.rdtype: rrset for rrset in message.authority}
    below = kinds.get(dns.rdatatype.NS)
    return _text(below.name) if below and dns.rdatatype.SOA not in kinds else ""


def _extended(message: Message) -> tuple[int, ...]:
    import dns.edns

    found = (int(option.code) for option in message.options if isinstance(option, dns.edns.EDEOption))
    return tuple(dict.fromkeys(found))[:CODES]


def _chain(message: Message, name: Name) -> tuple[list[Name], Broken]:
    """Follow the CNAME records of a message; return all names, and whether they end nowhere."""
    names = [name]
    while (target := _alias(message, names[-1])) is not None:
        names.append(target)
        if target in names[:-1]:
            return names, "circle"
        if len(names) > CHAIN + 1:
            return names, "long"
    return names, ""


def _alias(message: Message, name: Name) -> Name | None:
    """Return where a name's CNAME record leads, None where it has none."""
    found = next(iter(_aliasing(message, [name])), None)
    if found is None:
        return None
    target: Name = found[0].target
    return target


def _aliasing(message: Message, names: Iterable[Name]) -> list[RRset]:
    """Return the CNAME records of names."""
    import dns.rdatatype

    sets = [rrset for rrset in message.answer if rrset.rdtype == dns.rdatatype.CNAME]
    return [rrset for name in names for rrset in sets if rrset.name == name]


def _text(name: Name) -> str:
    return name.to_text().lower()
