"""Looks of a client, for tests of what they mean."""

from __future__ import annotations

from typing import Any

from preflight.reach.document import Finding, Reach, Row
from preflight.reach.facts import Attempt, Control, Look, Outcome
from preflight.reach.judge import judge

FOUR, SIX, CLIENT4, CLIENT6 = "198.51.100.7", "2001:db8:7::7", "203.0.113.9", "2001:db8:9::9"


def attempt(port: int = 25, outcome: Outcome = "reached", address: str = FOUR, **more: Any) -> Attempt:
    given: dict[str, Any] = {"inside": port, "local": False}
    if outcome == "reached":
        client = CLIENT6 if ":" in address else CLIENT4
        own = "fd4d:6169:6c63:6f77::fd" if ":" in address else "172.22.1.253"
        given |= {"client": client, "seen_as": client, "own": own, "heard_at": port, "service": "postfix-mailcow"}
    return Attempt(address=address, port=port, outcome=outcome, **{**given, **more})


def look(*attempts: Attempt, **more: Any) -> Look:
    given = {"host": "mail.example.org", "until": 2_000, "now": 1_000, "told": (FOUR, SIX), "resolved": (FOUR,)}
    return Look(**{**given, **more}, attempts=attempts)


def found(*attempts: Attempt, **more: Any) -> Reach:
    return judge(look(*attempts, **more))


def control(greeted: bool, said: str = "220 mx.example.net ESMTP") -> Control:
    return Control("mx.example.net", "192.0.2.25", 25, greeted, said if greeted else "")


def row(document: Reach, port: int = 25) -> Row:
    return next(row for row in document.results if row.port == port)


def only(document: Reach) -> Finding:
    [finding] = document.findings
    return finding
