"""Questions to name servers, each bounded, and their answers as they came.

Names are absolute, search lists are never used. NXDOMAIN, NOERROR without data, a refusal and silence stay four
different results. What does not fit the question (source, id, question) is passed over, as an attacker may send it.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from preflight.facts import Answer, absolute
from preflight.gather.names import lenient
from preflight.gather.names.budget import Budget
from preflight.gather.names.nameservers import Server, server, shown
from preflight.gather.names.questions import Question
from preflight.gather.names.queue import Queue
from preflight.gather.names.rdata import record
from preflight.text.sentences import phrase

if TYPE_CHECKING:
    from dns.message import Message, QueryMessage
    from dns.name import Name

Broken = Literal["", "circle", "long"]
Transport = Literal["udp", "tcp"]

TRY = 1.5  # seconds for one UDP packet
LIFETIME = 5.0  # seconds for one question, on all servers
MARGIN = 0.2  # seconds before the deadline at which all is given up, so that the answers are still collected
THREADS = 40
CHAIN = 8  # CNAME records
SILENT = ("timeout", "error")
_WITHOUT_EDNS = ("FORMERR", "NOTIMP", "BADVERS")


def ask(
    servers: tuple[Server, ...], questions: Iterable[Question], deadline: float, room: int = Budget().weight
) -> dict[str, Answer]:
    """Ask questions side by side until `deadline` (of time.monotonic); return the answers by `Answers.key`.

    What was asked in vain is `timeout`. What the deadline or the `room` (the weight of all records) left no time or
    place for is not among the answers. Never raises.
    """
    lenient.enable()
    queue = Queue(questions, room)

    def work() -> None:
        while time.monotonic() < deadline - 2 * MARGIN and (taken := queue.take()):
            key, question = taken
            queue.keep(key, _question(servers, question, deadline - 2 * MARGIN))

    # Daemons of our own, not an executor: a thread that hangs must not keep the program from ending.
    crew = [threading.Thread(target=work, name="dns", daemon=True) for _ in range(min(THREADS, len(queue)))]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join(max(0.0, deadline - MARGIN - time.monotonic()))
    late = phrase("the deadline of the run passed")
    names = " and ".join(map(shown, servers))
    return queue.answers(lambda asked: Answer(absolute(asked[0]), asked[1], "timeout", server=names, detail=late))


def _question(servers: tuple[Server, ...], question: Question, deadline: float) -> Answer:
    """Ask each server in turn until one knows; a server that has refused is not asked again."""
    name, kind = absolute(question[0]), question[1]
    until = min(deadline, time.monotonic() + LIFETIME)
    best = Answer(name, kind, "timeout", server=" and ".join(map(shown, servers)))
    open_to = list(servers)
    while open_to and time.monotonic() < until:
        for one in tuple(open_to):
            answer = _one_server(one, name, kind, until)
            if answer.rcode in ("NOERROR", "NXDOMAIN"):
                return answer
            if answer.rcode != "timeout":
                open_to.remove(one)
                best = answer if best.rcode in SILENT else best
    return best


def _one_server(one: Server, name: str, kind: str, until: float) -> Answer:
    """Ask one server, without EDNS if it does not know that; follow CNAMEs for a server that does not recurse."""
    import dns.exception

    try:
        answer, recursive = _ask(one, name, kind, until, edns=True)
        edns = answer.rcode not in _WITHOUT_EDNS
        if not edns:
            answer, recursive = _ask(one, name, kind, until, edns=False)
        for left in reversed(range(CHAIN)):
            if recursive or answer.rcode != "NOERROR" or answer.records or not answer.alias or answer.broken:
                break
            further, recursive = _ask(one, answer.alias, kind, until, edns=edns)
            answer = _joined(answer, further, is_last=not left)
    except dns.exception.Timeout:
        return Answer(name, kind, "timeout", server=shown(one))
    except OSError as error:
        return Answer(name, kind, "error", server=shown(one), detail=error.strerror or type(error).__name__)
    except Exception as error:  # noqa: BLE001 - bytes from strangers: whatever they break costs one answer
        return Answer(name, kind, "error", server=shown(one), detail=f"{type(error).__name__}: {error}"[:200])
    return answer


def _joined(answer: Answer, further: Answer, *, is_last: bool) -> Answer:
    """Return the answer for an alias as that for the name which has it."""
    too_far: Broken = "long" if is_last and further.alias and not further.records else ""
    return replace(
        further,
        name=answer.name,
        alias=further.alias or answer.alias,
        broken=further.broken or too_far,
        authentic=answer.authentic and further.authentic,
    )


def _ask(one: Server, name: str, kind: str, until: float, *, edns: bool) -> tuple[Answer, bool]:
    """Return the answer, and whether the server recurses."""
    import dns.flags
    import dns.message

    # AD in a question: tell whether the signatures were checked (RFC 6840 5.7), without sending them all.
    flags = dns.flags.RD | dns.flags.AD
    query = dns.message.make_query(name, kind, use_edns=0 if edns else False, payload=1232, flags=flags)
    message, transport = _exchange(query, one, until)
    answer = replace(parse_message(name, kind, message, shown(one)), transport=transport)
    return answer, bool(message.flags & dns.flags.RA)


def _exchange(query: QueryMessage, one: Server, until: float) -> tuple[Message, Transport]:
    """Ask over UDP, and over TCP where the answer did not fit; raise `OSError` or a dnspython exception."""
    import dns.exception
    import dns.inet
    import dns.message
    import dns.query

    address, port = one
    left = until - time.monotonic()
    if left <= 0:
        raise dns.exception.Timeout
    family = dns.inet.af_for_address(address)
    with dns.query.make_socket(family, socket.SOCK_DGRAM) as udp:
        # Connected, so that the kernel drops other senders and tells of a closed port at once.
        udp.connect(dns.inet.low_level_address_tuple((address, port), family))
        try:
            message = dns.query.udp(
                query, address, min(TRY, left), port, sock=udp,
                ignore_unexpected=True, ignore_errors=True, raise_on_truncation=True,
            )  # fmt: skip
            return message, "udp"
        except dns.message.Truncated:
            pass
    return dns.query.tcp(query, address, max(0.01, until - time.monotonic()), port), "tcp"


def parse_message(name: str, kind: str, message: Message, asked_of: str) -> Answer:
    """Read the records that answer the question, along the CNAMEs; records of other names are passed over.

    All are kept: a message has 64 KiB at most, and any of them may be the one that is asked for.
    """
    import dns.flags
    import dns.name
    import dns.rcode
    import dns.rdataclass
    import dns.rdatatype

    wanted = dns.rdatatype.from_text(kind)
    first = dns.name.from_text(name)
    end: tuple[Name, Broken] = (first, "") if kind == "CNAME" else _end(message, first)
    here, broken = end
    rcode = dns.rcode.to_text(message.rcode())
    sets = [rrset for rrset in message.answer if rrset.match(here, dns.rdataclass.IN, wanted, dns.rdatatype.NONE)]
    data = [rdata for rrset in sets for rdata in rrset]
    return Answer(
        name,
        kind,
        rcode,
        () if broken or rcode != "NOERROR" else tuple(sorted(record(kind, rdata) for rdata in data)),
        _text(here) if broken or here != first else None,
        asked_of,
        broken=broken,
        authentic=bool(message.flags & dns.flags.AD),
        truncated=bool(message.flags & dns.flags.TC),
    )


def _end(message: Message, name: Name) -> tuple[Name, Broken]:
    """Follow the CNAME records of a message; return the last name, and whether they end nowhere."""
    seen = {name}
    while (target := _alias(message, name)) is not None:
        name = target
        if target in seen:
            return name, "circle"
        if len(seen) > CHAIN:
            return name, "long"
        seen.add(target)
    return name, ""


def _alias(message: Message, name: Name) -> Name | None:
    """Return where a name's CNAME record leads, None where it has none."""
    import dns.rdatatype

    for rrset in message.answer:
        if rrset.rdtype == dns.rdatatype.CNAME and rrset.name == name:
            target: Name = rrset[0].target
            return target
    return None


def _text(name: Name) -> str:
    return name.to_text().lower()


__all__ = ["SILENT", "Question", "ask", "parse_message", "server"]
