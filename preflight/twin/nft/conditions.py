"""What rules of nf_tables hang on that no packet says: rate, chance, time, the processor, a program."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from msgspec import Struct

from preflight.packets.nlmsg import attribute, attributes, by_type, text
from preflight.twin import legacy_worlds
from preflight.twin.legacy_blob import Part
from preflight.twin.legacy_worlds import HARMLESS
from preflight.twin.nft.read import Expression, Rule, Ruleset, Set
from preflight.twin.nft.steps import number

# Expressions that hold for some packets and not for others like them.
_HANGS = {
    "limit": "limit", "quota": "quota", "connlimit": "connlimit", "numgen": "numgen", "osf": "osf", "hash": "hash",
    "socket": "socket",  # of the host's own sockets the twin has none
}  # fmt: skip
# By the key of `meta`: the processor, chance, and the time of day; by that of `ct`: what a connection has carried.
_META = {20: "cpu", 24: "random", 30: "time", 31: "time", 32: "time"}
_CT = {14: "connbytes", 15: "connbytes", 16: "connbytes"}
_NFTRACE = 12
_OBJECTS = {2: "quota", 4: "limit", 5: "connlimit"}  # by their kind
_OF_ELEMENTS = ("limit", "quota", "connlimit")
# What decides nothing, and changes nothing that another rule could look at; the others in so far as they only load.
_IDLE = frozenset((
    "counter", "last", "limit", "quota", "connlimit", "cmp", "range", "bitwise", "byteorder", "numgen", "hash", "osf",
    "socket", "fib", "rt", "xfrm", "tunnel", "match", "inner", "log",
))  # fmt: skip
_STORES = {"meta": 3, "ct": 4, "payload": 5}  # the register that is written to the packet


class Known(Struct, frozen=True):
    """What rules refer to, by family, table and name; the numbers of the queues that a program of the host reads."""

    objects: Mapping[tuple[int, str, str], int] = {}  # their kinds
    sets: Mapping[tuple[int, str, str], Set] = {}
    programs: frozenset[int] = frozenset()

    def set(self, rule: Rule, step: Expression) -> Set | None:
        """Return the set that a step refers to."""
        place = {"lookup": 1, "dynset": 1, "objref": 4}.get(step.kind)
        called = step.fields.get(place) if place else None
        return self.sets.get((rule.family, rule.table, text(called))) if called is not None else None


def known(ruleset: Ruleset, programs: frozenset[int] = frozenset()) -> Known:
    """Return what the rules of a rule set refer to."""
    return Known(
        {(one.family, one.table, one.name): one.kind for one in ruleset.objects},
        {(one.family, one.table, one.name): one for one in ruleset.sets},
        programs,
    )


def conditions(rule: Rule, of: Known) -> dict[int, str]:
    """Return what the steps of a rule hang on, by their places; nothing where the rule decides nothing."""
    found = {place: word for place, step in enumerate(rule.expressions) if (word := condition(rule, step, of))}
    return found if found and any(decides(step) for step in rule.expressions) else {}


def condition(rule: Rule, step: Expression, of: Known) -> str:
    """Return what a step hangs on; '' = nothing."""
    fields = step.fields
    match step.kind:
        case "meta" if 1 in fields:
            return _META.get(number(fields.get(2)), "")
        case "ct" if 1 in fields:
            return _CT.get(number(fields.get(2)), "")
        case "dynset" | "lookup":
            return _of_set(of.set(rule, step), step)
        case "objref":
            one = of.set(rule, step)
            named = of.objects.get((rule.family, rule.table, text(fields.get(2, b""))), number(fields.get(1)))
            return _OBJECTS.get(one.object if one else named, "")
        case "match":
            return legacy_worlds.hangs_on(xt(step))
        case "queue" | "target" if of.programs.intersection(queues(step)):
            return "queue"
    return _HANGS.get(step.kind, "")


def _of_set(one: Set | None, step: Expression) -> str:
    """Return what a step hangs on by the elements of its set: a meter, and a set whose elements have limits."""
    inner = list(_inner(step.fields)) if step.kind == "dynset" else []
    words = [kind for kind in inner if kind in _OF_ELEMENTS]
    return next(iter(words), "") or (limited(one) if one else "")


def limited(one: Set) -> str:
    """Return what elements of a set hang on, that have such expressions; '' = nothing."""
    for word in _OF_ELEMENTS:
        named = attribute(1, word.encode() + b"\0")
        if named in one.body or any(named in chunk for chunk in one.elements):
            return word
    return ""


def _inner(fields: Mapping[int, bytes]) -> Iterator[str]:
    """Yield the kinds of the expressions that an element gets which a packet adds to a set."""
    items = [fields[7]] if 7 in fields else []  # NFTA_DYNSET_EXPR, NFTA_DYNSET_EXPRESSIONS
    items += [value for _, value in attributes(fields.get(10, b""))]
    yield from (text(by_type(item).get(1, b"")) for item in items)


def decides(step: Expression) -> bool:
    """Say whether a step does more than load, compare, count and log."""
    if step.kind in _IDLE:
        return False
    match step.kind:
        case "meta" | "ct" | "payload":
            return _STORES[step.kind] in step.fields and not traces(step)
        case "exthdr":
            return 1 not in step.fields
        case "immediate":
            return number(step.fields.get(1)) == 0
        case "lookup":
            return 3 in step.fields and number(step.fields[3]) == 0
        case "objref":
            return number(step.fields.get(1)) not in (1, *_OBJECTS)
        case "target":
            return xt(step).name not in HARMLESS
    return True


def traces(step: Expression) -> bool:
    """Say whether a step sets, or takes, the mark by which the kernel tells of a packet."""
    return step.kind == "meta" and 3 in step.fields and number(step.fields.get(2)) == _NFTRACE


def xt(step: Expression) -> Part:
    """Return the match or target of iptables that a step is."""
    return Part(text(step.fields.get(1, b"")), number(step.fields.get(2)), bytes(32) + step.fields.get(3, b""))


def queues(step: Expression) -> range:
    """Return the numbers of the queues that a step may give packets to."""
    if step.kind == "queue":
        if 4 in step.fields:
            return range(1 << 16)  # by a register
        first, count = (_short(step.fields.get(kind)) for kind in (1, 2))
        return range(first, first + max(count, 1))
    part = xt(step)
    if part.name != "NFQUEUE" or len(part.data) < 4:
        return range(0)
    first, count = struct.unpack_from("=HH", part.data)
    return range(first, first + max(count, 1) if part.revision else first + 1)


def _short(value: bytes | None) -> int:
    return int(struct.unpack(">H", value)[0]) if value is not None and len(value) == 2 else 0
