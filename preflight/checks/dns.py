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
    elif entries := _on_loopback(look):
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
    message = f"{name} is a fully qualified name and no alias.{hostnames.remark(given, name)}"
    return finding(Status.PASS, message, name, "CNAME", found=(name,))


def _without_dot(given: str, name: str) -> Remedy | None:
    """Offer the name without its dot where that is all; None leaves it to the general sentence."""
    if given.strip().endswith(".") and not hostnames.fault(name, name):
        return Remedy(f"Write the name without the dot: {name}")
    return None


def _on_loopback(look: Look) -> tuple[HostsEntry, ...]:
    """Return the lines of /etc/hosts that have the name on loopback; none where the file cannot be read."""
    entries = look.host.hosts_file.get() if look.host.hosts_file.known else ()
    return tuple(e for e in entries if (a := addresses.usual(e.address)) and ipaddress.ip_address(a).is_loopback)


def _in_hosts_file(name: str, entries: tuple[HostsEntry, ...]) -> Finding:
    first = entries[0]
    word = rf"[[:space:]]+{re.escape(name)}\.?([[:space:]]|$)"
    commands = tuple(f"sed -i.bak -E '{entry.line}s/{word}/\\1/I' /etc/hosts" for entry in entries)
    text = "Take the name out of /etc/hosts (cloud-init writes it again where manage_etc_hosts is set)."
    message = f"Line {first.line} of /etc/hosts says that {name} is {first.address}, the host's loopback address."
    found = [entry.address for entry in entries]
    return finding(Status.FAIL, message, name, "hosts", found=found, remedy=Remedy(text, commands))


def _is_alias(name: str, target: str) -> Finding:
    message = f"{name} is an alias (CNAME) of {target}, which the name of a mail host must not be."
    remedy = Remedy(f"Replace the CNAME record of {name} by address records (A, and AAAA where the host has IPv6).")
    return finding(Status.FAIL, message, name, "CNAME", found=(f"{target}.",), remedy=remedy)


def _families(_: Look) -> tuple[str, ...]:
    return tuple(VERSIONS)


@check(
    severity=Severity.REQUIRED,
    reads=("answers", "links", "routes"),
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
        message = f"{name} has the AAAA record {some(found)}, but {why}."
        remedy = Remedy(f"Remove the AAAA record of {name}, or set up IPv6 on this host. {BEHIND_NAT}")
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
        return f"{name} has no AAAA record, which is allowed; {some(own)} could be one."
    return f"{name} has no AAAA record, which is right for a host without public IPv6."


def _no_address(look: Look, name: str) -> Finding:
    answer = settled(look, name, "A")
    expected = addresses.public(look.host.asked, look.host.links.value or (), 4)
    what = "does not exist" if answer.rcode == "NXDOMAIN" else "has no A record"
    why = f" ({answer.detail})" if answer.detail else ""
    zone = [line(name, "A", one) for one in expected]
    remedy = None if zone else Remedy(f"Enter an A record for {name}. {BEHIND_NAT}")
    message = f"{name} {what} in the DNS{why}."
    return finding(Status.FAIL, message, name, "A", expected=expected, zone=zone, remedy=remedy)


def _broken_ipv6(look: Look) -> str | None:
    """Say why IPv6 cannot work on this host; None where it can, or where the user vouches for an address."""
    if addresses.of_version(look.host.asked.public_ips, 6):
        return None
    if not addresses.public(look.host.asked, look.host.links.get(), 6):
        return "this host has no public IPv6 address"
    if not any(route.destination == "::/0" for route in look.host.routes.get()):
        return "this host has no default route for IPv6"
    return None


def _compare(name: str, kind: str, expected: tuple[str, ...], found: tuple[str, ...]) -> Finding:
    strange = [one for one in found if one not in expected]
    if not strange:
        message = f"{name} leads to {some(found)}, which is this host."
        return finding(Status.PASS, message, name, kind, expected=expected, found=found)
    zone = [] if set(found) & set(expected) else [line(name, kind, one) for one in expected]
    message = f"{name} leads to {some(strange)}, which is not this host ({some(expected)})."
    before = f"Remove the {kind} record {some(strange)}, or name it with --public-ip if it is this host's."
    remedy = enter(zone, before)
    return finding(Status.FAIL, message, name, kind, expected=expected, found=found, zone=zone, remedy=remedy)


def _behind_nat(look: Look, name: str, kind: str, found: tuple[str, ...]) -> Finding:
    own = addresses.own(look.host.links.get(), VERSIONS[kind])
    if not set(found) <= set(own):
        has = f"only private addresses ({some(own)})" if own else "no address that the world could see"
        raise unknown(f"this host has {has}, so whether {some(found)} leads to it cannot be told", BEHIND_NAT)
    message = f"{name} leads to {some(found)}, which is this host, but in its private network only."
    remedy = Remedy(f"Enter the public address at the provider of the zone. {BEHIND_NAT}")
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
        raise unknown("this host has no public address of its own, so the one it sends from is not known", BEHIND_NAT)
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
        message = f"The reverse name of {address} is {name}, but {name} does not lead back to {address}."
        zone = (line(name, kind, address),)
        yield finding(Status.FAIL, message, name, kind, expected=(address,), found=forward, zone=zone)
        return
    yield _good_reverse(look, address, pointer, names)


def _wrong_reverse(address: str, pointer: str, name: str, names: tuple[str, ...]) -> Finding:
    message = f"The reverse name of {address} is {some(names)}, not {name}."
    if not names:
        message = f"{address} has no reverse name."
    entry = line(pointer, "PTR", f"{name}.")
    text = f"Set the reverse name (PTR, rDNS) of {address} to {name} at the provider that leased the address to you"
    found = [f"{other}." for other in names]
    remedy = Remedy(f"{text}; as a zone line: {entry}")
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
        message = f"{address} has further reverse names besides {name}, of which {some(loose)} does not lead back."
        remedy = Remedy(f"Leave {name} as the only reverse name of {address}.")
        return finding(Status.WARN, message, pointer, "PTR", expected=expected, found=found, remedy=remedy)
    also = f" The address has {len(others)} more: {some(others)}." if others else ""
    message = f"The reverse name of {address} is {name}, which leads back.{also}"
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
        status, message = Status.FAIL, f"{domain} has no MX record."
    elif "" in targets:
        status, message = Status.FAIL, f"{domain} has a null MX record, which says that it takes no mail at all."
        remedy = enter(zone, "Remove the null MX record.")
    elif name in targets:
        status, message, remedy = _delivered_here(look, domain, targets)
    else:
        status, message = _delivered_elsewhere(look, domain, list(targets))
        remedy = enter(zone, f"Remove the MX records that lead to {some(targets)}.")
    yield finding(status, message, domain, "MX", expected=expected, found=found, zone=zone, remedy=remedy)


def _delivered_here(look: Look, domain: str, targets: dict[str, int]) -> tuple[Status, str, Remedy | None]:
    name = fqdn(look)
    others = [target for target in targets if target != name]
    if alias(known(look, name, "A")):
        remedy = Remedy(f"Replace the CNAME record of {name} by address records.")
        message = f"Mail for {domain} goes to {name}, which is an alias; the target of an MX record must not be one."
        return Status.FAIL, message, remedy
    if not others:
        return Status.PASS, f"Mail for {domain} goes to {name}.", None
    order = "first" if min(targets[other] for other in others) < targets[name] else "as well"
    unless = f"unless that is a relay which passes mail on to {name}"
    remedy = Remedy(f"Remove the MX records that lead to {some(others)}, {unless}.")
    return Status.WARN, f"Mail for {domain} goes to {some(others)} {order}, not to {name} alone.", remedy


def _delivered_elsewhere(look: Look, domain: str, targets: Sequence[str]) -> tuple[Status, str]:
    """Fail; warn where the targets are but other names of this host's addresses, and no aliases."""
    name = fqdn(look)
    here = set(records(known(look, name, "A")))
    answers = [known(look, target, "A") for target in targets]
    if all(a and a.records and not a.alias and set(records(a)) <= here for a in answers):
        which = f"which has the addresses of {name}, not its name"
        return Status.WARN, f"Mail for {domain} goes to {some(targets)}, {which}."
    return Status.FAIL, f"Mail for {domain} goes to {some(targets)}, not to {name}."


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
        yield finding(Status.PASS, f"{name} leads to {host}.", name, "CNAME", expected=expected, found=found)
        return
    message = f"{name} leads to {some(found)}, not to {host}." if found else f"{name} has no record."
    zone = (line(name, "CNAME", f"{host}."),)
    remedy = enter(zone, f"Remove the present records of {name}." if found else "")
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
