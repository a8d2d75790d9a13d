"""Follow a TCP packet for a port of this host through a nat table, as the kernel would: which rules take it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import replace

from preflight.gather.nat_rules import Base, Condition, Rule

DEEPEST = 32  # jumps within each other
PATIENCE = 400_000  # rules that are looked at, over all ports


class Narrowed(Struct, frozen=True):
    """For which packets the rules so far hold. An empty list restricts nothing."""

    destinations: tuple[str, ...] = ()
    not_destinations: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    not_interfaces: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()


class Taken(Struct, frozen=True):
    """A rule that takes the packet: where it is (the chains that lead to it, its own last), and for which packets."""

    chains: tuple[str, ...]
    rule: Rule
    narrowed: Narrowed
    after_docker: bool  # the rules of the engine come before it in the same table


class TooMany(Exception):
    """There are more rules than are looked at."""


@dataclass
class Walker:
    """Follows packets; `left`: how many rules it may still look at."""

    left: int = PATIENCE
    docker: bool = field(default=False, init=False)

    def follow(self, base: Base, port: int, version: int) -> Iterator[Taken]:
        """Yield the rules that take a packet for the port; raise `TooMany`."""
        if {"ip": 4, "ip6": 6}.get(base.family, version) != version:
            return
        self.docker = False
        found: list[Taken] = []
        self._chain(base, (base.chain,), port, version, Narrowed(), found)
        yield from found

    def _chain(
        self, base: Base, chains: tuple[str, ...], port: int, version: int, so_far: Narrowed, found: list[Taken]
    ) -> bool:
        """Walk a chain; say whether no packet comes back from it."""
        if len(chains) > DEEPEST:
            raise TooMany
        for rule in base.rules(chains[-1]):
            self.left -= 1
            if self.left < 0:
                raise TooMany
            narrowed = narrow(rule, port, version, so_far)
            if narrowed is None or rule.verdict == "next":
                continue
            every = narrowed == so_far
            if rule.verdict == "divert":
                found.append(Taken(chains, rule, narrowed, self.docker))
            elif rule.verdict in ("jump", "goto"):
                ended = self._chain(base, (*chains, rule.target), port, version, narrowed, found)
                if rule.target == "DOCKER":
                    self.docker = True
                if every and (ended or rule.verdict == "goto"):
                    return ended
                continue
            if every:
                return rule.verdict != "return"
        return False


def narrow(rule: Rule, port: int, version: int, so_far: Narrowed) -> Narrowed | None:
    """Return for which packets a rule holds as well, of those that come to it; None: for none."""
    for condition in rule.conditions:
        if not _may(condition, port, version):
            return None
    found = so_far
    for condition in rule.conditions:
        found = _added(condition, found)
    return found


def _may(condition: Condition, port: int, version: int) -> bool:
    match condition.kind:
        case "never":
            return False
        case "ports":
            return any(pair[0] <= port <= pair[1] for pair in condition.values) is not condition.negated
        case "family":
            return (version in condition.values) is not condition.negated
        case "source" | "destination":
            return condition.negated or any((":" in str(value)) is (version == 6) for value in condition.values)
    return True


_FIELDS = {
    ("destination", False): "destinations", ("destination", True): "not_destinations", ("source", False): "sources",
    ("interface", False): "interfaces", ("interface", True): "not_interfaces", ("other", False): "conditions",
}  # fmt: skip


def _added(condition: Condition, found: Narrowed) -> Narrowed:
    # That some sources are left out makes no difference to the rest of the world.
    name = _FIELDS.get((condition.kind, condition.negated))
    if name is None:
        return found
    values = tuple(str(value) for value in condition.values)
    return replace(found, **{name: tuple(dict.fromkeys((*getattr(found, name), *values)))})
