"""Copy ipsets (ip_set, the kernel's own) from one network namespace to another, and translate rules that refer to them.

What the kernel dumps is sent back to it as it came, but for one flag: it demands of addresses what it does not write.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Collection, Iterable, Mapping

from msgspec import Struct

from preflight.facts.twin import Uncopied
from preflight.packets.nlmsg import CREATE as NEW
from preflight.packets.nlmsg import EXCL, MASK, NESTED, attribute, attributes, be32, by_type, name, text
from preflight.twin import ipset_elements as elements
from preflight.twin.wire import Refused, Wire

PROTOCOL = 7  # since Linux 4.20: dumps tell the indices of sets
_CREATE, _LIST, _ADD = (6 << 8 | command for command in (2, 7, 9))  # NFNL_SUBSYS_IPSET
_PROTOCOL, _NAME, _TYPE, _REVISION, _FAMILY, _FLAGS, _DATA, _ADT, _LINE, _INDEX = 1, 2, 3, 4, 5, 6, 7, 8, 9, 11
_TIMEOUT, _NETMASK = 6, 20  # of a set's data
_ELEMENTS, _REFERENCES, _MEMORY = 24, 25, 26  # of it, for dumps only
_ONLY_HEADERS = 4  # IPSET_FLAG_LIST_HEADER
NONE = 0xFFFF  # IPSET_INVALID_ID, where a rule refers to no set
# Of its own error numbers: those that a copy can meet.
_ERRORS = {
    4097: "PROTOCOL", 4098: "FIND_TYPE", 4099: "MAX_SETS", 4102: "TYPE_MISMATCH", 4104: "INVALID_CIDR",
    4105: "INVALID_NETMASK", 4106: "INVALID_FAMILY", 4107: "TIMEOUT", 4108: "REFERENCED",
}  # fmt: skip


class Header(Struct, frozen=True):
    """A set without its elements. `data`: what it was created with, as attributes that the kernel takes back."""

    index: int
    name: str
    kind: str  # hash:ip, bitmap:port, list:set …
    family: int
    revision: int
    data: bytes
    size: int  # elements, as the kernel counts them
    netmask: int | None = None  # that all addresses are cut by
    timed: bool = False  # elements have a timeout


class Set(Struct, frozen=True):
    """A set: its elements in chunks, as the kernel takes them back. `members`: of a list, the sets that it holds."""

    header: Header
    chunks: tuple[bytes, ...]
    size: int  # elements in the chunks
    members: tuple[str, ...] = ()


class Sets(Struct, frozen=True):
    """The sets of a namespace. `names`: of all there are, `found`: of those that were asked for."""

    names: dict[int, str]
    found: tuple[Set, ...]


class Copied(Struct, frozen=True):
    """What became of sets in another namespace: its indices by the old ones, of those that are complete there."""

    indices: dict[int, int]
    refused: tuple[Uncopied, ...]


# --- read -------------------------------------------------------------------------------------------------------------


def read(wire: Wire, only: Collection[int] | None = None) -> Sets:
    """Read the sets with these indices, and what their lists hold (None: all); raise `OSError`.

    Only for where the module ip_set is there: being asked for, it would be loaded. Kernels before 4.20: EPROTO.
    """
    headers = _headers(wire)
    by_name = {header.name: header for header in headers}
    wanted = [header for header in headers if only is None or header.index in only]
    found: dict[str, Set] = {}
    while wanted:
        header = wanted.pop()
        if header.name in found:
            continue
        one = _read(wire, header)
        if one is None:
            continue
        found[header.name] = one
        wanted += [by_name[member] for member in one.members if member in by_name]
    return Sets({header.index: header.name for header in headers}, tuple(found.values()))


def _headers(wire: Wire) -> list[Header]:
    try:
        answers = wire.dump(_LIST, _body(attribute(_FLAGS | elements.ORDERED, be32(_ONLY_HEADERS))))
    except Refused as refusal:
        if refusal.errno == 4097:
            raise OSError(errno.EPROTO, "the kernel's ipset does not tell indices") from None
        raise
    return [header for answer in answers if (header := _header(by_type(answer.body[4:])))]


def _header(found: dict[int, bytes]) -> Header | None:
    if not {_NAME, _TYPE, _REVISION, _FAMILY, _DATA, _INDEX} <= found.keys():
        return None
    data = by_type(found[_DATA])
    kept = [(kind, value) for kind, value in attributes(found[_DATA]) if kind & MASK not in _COUNTED]
    return Header(
        int.from_bytes(found[_INDEX][:2], "big"), text(found[_NAME]), text(found[_TYPE]), found[_FAMILY][0],
        found[_REVISION][0], elements.ordered(b"".join(attribute(kind, value) for kind, value in kept)),
        int.from_bytes(data.get(_ELEMENTS, b"\xff" * 4), "big"), data[_NETMASK][0] if _NETMASK in data else None,
        _TIMEOUT in data,
    )  # fmt: skip


_COUNTED = {_ELEMENTS, _REFERENCES, _MEMORY}


def _read(wire: Wire, header: Header) -> Set | None:
    """Return a set with its elements; None: it is gone meanwhile."""
    try:
        answers = wire.dump(_LIST, _body(attribute(_NAME, name(header.name))))
    except Refused as refusal:
        if refusal.errno == errno.ENOENT:
            return None
        raise
    chunks = [found[_ADT] for answer in answers if _ADT in (found := by_type(answer.body[4:]))]
    fixed = [elements.ordered_all(chunk) for chunk in chunks if chunk]
    members: tuple[str, ...] = ()
    if header.kind == "list:set":
        members = tuple(member for chunk in chunks for member in elements.names(chunk))
    return Set(header, tuple(chunk for chunk, _ in fixed), sum(count for _, count in fixed), members)


def _body(*parts: bytes) -> bytes:
    return bytes([socket.AF_INET, 0, 0, 0]) + attribute(_PROTOCOL, bytes([PROTOCOL])) + b"".join(parts)


# --- write ------------------------------------------------------------------------------------------------------------


def load(sets: Sets, wire: Wire) -> Copied:
    """Make the sets in the wire's namespace. One of which anything is refused or missing has no index there."""
    refused: dict[str, Uncopied] = {}
    # Lists take only sets that are there; what holds an incomplete one is incomplete.
    ordered = sorted(sets.found, key=lambda one: (one.header.kind == "list:set", one.header.index))
    for step in (_create, _fill):
        for one in ordered:
            if one.header.name in refused:
                continue
            if any(member in refused for member in one.members):
                refused[one.header.name] = _uncopied(one, "incomplete")
                continue
            try:
                step(wire, one)
            except OSError as failure:
                refused[one.header.name] = _uncopied(one, error(failure))
    placed = {header.name: header for header in _headers(wire)}
    for one in ordered:
        twin = placed.get(one.header.name)
        if one.header.name not in refused and (twin is None or not _whole(one, twin.size)):
            refused[one.header.name] = _uncopied(one, "incomplete")
    spoilt = _holding(ordered, refused)
    indices = {
        one.header.index: placed[one.header.name].index for one in ordered
        if one.header.name not in refused and one.header.name not in spoilt
    }  # fmt: skip
    return Copied(indices, (*refused.values(), *spoilt.values()))


def _whole(one: Set, size: int) -> bool:
    """Say whether a copy has all elements; where they have their time, some may be over meanwhile."""
    if one.header.timed:
        return size <= one.size and 10 * size >= 9 * one.size
    return size == one.size


def _holding(ordered: Iterable[Set], refused: Mapping[str, Uncopied]) -> dict[str, Uncopied]:
    return {
        one.header.name: _uncopied(one, "incomplete") for one in ordered
        if one.header.name not in refused and any(member in refused for member in one.members)
    }  # fmt: skip


def _uncopied(one: Set, why: str) -> Uncopied:
    return Uncopied("ip_set", one.header.name, what=one.header.kind, error=why)


def _create(wire: Wire, one: Set) -> None:
    header = one.header
    wire.do(
        _CREATE,
        _body(
            attribute(_NAME, name(header.name)), attribute(_TYPE, name(header.kind)),
            attribute(_REVISION, bytes([header.revision])), attribute(_FAMILY, bytes([header.family])),
            attribute(_DATA | NESTED, header.data),
        ),
        EXCL | NEW,
    )  # fmt: skip


def _fill(wire: Wire, one: Set) -> None:
    for chunk in one.chunks:
        # Without NLM_F_EXCL: a dump of a set that grows meanwhile may hold an element twice.
        line = attribute(_LINE | elements.ORDERED, be32(1))
        wire.do(_ADD, _body(attribute(_NAME, name(one.header.name)), line, attribute(_ADT | NESTED, chunk)))


def error(failure: OSError) -> str:
    """Name an error, of the system's or of ipset's own."""
    code = failure.errno or 0
    return errno.errorcode.get(code) or "IPSET_ERR_" + _ERRORS.get(code, str(code))


# --- what refers to sets ----------------------------------------------------------------------------------------------


def places(revision: int, size: int, *, target: bool) -> tuple[int, ...]:
    """Return where the data of the match `set` (`target`: of the target SET) has indices of sets."""
    found = _TARGET.get(revision, (0, 4, 8)) if target else (0,)
    return tuple(at for at in found if at + 2 <= size)


_TARGET: dict[int, tuple[int, ...]] = {0: (0, 20), 1: (0, 4), 2: (0, 4)}


def referred(data: bytes, revision: int, *, target: bool = False) -> frozenset[int]:
    """Return the indices of the sets that a match `set` or a target SET refers to."""
    found = (struct.unpack_from("=H", data, at)[0] for at in places(revision, len(data), target=target))
    return frozenset(index for index in found if index != NONE)


def translate_xt(data: bytes, revision: int, mapping: Mapping[int, int], *, target: bool = False) -> bytes:
    """Return the data of a match `set` (`target`: of a target SET) with the indices of another namespace.

    Raise `KeyError` where a set has none there: then the rule must not be loaded, for the kernel would log it.
    """
    changed = bytearray(data)
    for at in places(revision, len(data), target=target):
        index = struct.unpack_from("=H", data, at)[0]
        if index != NONE:
            struct.pack_into("=H", changed, at, mapping[index])
    return bytes(changed)


def mentions(sets: Sets) -> Callable[[str], bool]:
    """Return a function that says whether any of the sets singles an address out, as such or by its network."""
    found = elements.Networks()
    for one in sets.found:
        for chunk in one.chunks:
            found.add(chunk, one.header.netmask)
    return found.hold


def sizes(wire: Wire) -> dict[str, int]:
    """Return how many elements each set has, by its name; raise `OSError`."""
    return {header.name: header.size for header in _headers(wire)}
