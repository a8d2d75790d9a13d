"""What the own servers of a zone say of a record, held against each other and against the resolver. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from preflight.facts import Answer, Answers, absolute
from preflight.facts.records import Record, Soa

SETTLED = ("NOERROR", "NXDOMAIN")


def is_within(name: str, zone: str) -> bool:
    """Say whether a name is a zone's, or below it."""
    return f".{absolute(name)}".endswith(f".{absolute(zone).lstrip('.')}")


def zone_of(zones: Iterable[str], name: str) -> str | None:
    """Return the zone that a name is in, the lowest of those that are known; None: in none of them."""
    return max((zone for zone in zones if is_within(name, zone)), key=len, default=None)


def has_zone(answer: Answer) -> bool:
    """Say whether a server has the zone, and settles the question."""
    return answer.authoritative and answer.rcode in SETTLED and not answer.truncated


def whole(answer: Answer, answers: Answers) -> Answer | None:
    """Return what a server says with the resolver's answer for an alias that leads out of its zones.

    None where that is not known.
    """
    if not answer.alias or answer.records or answer.broken:
        return answer
    further = answers.get(answer.alias, answer.type)
    if further is None or further.rcode not in SETTLED:
        return None
    values = {"name": answer.name, "alias": further.alias or answer.alias, "server": answer.server}
    return replace(further, authoritative=True, ttl=answer.ttl, **values)


def said(answers: Answers, name: str, kind: str) -> tuple[Answer, ...]:
    """Return the answers of the zone's own servers that settle a question, each whole."""
    found = (whole(one, answers) for one in answers.own.get(Answers.key(name, kind), ()) if has_zone(one))
    return tuple(one for one in found if one is not None)


def content(answer: Answer) -> tuple[str | None, tuple[Record, ...]]:
    """Return what an answer comes to: a name that does not exist has no records either."""
    return answer.alias, answer.records


def counting(answers: Answers) -> Answers:
    """Return the answers with those of the zones' own servers in place of the resolver's, where these are newer.

    They are where all of them say the same, or those with the newest copy of the zone do.
    """
    newer: dict[str, Answer] = {}
    for key in answers.own:
        before = answers.by_question.get(key)
        newest = _newest(answers, before.name, said(answers, before.name, before.type)) if before else ()
        if before and before.rcode in SETTLED and len({content(one) for one in newest}) == 1:
            newer[key] = before if content(newest[0]) == content(before) else newest[0]
    return replace(answers, by_question=answers.by_question | newer)


def _newest(answers: Answers, name: str, given: tuple[Answer, ...]) -> tuple[Answer, ...]:
    """Return the answers of those servers that have the newest copy of a zone, as far as serials tell."""
    serials = serials_of(answers, zone_of(answers.zones, name) or "")
    newest = max((serials.get(one.server, -1) for one in given), default=-1)
    return tuple(one for one in given if serials.get(one.server, -1) == newest)


def serials_of(answers: Answers, zone: str) -> dict[str, int]:
    """Return the serial of a zone's copy at each of its servers, by their addresses as answers have them."""
    rows = [row.start for row in answers.zones.get(zone, ()) if row.start]
    return {start.server: one.serial for start in rows for one in start.of(Soa)}


def disputed(answers: Answers) -> list[tuple[str, str]]:
    """Return the questions to which the resolver gives an answer that none of the zone's own servers gives."""
    found = []
    for key, answer in answers.by_question.items():
        others = said(answers, answer.name, answer.type) if key in answers.own else ()
        if others and answer.rcode in SETTLED and content(answer) not in map(content, others):
            found.append((answer.name, answer.type))
    return found
