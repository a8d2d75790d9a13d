"""Lines of the host's /etc/hosts that name the future mail host."""

from __future__ import annotations

from preflight.facts import Fact, HostsEntry
from preflight.gather.access.roots import Roots, Unreadable
from preflight.net.addresses import usual
from preflight.net.hostnames import bare
from preflight.text.sentences import say

PATH = "/etc/hosts"
ENTRIES = 64
NAMES = 32


def hosts_file(roots: Roots, fqdn: str | None) -> Fact[tuple[HostsEntry, ...]]:
    """Return the lines that name `fqdn` (lower case, no trailing dot), in the file's order; none where it is absent."""
    if not fqdn:
        return Fact.skipped(PATH, say("No --hostname was given."), cause="no-hostname")
    try:
        text = roots.text(PATH)
    except Unreadable as error:
        if error.absent:
            return Fact.of(PATH, ())
        return roots.unknown(PATH, error)
    return Fact.of(PATH, parse_hosts(text, fqdn))


def parse_hosts(text: str, fqdn: str) -> tuple[HostsEntry, ...]:
    """Parse hosts(5): an address and names, `#` starts a comment. Lines without an address are passed over."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        address, *names = line.partition("#")[0].split() or [""]
        if not _names(names, fqdn):
            continue
        parsed = usual(address)
        if parsed is None:
            continue
        found.append(HostsEntry(parsed, tuple(name[:255] for name in names[:NAMES]), number))
        if len(found) == ENTRIES:
            break
    return tuple(found)


def _names(names: list[str], fqdn: str) -> bool:
    return any(bare(name) == fqdn for name in names)
