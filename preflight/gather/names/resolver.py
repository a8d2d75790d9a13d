"""Questions to name servers, each bounded, and their answers as they came: the only module that imports dnspython.

Names are absolute, search lists are never used. NXDOMAIN, NOERROR without data, a refusal and silence stay four
different results. What does not fit the question (source, id, question) is passed over, as an attacker may send it.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from preflight.facts import Answer
from preflight.gather.names.nameservers import Server, server, shown
from preflight.text.sentences import phrase

if TYPE_CHECKING:
    from dns.message import Message, QueryMessage
    from dns.name import Name

Question = tuple[str, str]  # name, type

TRY = 1.5  # seconds for one UDP packet
LIFETIME = 5.0  # seconds for one question, on all servers
MARGIN = 0.2  # seconds before the deadline at which all is given up, so that the answers are still collected
THREADS = 40
CHAIN = 8  # CNAME records
RECORDS = 64
CHARACTERS = 512
SILENT = ("timeout", "error")
_WITHOUT_EDNS = ("FORMERR", "NOTIMP", "BADVERS")


def key(name: str, kind: str) -> str:
    """Return the key of a question's answer: `mail.example.org. A`."""
    return f"{_absolute(name)} {kind}"


def ask(servers: tuple[Server, ...], questions: Iterable[Question], deadline: float) -> dict[str, Answer]:
    """Ask questions side by side until `deadline` (of time.monotonic); what is late is `timeout`. Never raises."""
    wanted = {key(*question): question for question in questions}
    found: dict[str, Answer] = {}
    queue = iter(list(wanted.items()))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                one, question = next(queue, ("", None))
            if question is None:
                return
            found[one] = _question(servers, question, deadline - 2 * MARGIN)

    # Daemons of our own, not an executor: a thread that hangs must not keep the program from ending.
    crew = [threading.Thread(target=work, name="dns", daemon=True) for _ in range(min(THREADS, len(wanted)))]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join(max(0.0, deadline - MARGIN - time.monotonic()))
    late = phrase("the deadline of the run passed")
    names = " and ".join(map(shown, servers))
    return {
        one: found.get(one) or Answer(_absolute(name), kind, "timeout", server=names, detail=late)
        for one, (name, kind) in wanted.items()
    }


def _absolute(name: str) -> str:
    return f"{name.rstrip('.').lower()}."


def _question(servers: tuple[Server, ...], question: Question, deadline: float) -> Answer:
    """Ask each server in turn until one knows; a server that has refused is not asked again."""
    name, kind = _absolute(question[0]), question[1]
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
            if recursive or answer.rcode != "NOERROR" or answer.records or not answer.alias or answer.detail:
                break
            further, recursive = _ask(one, answer.alias, kind, until, edns=edns)
            alias, detail = further.alias or answer.alias, further.detail
            if not left and further.alias and not further.records:
                detail = detail or _too_long()
            answer = Answer(name, kind, further.rcode, further.records, alias, shown(one), detail)
    except dns.exception.Timeout:
        return Answer(name, kind, "timeout", server=shown(one))
    except OSError as error:
        return Answer(name, kind, "error", server=shown(one), detail=error.strerror or type(error).__name__)
    except Exception as error:  # noqa: BLE001 - bytes from strangers: whatever they break costs one answer
        return Answer(name, kind, "error", server=shown(one), detail=f"{type(error).__name__}: {error}"[:200])
    return answer


def _ask(one: Server, name: str, kind: str, until: float, *, edns: bool) -> tuple[Answer, bool]:
    """Return the answer, and whether the server recurses."""
    import dns.flags
    import dns.message

    query = dns.message.make_query(name, kind, use_edns=0 if edns else False, payload=1232)
    message = _exchange(query, one, until)
    return parse(name, kind, message, shown(one)), bool(message.flags & dns.flags.RA)


def _exchange(query: QueryMessage, one: Server, until: float) -> Message:
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
            return dns.query.udp(
                query, address, min(TRY, left), port, sock=udp,
                ignore_unexpected=True, ignore_errors=True, raise_on_truncation=True,
            )  # fmt: skip
        except dns.message.Truncated:
            pass
    return dns.query.tcp(query, address, max(0.01, until - time.monotonic()), port)


def _too_long() -> str:
    return phrase("there are more than {count} CNAME records in a row", count=CHAIN)


def parse(name: str, kind: str, message: Message, asked_of: str) -> Answer:
    """Read the records that answer the question, along the CNAMEs; records of other names are passed over."""
    import dns.name
    import dns.rcode
    import dns.rdataclass
    import dns.rdatatype

    wanted = dns.rdatatype.from_text(kind)
    here = dns.name.from_text(name)
    seen = {here}
    detail = ""
    while kind != "CNAME" and (target := _alias(message, here)) is not None:
        here = target
        if target in seen or len(seen) > CHAIN:
            detail = phrase("the CNAME records lead in a circle") if target in seen else _too_long()
            break
        seen.add(target)
    rcode = dns.rcode.to_text(message.rcode())
    alias = _text(here) if len(seen) > 1 or detail else None
    sets = [rrset for rrset in message.answer if rrset.match(here, dns.rdataclass.IN, wanted, dns.rdatatype.NONE)]
    data = [rdata for rrset in sets for rdata in rrset]
    records = [] if detail or rcode != "NOERROR" else sorted(map(_presentation, data), key=_order)
    return Answer(name, kind, rcode, tuple(records[:RECORDS]), alias, asked_of, detail)


def _alias(message: Message, name: Name) -> Name | None:
    """Return where a name's CNAME record leads, None where it has none."""
    import dns.rdatatype

    for rrset in message.answer:
        if rrset.rdtype == dns.rdatatype.CNAME and rrset.name == name:
            target: Name = rrset[0].target
            return target
    return None


def _text(name: Name) -> str:
    return name.to_text().lower()[: 2 * CHARACTERS]  # escapes make a name of 255 bytes longer than that


def _presentation(rdata: object) -> str:
    """Write a record's data as a zone file does; host names in it in lower case."""
    text = rdata.to_text() if hasattr(rdata, "to_text") else str(rdata)
    names = type(rdata).__name__ in ("A", "AAAA", "MX", "PTR", "CNAME", "NS", "SRV")
    return (text.lower() if names else text)[:CHARACTERS]


def _order(record: str) -> tuple[int, str]:
    """Sort by preference where there is one, so that two runs on the same zone give the same answer."""
    first = record.partition(" ")[0]
    return (int(first) if first.isascii() and first.isdigit() else 0, record)


__all__ = ["SILENT", "Question", "ask", "key", "parse", "server"]
