"""Names: /etc/hosts, and what name servers answer."""

from __future__ import annotations

import builtins
from typing import Literal, TypeVar

from msgspec import Struct, field

from preflight.facts.base import Missing, MissingFact
from preflight.facts.kinds import HostName, Ip, QuestionKey, Secret, ServerName, Word
from preflight.facts.records import A, Aaaa, Record
from preflight.text.sentences import say

R = TypeVar("R", bound=Struct)
Unasked = Literal["budget", "deadline"]


class HostsEntry(Struct, frozen=True):
    """A line of /etc/hosts that names the future mail host."""

    address: Ip
    names: tuple[HostName, ...]
    line: int


class Answer(Struct, frozen=True):
    """One question's answer. rcode: NOERROR, NXDOMAIN, SERVFAIL, REFUSED …; 'timeout', 'error' when none came.

    `records` are sorted; NOERROR with none means that the name has no such record.
    `alias`: the name is a CNAME, and its final target. `broken`: its aliases end nowhere, in a circle or too far away.
    `denied`: of NXDOMAIN, how far up the name server denies what is there: the root, a top-level domain that exists
    (`top`), one that nobody knows (`strange`), the domain that one can register (`domain`); `above` is that name.
    `authentic`: the server says that it has checked the signatures (AD); worth what the way to the server is worth.
    `truncated`: not all records came, not even over TCP.
    `ttl`: seconds that the answer may still be kept, a denial too (RFC 2308); None where it has nothing to say so.
    `zone`: whose start (SOA) came with the answer. `authoritative`: the server has the zone (AA).
    `referred`: a zone below, whose servers are to be asked instead.
    `unchecked`: of SERVFAIL, the rcode of the same server when it was asked not to check the signatures (CD).
    `extended`: codes of extended errors (RFC 8914), in their order.
    """

    name: HostName
    type: Word
    rcode: Word
    records: tuple[Record, ...] = ()
    alias: HostName | None = None
    server: ServerName = ""
    detail: Secret = ""  # of a timeout or an error
    denied: Literal["", "root", "top", "strange", "domain"] = ""
    above: HostName = ""
    broken: Literal["", "circle", "long"] = ""
    authentic: bool = False
    transport: Literal["", "udp", "tcp"] = ""
    truncated: bool = False
    ttl: int | None = None
    zone: HostName = ""
    authoritative: bool = False
    referred: HostName = ""
    unchecked: Word = ""
    extended: tuple[int, ...] = ()

    def of(self, kind: builtins.type[R]) -> tuple[R, ...]:
        """Return the records of one type."""
        return tuple(record for record in self.records if isinstance(record, kind))

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return the addresses among the records."""
        return tuple(record.address for record in self.records if isinstance(record, A | Aaaa))


class ZoneServer(Struct, frozen=True):
    """One address of a zone's own name servers. `start`: what it said of the zone's start (SOA); None: not asked."""

    address: Ip
    names: tuple[HostName, ...]  # of the zone's NS records that lead to it
    start: Answer | None = None


class Answers(Struct, frozen=True, omit_defaults=True, rename={"by_question": "given"}):
    """What name servers answered, each under its question's `key`; and what was not asked any more, and why.

    `zones`: the zones of the mail host's names, with their own name servers; none: these were not asked.
    `own`: what these answered, as far as they have the zone; `server` is the address.
    `again`: what the resolver answered a second or more later, where it does not say what the zone's servers say.
    """

    by_question: dict[QuestionKey, Answer] = field(default_factory=dict)
    unasked: dict[QuestionKey, Unasked] = field(default_factory=dict)
    zones: dict[HostName, tuple[ZoneServer, ...]] = field(default_factory=dict)
    own: dict[QuestionKey, tuple[Answer, ...]] = field(default_factory=dict)
    again: dict[QuestionKey, Answer] = field(default_factory=dict)

    @staticmethod
    def key(name: str, kind: str) -> str:
        """Return the key of a question: `mail.example.org. A`, whatever the name's case, with its last dot or not."""
        return f"{absolute(name)} {kind}"

    def get(self, name: str, kind: str) -> Answer | None:
        """Return an answer whatever it is, None where nothing was asked."""
        return self.by_question.get(self.key(name, kind))

    def of(self, name: str, kind: str) -> Answer:
        """Return an answer whatever it is; raise `MissingFact` where nothing was asked."""
        answer = self.get(name, kind)
        if answer is None:
            raise self._missing(name, kind)
        return answer

    def _missing(self, name: str, kind: str) -> MissingFact:
        values = {"name": name.rstrip("."), "kind": kind}
        reason = say("The DNS was not queried for {name} {kind}.", **values)
        help = say("Run `preflight facts` on that host again, with this --hostname.")
        match self.unasked.get(self.key(name, kind)):
            case "budget":
                reason = say(
                    "The DNS was not queried for {name} {kind}, because this run had reached its limit of queries.",
                    **values,
                )
                help = say("Name fewer domains and addresses at a time.")
            case "deadline":
                reason = say("The DNS was not queried for {name} {kind}, because this run was out of time.", **values)
                help = say("Run the check again with a longer --timeout.")
        return MissingFact(Missing("unknown", reason, help, place="docker-run"), "DNS")


def absolute(name: str) -> str:
    """Return a name as answers have it: lower case, with its last dot."""
    return f"{name.rstrip('.').lower()}."
