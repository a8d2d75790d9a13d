"""What is in place in the twin, held against what was sent: an answer without an error is not believed alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct

from preflight.packets.nlmsg import MASK, attributes, by_type, text
from preflight.twin.nft.kernel import FAMILIES
from preflight.twin.nft.read import Rule, Ruleset, elements_of, rules, sizes
from preflight.twin.wire import Wire

Place = tuple[str, str, str, int]  # family, table, chain, handle
_DEEPEST = 16  # blocks within blocks
_Chain = tuple[int, str, str]


class Copies(Struct, frozen=True):
    """The places of the copies, in the order of the host's rules, and what each is told as.

    `lacking`: what is not whole.
    """

    lacking: str = ""
    places: tuple[Place, ...] = ()
    hosts: tuple[Rule, ...] = ()


def copies(ruleset: Ruleset, wire: Wire, missing: Collection[str]) -> Copies:
    """Return where the copies are; raise `OSError`. `missing`: sets that were left out, as `Thing.text`."""
    lacking = _short(ruleset, wire, missing)
    if lacking:
        return Copies(lacking)
    chains: dict[_Chain, list[int]] = {}
    for rule in rules(wire):
        chains.setdefault((rule.family, rule.table, rule.chain), []).append(rule.handle)
    sent: dict[_Chain, int] = {}
    places = []
    for rule in ruleset.rules:
        chain = rule.family, rule.table, rule.chain
        at = sent[chain] = sent.get(chain, -1) + 1
        if at >= len(chains.get(chain, ())):
            return Copies(f"rules {FAMILIES[rule.family]} {rule.table} {rule.chain}")
        places.append((FAMILIES[rule.family], rule.table, rule.chain, chains[chain][at]))
    if len(places) != sum(map(len, chains.values())):
        return Copies("rules")
    return Copies("", tuple(places), _told(ruleset))


def _short(ruleset: Ruleset, wire: Wire, missing: Collection[str]) -> str:
    """Return the first set whose copy has not as many elements; '' = none."""
    found = sizes(wire)
    for one in ruleset.sets:
        called = f"set {FAMILIES[one.family]} {one.table} {one.name}"
        if called in missing:
            continue
        whose = one.family, one.table, one.name
        if whose not in found:
            return called
        # The kernel counts intervals in a way of its own.
        if found[whose] is None or found[whose] != one.told:
            there = elements_of(wire, *whose)
            if sum(len(attributes(chunk)) for chunk in there) != one.size:
                return called
    return ""


def _told(ruleset: Ruleset) -> tuple[Rule, ...]:
    """Return the rules as they are told: those of a block are the rule that the block belongs to."""
    bound = {(one.family, one.table, one.name) for one in ruleset.chains if one.bound}
    if not bound:
        return ruleset.rules
    owners: dict[_Chain, Rule] = {}
    for rule in ruleset.rules:
        for step in rule.expressions:
            if step.kind == "immediate":
                target = rule.family, rule.table, _target(step.fields)
                if target in bound:
                    owners[target] = rule
    return tuple(_owner(rule, owners) for rule in ruleset.rules)


def _owner(rule: Rule, owners: Mapping[_Chain, Rule]) -> Rule:
    for _ in range(_DEEPEST):
        chain = rule.family, rule.table, rule.chain
        if chain not in owners:
            break
        rule = owners[chain]
    return rule


def _target(fields: Mapping[int, bytes]) -> str:
    """Return the chain that a verdict jumps to; '' = it does not."""
    verdict = next((value for kind, value in attributes(fields.get(2, b"")) if kind & MASK == 2), b"")
    return text(by_type(verdict).get(2, b""))


def counts(wire: Wire, places: Collection[Place]) -> dict[Place, int]:
    """Return how many packets the counting rules at these places have seen; raise `OSError`."""
    found: dict[Place, int] = {}
    for rule in rules(wire):
        place = (FAMILIES[rule.family], rule.table, rule.chain, rule.handle)
        if place in places and rule.expressions and rule.expressions[-1].kind == "counter":
            found[place] = int.from_bytes(rule.expressions[-1].fields.get(2, b""), "big")
    return found
