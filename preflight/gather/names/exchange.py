"""One question to one name server: how it is put, over which transport, and what came back."""

from __future__ import annotations

import socket
import time
from enum import Enum
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from preflight.facts import Answer
from preflight.gather.names.messages import parse_message
from preflight.gather.names.nameservers import Server, shown

if TYPE_CHECKING:
    from dns.message import Message, QueryMessage

Transport = Literal["udp", "tcp"]

TRY = 1.5  # seconds for one UDP packet
PAYLOAD = 1232  # bytes over UDP that no way cuts into pieces (DNS flag day 2020)


class Manner(Enum):
    """How a question is put. OWN: to a server of the zone. UNCHECKED: whatever the signatures are (CD)."""

    RESOLVE = "resolve"
    UNCHECKED = "unchecked"
    OWN = "own"


def put(one: Server, name: str, kind: str, until: float, manner: Manner, *, edns: bool) -> tuple[Answer, bool]:
    """Return the answer, and whether the server recurses; raise `OSError` or a dnspython exception."""
    import dns.flags

    message, transport = _exchange(_query(name, kind, manner, edns=edns), one, until)
    answer = replace(parse_message(name, kind, message, shown(one)), transport=transport)
    return answer, bool(message.flags & dns.flags.RA)


def _query(name: str, kind: str, manner: Manner, *, edns: bool) -> QueryMessage:
    import dns.flags
    import dns.message

    # AD in a question: tell whether the signatures were checked (RFC 6840 5.7), without sending them all.
    flags = {
        Manner.RESOLVE: dns.flags.RD | dns.flags.AD,
        Manner.UNCHECKED: dns.flags.RD | dns.flags.CD,
        Manner.OWN: dns.flags.Flag(0),
    }[manner]
    with_signatures = edns and manner is Manner.UNCHECKED
    return dns.message.make_query(
        name, kind, use_edns=0 if edns else False, payload=PAYLOAD, flags=flags, want_dnssec=with_signatures
    )


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
