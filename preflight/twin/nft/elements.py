"""Elements of sets of nf_tables: as the kernel dumps them, and as it takes them back."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from preflight.packets import nlmsg as nl
from preflight.packets.nlmsg import MASK, attribute, attributes, by_type
from preflight.twin.nft import kernel

CHUNK = 48_000  # bytes of elements in one message: its list has a length of 16 bits
_KEY, _DATA, _FLAGS, _EXPIRES, _EXPRESSION, _PAD, _KEY_END, _EXPRESSIONS = 1, 2, 3, 5, 7, 8, 10, 11


def sendable(told: Iterable[bytes], flags: int) -> tuple[tuple[bytes, ...], int]:
    """Return elements in chunks that the kernel takes, and how many these are. `flags`: the set's."""
    found = [value for chunk in told for _, value in attributes(chunk)]
    if flags & kernel.TIMEOUT:
        found = [_whole(value) for value in found]
    if flags & (kernel.TIMEOUT | kernel.EVAL) and not flags & kernel.INTERVAL:
        # A set that packets add to may grow while it is read, and tell an element twice.
        found = list({key_and_flags(value): value for value in found}.values())
    if flags & kernel.INTERVAL and not flags & kernel.CONCATENATION:
        found = list(_intervals(found))
    return tuple(chunks(found)), len(found)


def chunks(values: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lists of elements, each of which fits one message."""
    parts: list[bytes] = []
    length = 0
    for value in values:
        part = attribute(kernel.ITEM | nl.NESTED, value)
        if length + len(part) > CHUNK and parts:
            yield b"".join(parts)
            parts, length = [], 0
        parts.append(part)
        length += len(part)
    if parts:
        yield b"".join(parts)


def _whole(value: bytes) -> bytes:
    """Return an element without what is left of its time: it has all of it again."""
    found = attributes(value)
    if not any(kind & MASK in (_EXPIRES, _PAD) for kind, _ in found):
        return value
    return b"".join(attribute(kind, part) for kind, part in found if kind & MASK not in (_EXPIRES, _PAD))


def bare(chunk: bytes) -> bytes:
    """Return elements without the expressions that run where they are found."""
    found = []
    for _, value in attributes(chunk):
        kept = (pair for pair in attributes(value) if pair[0] & MASK not in (_EXPRESSION, _EXPRESSIONS))
        found.append(attribute(kernel.ITEM | nl.NESTED, b"".join(attribute(*pair) for pair in kept)))
    return b"".join(found)


def _intervals(values: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the ends of intervals in the order that the kernel takes: each one's start, and then its end.

    In a set that was made for one rule, an interval may end by the next one's start. Only there the kernel takes that,
    and the copy is a set as any other: it gets that end.
    """
    ends = [(*key_and_flags(value), value) for value in values]
    ends.sort(key=lambda one: (one[0] is None, one[0] or b"", not one[1] & kernel.END))
    begun = False
    for key, flags, value in ends:
        starts = key is not None and not flags & kernel.END
        if starts and begun:
            yield nl.nested(_KEY, attribute(1, key or b"")) + attribute(_FLAGS, struct.pack(">I", kernel.END))
        begun = starts
        yield value


def key_and_flags(value: bytes) -> tuple[bytes | None, int]:
    """Return an element's key, None for the one that stands for all others, and its flags."""
    found = by_type(value)
    flags = struct.unpack(">I", found[_FLAGS])[0] if len(found.get(_FLAGS, b"")) == 4 else 0
    return by_type(found[_KEY]).get(1) if _KEY in found else None, flags


def keys(chunk: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Yield the first and the last key of each element, and its flags: b'' where it has none."""
    for _, value in attributes(chunk):
        found = by_type(value)
        flags = struct.unpack(">I", found[_FLAGS])[0] if len(found.get(_FLAGS, b"")) == 4 else 0
        first = by_type(found[_KEY]).get(1, b"") if _KEY in found else b""
        yield first, by_type(found[_KEY_END]).get(1, b"") if _KEY_END in found else b"", flags


def verdicts(chunk: bytes) -> Iterator[bytes]:
    """Yield the data of a map's elements that are verdicts, as attributes."""
    for _, value in attributes(chunk):
        data = by_type(value).get(_DATA, b"")
        if 2 in by_type(data):  # NFTA_DATA_VERDICT
            yield data
