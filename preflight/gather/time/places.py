"""The addresses of time servers and web servers: by the host's /etc/hosts, else by the name servers that it asks."""

from __future__ import annotations

from preflight.facts import Answer, Answers, absolute
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.names import hosts
from preflight.gather.names.nameservers import find_servers
from preflight.gather.names.resolver import SILENT, ask
from preflight.net.addresses import parse_address
from preflight.net.hostnames import bare
from preflight.text.sentences import phrase

NAMES = 16  # that are looked up


def addresses(
    roots: Roots, names: tuple[str, ...], resolvers: tuple[str, ...], deadline: float
) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Return an address of each IP version for each name, or why there is none; an address is its own."""
    literal = {name: (name,) for name in names if parse_address(name) is not None}
    # Name servers that are given are asked for everything.
    known = literal | _written(roots, () if resolvers else tuple(name for name in names if name not in literal))
    asked = tuple(name for name in names if name not in known)[:NAMES]
    if not asked:
        return known, {}
    servers = find_servers(roots, resolvers)
    if servers.missing is not None:
        return known, dict.fromkeys(asked, servers.missing.reason)
    given = ask(servers.get(), [(name, kind) for name in asked for kind in ("A", "AAAA")], deadline)
    missing = {}
    for name in asked:
        if found := _found(given, name):
            known[name] = found
        else:
            missing[name] = _why(given, name)
    return known, missing


def _written(roots: Roots, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return what /etc/hosts says of names."""
    if not names:
        return {}
    try:
        text = roots.text(hosts.PATH)
    except Unreadable:
        return {}
    found = {name: tuple(entry.address for entry in hosts.parse_hosts(text, bare(name))) for name in names}
    return {name: _one_of_each(addresses) for name, addresses in found.items() if addresses}


def _found(given: dict[str, Answer], name: str) -> tuple[str, ...]:
    answers = (given.get(Answers.key(name, kind)) for kind in ("A", "AAAA"))
    return _one_of_each(tuple(address for answer in answers if answer for address in answer.addresses))


def _one_of_each(addresses: tuple[str, ...]) -> tuple[str, ...]:
    first = {6 if ":" in address else 4: address for address in reversed(addresses)}
    return tuple(first[version] for version in sorted(first))


def _why(given: dict[str, Answer], name: str) -> str:
    rcodes = [answer.rcode for kind in ("A", "AAAA") if (answer := given.get(Answers.key(absolute(name), kind)))]
    if not rcodes or all(rcode in SILENT for rcode in rcodes):
        return phrase("no answer from the name servers")
    return ", ".join(dict.fromkeys(rcodes))
