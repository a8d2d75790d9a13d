"""Put rules of nf_tables in place in the twin: all in one batch, without what the kernel refuses."""

from __future__ import annotations

import errno
import struct
from collections import deque
from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from preflight.facts.twin import Uncopied
from preflight.twin import wire as w
from preflight.twin.legacy_worlds import World
from preflight.twin.nft import kernel
from preflight.twin.nft.kernel import FAMILIES, counter, head
from preflight.twin.nft.read import Rule, Ruleset, Set, rules
from preflight.twin.nft.worlds import Change, Given, change, objects, protocol
from preflight.twin.wire import Message, Wire, attribute, attributes, name, table

ROUNDS = 12  # in which refused rules are replaced
CHUNK = 48_000  # bytes of elements in one message
Place = tuple[str, str, str, int]  # family, table, chain, handle


class Refusal(Struct, frozen=True):
    """A rule that could not be copied: which of its steps it is, where that is known, and the error's name."""

    rule: Rule
    what: str
    error: str

    def told(self) -> Uncopied:
        """Return it as a fact."""
        one = self.rule
        return Uncopied(
            "nf_tables", f"{FAMILIES[one.family]} {one.table}", one.chain, one.handle, self.what, self.error
        )


class Loaded(Struct):
    """Rules in place. `blind`: what was refused that all of them hang on; '' = nothing. `count`: rules in place."""

    blind: str = ""
    conditions: frozenset[str] = frozenset()
    refusals: list[Refusal] = field(default_factory=list)
    hosts: dict[Place, Rule] = field(default_factory=dict)  # the host's rules, by the places of their copies
    hanging: dict[Place, frozenset[str]] = field(default_factory=dict)
    counted: dict[Place, int] = field(default_factory=dict)
    watched: dict[Place, Refusal] = field(default_factory=dict)

    def host(self, family: str, whose: str, chain: str, handle: int) -> Rule | None:
        """Return the host's rule that a rule of the twin is a copy of; None: it is the engine's, to come."""
        return self.hosts.get((family, whose, chain, handle))

    def uncopied(self) -> tuple[Uncopied, ...]:
        """Return the rules that were refused."""
        return tuple(refusal.told() for refusal in self.refusals)

    def met(self, wire: Wire) -> list[Refusal]:
        """Return the rules that could not be copied which packets would have met since this was asked last."""
        if not self.watched:
            return []
        found = []
        for place, packets in counts(wire, self.watched).items():
            if packets > self.counted.get(place, 0):
                found.append(self.watched[place])
            self.counted[place] = packets
        return found


def load(
    ruleset: Ruleset,
    wire: Wire,
    world: World = "as-is",
    sets: Mapping[int, int] | None = None,
    programs: frozenset[int] = frozenset(),
) -> Loaded:
    """Put rules in place in the wire's namespace, which has none. A rule that is refused is replaced by a counter.

    `sets`: the indices of copied ipsets by the host's; `programs`: queues that a program of the host reads.
    """
    given = Given(world, sets or {}, programs, objects(ruleset))
    changes = [change(rule, given) for rule in ruleset.rules]
    loaded = Loaded(conditions=frozenset().union(*(one.conditions for one in changes)))
    refused = {place: (one.refused, "ENOENT") for place, one in enumerate(changes) if one.refused}
    frame = list(_frame(ruleset))
    for _ in range(ROUNDS):
        messages = [
            _rule(rule, one.steps if place not in refused else None)
            for place, (rule, one) in enumerate(zip(ruleset.rules, changes, strict=True))
        ]
        errors = wire.batch([*frame, *messages])
        if not errors:
            return _settled(loaded, ruleset, changes, refused, wire)
        if min(errors) < len(frame):
            loaded.blind = f"{_called(frame[min(errors)])} {errno.errorcode.get(errors[min(errors)], '')}".strip()
            return loaded
        again = {index - len(frame): code for index, code in errors.items() if index - len(frame) < len(messages)}
        if not set(again) - set(refused):
            break
        refused |= {
            place: (_suspect(ruleset.rules[place]), errno.errorcode.get(code, str(code)))
            for place, code in again.items()
        }
    loaded.blind = "rules"
    return loaded


def _settled(
    loaded: Loaded, ruleset: Ruleset, changes: list[Change], refused: dict[int, tuple[str, str]], wire: Wire
) -> Loaded:
    """Note which rule of the twin is which of the host's: chain by chain, in their order."""
    copied = rules(wire)
    if len(copied) != len(ruleset.rules):
        loaded.blind = "rules"
        return loaded
    chains: dict[tuple[int, str, str], deque[Rule]] = {}
    for rule in copied:
        chains.setdefault((rule.family, rule.table, rule.chain), deque()).append(rule)
    for number, (rule, one) in enumerate(zip(ruleset.rules, changes, strict=True)):
        copy = chains[rule.family, rule.table, rule.chain].popleft()
        place = (FAMILIES[copy.family], copy.table, copy.chain, copy.handle)
        loaded.hosts[place] = rule
        if one.conditions:
            loaded.hanging[place] = one.conditions
        if number in refused:
            refusal = Refusal(rule, *refused[number])
            loaded.refusals.append(refusal)
            loaded.watched[place] = refusal
    return loaded


# --- messages ---------------------------------------------------------------------------------------------------------


def _frame(ruleset: Ruleset) -> Iterator[Message]:
    """Yield all that rules refer to, in the order in which it was made."""
    for one in ruleset.tables:
        yield Message(kernel.NEW_TABLE, head(one.family) + one.body, w.CREATE)
    for chain in ruleset.chains:
        yield Message(kernel.NEW_CHAIN, head(chain.family) + chain.body, w.CREATE)
    for one in ruleset.flowtables:
        yield Message(kernel.NEW_FLOWTABLE, head(one.family) + one.body, w.CREATE)
    for one in ruleset.objects:
        yield Message(kernel.NEW_OBJECT, head(one.family) + one.body, w.CREATE)
    for number, made in enumerate(ruleset.sets, 1):
        identity = attribute(10, struct.pack(">I", number))
        yield Message(kernel.NEW_SET, head(made.family) + made.body + identity, w.CREATE)
    for made in ruleset.sets:
        whose = head(made.family) + attribute(1, name(made.table)) + attribute(2, name(made.name))
        for chunk in chunks(made):
            yield Message(kernel.NEW_ELEMENTS, whose + attribute(3 | w.NESTED, chunk), w.CREATE)


def chunks(one: Set) -> Iterator[bytes]:
    """Yield a set's elements in the order that the kernel takes: each interval's start, and then its end."""
    elements = [(kind, value) for chunk in one.elements for kind, value in attributes(chunk)]
    if one.flags & kernel.INTERVAL and not one.flags & kernel.CONCATENATION:
        elements.sort(key=lambda pair: _order(pair[1]))
    parts: list[bytes] = []
    length = 0
    for kind, value in elements:
        part = attribute(kind | w.NESTED, _element(value))
        if length + len(part) > CHUNK:
            yield b"".join(parts)
            parts, length = [], 0
        parts.append(part)
        length += len(part)
    if parts:
        yield b"".join(parts)


def _order(value: bytes) -> tuple[bytes, bool]:
    """Order elements by their keys, of one key the end of an interval before the start of the next."""
    found = table(value)
    flags = struct.unpack(">I", found[3])[0] if len(found.get(3, b"")) == 4 else 0
    return table(found.get(1, b"")).get(1, b""), not flags & kernel.END


def _element(value: bytes) -> bytes:
    """Return an element without what is left of its time: it has all of it again."""
    found = attributes(value)
    if not any(kind & w.MASK in (5, 8) for kind, _ in found):
        return value
    return b"".join(attribute(kind, part) for kind, part in found if kind & w.MASK not in (5, 8))


def _rule(rule: Rule, steps: bytes | None) -> Message:
    """Write a rule; without steps one that counts, in its place."""
    body = head(rule.family) + attribute(1, name(rule.table)) + attribute(2, name(rule.chain))
    body += attribute(4 | w.NESTED, counter() if steps is None else steps)
    if steps is not None and (b"match\0" in steps or b"target\0" in steps):
        body += protocol(rule.expressions)
    return Message(kernel.NEW_RULE, body, w.CREATE | w.APPEND)


def _suspect(rule: Rule) -> str:
    """Name the step for which a rule was refused, as far as that can be guessed: the one that others seldom have."""
    usual = ("meta", "payload", "cmp", "bitwise", "immediate", "counter", "lookup", "ct", "range", "log")
    kinds = [step.kind for step in rule.expressions if step.kind not in usual]
    return kinds[0] if kinds else ""


def _called(message: Message) -> str:
    found = table(message.body[4:])
    names = {kernel.NEW_TABLE: "table", kernel.NEW_CHAIN: "chain", kernel.NEW_SET: "set", kernel.NEW_ELEMENTS: "set"}
    called = found.get(3 if message.kind == kernel.NEW_CHAIN else 1 if message.kind == kernel.NEW_TABLE else 2, b"")
    return f"{names.get(message.kind, 'object')} {w.text(called)}"


def counts(wire: Wire, places: Mapping[Place, object]) -> dict[Place, int]:
    """Return how many packets the counting rules at these places have seen."""
    found: dict[Place, int] = {}
    for rule in rules(wire):
        place = (FAMILIES[rule.family], rule.table, rule.chain, rule.handle)
        if place in places:
            for step in rule.expressions:
                if step.kind == "counter":
                    found[place] = struct.unpack(">Q", table(step.data).get(2, bytes(8)))[0]
    return found
