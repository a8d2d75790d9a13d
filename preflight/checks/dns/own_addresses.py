"""The addresses of the mail host's name against those of the host."""

from __future__ import annotations

from collections.abc import Iterable

from preflight.checks import Look
from preflight.checks.dns.names import (
    BEHIND_NAT,
    alias,
    enter,
    finding,
    record,
    settled,
    settled_or_none,
    some,
    those,
    undetermined,
)
from preflight.facts import MissingFact
from preflight.facts.records import Mx
from preflight.net import addresses
from preflight.net.hostnames import bare
from preflight.packets.routing import way_out
from preflight.report.model import DnsRecord, Finding, Remedy, Status
from preflight.text.sentences import paragraph, say

VERSIONS = {"A": 4, "AAAA": 6}


def kind_of(address: str) -> str:
    """Return the type of the records that lead to an address."""
    return "A" if addresses.version(address) == 4 else "AAAA"


def public(look: Look, version: int) -> tuple[str, ...]:
    """Return the public addresses of one IP version; what was given needs no look at the host."""
    vouched = look.vouched
    return addresses.of_version(vouched, version) or addresses.public(vouched, look.host.links.get(), version)


def without_ipv6(look: Look, name: str) -> str:
    """Say that the name has no IPv6 address, which is no fault."""
    own = addresses.public(look.vouched, look.host.links.or_(()), 6)
    if own:
        return say("{name} has no AAAA record and does not need one. You could add {own}.", name=name, own=some(own))
    return say("{name} has no AAAA record, which is right for a host without public IPv6.", name=name)


def no_address(look: Look, name: str) -> Finding:
    """Fail: the name has no address, or does not exist."""
    answer = settled(look, name, "A")
    expected = addresses.public(look.vouched, look.host.links.or_(()), 4)
    message = say("{name} has no A record in the DNS.", name=name)
    if answer.rcode == "NXDOMAIN":
        message = say("{name} does not exist in the DNS.", name=name)
    entries = [record(name, "A", one) for one in expected]
    enter_one = paragraph(say("Enter an A record for {name}.", name=name), say(BEHIND_NAT))
    remedy = enter(entries) if entries else Remedy(enter_one, place="dns")
    return finding(Status.FAIL, message, name, "A", expected=expected, remedy=remedy)


def circle(look: Look, name: str, kind: str) -> MissingFact | None:
    """Make what ends the check if the name's CNAME records lead nowhere; dns.hostname has that as its finding."""
    answer = settled(look, name, kind)
    if not answer.broken:
        return None
    reason = say("The CNAME records of {name} form a loop.", name=name)
    if answer.broken == "long":
        reason = say("{name} has too many CNAME records in a row.", name=name)
    help = say("Replace the CNAME record of {name} with address records.", name=name)
    return undetermined(reason, help, place="dns")


def broken_ipv6(look: Look, name: str, found: tuple[str, ...]) -> str | None:
    """Say why the AAAA records of a name lead nowhere on this host; None where IPv6 can work.

    So it is, too, where the user vouches for an address.
    """
    if addresses.of_version(look.vouched, 6):
        return None
    values = {"name": name, "found": some(found)}
    if not addresses.public(look.vouched, look.host.links.get(), 6):
        return say("{name} has the AAAA record {found}, but this host has no public IPv6 address.", **values)
    if way_out(look.host, 6) is None:
        return say("{name} has the AAAA record {found}, but this host has no default route for IPv6.", **values)
    return None


def compare(look: Look, name: str, kind: str, expected: tuple[str, ...], found: tuple[str, ...]) -> Finding:
    """Hold the addresses of the name against the host's."""
    strange = [one for one in found if one not in expected]
    if not strange:
        message = say("{name} resolves to {found}, which is this host.", name=name, found=some(found))
        own = addresses.host_addresses(look.host.links.or_(()), VERSIONS[kind])
        if not set(found) & {*look.host.asked.public_ips, *own}:
            message = say(
                "{name} resolves to {found}, the address of this host on the Internet.", name=name, found=some(found)
            )
        return finding(Status.PASS, message, name, kind, expected=expected, found=found)
    zone = [] if set(found) & set(expected) else [record(name, kind, one) for one in expected]
    message = say(
        "{name} resolves to {strange}, which is not this host ({expected}).",
        name=name,
        strange=some(strange),
        expected=some(expected),
    )
    remedy = lead_here(look, name, kind, strange, zone)
    return finding(Status.FAIL, message, name, kind, expected=expected, found=found, remedy=remedy)


def lead_here(look: Look, name: str, kind: str, strange: list[str], zone: list[DnsRecord]) -> Remedy:
    """Advise on an address of somebody else; what serves mail there today is moved last."""
    removes = there(look, name, kind, strange)
    own = say("If {strange} is an address of this host, give it with --public-ip.", strange=some(strange))
    domains = receiving(look, name)
    if domains:
        text = say(
            "Mail for {domains} is delivered to that address today. If it belongs to another server, lower the TTL of "
            "the {kind} record to 300 seconds now. Change the record once mailcow runs and you have tested it.",
            domains=some(domains),
            kind=kind,
        )
        return enter(zone, paragraph(own, text), when="last", removes=removes)
    remove = say("Otherwise, remove the {kind} record {strange}.", kind=kind, strange=some(strange))
    return enter(zone, paragraph(own, remove), removes=removes)


def there(look: Look, name: str, kind: str, found: Iterable[str]) -> tuple[DnsRecord, ...]:
    """Return the records of a name that lead to addresses; none where it is an alias, which has none of its own."""
    return () if alias(settled_or_none(look, name, kind)) else those(name, kind, found)


def receiving(look: Look, name: str) -> list[str]:
    """Return the domains whose mail goes to a name."""
    return [domain for domain in look.plan.domains if name in _targets(look, domain)]


def _targets(look: Look, domain: str) -> list[str]:
    answer = settled_or_none(look, domain, "MX")
    return [bare(record.exchange) for record in answer.of(Mx)] if answer else []


def behind_nat(look: Look, name: str, kind: str, found: tuple[str, ...]) -> Finding:
    """Warn of an address in a private network; unknown if the host cannot know its public one."""
    own = addresses.host_addresses(look.host.links.get(), VERSIONS[kind])
    if not set(found) <= set(own):
        reason = say(
            "This host has no public address, so it is not clear whether {found} belongs to it.",
            found=some(found),
        )
        if own:
            reason = say(
                "This host has only private addresses ({own}), so it is not clear whether {found} belongs to it.",
                own=some(own),
                found=some(found),
            )
        raise undetermined(reason, say(BEHIND_NAT))
    message = say(
        "{name} resolves to {found}, which is only a private address of this host.", name=name, found=some(found)
    )
    remedy = Remedy(paragraph(say("Enter the public address at your DNS provider."), say(BEHIND_NAT)), place="dns")
    return finding(Status.WARN, message, name, kind, found=found, remedy=remedy)
