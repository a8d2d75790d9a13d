"""The zones that a mail host's names are in, and their own name servers, by what the resolver says of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from preflight.facts import Answer, Answers, ZoneServer, absolute
from preflight.facts.records import Ns
from preflight.gather.names.budget import TARGETS, ZONE_SERVERS, ZONES
from preflight.gather.names.questions import MailHost, Question
from preflight.net.addresses import reverse_name, usual
from preflight.policies.agreement import SETTLED, is_within, zone_of

_REVERSE = ("in-addr.arpa.", "ip6.arpa.")


def questions(host: MailHost, answers: Answers) -> Iterator[Question]:
    """Yield what tells where zones begin and who serves them, and where aliases lead that their servers tell of."""
    for name in _names(host):
        yield from _up(answers, name)
    for zone in cuts(host, answers):
        yield zone, "NS"
        yield from ((name, kind) for name in _serving(answers, zone) for kind in ("A", "AAAA"))
    told = (answer for rows in answers.own.values() for answer in rows)
    yield from ((one.alias, one.type) for one in told if one.alias and not one.records and not one.broken)


def cuts(host: MailHost, answers: Answers) -> list[str]:
    """Return the zones that the host's names are in, as far as they are known by now."""
    starts = (_start(answers, name) for name in _names(host))
    referred = (_referred(one) for rows in answers.own.values() for one in rows)
    found = dict.fromkeys(zone for zone in (*starts, *referred) if zone and _is_ones_own(zone))
    return list(found)[:ZONES]


def servers(answers: Answers, zone: str) -> tuple[ZoneServer, ...]:
    """Return the addresses of a zone's own servers: one of each server first, and no more than are asked."""
    names = _serving(answers, zone)
    of = {name: [_addresses(answers, name, kind) for kind in ("A", "AAAA")] for name in names}
    columns = [column for index in (0, 1) for column in zip_longest(*(of[name][index] for name in names))]
    rows: dict[str, list[str]] = {}
    for column in columns:
        for name, address in zip(names, column, strict=True):
            if address:
                rows.setdefault(address, []).append(name)
    return tuple(ZoneServer(address, tuple(found)) for address, found in list(rows.items())[:ZONE_SERVERS])


def judged(host: MailHost, answers: Answers, asked: Iterable[Question]) -> Iterator[tuple[str, Question]]:
    """Yield those questions that are about the host's own names, each with its zone."""
    own, zones = [*_names(host)], cuts(host, answers)
    for name, kind in asked:
        if any(is_within(name, one) for one in own) and (zone := zone_of(zones, name)):
            yield zone, (name, kind)


def _names(host: MailHost) -> Iterator[str]:
    yield absolute(host.fqdn)
    yield from map(absolute, host.domains)
    yield from (absolute(reverse_name(one)) for one in map(usual, host.addresses) if one)


def _up(answers: Answers, name: str) -> Iterator[Question]:
    """Yield the questions for a zone's start: above the name where its zone is not told, as that of an alias is not."""
    for above in _above(name):
        yield above, "SOA"
        answer = answers.get(above, "SOA")
        if answer is None or answer.rcode not in SETTLED or (answer.zone and not answer.alias):
            return


def _start(answers: Answers, name: str) -> str | None:
    """Return the zone that a name is in; None where nobody said."""
    for above in _above(name):
        answer = answers.get(above, "SOA")
        if answer and answer.zone and not answer.alias:
            return answer.zone if is_within(name, answer.zone) else None
    return None


def _above(name: str) -> Iterator[str]:
    labels = name.rstrip(".").split(".")
    names = (absolute(".".join(labels[index:])) for index in range(min(len(labels), TARGETS)))
    yield from filter(_is_ones_own, names)


def _referred(answer: Answer) -> str | None:
    return answer.referred if answer.referred and is_within(answer.name, answer.referred) else None


def _is_ones_own(zone: str) -> bool:
    """Say whether a zone may be somebody's own: not a top-level domain, and nothing that all addresses share."""
    return zone.count(".") > 1 and zone not in _REVERSE


def _serving(answers: Answers, zone: str) -> list[str]:
    answer = answers.get(zone, "NS")
    return [one.target for one in answer.of(Ns)[:TARGETS] if one.target.strip(".")] if answer else []


def _addresses(answers: Answers, name: str, kind: str) -> tuple[str, ...]:
    answer = answers.get(name, kind)
    return tuple(filter(None, map(usual, answer.addresses))) if answer else ()
