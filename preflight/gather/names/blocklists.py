"""Ask DNS block lists about addresses (RFC 5782): whether a list works at all is known by its test points."""

from __future__ import annotations

import time
from ipaddress import ip_address

from preflight.facts import Answer, Answers, Fact
from preflight.facts.blocklists import BlockListed, BlockLists, Listed, Listing, ListState
from preflight.gather.access.roots import Roots
from preflight.gather.names.nameservers import find_servers, shown
from preflight.gather.names.resolver import ask
from preflight.net.addresses import reverse_name
from preflight.text.sentences import say

ADDRESSES = 8  # that are asked about
SECONDS = 6.0
# RFC 5782, 5: what every list has, and what none may have.
MUST = {4: "127.0.0.2", 6: "::ffff:127.0.0.2"}
MUST_NOT = {4: "127.0.0.1", 6: "::ffff:127.0.0.1"}
# https://www.spamhaus.org/faqs/dnsbl-usage/: an error of whoever asks (a public resolver, too many questions).
_REFUSALS = range(252, 256)


def blocklists(
    roots: Roots, zones: tuple[str, ...], addresses: tuple[str, ...], resolvers: tuple[str, ...], deadline: float
) -> Fact[BlockLists]:
    """Ask all lists about all addresses, and about their test points, until the deadline (of time.monotonic)."""
    if not addresses:
        why = say("No public address of this host is known.")
        return Fact.skipped("DNS", why, say("Name its public address with --public-ip."))
    servers = find_servers(roots, resolvers)
    if servers.missing is not None:
        return Fact(servers.source, None, servers.missing)
    asked = addresses[:ADDRESSES]
    versions = dict.fromkeys((4, *(ip_address(one).version for one in asked)))
    points = [point for one in versions for point in (MUST[one], MUST_NOT[one])]
    questions = [(question(address, zone), "A") for zone in zones for address in (*points, *asked)]
    answers = Answers(ask(servers.get(), questions, min(deadline, time.monotonic() + SECONDS)))
    lists = tuple(read(zone, asked, answers) for zone in zones)
    return Fact.of("DNS", BlockLists(lists, asked, tuple(map(shown, servers.get()))))


def question(address: str, zone: str) -> str:
    """Return the name by which a list is asked about an address."""
    return f"{reverse_name(address).removesuffix('.in-addr.arpa').removesuffix('.ip6.arpa')}.{zone}."


def read(zone: str, addresses: tuple[str, ...], answers: Answers) -> BlockListed:
    """Read what one list says; an address of a version that it does not know is left out."""
    state = _state(zone, 4, answers)
    if state != "alive":
        return BlockListed(zone, state)
    asked = [one for one in addresses if ip_address(one).version == 4 or _state(zone, 6, answers) == "alive"]
    return BlockListed(zone, state, tuple(_listing(one, answers.get(question(one, zone), "A")) for one in asked))


def _state(zone: str, version: int, answers: Answers) -> ListState:
    must = _listing("", answers.get(question(MUST[version], zone), "A")).said
    must_not = _listing("", answers.get(question(MUST_NOT[version], zone), "A")).said
    if "refused" in (must, must_not):
        return "refused"
    if "failed" in (must, must_not):
        return "failed"
    if must_not != "clear":
        return "all"
    return "alive" if must == "listed" else "none"


def _listing(address: str, answer: Answer | None) -> Listing:
    if answer is None or answer.rcode not in ("NOERROR", "NXDOMAIN"):
        return Listing(address, "failed")
    found = [ip_address(one).packed for one in answer.addresses]
    codes = tuple(sorted({raw[3] for raw in found}))
    if not found:
        return Listing(address, "clear")
    if any(raw[:3] == bytes([127, 255, 255]) and raw[3] in _REFUSALS for raw in found):
        return Listing(address, "refused", codes)
    # A resolver that answers every name, or a zone that was sold, leads to a host; 127.0.0.1 is no code of a list.
    genuine = all(raw[0] == 127 and raw != bytes([127, 0, 0, 1]) for raw in found)
    said: Listed = "listed" if genuine else "wrong"
    return Listing(address, said, codes)
