"""The names and addresses of the mail host itself."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from preflight.checks import Look, check
from preflight.checks.dns import own_addresses, own_name, pointers
from preflight.checks.dns.names import (
    BEHIND_NAT,
    addresses_of,
    alias,
    any_answer,
    denied,
    finding,
    fqdn,
    is_placeholder,
    no_hostname,
    settled,
    typo,
)
from preflight.checks.dns.own_addresses import VERSIONS
from preflight.checks.dns.own_servers import judged
from preflight.checks.sources import DNS, issue
from preflight.facts import require
from preflight.facts.records import Ptr
from preflight.net import hostnames
from preflight.net.addresses import reverse_name
from preflight.net.hostnames import bare
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import paragraph, say


@check(
    severity=Severity.REQUIRED,
    reads=("hosts_file", "answers", "links", "sightings"),
    remedy="Choose a name such as mail.example.org that has its own address record, and keep it out of /etc/hosts.",
    docs=(DNS,),
    sources=(issue(1572), issue(850), issue(2932)),
)
def hostname(look: Look) -> Iterator[Finding]:
    """The host name is fully qualified and not an alias

    mailcow's installer requires a name of at least three labels, but only if it prompts for the name. In an unattended
    installation, it does not check the name. The name of a mail host must not be an alias (RFC 2181, 5321), and
    mailcow's own diagnosis rejects a CNAME. Debian's installer adds the name to /etc/hosts as 127.0.1.1. Containers do
    not read that file, but a resolver on the host that reads it, such as dnsmasq or systemd-resolved, gives them that
    address. mailcow then gets no certificate, because the name does not match the host's address, and programs on the
    host use loopback for mailcow's name. Such a line is therefore a failure.
    """
    written, name = look.plan.hostname, look.plan.fqdn or ""
    if written is None:
        raise no_hostname()
    if fault := hostnames.fault(written, name):
        remedy = own_name.without_dot(written, name)
        yield finding(Status.FAIL, fault, name, "CNAME", found=(written,), remedy=remedy)
    elif entries := own_name.on_loopback(look, name):
        yield own_name.in_hosts_file(name, entries)
    elif not look.host.answers.known and (doubt := hostnames.doubt(name)):
        yield finding(Status.WARN, doubt, name, "CNAME", found=(name,))
    elif is_placeholder(look):
        yield own_name.is_example(name)
    elif wrong := typo(any_answer(look, name, "A")):
        yield own_name.is_typo(name, paragraph(wrong, hostnames.doubt(name)))
    elif target := alias(settled(look, name, "A")):
        yield own_name.is_alias(look, name, target)
    else:
        require(look.host.hosts_file)
        yield own_name.good_name(look, written, name)


def _families(_: Look) -> tuple[str, ...]:
    return tuple(VERSIONS)


@check(
    severity=Severity.REQUIRED,
    reads=("answers", "links", "sightings", "ways", "routes", "rules"),
    remedy="Enter the host's public addresses at your DNS provider. Remove an AAAA record that leads nowhere.",
    docs=(DNS,),
    sources=(issue(1628), issue(4709)),
    subject="record type",
    subjects=_families,
)
def address(look: Look, kind: str) -> Iterator[Finding]:
    """The host name resolves to this host

    Other servers deliver to these addresses, and mailcow requests a certificate only if they are its own. Other servers
    and mailcow try an AAAA record first, so one that leads nowhere is worse than none.
    """
    name = fqdn(look)
    yield judged(look, "dns.address", ((name, kind),), lambda view: _address(view, kind))


def _address(look: Look, kind: str) -> Finding:
    name = fqdn(look)
    if (nowhere := own_addresses.circle(look, name, kind)) is not None:
        raise nowhere
    found = addresses_of(settled(look, name, kind))
    if not found and kind == "AAAA":
        return finding(Status.PASS, own_addresses.without_ipv6(look, name), name, kind)
    if not found:
        return own_addresses.no_address(look, name)
    if kind == "AAAA" and (message := own_addresses.broken_ipv6(look, name, found)):
        remove = say("Remove the AAAA record of {name}, or set up IPv6 on this host.", name=name)
        gone = own_addresses.there(look, name, kind, found)
        remedy = Remedy(paragraph(remove, say(BEHIND_NAT)), place="dns", removes=gone or UNSET)
        return finding(Status.FAIL, message, name, kind, found=found, remedy=remedy)
    if expected := own_addresses.public(look, VERSIONS[kind]):
        return own_addresses.compare(look, name, kind, expected, found)
    return own_addresses.behind_nat(look, name, kind, found)


@check(
    severity=Severity.REQUIRED,
    reads=("answers", "links", "sightings", "ways", "routes", "rules"),
    remedy="Set the reverse DNS (PTR) record at the hosting provider that leased you the address. It is not in your "
    "own zone.",
    docs=(DNS,),
    sources=(issue(254),),
    subject="address",
    subjects=pointers.sending,
    of_host=True,
)
def reverse(look: Look, address: str) -> Iterator[Finding]:
    """The reverse DNS (PTR) record is the host name, which resolves to the address

    Large providers refuse mail from an address if its PTR record is missing, is generic, or does not resolve back to
    the address. The provider that leased you the address manages the record, for both IPv4 and IPv6. Mail is sent from
    the source address of the default route, or from the address in SNAT_TO_SOURCE, regardless of the host name's
    address.
    """
    name = fqdn(look)
    if (own := any_answer(look, name, "A")) and own.denied:
        raise denied(own)
    pointer = reverse_name(address)
    yield judged(look, "dns.reverse", ((pointer, "PTR"),), lambda view: _reverse(view, address, pointer))


def _reverse(look: Look, address: str, pointer: str) -> Finding:
    name = fqdn(look)
    names = tuple(dict.fromkeys(bare(record.target) for record in settled(look, pointer, "PTR").of(Ptr)))
    kind = own_addresses.kind_of(address)
    if name not in names:
        return pointers.wrong_reverse(look, address, pointer, names)
    if address not in (forward := addresses_of(settled(look, name, kind))):
        return pointers.loose(look, address, kind, forward)
    return pointers.good_reverse(look, address, pointer, names)
