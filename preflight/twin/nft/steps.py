"""Steps of rules (expressions): as the kernel takes them, which is not always as it tells them, and their registers.

Pure: registers are told in units of 32 bits, as a set of numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from preflight.packets.nlmsg import MASK, attribute, attributes, nested
from preflight.twin.nft import kernel

_QUOTA_DEPLETED = 2
_STRIP_OPTION = (2, 6)  # of `reset tcp option`: which option, and by which protocol
_WRITE_OPTION = (2, 3, 4, 6, 7)
# By the kind of expression: the attributes that name registers it reads, and the one that it writes.
_READS: dict[str, tuple[int, ...]] = {
    "cmp": (1,), "range": (1,), "bitwise": (1, 8), "byteorder": (1,), "lookup": (2,), "meta": (3,), "ct": (4,),
    "payload": (5,), "exthdr": (7,), "hash": (1,), "dynset": (4, 5), "objref": (3,), "queue": (4,),
    "nat": (3, 4, 5, 6), "masq": (2, 3), "redir": (1, 2), "tproxy": (2, 3), "dup": (1, 2), "fwd": (1, 2),
}  # fmt: skip
_WRITES = {
    "bitwise": 2, "byteorder": 2, "meta": 1, "payload": 1, "ct": 1, "immediate": 1, "numgen": 1, "hash": 2, "osf": 1,
    "lookup": 3, "exthdr": 1, "fib": 1, "rt": 1, "socket": 2, "tunnel": 2, "xfrm": 1,
}  # fmt: skip
_LENGTHS = {"bitwise": 3, "byteorder": 4, "payload": 4, "exthdr": 4, "hash": 3}
_WHOLE = 4  # units of a register of 128 bits
_REGISTERS = 64  # bytes of all registers


def sendable(kind: str, fields: Mapping[int, bytes], raw: bytes) -> bytes:
    """Return a step as the kernel takes it: some attributes are for dumps only, and refused.

    `fields`: its data by attributes; `raw`: the whole, as an item of the list.
    """
    match kind:
        case "exthdr" if 1 not in fields:  # writes
            kept = _WRITE_OPTION if 7 in fields else _STRIP_OPTION
            return kernel.expression(kind, *(attribute(number, fields[number]) for number in kept if number in fields))
        case "dynset" if not any(fields.get(6, b"")):  # no time of its own
            parts = (attribute(number, value) for number, value in fields.items() if number != 6)
            return kernel.expression(kind, *parts)
        case "quota":
            return kernel.expression(kind, quota(b"".join(attribute(*pair) for pair in fields.items())))
    return raw


def quota(data: bytes) -> bytes:
    """Return the attributes of a quota without the mark that it is used up: the kernel sees that by itself."""
    found = []
    for kind, value in attributes(data):
        if kind & MASK == 2 and len(value) == 4:
            value = struct.pack(">I", struct.unpack(">I", value)[0] & ~_QUOTA_DEPLETED)
        found.append(attribute(kind, value))
    return b"".join(found)


def number(value: bytes | None) -> int:
    """Read a number of 32 bits; 0: there is none."""
    return int(struct.unpack(">I", value)[0]) if value is not None and len(value) == 4 else 0


def units(value: bytes | None, length: int = 0) -> frozenset[int]:
    """Return the units of a register and those after it, for as many bytes (0: as it has, or one unit)."""
    told = number(value)
    if 1 <= told <= 4:
        first, most = 8 + _WHOLE * (told - 1), _WHOLE
    elif told >= 8:
        first, most = told, 1
    else:
        return frozenset()
    return frozenset(range(first, first + ((min(length, _REGISTERS) + 3) // 4 if length else most)))


def reads(kind: str, fields: Mapping[int, bytes], key: int = 0) -> frozenset[int]:
    """Return the units that a step reads. `key`: the length of the keys of the set that it refers to, in bytes."""
    if kind in ("cmp", "range"):
        length = len(_value(fields.get(3, b"")))
    else:
        length = key or (number(fields.get(_LENGTHS[kind])) if kind in _LENGTHS else 0)
    found: frozenset[int] = frozenset()
    for attribute_ in _READS.get(kind, ()):
        found |= units(fields.get(attribute_), length)
    return found


def writes(kind: str, fields: Mapping[int, bytes]) -> frozenset[int]:
    """Return the units that a step writes; none where that is a verdict."""
    length = number(fields.get(_LENGTHS[kind])) if kind in _LENGTHS and kind != "hash" else 0
    return units(fields.get(_WRITES[kind]), length) if kind in _WRITES else frozenset()


def _value(data: bytes) -> bytes:
    """Return the value in a nested NFTA_DATA_VALUE."""
    return next((value for kind, value in attributes(data) if kind & MASK == 1), b"")


def immediate(data: bytes) -> bytes:
    """Write the step that ends a rule with a verdict, given as attributes."""
    return kernel.expression("immediate", attribute(1, struct.pack(">I", 0)), nested(2, data))
