"""What name servers on the Internet, and others, answered a container as mailcow's resolver, and the host itself."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from preflight.facts.kinds import Ip, Secret, Word
from preflight.facts.outgoing import Protocol

# zone: the start of its zone (SOA); keys: its DNSKEY records, a large answer; who: which server it is; canary: the
# same as zone, at an address where nobody is.
Question = Literal["zone", "keys", "who", "canary"]
# How a question, or a ping, ended. denied: by the sender's own firewall; prohibited, refused, unreachable: somebody on
# the way, or there, says so; unsent: no route; mute: a TCP connection, and then no answer; garbled: no DNS message;
# unable: the program may not send pings.
End = Literal[
    "answered", "silent", "denied", "prohibited", "refused", "unreachable", "unsent", "mute", "garbled", "failed",
    "unable",
]  # fmt: skip


class Query(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A question to a name server, and its answer: code, flags, whether there are RRSIG, bytes, records.

    `text`: the name that a server gives itself.
    """

    address: Ip
    protocol: Protocol
    question: Question
    outcome: End
    seconds: float = 0.0
    error: Word = ""
    code: int = 0
    authoritative: bool = False
    recursive: bool = False
    truncated: bool = False
    signed: bool = False
    size: int = 0
    records: int = 0
    text: Secret = ""


class Ping(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An address that was pinged; `sent`: requests, until one was answered."""

    target: Ip
    outcome: End
    seconds: float = 0.0
    error: Word = ""
    sent: int = 0


class Asking(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What came of all that a container asked. `error`: why it asked nothing, in the engine's words.

    `spared`: none was started, as that would have loaded a module of the kernel (modules), or may have (unread).
    """

    queries: tuple[Query, ...] = ()
    pings: tuple[Ping, ...] = ()
    error: Secret = ""
    spared: Literal["", "modules", "unread"] = ""


class RecursionRun(Struct, frozen=True, kw_only=True):
    """The same asked at the same time in a container on the engine's bridge, and in one in the host's network."""

    bridge: Asking
    host: Asking
