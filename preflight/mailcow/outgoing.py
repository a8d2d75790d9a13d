"""The connections that mailcow makes to the Internet: its documents' table, or those that the user names instead."""

from __future__ import annotations

import datetime
import re
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from preflight.facts.outgoing import Goal, Protocol, Speech
from preflight.mailcow.plan import Plan
from preflight.mailcow.requirements.tables import table
from preflight.net.addresses import parse_address
from preflight.net.hostnames import ascii_name, askable, registrable
from preflight.text.sentences import say

SMTP_PORT = 25
OUTGOING, SMTP = "outgoing.toml", "smtp.toml"
# What is spoken on a port that the user names, as far as it has but one meaning.
_BY_PORT: dict[tuple[int, str], Speech] = {
    (53, "udp"): "dns",
    (53, "tcp"): "dns",
    (11335, "udp"): "fuzzy",
    (11445, "udp"): "fuzzy",
}


class Row(Goal, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A connection of the documents, and where it stands there."""

    source: str
    unless: Literal["", "SKIP_CLAMD", "SKIP_LETS_ENCRYPT"] = ""

    @property
    def goal(self) -> Goal:
        """Return where it goes."""
        return Goal(self.host, self.port, self.protocol, self.speech, self.use, self.addresses, self.domains)


class Table(Struct, frozen=True, forbid_unknown_fields=True):
    """All connections of the documents, with the page and the day it was read."""

    source: str
    read: datetime.date
    connections: tuple[Row, ...]


def documented(name: str = OUTGOING) -> Table:
    """Return the documents' table, or that of the mail servers which are tried."""
    return table(name, Table)


def wanted(plan: Plan) -> tuple[Goal, ...]:
    """Return the connections that a mailcow with these settings makes."""
    off = {"SKIP_CLAMD": plan.skip_clamd, "SKIP_LETS_ENCRYPT": plan.certificate.skipped}
    return tuple(row.goal for row in documented().connections if not off.get(row.unless, False))


def named(texts: tuple[str, ...]) -> tuple[Goal, ...]:
    """Return the connections that a user names; one of the documents' is known by what is spoken there."""
    known = {row.subject: row.goal for row in documented().connections}
    goals = map(goal, texts)
    return tuple({one.subject: known.get(one.subject, one) for one in goals}.values())


def goal(text: str) -> Goal:
    """Read `HOST:PORT/PROTO`; raise `ValueError` with a sentence for the user."""
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/\s]+):([0-9]{1,5})/(tcp|udp)", text, re.ASCII)
    host = match[1].strip("[]") if match else ""
    address = parse_address(host)
    name = ascii_name(host) or ""
    if match is None or (match[1][:1] == "[" and address is None) or not (address or askable(name)):
        forms = "ghcr.io:443/tcp, 198.51.100.53:53/udp, [2001:db8::53]:53/udp"
        raise ValueError(say("{text} is not a connection: write {forms}.", text=repr(text[:80]), forms=forms))
    port = int(match[2])
    if not 1 <= port <= 65535:
        raise ValueError(say("{text} has a port outside 1 to 65535.", text=repr(text[:80])))
    protocol: Protocol = "udp" if match[3] == "udp" else "tcp"
    return Goal(str(address) if address else name, port, protocol, _BY_PORT.get((port, protocol), ""))


def mail_servers(texts: tuple[str, ...]) -> tuple[Goal, ...]:
    """Return the mail servers that a user names, else those of several operators."""
    if not texts:
        return tuple(row.goal for row in documented(SMTP).connections)
    known = {row.subject: row.goal for row in documented(SMTP).connections}
    return tuple({one.subject: known.get(one.subject, one) for one in map(mail_server, texts)}.values())


def mail_server(text: str) -> Goal:
    """Read `HOST[:PORT]`; raise `ValueError` with a sentence for the user. Its greeting is to name its domain."""
    bare = parse_address(text.strip("[]")) is not None or ":" not in text
    host = f"[{text.strip('[]')}]" if bare and ":" in text else text
    try:
        found = goal(f"{host}:{SMTP_PORT}/tcp" if bare else f"{host}/tcp")
    except ValueError:
        forms = "mx.example.org:2525, 192.0.2.25, [2001:db8::25]:25"
        raise ValueError(
            say("{text} is not a mail server: write {forms}.", text=repr(text[:80]), forms=forms)
        ) from None
    domain = "" if parse_address(found.host) else registrable(found.host) or found.host
    return replace(found, speech="smtp", use="mail", domains=(domain,) if domain else ())
