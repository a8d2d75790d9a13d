"""The mail host's own name: written as one, no alias, and not on the host's loopback."""

from __future__ import annotations

import re

from preflight.checks import Look
from preflight.checks.dns.names import addresses_of, enter, finding, settled_or_none, some, those
from preflight.checks.dns.own_addresses import VERSIONS, receiving
from preflight.facts import HostsEntry
from preflight.net import addresses, hostnames
from preflight.report.model import Finding, Remedy, Status
from preflight.text.sentences import paragraph, say

UNSPECIFIED = ("0.0.0.0", "::")


def good_name(look: Look, given: str, name: str) -> Finding:
    """Pass; warn of a name that is correct and a poor choice, and of one that this host itself takes for another."""
    if doubt := hostnames.doubt(name):
        return finding(Status.WARN, doubt, name, "CNAME", found=(name,))
    message = paragraph(
        say("{name} is a fully qualified name and not an alias.", name=name), hostnames.remark(given, name)
    )
    if hiding := _hiding(look, name):
        return _hidden(look, name, message, hiding)
    return finding(Status.PASS, message, name, "CNAME", found=(name,))


def _hidden(look: Look, name: str, message: str, entries: tuple[HostsEntry, ...]) -> Finding:
    """Say that /etc/hosts hides the DNS: for an address of this host that may be meant, for others it is a mistake."""
    answers = [settled_or_none(look, name, kind) for kind in ("A", "AAAA")]
    remark = say(
        "Line {line} of /etc/hosts gives it the address {address}, but the DNS gives {dns}. Programs on this host use "
        "the address in /etc/hosts.",
        line=entries[0].line,
        address=entries[0].address,
        dns=some(one for answer in answers for one in addresses_of(answer)),
    )
    links = look.host.links.or_(())
    own = {*look.vouched, *addresses.host_addresses(links, 4), *addresses.host_addresses(links, 6)}
    is_meant = all(entry.address in own for entry in entries)
    remedy = None if is_meant else _out_of_hosts(name, entries)
    status = Status.PASS if is_meant else Status.WARN
    return finding(status, paragraph(message, remark), name, "CNAME", found=(name,), remedy=remedy)


def _hiding(look: Look, name: str) -> tuple[HostsEntry, ...]:
    """Return the lines of /etc/hosts that give the name another address than the DNS does."""
    answers = [settled_or_none(look, name, kind) for kind in ("A", "AAAA")]
    known = {one for answer in answers for one in addresses_of(answer)}
    named = [entry for entry in look.host.hosts_file.or_(()) if name in map(hostnames.bare, entry.names)]
    return tuple(entry for entry in named if entry.address not in known) if known and None not in answers else ()


def _out_of_hosts(name: str, entries: tuple[HostsEntry, ...]) -> Remedy:
    word = rf"[[:space:]]+{re.escape(name)}\.?([[:space:]]|$)"
    commands = tuple(f"sed -i.bak -E '{entry.line}s/{word}/\\1/I' /etc/hosts" for entry in entries)
    text = say("Remove the name from /etc/hosts (cloud-init adds it again if manage_etc_hosts is set).")
    return Remedy(text, commands)


def without_dot(given: str, name: str) -> Remedy | None:
    """Offer the name without its dot where that is all; None leaves it to the general sentence."""
    if given.strip().endswith(".") and not hostnames.fault(name, name):
        return Remedy(say("Write the name without the dot: {name}", name=name))
    return None


def on_loopback(look: Look, name: str) -> tuple[HostsEntry, ...]:
    """Return the lines of /etc/hosts that have the name on loopback; none where the file cannot be read."""
    entries = look.host.hosts_file.or_(())
    named = [entry for entry in entries if any(hostnames.bare(other) == name for other in entry.names)]
    return tuple(entry for entry in named if _leads_here(entry.address))


def _leads_here(text: str) -> bool:
    """Say whether an address is loopback, or the unspecified one, which programs take for it."""
    known = addresses.usual(text) or ""
    return addresses.is_loopback(known) or known in UNSPECIFIED


def in_hosts_file(name: str, entries: tuple[HostsEntry, ...]) -> Finding:
    """Fail: the host's own file of names leads to the host alone."""
    first = entries[0]
    message = say(
        "Line {line} of /etc/hosts maps {name} to {address}, the host's loopback address.",
        line=first.line,
        name=name,
        address=first.address,
    )
    if first.address in UNSPECIFIED:
        message = say(
            "Line {line} of /etc/hosts maps {name} to {address}, which is not the address of a host.",
            line=first.line,
            name=name,
            address=first.address,
        )
    found = [entry.address for entry in entries]
    return finding(Status.FAIL, message, name, "hosts", found=found, remedy=_out_of_hosts(name, entries))


def is_alias(look: Look, name: str, target: str) -> Finding:
    """Fail: a mail host's name may be no alias."""
    message = say(
        "{name} is an alias (CNAME) of {target}. The name of a mail host must not be an alias.",
        name=name,
        target=target,
    )
    text = say("Replace the CNAME record of {name} with address records (A, and AAAA if the host has IPv6).", name=name)
    own = {kind: addresses.public(look.vouched, look.host.links.or_(()), number) for kind, number in VERSIONS.items()}
    there = {kind: addresses_of(settled_or_none(look, name, kind)) for kind in VERSIONS}
    # An AAAA record is no must: it is taken over where it leads here already.
    wanted = [*those(name, "A", own["A"]), *those(name, "AAAA", (one for one in own["AAAA"] if one in there["AAAA"]))]
    moves = any(one not in own[kind] for kind in VERSIONS for one in there[kind]) and bool(receiving(look, name))
    remedy = enter(wanted, text, "last" if moves else "now", those(name, "CNAME", (f"{target}.",)))
    return finding(Status.FAIL, message, name, "CNAME", found=(f"{target}.",), remedy=remedy)


def is_example(name: str) -> Finding:
    """Fail: the name was copied from the documentation."""
    message = say("{name} is an example name, not the name of this host.", name=name)
    remedy = Remedy(say("Give the name of your own mail host with --hostname."), place="docker-run")
    return finding(Status.FAIL, message, name, "A", found=(name,), remedy=remedy)


def is_typo(name: str, message: str) -> Finding:
    """Fail: nobody has the domain of the name."""
    remedy = Remedy(say("Correct --hostname, or register the domain and enter its records."), place="docker-run")
    return finding(Status.FAIL, message, name, "A", remedy=remedy)
