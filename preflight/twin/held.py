"""What an engine did for a network of our own, held against what is derived for it, and carried over to mailcow's.

Rules are compared chain by chain. Which of two ports comes first is of no effect, and what programs that ban addresses
changed meanwhile is not the engine's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from typing import Literal

from msgspec import Struct

from preflight.facts.probes import Differing
from preflight.twin.derive_state import Change, State, Underivable
from preflight.twin.derive_wanted import address_of, container_of, containers_of, loopback, ports_of, subnet_of
from preflight.twin.request import Port, Request

Chains = Mapping[tuple[str, str], tuple[str, ...]]  # rules in their order, by table and chain
Version = Literal[4, 6]
CHANGES = 400  # that are carried over: more is nothing that an engine adds for a network
# What stands for the names of a network in its rules. Of a port on every address, and of one on a loopback address:
PORT, INSIDE = "{port}", "{inside}"
LOCAL_PORT, LOCAL_INSIDE = "{local-port}", "{local-inside}"
BRIDGE, SUBNET, CONTAINER, GATEWAY = "{bridge}", "{subnet}", "{container}", "{gateway}"


class Names(Struct, frozen=True, kw_only=True):
    """What the rules of one version call a network, its container and its ports; '' and 0: nothing.

    `ids`: of the engine's objects. A rule that names them cannot be carried over.
    """

    bridge: str
    subnet: str
    container: str
    gateway: str = ""
    port: int
    inside: int
    local_port: int = 0
    local_inside: int = 0
    ids: tuple[str, ...] = ()

    def table(self) -> dict[str, str]:
        """Return what each name stands for."""
        found = {
            self.subnet: SUBNET, self.container: CONTAINER, self.gateway: GATEWAY, self.bridge: BRIDGE,
            str(self.port): PORT, str(self.inside): INSIDE,
            str(self.local_port): LOCAL_PORT, str(self.local_inside): LOCAL_INSIDE,
        }  # fmt: skip
        return {name: sign for name, sign in found.items() if name not in ("", "0")}


class Signs:
    """Reads rules of a network, with signs in the places of its names."""

    def __init__(self, names: Names) -> None:
        self._table = names.table()
        self._ids = names.ids
        # The bridge has a name that nothing else has, also within that of a chain; numbers may be parts of others.
        rest = "|".join(map(re.escape, sorted(self._table.keys() - {names.bridge}, key=len, reverse=True)))
        self._pattern = re.compile(rf"{re.escape(names.bridge)}|(?<![\w.-])(?:{rest})(?![\w.-])")

    def of(self, rule: str) -> str:
        """Return a rule, or a chain's name, with signs."""
        return self._pattern.sub(lambda found: self._table[found[0]], rule)

    def concerned(self, chain: str, rule: str) -> bool:
        """Say whether a rule can be the engine's."""
        return "DOCKER" in chain.upper() or "DOCKER" in rule or self.of(rule) != rule

    def foreign(self, rule: str) -> bool:
        """Say whether a rule names an object of the engine's by its number."""
        return any(one[:12] in rule for one in self._ids if one)


def chains(state: State) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the rules by their chain."""
    found: dict[tuple[str, str], list[str]] = {key: [] for key in sorted(state.chains)}
    for table, chain, rule in state.rules:
        found.setdefault((table, chain), []).append(rule)
    return {key: tuple(rules) for key, rules in found.items()}


def after(before: Chains, changes: Iterable[Change]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the chains as they are after some changes."""
    found = {key: list(rules) for key, rules in before.items()}
    for change in changes:
        rules = found.setdefault((change.table, change.chain), [])
        match change.action:
            case "-A":
                rules.append(change.rule)
            case "-I":
                rules.insert(max(0, change.position - 1), change.rule)
            case "-D" if change.rule in rules:
                rules.remove(change.rule)
    return {key: tuple(rules) for key, rules in found.items()}


def lasting(before: Chains, derived: Chains, names: Names) -> bool:
    """Say whether something of what is derived would stay when the network has gone: a jump that is moved, or made."""
    signs = Signs(names)
    left = {key: tuple(rule for rule in rules if signs.of(rule) == rule) for key, rules in derived.items()}
    return any(rules != before.get(key, ()) for key, rules in left.items())


def differing(version: Version, derived: Chains, found: Chains, names: Names, *, order: bool = True) -> list[Differing]:
    """Return how the engine's rules differ from those derived; `order`: that of the rules of a chain counts."""
    signs = Signs(names)
    told = []
    for table, chain in sorted({*derived, *found}):
        mine, others = derived.get((table, chain), ()), found.get((table, chain), ())
        if mine == others:
            continue
        kept = _signed(signs, chain, mine, others), _signed(signs, chain, others, mine)
        told += [Differing(version, only, table, signs.of(chain), rule) for only, rule in _apart(*kept)]
        if order and Counter(kept[0]) == Counter(kept[1]) and any(_ordered(kept[0], kept[1])):
            told.append(Differing(version, "order", table, signs.of(chain)))
    return told


def _signed(signs: Signs, chain: str, rules: tuple[str, ...], others: tuple[str, ...]) -> list[str]:
    """Return the rules with signs, without those that others have added or taken away."""
    known = set(others)
    return [signs.of(rule) for rule in rules if rule in known or signs.concerned(chain, rule)]


def _apart(mine: list[str], others: list[str]) -> Iterator[tuple[Literal["engine", "derived"], str]]:
    for rule in (Counter(others) - Counter(mine)).elements():
        yield "engine", rule
    for rule in (Counter(mine) - Counter(others)).elements():
        yield "derived", rule


def _ordered(mine: list[str], others: list[str]) -> Iterator[bool]:
    """Yield whether the order is another one: among all rules but those of one of the ports."""
    for port in ((PORT, INSIDE), (LOCAL_PORT, LOCAL_INSIDE)):
        one, other = ([rule for rule in rules if not _has(rule, port)] for rules in (mine, others))
        yield one != other


def _has(rule: str, signs: Iterable[str]) -> bool:
    return any(sign in rule for sign in signs)


def carried(version: Version, before: Chains, found: Chains, names: Names, request: Request) -> tuple[Change, ...]:
    """Return what the engine did, with mailcow's names: chains made, rules deleted, and rules put where they were.

    Raise `Underivable` where a rule cannot be told with other names.
    """
    signs = Signs(names)
    made: list[Change] = []
    deleted: list[Change] = []
    put: list[Change] = []
    for key, rules in found.items():
        former = before.get(key, ())
        if rules == former:
            continue
        table, chain = key[0], _single(signs, key[1], request, version)
        if key not in before:
            made.append(Change("-N", table, chain))
        for action, rule, position in _steps(signs, key[1], former, rules, request, version):
            change = Change(action, table, chain, rule, position)
            (deleted if action == "-D" else put).append(change)
    changes = (*made, *deleted, *put)
    if len(changes) > CHANGES:
        raise Underivable(f"{len(changes)} rules")
    return changes


def _single(signs: Signs, text: str, request: Request, version: Version) -> str:
    written = list(_written(signs, text, request, version))
    if len(written) != 1:
        raise Underivable(text)
    return written[0]


def _steps(
    signs: Signs, chain: str, former: tuple[str, ...], rules: tuple[str, ...], request: Request, version: Version
) -> Iterator[tuple[Literal["-D", "-I"], str, int]]:
    """Yield how a chain's rules became others; what is not the engine's is where it is already."""
    gone, new = _changed(signs, chain, former, rules)
    for index in gone:
        yield "-D", former[index], 0
    place = 1
    for index, rule in enumerate(rules):
        if index not in new:
            place += 1
            continue
        for written in _written(signs, rule, request, version):
            yield "-I", written, place
            place += 1


def _changed(
    signs: Signs, chain: str, former: tuple[str, ...], rules: tuple[str, ...]
) -> tuple[list[int], frozenset[int]]:
    """Return which rules of the engine's have gone, and which have come, by their places."""
    gone: list[int] = []
    new: list[int] = []
    for kind, i, j, m, n in _blocks(former, rules):
        if kind != "equal":
            gone += range(i, j)
            new += range(m, n)
    moved = {former[index] for index in gone} & {rules[index] for index in new}
    if any(not signs.concerned(chain, rule) for rule in moved):
        # A rule that others have in between is where it was: all of the engine's were moved around it.
        gone, new = list(range(len(former))), list(range(len(rules)))
    return (
        [index for index in gone if signs.concerned(chain, former[index])],
        frozenset(index for index in new if signs.concerned(chain, rules[index])),
    )


def _blocks(former: tuple[str, ...], rules: tuple[str, ...]) -> Iterator[tuple[str, int, int, int, int]]:
    """Yield the blocks of a comparison; what is alike at both ends, which may be thousands, costs nothing."""
    start, least = 0, min(len(former), len(rules))
    while start < least and former[start] == rules[start]:
        start += 1
    end = 0
    while end < least - start and former[-1 - end] == rules[-1 - end]:
        end += 1
    inner = former[start : len(former) - end], rules[start : len(rules) - end]
    for kind, i, j, m, n in SequenceMatcher(None, *inner, autojunk=False).get_opcodes():
        yield kind, start + i, start + j, start + m, start + n


def _written(signs: Signs, rule: str, request: Request, version: Version) -> Iterator[str]:
    """Yield a rule of the network as mailcow's: once, or for each container or port that it is for."""
    text = signs.of(rule)
    if signs.foreign(rule) or GATEWAY in text:
        raise Underivable(text)
    network = text.replace(BRIDGE, request.bridge).replace(SUBNET, subnet_of(request, version))
    everywhere, local = _has(text, (PORT, INSIDE)), _has(text, (LOCAL_PORT, LOCAL_INSIDE))
    if everywhere and local:
        raise Underivable(text)
    if not everywhere and not local:
        if CONTAINER in text:
            yield from (network.replace(CONTAINER, one) for one in containers_of(request, version))
        else:
            yield network
        return
    found = [_of_port(network, port, version) for port in ports_of(request, version) if _local(port, version) is local]
    yield from dict.fromkeys(found)


def _local(port: Port, version: Version) -> bool:
    """Say whether a port is that of a loopback address; raise `Underivable` for another address: none was tried."""
    if loopback(port, version) and port.address == "127.0.0.1":
        return True
    if address_of(port):
        raise Underivable(port.address)
    return False


def _of_port(text: str, port: Port, version: Version) -> str:
    written = text.replace(CONTAINER, container_of(port, version))
    for outer, inner in ((PORT, INSIDE), (LOCAL_PORT, LOCAL_INSIDE)):
        written = written.replace(outer, str(port.port)).replace(inner, str(port.inside))
    return written
