"""A zone's own name servers: which of them serve it. That is told once for each zone, by the first of its checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from preflight.checks import Look
from preflight.checks.dns.names import known, settled_or_none, some
from preflight.facts import ZoneServer
from preflight.facts.records import Ns, Soa
from preflight.net import addresses
from preflight.net.hostnames import bare
from preflight.policies.agreement import has_zone, zone_of
from preflight.text.sentences import paragraph, say

SILENT = ("timeout", "error")
# The checks that tell it: a domain's servers are told with its MX records, a host's of another zone with its address.
_OF_DOMAINS = ("dns.mx", "dns.autodiscover", "dns.autoconfig", "dns.spf", "dns.dkim", "dns.dmarc")


class Serving(Struct, frozen=True):
    """The servers of a zone by what became of the question for its start."""

    good: tuple[ZoneServer, ...] = ()
    lame: tuple[ZoneServer, ...] = ()
    silent: tuple[ZoneServer, ...] = ()
    unasked: tuple[ZoneServer, ...] = ()


class Told(Struct, frozen=True):
    """What is said of a zone's servers: a fault with what helps, or a remark."""

    fault: str | None = None
    remedy: str | None = None
    remark: str | None = None


def serving(look: Look, zone: str) -> Serving:
    """Sort a zone's servers."""
    rows = known(look).zones.get(zone, ())
    kinds = {row.address: _kind(row) for row in rows}
    return Serving(**{kind: tuple(row for row in rows if kinds[row.address] == kind) for kind in set(kinds.values())})


def _kind(server: ZoneServer) -> str:
    if server.start is None:
        return "unasked"
    if server.start.rcode in SILENT:
        return "silent"
    return "good" if has_zone(server.start) and server.start.of(Soa) else "lame"


def told(look: Look, check: str, name: str, kind: str) -> Told:
    """Return what a check has to say of the servers of a record's zone; nothing where another one says it."""
    zone = zone_of(known(look).zones, name)
    if zone is None or _teller(look, zone) not in (None, (check, name, kind)):
        return Told()
    found = _seen(serving(look, zone))
    if not found.good:
        return Told(remark=_nobody(look, zone, found))
    lame, nowhere = found.lame, _without_address(look, zone)
    fault = paragraph(_lame(zone, lame), _nowhere(zone, nowhere)) or None
    wrong = (*names_of(lame), *nowhere)
    remedy = say(
        "Set up the {zone} zone on these name servers, or remove their NS records at your DNS provider and at the "
        "registrar: {servers}.",
        zone=bare(zone),
        servers=some(wrong),
    )
    return Told(fault, remedy if fault else None, _quiet(found))


def _seen(found: Serving) -> Serving:
    """Leave out servers of an IP version in whose place somebody on the way may answer: none of them has the zone.

    A resolver in their place knows the start of the zone; a server that lost the zone does not.
    """
    good = {addresses.version(row.address) for row in found.good}
    lame = tuple(row for row in found.lame if addresses.version(row.address) in good or not _knows(row))
    return replace(found, lame=lame) if found.good else found


def _knows(row: ZoneServer) -> bool:
    return row.start is not None and bool(row.start.of(Soa))


def _teller(look: Look, zone: str) -> tuple[str, str, str] | None:
    """Return the check that tells of a zone, with the record it does so for; None: whoever has a record there."""
    zones, name = known(look).zones, look.plan.fqdn or ""
    domains = [domain for domain in look.plan.domains if zone_of(zones, domain) == zone]
    for check in _OF_DOMAINS if domains else ():
        if look.told_by(check):
            return check, *_record_of(check, domains[0], look)
    if look.told_by("dns.address") and zone_of(zones, name) == zone:
        return "dns.address", name, "A"
    pointers = [answer.name for answer in known(look).by_question.values() if answer.type == "PTR"]
    first = next((bare(one) for one in pointers if zone_of(zones, one) == zone), None)
    return ("dns.reverse", first, "PTR") if first else None


def _record_of(check: str, domain: str, look: Look) -> tuple[str, str]:
    return {
        "dns.mx": (domain, "MX"),
        "dns.autodiscover": (f"autodiscover.{domain}", "A"),
        "dns.autoconfig": (f"autoconfig.{domain}", "A"),
        "dns.spf": (domain, "TXT"),
        "dns.dkim": (f"{look.host.asked.selector}._domainkey.{domain}", "TXT"),
        "dns.dmarc": (f"_dmarc.{domain}", "TXT"),
    }[check]


def _nobody(look: Look, zone: str, found: Serving) -> str | None:
    """Say that the servers could not be asked: the way to them may be blocked, or lead to somebody else."""
    if found.lame:
        return say(
            "No name server of {zone} gives this host an authoritative answer. Something in the network may answer in "
            "their place.",
            zone=bare(zone),
        )
    if found.silent:
        return say(
            "The name servers of {zone} did not answer this host. This result is from {resolver}.",
            zone=bare(zone),
            resolver=some(_resolvers(look, zone)),
        )
    if found.unasked and not any(addresses.is_public(row.address) for row in found.unasked):
        return say(
            "The name servers of {zone} have addresses that are not routed on the Internet: {servers}. They were not "
            "queried.",
            zone=bare(zone),
            servers=some(row.address for row in found.unasked),
        )
    return None


def _resolvers(look: Look, zone: str) -> Iterator[str]:
    answer = known(look).get(zone, "NS")
    yield answer.server if answer else "DNS"


def _lame(zone: str, lame: tuple[ZoneServer, ...]) -> str | None:
    if not lame:
        return None
    refusing = [row for row in lame if row.start and row.start.rcode != "NOERROR"]
    others = [row for row in lame if row not in refusing]
    rcodes = dict.fromkeys(row.start.rcode for row in refusing if row.start)
    values = {"zone": bare(zone), "rcodes": some(rcodes)}
    refusal = say("These name servers of {zone} answer {rcodes} to queries for the zone: {servers}.",
                  servers=some(names_of(refusing)), **values)  # fmt: skip
    without = say("These name servers of {zone} do not have the zone: {servers}.",
                  servers=some(names_of(others)), **values)  # fmt: skip
    return paragraph(refusal if refusing else None, without if others else None)


def _nowhere(zone: str, names: list[str]) -> str | None:
    if not names:
        return None
    return say("These name servers of {zone} have no address: {servers}.", zone=bare(zone), servers=some(names))


def _without_address(look: Look, zone: str) -> list[str]:
    """Return the names of a zone's servers that certainly have no address."""
    start = known(look).get(zone, "NS")
    names = [bare(one.target) for one in start.of(Ns)] if start else []
    answers = {name: [settled_or_none(look, name, kind) for kind in ("A", "AAAA")] for name in names}
    return [name for name, rows in answers.items() if all(row is not None and not row.records for row in rows)]


def _quiet(found: Serving) -> str | None:
    """Say who is silent while others answer; where nobody answers over one IP version, that is this host's."""
    versions = {addresses.version(row.address) for row in (*found.good, *found.lame)}
    quiet = [row for row in found.silent if addresses.version(row.address) in versions]
    return (
        say("These name servers of the zone did not answer: {servers}.", servers=some(names_of(quiet)))
        if quiet
        else None
    )


def names_of(rows: Iterable[ZoneServer]) -> list[str]:
    """Write servers as people know them: the name with its address."""
    return [f"{bare(row.names[0])} ({row.address})" if row.names else row.address for row in rows]
