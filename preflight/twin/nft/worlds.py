"""What rules of nf_tables become in a world of the twin: those that hang on rate, chance or time, or act outside."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from preflight.twin import ipsets, legacy_worlds
from preflight.twin.legacy_blob import Part
from preflight.twin.legacy_worlds import HARMLESS, World
from preflight.twin.nft import kernel
from preflight.twin.nft.read import Expression, Rule, Ruleset
from preflight.twin.wire import attribute, attributes, nested, table, text

# Expressions that hold for some packets and not for others like them.
_HANGS = {"limit": "limit", "quota": "quota", "connlimit": "connlimit", "numgen": "numgen", "osf": "osf"}
# By the key of `meta`: the processor, chance, and the time of day.
_KEYS = {20: "cpu", 24: "random", 30: "time", 31: "time", 32: "time"}
# By the kind of object that a rule refers to.
_OBJECTS = {2: "quota", 4: "limit", 5: "connlimit"}
_SYMMETRIC = 1  # of `hash`: by a seed of the kernel's own
# What decides nothing.
_IDLE = frozenset(("log", "counter", "last", "limit", "quota", "connlimit"))
# Which attributes name the registers that an expression reads, and the one that it writes.
_READS = {"cmp": 1, "range": 1, "bitwise": 1, "byteorder": 1, "lookup": 2}
_WRITES = {"bitwise": 2, "byteorder": 2, "meta": 1, "payload": 1, "ct": 1, "immediate": 1, "numgen": 1, "hash": 2}
# Rules of ip_tables in nf_tables, with these matches, are checked by the kernel for a protocol that it does not tell.
_XT = ("match", "target")
_BYPASS = 1  # NFT_QUEUE_FLAG_BYPASS


class Given(Struct, frozen=True):
    """What a rule is changed by: the world, the indices of copied ipsets by the host's, queues that a program reads."""

    world: World = "as-is"
    sets: Mapping[int, int] = {}
    programs: frozenset[int] = frozenset()
    objects: Mapping[tuple[int, str, str], int] = {}  # the kinds of objects, by family, table and name


class Change(Struct, frozen=True):
    """What a rule is in a world: its steps; None where it is left out. `conditions`: what it hangs on."""

    steps: bytes | None
    conditions: frozenset[str] = frozenset()
    refused: str = ""  # which of its steps cannot be copied


def change(rule: Rule, given: Given) -> Change:
    """Return a rule as it is in the twin."""
    steps = rule.expressions
    kept: list[bytes] = []
    hanging: list[tuple[Expression, str]] = []
    for step in steps:
        if (word := _condition(rule, step, given)) and _decides(steps):
            hanging.append((step, word))
        try:
            kept += _copied(step, given.sets)
        except KeyError:
            return Change(None, refused="set")
    words = frozenset(word for _, word in hanging)
    if not words or given.world == "as-is":
        return Change(b"".join(kept), words)
    if given.world == "without":
        return Change(None, words)
    dropped = {id(step) for step, _ in hanging if not _chooses(steps, step)}
    return Change(b"".join(_met(steps, dropped, given)), words)


def objects(ruleset: Ruleset) -> dict[tuple[int, str, str], int]:
    """Return the kinds of the objects that rules refer to."""
    return {(one.family, one.table, one.name): one.kind for one in ruleset.objects}


def _copied(step: Expression, sets: Mapping[int, int]) -> Iterator[bytes]:
    """Yield a step as it is in the twin; raise `KeyError` where a set of ipset has no copy.

    What is written to the kernel's log, or acts outside of the namespace, decides nothing and is left out.
    """
    if step.kind == "log":
        return
    if step.kind not in _XT:
        yield step.raw
        return
    part = xt(step)
    if step.kind == "target" and part.name in HARMLESS:
        return
    if (part.name, step.kind) in (("set", "match"), ("SET", "target")):
        data = ipsets.translate_xt(part.data, part.revision, sets, target=step.kind == "target")
        found = table(step.data)
        yield kernel.expression(step.kind, *(attribute(kind, data if kind == 3 else found[kind]) for kind in (1, 2, 3)))
        return
    yield step.raw


def xt(step: Expression) -> Part:
    """Return a match or target of iptables that a step is."""
    found = table(step.data)
    revision = struct.unpack(">I", found.get(2, bytes(4)))[0]
    return Part(text(found.get(1, b"")), revision, bytes(32) + found.get(3, b""))


def _condition(rule: Rule, step: Expression, given: Given) -> str:
    """Return what a step hangs on that no packet says; '' = nothing."""
    if step.kind in _HANGS:
        return _HANGS[step.kind]
    found = table(step.data)
    match step.kind:
        case "meta" if 1 in found:
            return _KEYS.get(_number(found.get(2)), "")
        case "hash" if _number(found.get(7)) == _SYMMETRIC:
            return "hash"
        case "dynset":
            return next((_HANGS[kind] for kind in _inner(found) if kind in _HANGS), "")
        case "objref":
            kind = given.objects.get((rule.family, rule.table, text(found.get(2, b""))), _number(found.get(1)))
            return _OBJECTS.get(kind, "")
        case "match":
            return legacy_worlds.hangs_on(xt(step))
        case "queue" if given.programs.intersection(_queues(found)):
            return "queue"
        case "target" if xt(step).name == "NFQUEUE" and given.programs:
            return "queue"
    return ""


def _inner(found: Mapping[int, bytes]) -> Iterator[str]:
    """Yield the kinds of the expressions that an element gets which a packet adds to a set."""
    for kind in (7, 10):  # NFTA_DYNSET_EXPR, NFTA_DYNSET_EXPRESSIONS
        data = found.get(kind, b"")
        items = [data] if kind == 7 else [value for _, value in attributes(data)]
        yield from (text(table(item).get(1, b"")) for item in items if item)


def _queues(found: Mapping[int, bytes]) -> range:
    if 1 not in found or len(found[1]) != 2:
        return range(0)
    first = struct.unpack(">H", found[1])[0]
    count = struct.unpack(">H", found[2])[0] if len(found.get(2, b"")) == 2 else 1
    return range(first, first + max(count, 1))


def _decides(steps: Iterable[Expression]) -> bool:
    """Say whether a rule does more than count and log."""
    last = [step for step in steps if step.kind not in _IDLE]
    if not last:
        return False
    if last[-1].kind == "target":
        return xt(last[-1]).name not in HARMLESS
    # Without a step at its end that decides, matching alone changes nothing.
    return last[-1].kind not in ("cmp", "match", "range", "bitwise", "lookup") or _is_map(last[-1])


def _chooses(steps: tuple[Expression, ...], step: Expression) -> bool:
    """Say whether a step's answer is looked up in a map: a choice that never holds nor fails."""
    later = steps[steps.index(step) + 1 :]
    return any(_is_map(other) and _read(other) & _written(step) for other in later)


def _is_map(step: Expression) -> bool:
    return step.kind == "lookup" and 3 in table(step.data)


def _met(steps: tuple[Expression, ...], hanging: set[int], given: Given) -> Iterator[bytes]:
    """Yield the steps of a rule whose conditions always hold: without them, and without what looks at their answers."""
    answers: set[int] = set()
    for step in steps:
        if id(step) in hanging:
            if step.kind == "queue" or (step.kind == "target" and xt(step).name == "NFQUEUE"):
                yield kernel.verdict(kernel.ACCEPT)
            answers |= _written(step)
            continue
        if _read(step) & answers and not _is_map(step):
            answers |= _written(step)
            continue
        answers -= _written(step)
        yield from _copied(step, given.sets)


def _read(step: Expression) -> set[int]:
    return _registers(table(step.data).get(_READS[step.kind])) if step.kind in _READS else set()


def _written(step: Expression) -> set[int]:
    return _registers(table(step.data).get(_WRITES[step.kind])) if step.kind in _WRITES else set()


def _registers(value: bytes | None) -> set[int]:
    """Return a register, as those of 32 bits that it is made of."""
    number = _number(value)
    if 1 <= number <= 4:
        return set(range(8 + 4 * (number - 1), 8 + 4 * number))
    return {number} if number >= 8 else set()


def _number(value: bytes | None) -> int:
    return int(struct.unpack(">I", value)[0]) if value is not None and len(value) == 4 else 0


def protocol(steps: Iterable[Expression]) -> bytes:
    """Write for which protocol the kernel shall check a rule's matches of iptables (NFTA_RULE_COMPAT); b'' = any.

    The kernel does not tell it. iptables writes the protocol into the rule as well, as its first comparison of it.
    """
    asked: set[int] = set()
    for step in steps:
        found = table(step.data)
        if step.kind == "meta" and _number(found.get(2)) == 16:  # NFT_META_L4PROTO
            asked = _registers(found.get(1))
        elif step.kind == "payload" and _number(found.get(2)) == 1 and _number(found.get(4)) == 1:
            at = _number(found.get(3))
            asked = _registers(found.get(1)) if at in (6, 9) else set()  # the next header of IPv6, IPv4's protocol
        elif step.kind == "cmp" and asked & _registers(found.get(1)):
            value = table(found.get(3, b"")).get(1, b"")
            inverted = _number(found.get(2)) == 1  # NFT_CMP_NEQ
            if value:
                told = attribute(1, struct.pack(">I", value[0])) + attribute(2, struct.pack(">I", 2 * inverted))
                return nested(5, told)
    return b""
