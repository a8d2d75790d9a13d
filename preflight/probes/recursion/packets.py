"""DNS questions as Unbound puts them to authoritative servers, and ICMP echo, as bytes. RFC 1035, 6891, 3225, 792.

Imports the standard library alone: it runs in a container that is started for it.
"""

from __future__ import annotations

import struct
from typing import Any

SOA, TXT, DNSKEY, RRSIG, OPT = 6, 16, 48, 46, 41
IN, CHAOS = 1, 3
SIZE = 1232  # Unbound's edns-buffer-size since 1.12 (unbound.conf(5)), which mailcow leaves as it is
DO = 0x8000
AA, TC, RA = 0x0400, 0x0200, 0x0080
SECTIONS = 400  # records that are read of an answer
ECHO = {4: (8, 0), 6: (128, 129)}  # types of request and reply


def question(number: int, zone: str, kind: int, space: int = IN) -> bytes:
    """Write a question with RD=0 and, in the class IN, EDNS and DO."""
    name = b"".join(bytes((len(label),)) + label.encode() for label in zone.split(".") if label) + b"\0"
    extra = b"\0" + struct.pack("!HHIH", OPT, SIZE, DO, 0) if space == IN else b""
    return struct.pack("!6H", number, 0, 1, 0, 0, bool(extra)) + name + struct.pack("!HH", kind, space) + extra


def answer(said: bytes, asked: bytes) -> dict[str, Any] | None:
    """Read an answer to a question: its flags, whether it is signed, its size; None: it is none to this question."""
    if len(said) < 12 or said[:2] != asked[:2] or not said[2] & 0x80:
        return None
    _, flags, questions, answers, authority, _ = struct.unpack("!6H", said[:12])
    found = {
        "code": flags & 15, "authoritative": bool(flags & AA), "truncated": bool(flags & TC),
        "recursive": bool(flags & RA), "size": len(said), "signed": False, "records": answers, "text": "",
    }  # fmt: skip
    try:
        _read(said, questions, min(answers + authority, SECTIONS), found)
    except (IndexError, struct.error):
        found["truncated"] = True
    return found


def _read(said: bytes, questions: int, records: int, found: dict[str, Any]) -> None:
    at = 12
    for _ in range(min(questions, 2)):
        at = _skip(said, at) + 4
    for _ in range(records):
        at = _skip(said, at)
        kind, _, _, length = struct.unpack("!HHIH", said[at : at + 10])
        at += 10
        if kind == RRSIG:
            found["signed"] = True
        elif kind == TXT and not found["text"]:
            found["text"] = said[at + 1 : at + 1 + min(said[at], 80)].decode("latin-1")
        at += length


def _skip(said: bytes, at: int) -> int:
    """Return where a name ends."""
    while said[at]:
        if said[at] >= 0xC0:
            return at + 2
        at += said[at] + 1
    return at + 1


def echo(version: int, number: int, sequence: int) -> bytes:
    """Write an echo request; the kernel writes the checksum of ICMPv6."""
    kind = ECHO[version][0]
    body = struct.pack("!HH", number, sequence) + b"mailcow-preflight".ljust(56, b"\0")
    return struct.pack("!BBH", kind, 0, _checksum(struct.pack("!BBH", kind, 0, 0) + body)) + body


def echoed(version: int, said: bytes, number: int | None) -> bool:
    """Say whether it is a reply to our request; `number` None: the kernel gives us none but our own."""
    if version == 4 and said[:1] and said[0] >> 4 == 4:  # a raw socket gives the IP header, too
        said = said[(said[0] & 15) * 4 :]
    if len(said) < 8 or said[0] != ECHO[version][1]:
        return False
    return number is None or int.from_bytes(said[4:6]) == number


def _checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
