"""What rules of nf_tables become in a world of the twin: those that hang on rate, chance or time, or act outside."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from msgspec import Struct

from preflight.packets.nlmsg import attribute, by_type, nested
from preflight.twin import ipsets, legacy_worlds
from preflight.twin.legacy_worlds import HARMLESS, World
from preflight.twin.nft import elements, kernel, steps
from preflight.twin.nft.conditions import Known, conditions, decides, traces, xt
from preflight.twin.nft.read import Expression, Rule, Set
from preflight.twin.nft.steps import number

# What compares, and what is only on the way to a comparison: without it a rule meets more packets.
_COMPARE, _TURN = frozenset(("cmp", "range")), frozenset(("bitwise", "byteorder"))
_BYPASS = 1  # NFT_QUEUE_FLAG_BYPASS
_L4PROTO, _PROTOCOL = 16, 1  # NFT_META_…
_LINK, _NETWORK = 0, 1  # NFT_PAYLOAD_…_HEADER
_BRIDGE = 7
# The kernel takes these in every namespace, and they only look: what is left of a rule that it refuses.
_PLAIN = frozenset(("meta", "payload", "cmp", "range", "bitwise", "byteorder", "ct", "immediate"))
_PASSED = frozenset(("counter", "limit", "quota", "connlimit", "last", "log"))
ATTEMPTS = 3  # to count the packets that a refused rule would have met


class Given(Struct, frozen=True):
    """What a rule is changed by: the world, the indices of copied ipsets by the host's, what rules refer to."""

    world: World = "as-is"
    sets: Mapping[int, int] = {}
    known: Known = Known()


class Change(Struct, frozen=True):
    """What a rule is in a world: its steps; None where it is left out. `conditions`: what it hangs on."""

    steps: bytes | None
    conditions: frozenset[str] = frozenset()
    refused: str = ""  # which of its steps cannot be copied


def change(rule: Rule, given: Given) -> Change:
    """Return a rule as it is in the twin."""
    hanging = conditions(rule, given.known)
    words = frozenset(hanging.values())
    if words and given.world == "without":
        return Change(None, words)
    kept = range(len(rule.expressions)) if not words or given.world == "as-is" else _needed(rule, hanging, given.known)
    found: list[bytes] = []
    for place, step in enumerate(rule.expressions):
        judged = given.world == "met" and place in hanging
        if place not in kept:
            found += _instead(rule, step, given.known, judged=judged)
            continue
        try:
            found += copied(step, given.sets)
        except KeyError:
            return Change(None, words, refused=xt(step).name)
    return Change(b"".join(found), words)


def copied(step: Expression, sets: Mapping[int, int]) -> Iterator[bytes]:
    """Yield a step as it is in the twin; raise `KeyError` where it cannot be: a set without a copy, a bridge's port.

    What is written to the kernel's log, or acts outside of the namespace, decides nothing and is left out.
    """
    match step.kind:
        case "log":
            return
        case "meta" if traces(step):
            return  # would end our own following of packets
        case "match" | "target":
            yield from _extension(step, sets)
        case _:
            yield steps.sendable(step.kind, step.fields, step.raw)


def _extension(step: Expression, sets: Mapping[int, int]) -> Iterator[bytes]:
    part = xt(step)
    data = part.data
    if step.kind == "match" and legacy_worlds.of_a_port(part):
        raise KeyError(part.name)
    if (step.kind == "target" and part.name.upper() in HARMLESS) or (step.kind, part.name) == ("match", "nfacct"):
        return  # what nfacct counts for is of the host's namespace
    if (part.name, step.kind) in (("set", "match"), ("SET", "target")):
        data = ipsets.translate_xt(data, part.revision, sets, target=step.kind == "target")
    elif (part.name, step.kind) == ("CT", "target") and part.revision and len(data) >= 60:
        # How long connections are kept: a policy of the host's namespace, looked for by its name.
        data = data[:28] + bytes(32) + data[60:]
    else:
        yield step.raw
        return
    yield kernel.expression(
        step.kind, *(attribute(kind, data if kind == 3 else value) for kind, value in step.fields.items())
    )


# --- conditions that always hold --------------------------------------------------------------------------------------


def _needed(rule: Rule, hanging: Mapping[int, str], known: Known) -> set[int]:
    """Return the places of the steps that a rule needs whose conditions always hold.

    It does without them, and without what looks at their answers. An answer that is used otherwise is needed: as the
    address that a packet is sent to, for instance.
    """
    source: dict[int, int] = {}  # by unit of the registers: the place of the condition whose answer is in there
    used: dict[int, set[int]] = {place: {place} for place in hanging}
    needed: set[int] = set()
    for place, step in enumerate(rule.expressions):
        of = known.set(rule, step)
        read = steps.reads(step.kind, step.fields, of.key_length if of else 0)
        written = steps.writes(step.kind, step.fields)
        answers = {source[unit] for unit in read if unit in source}
        source = {unit: condition for unit, condition in source.items() if unit not in written}
        if place in hanging:
            source |= dict.fromkeys(written, place)
        for condition in answers:
            used[condition].add(place)
            if _turns(step):
                source |= dict.fromkeys(written, condition)
            elif not _compares(step):
                needed.add(condition)
    dropped = {place for condition, places in used.items() if condition not in needed for place in places}
    return set(range(len(rule.expressions))) - dropped


def _turns(step: Expression) -> bool:
    return step.kind in _TURN


def _compares(step: Expression) -> bool:
    return step.kind in _COMPARE or (step.kind == "lookup" and number(step.fields.get(3)) == 0)


def _instead(rule: Rule, step: Expression, known: Known, *, judged: bool) -> Iterator[bytes]:
    """Yield what stands for a step whose condition always holds."""
    part = xt(step) if step.kind == "target" else None
    if step.kind == "queue" or part:  # as a program would decide that does not agree with what the kernel alone does
        bypasses = legacy_worlds.bypasses(part) if part else _short(step.fields.get(3)) & _BYPASS
        yield kernel.verdict(kernel.DROP if bypasses else kernel.ACCEPT)
        return
    of = known.set(rule, step)
    if of is None or step.kind == "dynset":
        return
    if step.kind == "lookup" and 3 in step.fields:  # a verdict for each answer
        data = _strictest(of)
        if data:
            yield steps.immediate(data)
    elif judged:  # the set has to hold the packet, whatever its elements hang on
        named, register = (4, 3) if step.kind == "objref" else (1, 2)
        yield kernel.expression("lookup", attribute(1, step.fields[named]), attribute(2, step.fields[register]))


def _strictest(of: Set) -> bytes:
    """Return that verdict of a map which lets the fewest packets pass, as far as that can be told; b'' = none."""
    found = [data for chunk in of.elements for data in elements.verdicts(chunk)]
    order = {kernel.DROP: 0, kernel.JUMP: 1, kernel.GOTO: 1, kernel.ACCEPT: 3}
    return min(found, key=lambda data: order.get(_code(data), 2), default=b"")


def _code(data: bytes) -> int:
    value = by_type(by_type(data).get(2, b"")).get(1, b"")
    return int(struct.unpack(">i", value)[0]) if len(value) == 4 else 0


def _short(value: bytes | None) -> int:
    return int(struct.unpack(">H", value)[0]) if value is not None and len(value) == 2 else 0


# --- what is refused --------------------------------------------------------------------------------------------------


def counting(rule: Rule, given: Given, attempt: int) -> bytes:
    """Return steps that count the packets which a rule would have met, whatever it hangs on.

    The first attempt has all that comes before it decides, the second what the kernel takes in any case, the third
    counts all packets.
    """
    found: list[bytes] = []
    hanging = conditions(rule, given.known)
    for place, step in enumerate(rule.expressions if attempt < ATTEMPTS else ()):
        if step.kind in _PASSED or (place in hanging and step.kind == "match"):
            continue
        if decides(step) or place in hanging or (attempt > 1 and step.kind not in _PLAIN):
            break
        try:
            found += copied(step, given.sets)
        except KeyError:
            continue
    return b"".join(found) + kernel.counter()


def suspect(rule: Rule, attempt: int) -> str:
    """Name the step for which a rule was refused, by which attempt to count its packets was taken."""
    for step in rule.expressions:
        if (decides(step) and step.kind != "immediate") if attempt < 2 else step.kind not in (*_PLAIN, "counter"):
            return xt(step).name if step.kind in ("match", "target") else step.kind
    return ""


def protocol(rule: Rule) -> bytes:
    """Write for which protocol the kernel shall check a rule's matches of iptables (NFTA_RULE_COMPAT); b'' = any.

    The kernel does not tell it. iptables writes the protocol into the rule as well, as its first comparison of it. In
    bridges it is that of the Ethernet frame.
    """
    asked: frozenset[int] = frozenset()
    for step in rule.expressions:
        fields = step.fields
        if step.kind in ("match", "target"):
            continue
        if step.kind == "cmp" and asked & steps.units(fields.get(1)):
            value = by_type(fields.get(3, b"")).get(1, b"")
            size = 2 if rule.family == _BRIDGE else 1
            if len(value) == size:
                told = struct.unpack("=H", value)[0] if size == 2 else value[0]
                inverted = number(fields.get(2)) == 1  # NFT_CMP_NEQ
                return nested(5, attribute(1, struct.pack(">I", told)), attribute(2, struct.pack(">I", 2 * inverted)))
        written = steps.writes(step.kind, fields)
        if _loads_protocol(step, bridge=rule.family == _BRIDGE):
            asked = written
        elif step.kind not in _TURN:
            asked -= written
    return b""


def _loads_protocol(step: Expression, *, bridge: bool) -> bool:
    """Say whether a step loads the protocol that a packet carries; of a bridge, that of the frame."""
    fields = step.fields
    if step.kind == "meta":
        return number(fields.get(2)) == (_PROTOCOL if bridge else _L4PROTO)
    if step.kind != "payload" or 1 not in fields:
        return False
    place = tuple(number(fields.get(kind)) for kind in (2, 3, 4))  # header, offset, length
    # In Ethernet's header; or IPv6's next header, and IPv4's protocol.
    return place == (_LINK, 12, 2) if bridge else place in ((_NETWORK, 6, 1), (_NETWORK, 9, 1))
