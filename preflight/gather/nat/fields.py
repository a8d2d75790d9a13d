"""The parts of a packet that nf_tables loads into registers, and what it means to compare them with values. Pure."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

from preflight.gather.nat.matching import NEVER, NEW, TCP, Condition, network, other
from preflight.packets import nlmsg
from preflight.packets.nlmsg import by_type

EQ, NEQ, _LT, _LTE, _GT = range(5)


class Field(NamedTuple):
    """What a register holds: a part of the packet of so many bytes, or bytes that stand in the rule."""

    name: str
    size: int
    version: int = 0  # of IP, of an address
    mask: bytes = b""
    constant: bytes = b""


NOTHING = Field("?", 0)


def number(raw: bytes | None) -> int:
    """Read a number, which nf_tables has in network byte order; 0 where there is none."""
    return int.from_bytes(raw or b"", "big")


def text(raw: bytes | None) -> str:
    """Read a name."""
    return nlmsg.text(raw or b"")


def value(raw: bytes | None) -> bytes:
    """Return the bytes of a value."""
    return by_type(raw or b"").get(1, b"")


# --- what is loaded --------------------------------------------------------------------------------------------------


def _payload(version: int, data: dict[int, bytes]) -> Field:
    base, offset, size = (number(data.get(kind)) for kind in (2, 3, 4))
    if base == 2 and (offset, size) == (2, 2):
        return Field("port", 2)
    if base == 1 and version:
        width, start = (4, 12) if version == 4 else (16, 8)
        if (offset, size) == ((9, 1) if version == 4 else (6, 1)):
            return Field("protocol", 1)
        # Of a network whose length is whole bytes only these are loaded.
        if offset == start and size <= width:
            return Field("source", size, version)
        if offset == start + width and size <= width:
            return Field("destination", size, version)
    return Field("payload", size)


_META = {
    1: ("family", 2), 3: ("mark", 4), 4: ("index", 4), 6: ("interface", 16), 15: ("family", 1), 16: ("protocol", 1),
}  # fmt: skip
_CT = {0: ("state", 4), 1: ("direction", 1)}
_DESTINATION, _ADDRESS_TYPE, _PLAIN_FIB = 2, 3, 2


def _meta(_: int, data: dict[int, bytes]) -> Field:
    return Field(*_META.get(number(data.get(2)), ("meta", 4)))


def _ct(_: int, data: dict[int, bytes]) -> Field:
    return Field(*_CT.get(number(data.get(2)), ("ct", 4)))


def _fib(_: int, data: dict[int, bytes]) -> Field:
    result, flags = (number(data.get(kind)) for kind in (2, 3))
    return Field("type" if (result, flags) == (_ADDRESS_TYPE, _PLAIN_FIB) else "fib", 4)


# The expression: the attribute that names its register, and what it loads. Where none is loaded, something is set.
LOADERS: dict[str, tuple[int, Callable[[int, dict[int, bytes]], Field]]] = {
    "payload": (1, _payload), "meta": (1, _meta), "ct": (1, _ct), "fib": (1, _fib),
    "numgen": (1, lambda _v, _d: Field("numgen", 4)), "hash": (2, lambda _v, _d: Field("hash", 4)),
    "rt": (1, lambda _v, _d: Field("rt", 4)), "socket": (2, lambda _v, _d: Field("socket", 4)),
    "exthdr": (1, lambda _v, _d: Field("exthdr", 4)), "osf": (1, lambda _v, _d: Field("osf", 16)),
    "byteorder": (2, lambda _v, _d: Field("byteorder", 4)),
}  # fmt: skip


# --- what is compared ------------------------------------------------------------------------------------------------


def compared(field: Field, operation: int, wanted: bytes) -> Condition | None:
    """Return the condition of a comparison with one value; None: it always holds."""
    if operation in (EQ, NEQ):
        return between(field, wanted, wanted, operation == NEQ)
    size = len(wanted) or 1
    first, last = 0, (1 << 8 * size) - 1
    if operation in (_LT, _LTE):
        last = number(wanted) - (operation == _LT)
    else:
        first = number(wanted) + (operation == _GT)
    if not 0 <= first <= last:
        return NEVER
    return between(field, first.to_bytes(size, "big"), last.to_bytes(size, "big"), False)


def between(field: Field, first: bytes, last: bytes, negated: bool) -> Condition | None:
    """Return the condition that a part of the packet lies between two values; None: it always holds."""
    if field.mask and field.name not in ("source", "destination", "state"):
        return other(field.name)
    condition = _CONDITIONS.get(field.name)
    return condition(field, first, last, negated) if condition else other(field.name)


def _family(_: Field, first: bytes, _last: bytes, negated: bool) -> Condition:
    return Condition("family", ({2: 4, 10: 6, 0x0800: 4, 0x86DD: 6}.get(number(first), 0),), negated)


def _holds(*, met: bool, negated: bool) -> Condition | None:
    return None if met is not negated else NEVER


def _port(_: Field, first: bytes, last: bytes, negated: bool) -> Condition:
    return Condition("ports", ((number(first), number(last)),), negated)


def _protocol(_: Field, first: bytes, last: bytes, negated: bool) -> Condition | None:
    return _holds(met=number(first) <= TCP <= number(last), negated=negated)


def _way_in(field: Field, first: bytes, last: bytes, negated: bool) -> Condition:
    if first != last:
        return other(field.name)
    name = _interface(first) if field.name == "interface" else _named(int.from_bytes(first, sys.byteorder))
    return Condition("interface", (name,), negated)


_LOCAL = 2  # RTN_LOCAL


def _type(_: Field, first: bytes, _last: bytes, negated: bool) -> Condition | None:
    return _holds(met=int.from_bytes(first, sys.byteorder) == _LOCAL, negated=negated)


def _direction(_: Field, first: bytes, _last: bytes, negated: bool) -> Condition | None:
    return _holds(met=not any(first), negated=negated)  # a connection that is opened, not an answer


def _addresses(field: Field, first: bytes, last: bytes, negated: bool) -> Condition:
    width = 4 if field.version == 4 else 16
    if not 0 < len(first) <= width or first > last:
        return other(field.name)
    if first != last and (len(first), len(last)) != (width, width):
        return other(field.name)
    if field.mask:
        found = network(first, field.mask) if first == last and len(first) == len(field.mask) == width else ""
        return Condition(field.name, (found,), negated) if found else other(field.name)
    if first == last:
        return Condition(field.name, (network(first + bytes(width - len(first)), 8 * len(first)),), negated)
    return Condition(field.name, tuple(_networks(first, last)), negated)


def _networks(first: bytes, last: bytes) -> Iterator[str]:
    one, other_end = ipaddress.ip_address(first), ipaddress.ip_address(last)
    for found in ipaddress.summarize_address_range(one, other_end):
        yield str(found)


def _interface(raw: bytes) -> str:
    """Read a name; one that is not ended stands for all that begin so."""
    name = text(raw)
    return name if b"\0" in raw or len(raw) >= 16 else f"{name}*"


def _named(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except (OSError, OverflowError):
        return f"#{index}"


def _new(field: Field, first: bytes, _last: bytes, negated: bool) -> Condition | None:
    value = int.from_bytes(first, sys.byteorder)
    if not field.mask:
        return _holds(met=value == NEW, negated=negated)
    if value or not negated:
        return other("state")
    return _holds(met=bool(int.from_bytes(field.mask, sys.byteorder) & NEW), negated=False)


# What is asked of a part of the packet, between two values.
_CONDITIONS = {
    "family": _family, "port": _port, "protocol": _protocol, "source": _addresses, "destination": _addresses,
    "interface": _way_in, "index": _way_in, "type": _type, "state": _new, "direction": _direction,
}  # fmt: skip
