"""Put rules of nf_tables in place in the twin: all in one batch, without what the kernel refuses."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from msgspec import Struct, field

from preflight.facts.twin import Uncopied
from preflight.packets import nlmsg as nl
from preflight.packets.nlmsg import Message, attribute, name
from preflight.twin.legacy_worlds import World
from preflight.twin.nft import frame, kernel
from preflight.twin.nft.conditions import known
from preflight.twin.nft.kernel import FAMILIES, head
from preflight.twin.nft.placed import Copies, copies, counts
from preflight.twin.nft.read import Rule, Ruleset
from preflight.twin.nft.worlds import ATTEMPTS, Change, Given, change, counting, protocol, suspect
from preflight.twin.wire import Wire

ROUNDS = 8  # in which what is refused is replaced or left out
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
    """Rules in place. `blind`: what was refused that all of them hang on; '' = nothing.

    `hosts`: the host's rules, by the places of their copies; of a block `{ … }` the rule that it belongs to. `hanging`:
    what they hang on. `missing`: sets, objects and flowtables that were refused, and the names of the errors.
    """

    blind: str = ""
    conditions: frozenset[str] = frozenset()
    refusals: list[Refusal] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    hosts: dict[Place, Rule] = field(default_factory=dict)
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
    Raises `OSError` where the kernel cannot be talked to.
    """
    given = Given(world, sets or {}, known(ruleset, programs))
    plan = _Plan(ruleset, given)
    loaded = Loaded(conditions=plan.conditions)
    for _ in range(ROUNDS):
        parts = plan.messages()
        errors = wire.batch([message for _, message in parts])
        if not errors:
            loaded.missing = plan.missing
            return _settled(loaded, plan, wire)
        loaded.blind = plan.without({parts[at][0] if 0 <= at < len(parts) else None: _word(code)
                                     for at, code in errors.items()})  # fmt: skip
        if loaded.blind:
            return loaded
    loaded.blind = "rules"
    return loaded


def _word(code: int) -> str:
    return errno.errorcode.get(code, str(code))


class _Plan:
    """What is sent: all of it, in the order that the kernel wants, without what it has refused so far."""

    def __init__(self, ruleset: Ruleset, given: Given) -> None:
        self.ruleset, self._given = ruleset, given
        self.changes: list[Change] = [change(rule, given) for rule in ruleset.rules]
        self.conditions: frozenset[str] = frozenset().union(*{one.conditions for one in self.changes})
        self._attempts = {number: 1 for number, one in enumerate(self.changes) if one.refused}
        self._errors = dict.fromkeys(self._attempts, "ENOENT")
        self._frame = list(frame.messages(ruleset, given))
        self._rules = [self._rule(number) for number in range(len(ruleset.rules))]
        self.missing: dict[str, str] = {}

    def messages(self) -> list[tuple[frame.Thing | int, Message]]:
        """Return what is sent, each with what it is: a rule by its number."""
        return [*self._frame, *enumerate(self._rules)]

    def without(self, errors: Mapping[frame.Thing | int | None, str]) -> str:
        """Replace refused rules and leave out refused sets and the like; return what was refused that is neither."""
        for what, error in errors.items():
            if what is None:
                return f"rules {error}"
            if isinstance(what, int):
                continue
            if what.needed:
                return f"{what.text()} {error}"
            self.missing[what.text()] = error
            self._frame = [pair for pair in self._frame if pair[0] != what]
        for number, error in errors.items():
            if isinstance(number, int):
                attempt = self._attempts[number] = self._attempts.get(number, 0) + 1
                if attempt > ATTEMPTS:
                    return f"rules {error}"
                self._errors.setdefault(number, error)
                self._rules[number] = self._rule(number)
        return ""

    def _rule(self, number: int) -> Message:
        """Write a rule; where it was refused, or is left out in this world, one that counts, in its place."""
        rule, one = self.ruleset.rules[number], self.changes[number]
        attempt = self._attempts.get(number, 0)
        steps = counting(rule, self._given, attempt) if attempt else one.steps
        if steps is None:
            steps = kernel.counter()
        body = head(rule.family) + attribute(1, name(rule.table)) + attribute(2, name(rule.chain))
        body += attribute(4 | nl.NESTED, steps)
        if b"match\0" in steps or b"target\0" in steps:
            body += protocol(rule)
        if rule.note:
            body += attribute(7, rule.note)
        return Message(kernel.NEW_RULE, body, nl.CREATE | nl.APPEND)

    def refused(self) -> dict[int, Refusal]:
        """Return the rules that were refused, by their numbers."""
        found = {}
        for number, attempt in self._attempts.items():
            rule = self.ruleset.rules[number]
            what = self.changes[number].refused or suspect(rule, attempt)
            found[number] = Refusal(rule, what, self._errors[number])
        return found


def _settled(loaded: Loaded, plan: _Plan, wire: Wire) -> Loaded:
    """Hold what is in place against what was sent, and note which rule of the twin is which of the host's."""
    found: Copies = copies(plan.ruleset, wire, plan.missing)
    loaded.blind = found.lacking
    if loaded.blind:
        return loaded
    refused = plan.refused()
    for number, (place, one) in enumerate(zip(found.places, plan.changes, strict=True)):
        loaded.hosts[place] = found.hosts[number]
        if one.conditions:
            loaded.hanging[place] = one.conditions
        if number in refused:
            loaded.refusals.append(refused[number])
            loaded.watched[place] = refused[number]
    return loaded
