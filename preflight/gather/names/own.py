"""The own servers of zones, asked for the records that are judged.

The addresses of these servers come from the DNS, so whoever has a zone chooses where questions are sent: their number
is bounded, what is asked are DNS questions to port 53 alone, and nothing of an answer is sent on. Addresses that the
Internet does not route are asked only where the resolver is given by name, or is in such a network itself: a zone that
is served in the private network of a company or a laboratory has a resolver there. Loopback is asked only where the
resolver that was given is on loopback, link-local addresses and groups never.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from msgspec import Struct
from msgspec.structs import replace

from preflight.facts import Answer, Answers, ZoneServer
from preflight.gather.names import zones
from preflight.gather.names.budget import OWN
from preflight.gather.names.nameservers import Server, shown
from preflight.gather.names.questions import MailHost, Question, records
from preflight.gather.names.resolver import ask, ask_own
from preflight.net.addresses import is_loopback, is_public, parse_address, unmapped
from preflight.policies.agreement import disputed, has_zone

PORT = 53
# A cache counts whole seconds down; what says the same after more than one is none.
SECOND = 1.05
MEETING = 3.0  # seconds in which servers say who they are: where the way to all of them is blocked, that is enough
TELLING = 4.0  # seconds for the records


class Resolvers(Struct, frozen=True):
    """Who is asked for everything; `given`: by the user."""

    servers: tuple[Server, ...]
    given: bool = False

    def lets_ask(self, address: str) -> bool:
        """Say whether a zone's server may be asked at an address (in its usual form)."""
        parsed = parse_address(address)
        if parsed is None:
            return False
        meant, own = unmapped(parsed), [one.partition("%")[0] for one, _ in self.servers]
        if meant.is_loopback:
            return self.given and any(map(is_loopback, own))
        if meant.is_link_local or meant.is_multicast or meant.is_unspecified or meant.is_reserved:
            return False
        return self.given or is_public(address) or any(not is_public(one) and not is_loopback(one) for one in own)


def asked(found: Answers, host: MailHost, resolvers: Resolvers, deadline: float, room: int) -> Answers:
    """Return the answers with those of the zones' own servers, as far as these have not been asked yet."""
    new = {zone: zones.servers(found, zone) for zone in zones.cuts(host, found) if zone not in found.zones}
    known = found.zones | {zone: rows for zone, rows in _met(new, resolvers, deadline, room).items() if rows}
    wanted = records(host, found)
    jobs: dict[tuple[Server, str], tuple[Server, Question]] = {}
    for zone, question in zones.judged(host, found, wanted):
        if Answers.key(*question) in found.by_question:
            for server in _having(known.get(zone, ())):
                jobs.setdefault((server, Answers.key(*question)), (server, question))
    fresh = [job for (server, key), job in jobs.items() if not _is_told(found, server, key)]
    left = max(0, OWN - sum(map(len, found.own.values())))
    told = ask_own(fresh[:left], _within(TELLING, deadline), room)
    own = dict(found.own)
    for (_, key), answer in told.items():
        own[key] = (*own.get(key, ()), answer)
    return replace(found, zones=known, own=own)


def _met(
    new: dict[str, tuple[ZoneServer, ...]], resolvers: Resolvers, deadline: float, room: int
) -> dict[str, tuple[ZoneServer, ...]]:
    """Ask servers for the start of their zone: who is silent, or does not have it, is asked nothing more."""
    jobs = [
        (_place(one), (zone, "SOA")) for zone, rows in new.items() for one in rows if resolvers.lets_ask(one.address)
    ]
    told = ask_own(jobs, _within(MEETING, deadline), room)

    def start(zone: str, one: ZoneServer) -> Answer | None:
        return told.get((_place(one), Answers.key(zone, "SOA")))

    return {zone: tuple(replace(one, start=start(zone, one)) for one in rows) for zone, rows in new.items()}


def _within(seconds: float, deadline: float) -> float:
    return min(deadline, time.monotonic() + seconds)


def _place(one: ZoneServer) -> Server:
    return one.address, PORT


def _having(rows: Iterable[ZoneServer]) -> list[Server]:
    return [_place(one) for one in rows if one.start and has_zone(one.start)]


def _is_told(found: Answers, server: Server, key: str) -> bool:
    return any(answer.server == shown(server) for answer in found.own.get(key, ()))


def asked_again(
    found: Answers, resolvers: Resolvers, deadline: float, since: float, sleep: Callable[[float], None] = time.sleep
) -> Answers:
    """Return the answers with what the resolver says later, where it says what none of the zone's servers does.

    A cache says by its TTL that it is one, `since`: when all answers had come. A resolver that says that it has the
    zone itself needs no second question.
    """
    questions = [one for one in disputed(found) if not found.of(*one).authoritative]
    if not questions:
        return found
    sleep(max(0.0, min(since + SECOND, deadline) - time.monotonic()))
    return replace(found, again=ask(resolvers.servers, questions[:OWN], deadline))
