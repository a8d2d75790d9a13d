"""What is said to a server, and whether what it answers is what a server there says. Pure.

Nothing is said that changes anything, and no more than it takes to know who answers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from preflight.facts.outgoing import Goal
from preflight.gather.outgoing.greetings import greeted
from preflight.net.hostnames import registrable

# What a server's words come to; None: more is needed to tell.
Heard = Literal["own", "foreign", "unwelcome"]
Judge = Callable[[bytes], Heard | None]

GREETING = 6.0  # of a mail server, which may look the host up before it greets
WORDS = 4096  # bytes that are listened to at most
_ID = 0x6D63
_ROOT_QUESTION = struct.pack(">HHHHHH", _ID, 0, 1, 0, 0, 0) + b"\0" + struct.pack(">HH", 2, 1)  # . NS IN
_HEAD = b"HEAD / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"
_ANSWER, _AUTHORITATIVE = 0x8000, 0x0400
# rspamd/src/libserver/fuzzy_wire.h: version 4, a question (0) of no shingles, about a digest that nothing has.
_FUZZY = struct.pack("<BBBBiI64s", 4, 0, 0, 0, 0, _ID, bytes(64))


class Talk(Struct, frozen=True):
    """How one talks to a server: what is said first, and who judges the answer (None: a connection says enough)."""

    first: bytes = b""
    last: bytes = b""  # said before one leaves
    patience: float | None = None  # seconds that one listens; None: as long as to anybody
    quoted: bool = False  # what was said is told, whoever said it
    tls: bool = False
    judge: Judge | None = None


def talk(goal: Goal) -> Talk:
    """Return how one talks to a server there."""
    udp = goal.protocol == "udp"
    match goal.speech:
        case "tls":
            return Talk(tls=True)
        case "http":
            host = f"[{goal.host}]" if ":" in goal.host else goal.host
            return Talk(_HEAD % host.encode("ascii", "ignore"), judge=lambda said: http(said, goal.host))
        case "rsync":
            return Talk(judge=lambda said: begins(said, b"@RSYNCD: "))
        case "dns" | "root":
            question = _ROOT_QUESTION if udp else struct.pack(">H", len(_ROOT_QUESTION)) + _ROOT_QUESTION
            root = goal.speech == "root"
            return Talk(question, judge=lambda said: dns(said if udp else said[2:], root=root))
        case "smtp":
            judge: Judge = lambda said: greeted(said, goal.domains)  # noqa: E731 - as those beside it
            return Talk(last=b"QUIT\r\n", judge=judge, patience=GREETING, quoted=True)
        case "fuzzy":
            return Talk(_FUZZY, judge=_anything)
        case "":
            return Talk(b"\r\n", judge=_anything) if udp else Talk()


def _anything(said: bytes) -> Heard | None:
    return "own" if said else None


def begins(said: bytes, greeting: bytes) -> Heard | None:
    """Judge a server by how it begins."""
    if said.startswith(greeting):
        return "own"
    return None if greeting.startswith(said) else "foreign"


def dns(said: bytes, *, root: bool) -> Heard | None:
    """Judge an answer to the question for the root's name servers, which a root server has authority for."""
    if len(said) < 12:
        return None
    number, flags = struct.unpack_from(">HH", said)
    if number != _ID or not flags & _ANSWER:
        return "foreign"
    return "own" if flags & _AUTHORITATIVE or not root else "foreign"


def http(said: bytes, host: str) -> Heard | None:
    """Judge the head of an answer: a page to log in at sends one to another domain, or says 511 (RFC 6585 6)."""
    if (heard := begins(said[:5], b"HTTP/")) != "own":
        return heard
    head, ended, _ = said.partition(b"\r\n\r\n")
    if not ended and len(said) < WORDS:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    if first.split(" ")[1:2] == ["511"]:
        return "foreign"
    places = [line.partition(":")[2].strip() for line in lines if line.lower().startswith("location:")]
    return "own" if all(_same(place, host) for place in places) else "foreign"


def _same(place: str, host: str) -> bool:
    """Say whether a place is on the same host, or in its domain."""
    try:
        there = urlsplit(place).hostname
    except ValueError:
        return False
    return there is None or there == host.lower() or (registrable(there) or there) == registrable(host.lower())
