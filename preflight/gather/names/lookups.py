"""All that is asked of the DNS for one mail host, in rounds: what an answer names is asked for in the next one."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from preflight.facts import Answer, Fact
from preflight.gather.access.roots import Roots
from preflight.gather.names import denial
from preflight.gather.names.nameservers import Server, find, shown
from preflight.gather.names.resolver import SILENT, Question, ask, key
from preflight.mailcow.plan import QUESTIONS
from preflight.net.addresses import usual
from preflight.net.hostnames import askable
from preflight.text.sentences import paragraph, say

ROUNDS = 3
DOMAINS = 16  # and as many addresses
TARGETS = 8  # names of one answer that are asked for in turn


def look_up(
    roots: Roots,
    fqdn: str | None,
    domains: tuple[str, ...],
    addresses: tuple[str, ...],
    resolvers: tuple[str, ...],
    deadline: float,
) -> Fact[dict[str, Answer]]:
    """Return the answers by `key`: for the host's name, its addresses' PTR, its domains, and the names those lead to.

    `fqdn` and `domains` are normalised (plan.py), `addresses` are the public ones, `deadline` is of time.monotonic.
    Where no server ever answered the fact is unknown.
    """
    if not fqdn:
        return Fact.skipped("DNS", say("No --hostname was given."))
    if not askable(fqdn):
        reason = say("{fqdn} is not a name that the DNS can be asked for.", fqdn=fqdn[:80])
        return Fact.unknown("DNS", reason, say("Give a correct --hostname."))
    servers = find(roots, resolvers)
    if servers.missing is not None:
        return Fact(servers.source, None, servers.missing)
    found: dict[str, Answer] = {}
    todo = first_questions(fqdn, domains, addresses)
    for _ in range(ROUNDS):
        fresh = [question for question in dict.fromkeys(todo) if key(*question) not in found]
        if not fresh[: QUESTIONS - len(found)]:
            break
        found |= ask(servers.get(), fresh[: QUESTIONS - len(found)], deadline)
        if _dead(found):
            break
        todo = follow_ups(found.values())
    if above := denial.questions(found.values()):
        found = denial.weighed(found, ask(servers.get(), above, deadline))
    return _fact(servers.get(), found)


def first_questions(fqdn: str, domains: tuple[str, ...], addresses: tuple[str, ...]) -> list[Question]:
    """Return the questions that depend on no answer, the important ones first."""
    asked = [(fqdn, "A"), (fqdn, "AAAA")]
    asked += [(ipaddress.ip_address(one).reverse_pointer, "PTR") for one in map(usual, addresses[:DOMAINS]) if one]
    asked += [(domain, "MX") for domain in domains[:DOMAINS]]
    names = [f"{label}.{domain}" for domain in domains[:DOMAINS] for label in ("autodiscover", "autoconfig")]
    return asked + [(name, kind) for name in names for kind in ("A", "AAAA")]


def follow_ups(known: Iterable[Answer]) -> list[Question]:
    """Return the questions for the addresses of the names that MX and PTR records lead to."""
    targets = [
        record.split()[-1]
        for answer in known
        if answer.type in ("MX", "PTR")
        for record in answer.records[:TARGETS]
        if record.split()
    ]
    return [(target, kind) for target in dict.fromkeys(targets) if target != "." for kind in ("A", "AAAA")]


def _dead(found: dict[str, Answer]) -> bool:
    return all(answer.rcode in SILENT for answer in found.values())


def _fact(servers: tuple[Server, ...], found: dict[str, Answer]) -> Fact[dict[str, Answer]]:
    """Make the fact; where nobody ever answered, that is one cause, and it is said once."""
    names = ", ".join(map(shown, servers))
    source = f"DNS, asked of {names}"
    if not found or not _dead(found):
        return Fact.of(source, found)
    details = {answer.detail for answer in found.values() if answer.rcode == "error"}
    why = say("One cause was named: {detail}.", detail=details.pop()) if len(details) == 1 else None
    silence = say("The name servers asked did not answer any question: {names}.", names=names)
    if len(servers) == 1:
        silence = say("The name server {name} did not answer any question.", name=names)
    return Fact.unknown(
        source,
        paragraph(silence, why),
        say("See that this host may reach {names} over UDP and TCP, or name another with --resolver.", names=names),
    )
