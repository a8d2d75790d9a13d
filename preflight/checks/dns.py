"""Does the world know the mail host by its name, forwards and backwards, and do its domains lead to it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence

from preflight import addresses, hostnames
from preflight.checks import Look, check
from preflight.checks.names import (
    BEHIND_NAT,
    alias,
    domains,
    enter,
    finding,
    fqdn,
    known,
    line,
    no_hostname,
    records,
    settled,
    some,
    unknown,
)
from preflight.facts import HostsEntry
from preflight.hostnames import bare
from preflight.model import Finding, Remedy, Severity, Status
from preflight.routing import way_out
from preflight.sentences import noted, paragraph, say

DOCS = "https://docs.mailcow.email/getstarted/prerequisite-dns/"
ISSUES = "https://github.com/mailcow/mailcow-dockerized/issues"
VERSIONS = {"A": 4, "AAAA": 6}


@check(
    severity=Severity.REQUIRED,
    reads=("hosts_file", "answers"),
    remedy="Choose a name such as mail.example.org, with an address record of its own, and keep it out of /etc/hosts.",
    docs=(DOCS, f"{ISSUES}/1572", f"{ISSUES}/850", f"{ISSUES}/2932"),
)
def hostname(look: Look) -> Iterator[Finding]:
    """The host name is a fully qualified one of its own.

    mailcow's installer wants a name of at least three labels, but only when it asks for it: a name given unattended
    goes in unseen. A mail host may not be an alias (RFC 2181, 5321), and mailcow's own diagnosis refuses a CNAME.
    Debian's installer enters the name as 127.0.1.1 into /etc/hosts. Containers do not read that file, but a resolver
    on the host that does (dnsmasq, systemd-resolved) tells them so; mailcow then gets no certificate, as the name
    does not match the host's address, and programs on the host reach mailcow's name on loopback. Hence this fails.
    """
    given, name = look.plan.hostname, look.plan.fqdn or ""
    if given is None:
        raise no_hostname()
    if fault := hostnames.fault(given, name):
        yield finding(Status.FAIL, fault, name, "CNAME", found=(given,), remedy=_without_dot(given, name))
    elif entries := _on_loopback(look, name):
        yield _in_hosts_file(name, entries)
    elif not look.host.answers.known and (doubt := hostnames.doubt(name)):
        yield finding(Status.WARN, doubt, name, "CNAME", found=(name,))
    elif target := alias(settled(look, name, "A")):
        yield _is_alias(name, target)
    else:
        look.host.hosts_file.get()
        yield _good_name(given, name)


def _good_name(given: str, name: str) -> Finding:
    if doubt := hostnames.doubt(name):
        return finding(Status.WARN, doubt, name, "CNAME", found=(name,))
    message = say("{name} is a fully qualified name and no alias.", name=name)
    message = paragraph(message, hostnames.remark(given, name))
    return finding(Status.PASS, message, name, "CNAME", found=(name,))


def _without_dot(given: str, name: str) -> Remedy | None:
    """Offer the name without its dot where that is all; None leaves it to the general sentence."""
    if given.strip().endswith(".") and not hostnames.fault(name, name):
        return Remedy(say("Write the name without the dot: {name}", name=name))
    return None


def _on_loopback(look: Look, name: str) -> tuple[HostsEntry, ...]:
    """Return the lines of /etc/hosts that have the name on loopback; none where the file cannot be read."""
    entries = look.host.hosts_file.get() if look.host.hosts_file.known else ()
    named = [entry for entry in entries if any(other.rstrip(".").lower() == name for other in entry.names)]
    return tuple(entry for entry in named if _is_loopback(entry.address))


def _is_loopback(text: str) -> bool:
    known = addresses.usual(text)
    if known is None:
        return False
    address = ipaddress.ip_address(known)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _in_hosts_file(name: str, entries: tuple[HostsEntry, ...]) -> Finding:
    first = entries[0]
    word = rf"[[:space:]]+{re.escape(name)}\.?([[:space:]]|$)"
    commands = tuple(f"sed -i.bak -E '{entry.line}s/{word}/\\1/I' /etc/hosts" for entry in entries)
    text = say("Take the name out of /etc/hosts (cloud-init writes it again where manage_etc_hosts is set).")
    message = say(
        "Line {line} of /etc/hosts says that {name} is {address}, the host's loopback address.",
        line=first.line,
        name=name,
        address=first.address,
    )
    found = [entry.address for entry in entries]
    return finding(Status.FAIL, message, name, "hosts", found=found, remedy=Remedy(text, commands))


def _is_alias(name: str, target: str) -> Finding:
    message = say(
        "{name} is an alias (CNAME) of {target}, which the name of a mail host must not be.", name=name, target=target
    )
    remedy = Remedy(
        say("Replace the CNAME record of {name} by address records (A, and AAAA where the host has IPv6).", name=name)
    )
    return finding(Status.FAIL, message, name, "CNAME", found=(f"{target}.",), remedy=remedy)


def _families(_: Look) -> tuple[str, ...]:
    return tuple(VERSIONS)


@check(
    severity=Severity.REQUIRED,
    reads=("answers", "links", "ways", "routes"),
    remedy="Enter the host's public addresses at the provider of the zone; remove an AAAA record that leads nowhere.",
    docs=(DOCS, f"{ISSUES}/1628", f"{ISSUES}/4709"),
    subject="A, AAAA",
    subjects=_families,
)
def address(look: Look, kind: str) -> Iterator[Finding]:
    """The host name's addresses are this host's.

    Other servers deliver to these addresses, and mailcow asks for a certificate only when they are its own. An AAAA
    record is looked at first, by them and by mailcow: one that leads nowhere does more harm than none.
    """
    name = fqdn(look)
    found = records(settled(look, name, kind))
    if not found and kind == "AAAA":
        yield finding(Status.PASS, _without_ipv6(look, name), name, kind)
    elif not found:
        yield _no_address(look, name)
    elif kind == "AAAA" and (why := _broken_ipv6(look)):
        message = say(why, name=name, found=some(found))
        remove = say("Remove the AAAA record of {name}, or set up IPv6 on this host.", name=name)
        remedy = Remedy(paragraph(remove, say(BEHIND_NAT)))
        yield finding(Status.FAIL, message, name, kind, found=found, remedy=remedy)
    elif expected := _public(look, VERSIONS[kind]):
        yield _compare(name, kind, expected, found)
    else:
        yield _behind_nat(look, name, kind, found)


def _public(look: Look, version: int) -> tuple[str, ...]:
    """Return the public addresses of one IP version; what was given needs no look at the host."""
    asked = look.host.asked
    return addresses.of_version(asked.public_ips, version) or addresses.public(asked, look.host.links.get(), version)


def _without_ipv6(look: Look, name: str) -> str:
    own = addresses.public(look.host.asked, look.host.links.value or (), 6)
    if own:
        return say("{name} has no AAAA record, which is allowed; {own} could be one.", name=name, own=some(own))
    return say("{name} has no AAAA record, which is right for a host without public IPv6.", name=name)


def _no_address(look: Look, name: str) -> Finding:
    answer = settled(look, name, "A")
    expected = addresses.public(look.host.asked, look.host.links.value or (), 4)
    message = say("{name} has no A record in the DNS.", name=name)
    if answer.rcode == "NXDOMAIN":
        message = say("{name} does not exist in the DNS.", name=name)
    if answer.detail:
        message = paragraph(message, say("The name server adds: {detail}.", detail=answer.detail.rstrip(".")))
    zone = [line(name, "A", one) for one in expected]
    enter_one = paragraph(say("Enter an A record for {name}.", name=name), say(BEHIND_NAT))
    remedy = None if zone else Remedy(enter_one)
    return finding(Status.FAIL, message, name, "A", expected=expected, zone=zone, remedy=remedy)


def _broken_ipv6(look: Look) -> str | None:
    """Say why IPv6 cannot work on this host, as a sentence still to be said; None where it can work.

    So it is, too, where the user vouches for an address.
    """
    if addresses.of_version(look.host.asked.public_ips, 6):
        return None
    if not addresses.public(look.host.asked, look.host.links.get(), 6):
        return noted("{name} has the AAAA record {found}, but this host has no public IPv6 address.")
    if way_out(look.host, 6) is None:
        return noted("{name} has the AAAA record {found}, but this host has no default route for IPv6.")
    return None


def _compare(name: str, kind: str, expected: tuple[str, ...], found: tuple[str, ...]) -> Finding:
    strange = [one for one in found if one not in expected]
    if not strange:
        message = say("{name} leads to {found}, which is this host.", name=name, found=some(found))
        return finding(Status.PASS, message, name, kind, expected=expected, found=found)
    zone = [] if set(found) & set(expected) else [line(name, kind, one) for one in expected]
    message = say(
        "{name} leads to {strange}, which is not this host ({expected}).",
        name=name,
        strange=some(strange),
        expected=some(expected),
    )
    before = say(
        "Remove the {kind} record {strange}, or name it with --public-ip if it is this host's.",
        kind=kind,
        strange=some(strange),
    )
    remedy = enter(zone, before)
    return finding(Status.FAIL, message, name, kind, expected=expected, found=found, zone=zone, remedy=remedy)


def _behind_nat(look: Look, name: str, kind: str, found: tuple[str, ...]) -> Finding:
    own = addresses.own(look.host.links.get(), VERSIONS[kind])
    if not set(found) <= set(own):
        reason = say(
            "This host has no address that the world could see, so whether {found} leads to it cannot be told.",
            found=some(found),
        )
        if own:
            reason = say(
                "This host has only private addresses ({own}), so whether {found} leads to it cannot be told.",
                own=some(own),
                found=some(found),
            )
        raise unknown(reason, say(BEHIND_NAT))
    message = say(
        "{name} leads to {found}, which is this host, but in its private network only.", name=name, found=some(found)
    )
    remedy = Remedy(paragraph(say("Enter the public address at the provider of the zone."), say(BEHIND_NAT)))
    return finding(Status.WARN, message, name, kind, found=found, remedy=remedy)


def _reversed(look: Look) -> tuple[str, ...]:
    """Name the addresses whose PTR counts: those given; else the host's public ones, if some are the name's, those."""
    name, asked, links = fqdn(look), look.host.asked, look.host.links
    if not asked.public_ips and not links.known:
        look.host.answers.get()
        links.get()
    chosen: list[str] = []
    for kind, version in VERSIONS.items():
        public = addresses.public(asked, links.value or (), version)
        if addresses.of_version(asked.public_ips, version):
            chosen += public
        elif version == 4 or look.plan.ipv6:
            chosen += [one for one in public if one in records(known(look, name, kind))] or public
    if not chosen:
        look.host.answers.get()
        raise unknown(
            say("This host has no public address of its own, so the one it sends from is not known."), say(BEHIND_NAT)
        )
    return tuple(chosen)


@check(
    severity=Severity.REQUIRED,
    reads=("answers", "links"),
    remedy="Have the address's reverse name set by the provider that leased it to you; it is not in your own zone.",
    docs=(DOCS, f"{ISSUES}/254"),
    subject="address",
    subjects=_reversed,
)
def reverse(look: Look, address: str) -> Iterator[Finding]:
    """The address's reverse name is the host name, and leads back.

    Large providers refuse mail from addresses whose PTR record is missing, is a generic one, or does not lead back to
    the address. The record belongs to whoever leased the address, for IPv4 and IPv6 alike.
    """
    name = fqdn(look)
    pointer = ipaddress.ip_address(address).reverse_pointer
    names = tuple(dict.fromkeys(map(bare, settled(look, pointer, "PTR").records)))
    if name not in names:
        yield _wrong_reverse(address, pointer, name, names)
        return
    kind = "AAAA" if ":" in address else "A"
    forward = records(settled(look, name, kind))
    if address not in forward:
        message = say(
            "The reverse name of {address} is {name}, but {name} does not lead back to {address}.",
            address=address,
            name=name,
        )
        zone = (line(name, kind, address),)
        yield finding(Status.FAIL, message, name, kind, expected=(address,), found=forward, zone=zone)
        return
    yield _good_reverse(look, address, pointer, names)


def _wrong_reverse(address: str, pointer: str, name: str, names: tuple[str, ...]) -> Finding:
    message = say(
        "The reverse name of {address} is {names}, not {name}.", address=address, names=some(names), name=name
    )
    if not names:
        message = say("{address} has no reverse name.", address=address)
    entry = line(pointer, "PTR", f"{name}.")
    text = say(
        "Set the reverse name (PTR, rDNS) of {address} to {name} at the provider that leased the address to you; as a"
        " zone line: {entry}",
        address=address,
        name=name,
        entry=entry,
    )
    found = [f"{other}." for other in names]
    remedy = Remedy(text)
    expected = (f"{name}.",)
    return finding(Status.FAIL, message, pointer, "PTR", expected=expected, found=found, zone=(entry,), remedy=remedy)


def _good_reverse(look: Look, address: str, pointer: str, names: tuple[str, ...]) -> Finding:
    """Pass; warn where the address has further reverse names that do not lead back: a receiver may look at any."""
    name, kind = fqdn(look), "AAAA" if ":" in address else "A"
    others = [other for other in names if other != name]
    answers = {other: known(look, other, kind) for other in others}
    loose = [other for other, answer in answers.items() if answer and address not in records(answer)]
    found = [f"{one}." for one in names]
    expected = (f"{name}.",)
    if loose:
        message = say(
            "{address} has further reverse names besides {name}, of which these do not lead back: {loose}.",
            address=address,
            name=name,
            loose=some(loose),
        )
        remedy = Remedy(say("Leave {name} as the only reverse name of {address}.", name=name, address=address))
        return finding(Status.WARN, message, pointer, "PTR", expected=expected, found=found, remedy=remedy)
    message = say("The reverse name of {address} is {name}, which leads back.", address=address, name=name)
    if others:
        message = paragraph(message, say("The address has further ones: {names}.", names=some(others)))
    return finding(Status.PASS, message, pointer, "PTR", expected=expected, found=found)


@check(
    severity=Severity.REQUIRED,
    reads=("answers",),
    remedy="Enter an MX record for the domain with mailcow's host name as its target.",
    docs=(DOCS, f"{ISSUES}/3703"),
    subject="domain",
    subjects=domains,
)
def mx(look: Look, domain: str) -> Iterator[Finding]:
    """The domain's mail is delivered to this host.

    Other servers ask for the domain's MX records and deliver to the target with the lowest preference. The target has
    to be mailcow's host name, as the certificate bears that name, and must not be an alias (RFC 2181).
    """
    name = fqdn(look)
    found = settled(look, domain, "MX").records
    targets = {bare(record.rpartition(" ")[2]): _preference(record) for record in reversed(found)}
    expected = (f"10 {name}.",)
    zone = () if name in targets else (line(domain, "MX", expected[0]),)
    remedy = None
    if not found:
        status, message = Status.FAIL, say("{domain} has no MX record.", domain=domain)
    elif "" in targets:
        status = Status.FAIL
        message = say("{domain} has a null MX record, which says that it takes no mail at all.", domain=domain)
        remedy = enter(zone, say("Remove the null MX record."))
    elif name in targets:
        status, message, remedy = _delivered_here(look, domain, targets)
    else:
        status, message = _delivered_elsewhere(look, domain, list(targets))
        remedy = enter(zone, say("Remove the MX records that lead to {targets}.", targets=some(targets)))
    yield finding(status, message, domain, "MX", expected=expected, found=found, zone=zone, remedy=remedy)


def _delivered_here(look: Look, domain: str, targets: dict[str, int]) -> tuple[Status, str, Remedy | None]:
    name = fqdn(look)
    others = [target for target in targets if target != name]
    if alias(known(look, name, "A")):
        remedy = Remedy(say("Replace the CNAME record of {name} by address records.", name=name))
        message = say(
            "Mail for {domain} goes to {name}, which is an alias; the target of an MX record must not be one.",
            domain=domain,
            name=name,
        )
        return Status.FAIL, message, remedy
    if not others:
        return Status.PASS, say("Mail for {domain} goes to {name}.", domain=domain, name=name), None
    values = {"domain": domain, "others": some(others), "name": name}
    message = say("Mail for {domain} goes to {others} as well, not to {name} alone.", **values)
    if min(targets[other] for other in others) < targets[name]:
        message = say("Mail for {domain} goes to {others} first, not to {name} alone.", **values)
    text = say(
        "Remove the MX records that lead to {others}, unless that is a relay which passes mail on to {name}.", **values
    )
    return Status.WARN, message, Remedy(text)


def _delivered_elsewhere(look: Look, domain: str, targets: Sequence[str]) -> tuple[Status, str]:
    """Fail; warn where the targets are but other names of this host's addresses, and no aliases."""
    name = fqdn(look)
    here = set(records(known(look, name, "A")))
    answers = [known(look, target, "A") for target in targets]
    if all(a and a.records and not a.alias and set(records(a)) <= here for a in answers):
        message = say(
            "Mail for {domain} goes to {targets}, which has the addresses of {name}, not its name.",
            domain=domain,
            targets=some(targets),
            name=name,
        )
        return Status.WARN, message
    message = say(
        "Mail for {domain} goes to {targets}, not to {name}.", domain=domain, targets=some(targets), name=name
    )
    return Status.FAIL, message


def _preference(record: str) -> int:
    number = record.partition(" ")[0]
    return int(number) if re.fullmatch(r"[0-9]{1,5}", number) else 65536


def _leads_here(look: Look, name: str) -> Iterator[Finding]:
    """Look whether a name is an alias of the host's, or has addresses of the host's and no others."""
    host = fqdn(look)
    target = alias(settled(look, name, "A"))
    found: tuple[str, ...] = (f"{target}.",) if target else _both(look, name)
    expected = (f"{host}.",)
    if target == host or (_both(look, name) and set(_both(look, name)) <= set(_both(look, host))):
        message = say("{name} leads to {host}.", name=name, host=host)
        yield finding(Status.PASS, message, name, "CNAME", expected=expected, found=found)
        return
    message = say("{name} has no record.", name=name)
    if found:
        message = say("{name} leads to {found}, not to {host}.", name=name, found=some(found), host=host)
    zone = (line(name, "CNAME", f"{host}."),)
    remedy = enter(zone, say("Remove the present records of {name}.", name=name) if found else "")
    yield finding(Status.WARN, message, name, "CNAME", expected=expected, found=found, zone=zone, remedy=remedy)


def _both(look: Look, name: str) -> tuple[str, ...]:
    return records(settled(look, name, "A")) + records(settled(look, name, "AAAA"))


@check(
    severity=Severity.RECOMMENDED,
    reads=("answers",),
    remedy="Enter a CNAME record for autodiscover below the domain with mailcow's host name as its target.",
    docs=(DOCS,),
    subject="domain",
    subjects=domains,
)
def autodiscover(look: Look, domain: str) -> Iterator[Finding]:
    """Outlook and phones find their settings at autodiscover.

    Outlook and ActiveSync look for https://autodiscover.DOMAIN. mailcow answers there, and has the name in its
    certificate when the record leads to it.
    """
    yield from _leads_here(look, f"autodiscover.{domain}")


@check(
    severity=Severity.RECOMMENDED,
    reads=("answers",),
    remedy="Enter a CNAME record for autoconfig below the domain with mailcow's host name as its target.",
    docs=(DOCS,),
    subject="domain",
    subjects=domains,
)
def autoconfig(look: Look, domain: str) -> Iterator[Finding]:
    """Thunderbird finds its settings at autoconfig.

    Thunderbird and others look for autoconfig.DOMAIN. mailcow answers there, and has the name in its certificate
    when the record leads to it.
    """
    yield from _leads_here(look, f"autoconfig.{domain}")
