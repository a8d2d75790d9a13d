"""What a client met, judged: rows with a status, and findings that each tell one cause once. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from preflight import __version__
from preflight.net.addresses import with_port
from preflight.reach import tales
from preflight.reach.causes import cause, status
from preflight.reach.document import SCHEMA, Counts, Finding, Reach, Row, Verdict
from preflight.reach.facts import Attempt, Look
from preflight.report.model import Tool
from preflight.text.durations import duration
from preflight.text.sentences import noted, say

Key = tuple[str, str]  # a cause, an address
# Causes that are the same wherever they show: told once, for all addresses.
_EVERYWHERE = frozenset({"expired", "late", "near", "rewritten-here", "port-25"})


def judge(look: Look) -> Reach:
    """Return the document."""
    causes = [cause(look, one) for one in look.attempts]
    groups: dict[Key, list[Attempt]] = {}
    for one, why in zip(look.attempts, causes, strict=True):
        if why:
            groups.setdefault(_key(why, one), []).append(one)
    ids = {key: tales.name(key[0], _whole(look, rows)) for key, rows in groups.items()}
    rows = tuple(
        _row(one, why, ids[_key(why, one)] if why else None) for one, why in zip(look.attempts, causes, strict=True)
    )
    findings = [_finding(look, ids[key], key, rows_of) for key, rows_of in groups.items()]
    if not rows:
        findings.append(tales.nowhere(look))
    findings.sort(key=lambda finding: finding.status != "fail")
    return Reach(
        schema=SCHEMA,
        tool=Tool("mailcow-preflight", __version__),
        host=look.host,
        started=_moment(look.now),
        seconds=look.seconds,
        kept_until=_moment(look.until),
        verdict=_verdict(rows),
        counts=_counts(rows),
        told=look.told,
        resolved=look.resolved,
        findings=tuple(findings),
        results=rows,
        controls=look.controls,
    )


def _key(why: str, one: Attempt) -> Key:
    return why, "" if why in _EVERYWHERE else one.address


def _whole(look: Look, rows: Sequence[Attempt]) -> bool:
    """Say whether these are all ports of their address that are for the world."""
    same = [one for one in look.attempts if one.address == rows[0].address and not one.local]
    return len(rows) >= len(same) > 1


def _finding(look: Look, identity: str, key: Key, rows: Sequence[Attempt]) -> Finding:
    why, address = key
    message, remedy, place = tales.tale(look, identity, rows)
    ports = tuple(dict.fromkeys(one.port for one in rows))
    return Finding(
        id=identity, status=status(why), address=address or None, ports=ports, message=message,
        detail=rows[0].said if why == "other" else "", remedy=remedy,
        place=place,
    )  # fmt: skip


def _row(one: Attempt, why: str, finding: str | None) -> Row:
    return Row(
        address=one.address, port=one.port, local=one.local, status=status(why), outcome=one.outcome,
        message=message(one), seconds=one.seconds, client=one.client, seen_as=one.seen_as, service=one.service,
        expected=one.inside, heard_at=one.heard_at, said=one.said, by=one.by, error=one.error, finding=finding,
    )  # fmt: skip


_MESSAGES = {
    "reached": noted("{where} answers after {long}, and sees {peer}."),
    "open": noted("{where} is meant only for the host, but answers from here."),
    "refused": noted("{where} refuses connections."),
    "filtered": noted("{where} does not answer: packets are dropped."),
    "prohibited": noted("{by} prohibits connections to {where}."),
    "unreachable": noted("{where} cannot be reached: {error}."),
    "unsent": noted("This machine cannot send to {where}: {error}."),
    "other": noted("Something else answers at {where}."),
    "mute": noted("{where} accepts connections but sends nothing."),
    "closed": noted("{where} accepts connections and closes them without an answer."),
    "late": noted("The test of {where} did not finish."),
}


def message(one: Attempt) -> str:
    """Say in a sentence what became of an attempt."""
    kind = "open" if one.local and one.outcome == "reached" else one.outcome
    where, long = with_port(one.address, one.port), duration(one.seconds)
    return say(_MESSAGES[kind], where=where, long=long, peer=one.seen_as, by=one.by or one.address, error=one.error)


def _verdict(rows: Sequence[Row]) -> Verdict:
    if any(row.status == "fail" for row in rows):
        return "not-reached"
    return "reached" if rows and all(row.status == "pass" for row in rows) else "undetermined"


def _counts(rows: Sequence[Row]) -> Counts:
    every = [row.status for row in rows]
    return Counts(every.count("pass"), every.count("fail"), every.count("unknown"))


def _moment(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
