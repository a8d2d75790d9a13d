"""Messages of netlink(7) and their attributes, as they are read and written. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from msgspec import Struct

REQUEST, ACK, EXCL, CREATE, APPEND = 0x1, 0x4, 0x200, 0x400, 0x800  # NLM_F_…
DUMP = 0x300
INTERRUPTED = 0x10  # NLM_F_DUMP_INTR: what was dumped changed meanwhile
ERROR, DONE = 2, 3
NESTED, MASK = 0x8000, 0x3FFF


class Message(Struct, frozen=True):
    """A message: its type, its flags, and what follows its header."""

    kind: int
    body: bytes
    flags: int = 0


def messages(data: bytes) -> Iterator[tuple[int, Message]]:
    """Split a datagram into its messages, with their sequence numbers. Stops where a length is wrong."""
    at = 0
    while at + 16 <= len(data):
        length, kind, flags, number = struct.unpack_from("=IHHI", data, at)
        if length < 16 or at + length > len(data):
            return
        yield number, Message(kind, data[at + 16 : at + length], flags)
        at += length + 3 & ~3


def attributes(data: bytes) -> list[tuple[int, bytes]]:
    """Read attributes in their order: type with its flags, and value. Stops where a length is wrong."""
    found = []
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4 or at + length > len(data):
            break
        found.append((kind, data[at + 4 : at + length]))
        at += length + 3 & ~3
    return found


def by_type(data: bytes) -> dict[int, bytes]:
    """Read attributes by their type, without its flags; of several the last."""
    return {kind & MASK: value for kind, value in attributes(data)}


def error_number(body: bytes) -> int | None:
    """Return the error number that a message of errors holds, 0 = none; None where it is cut short."""
    return -int(struct.unpack_from("=i", body)[0]) if len(body) >= 4 else None


def message(kind: int, flags: int, number: int, body: bytes) -> bytes:
    """Write a message, padded; `number`: by which its answers are known."""
    return struct.pack("=IHHII", 16 + len(body), kind, flags, number, 0) + body + bytes(-len(body) % 4)


def attribute(kind: int, value: bytes) -> bytes:
    """Write one attribute, padded."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def nested(kind: int, *parts: bytes) -> bytes:
    """Write an attribute that holds others."""
    return attribute(kind | NESTED, b"".join(parts))


def text(value: bytes) -> str:
    """Read a name that ends with a zero."""
    return value.split(b"\0", 1)[0].decode("utf-8", "replace")


def number(value: bytes | None) -> int | None:
    """Read a number of 32 bits that the machine wrote (rtnetlink); None: there is none."""
    return int(struct.unpack("=I", value)[0]) if value is not None and len(value) == 4 else None


def name(value: str) -> bytes:
    """Write a name with its zero."""
    return value.encode("utf-8", "surrogateescape") + b"\0"


def u32(value: int) -> bytes:
    """Write a number as the machine does (rtnetlink)."""
    return struct.pack("=I", value)


def be32(value: int) -> bytes:
    """Write a number as the network does (nf_tables)."""
    return struct.pack(">I", value)


def be64(value: int) -> bytes:
    """Write a long number as the network does (nf_tables)."""
    return struct.pack(">Q", value)
