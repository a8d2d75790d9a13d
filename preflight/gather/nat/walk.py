"""Follow a TCP packet for a port of this host through a nat table, as the kernel would: which rules take it. Pure."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable, Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from preflight.gather.nat.matching import Base, Condition, Rule

DEEPEST = 32  # jumps within each other
TOLD = 50  # addresses that are told to be left out: clusters have thousands
PATIENCE = 400_000  # rules that are looked at, over all ports


class Narrowed(Struct, frozen=True):
    """For which packets the rules so far hold. An empty list restricts nothing."""

    destinations: tuple[str, ...] = ()
    not_destinations: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    not_interfaces: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()


class Match(Struct, frozen=True):
    """A rule that takes the packet: where it is (the chains that lead to it, its own last), and for which packets."""

    chains: tuple[str, ...]
    rule: Rule
    narrowed: Narrowed
    after_docker: bool  # the rules of the engine come before it in the same table


class TooMany(Exception):
    """There are more rules than are looked at."""


class Walker(Struct):
    """Follows packets for the addresses that are given (None: any); `left`: how many rules it may still look at."""

    addresses: tuple[str, ...] | None = None
    left: int = PATIENCE
    known: dict[str, bool] = field(default_factory=dict)
    docker: bool = False

    def follow(self, base: Base, port: int, version: int) -> Iterator[Match]:
        """Yield the rules that take a packet for the port; raise `TooMany`."""
        if {"ip": 4, "ip6": 6}.get(base.family, version) != version:
            return
        self.docker = False
        found: list[Match] = []
        self._chain(base, (base.chain,), port, version, Narrowed(), found)
        yield from found

    def _chain(
        self, base: Base, chains: tuple[str, ...], port: int, version: int, so_far: Narrowed, found: list[Match]
    ) -> tuple[bool, list[Narrowed]]:
        """Walk a chain; say whether no packet comes back from it, and which of them do not."""
        if len(chains) > DEEPEST:
            raise TooMany
        gone: list[Narrowed] = []
        for rule in base.rules(chains[-1]):
            self.left -= 1
            if self.left < 0:
                raise TooMany
            if rule.verdict == "next" or not self._ours(rule):
                continue
            narrowed = narrow(rule, port, version, so_far)
            if narrowed is None:
                continue
            if rule.verdict == "divert":
                found.append(Match(chains, rule, narrowed, self.docker))
            ended = rule.verdict in ("divert", "accept", "drop")
            below: list[Narrowed] = []
            if rule.verdict in ("jump", "goto"):
                ended, below = self._chain(base, (*chains, rule.target), port, version, narrowed, found)
                self.docker = self.docker or rule.target == "DOCKER"
            lost = [narrowed] if ended else below
            gone += lost
            leave = [narrowed] if rule.verdict in ("return", "goto") else lost
            if leave == [so_far]:
                return ended, gone
            left = without(so_far, leave)
            if left is None:
                break
            so_far = left
        return False, gone

    def _ours(self, rule: Rule) -> bool:
        """Say whether a rule may be for one of the addresses: clusters have thousands of rules for others."""
        return self.addresses is None or all(
            condition.negated or condition.kind != "destination" or any(map(self._has, condition.values))
            for condition in rule.conditions
        )

    def _has(self, network: str) -> bool:
        if network not in self.known:
            self.known[network] = any(_networks(address, network) for address in self.addresses or ())
        return self.known[network]


_OPPOSITE = {
    "destinations": "not_destinations", "not_destinations": "destinations",
    "interfaces": "not_interfaces", "not_interfaces": "interfaces",
}  # fmt: skip


def without(so_far: Narrowed, gone: list[Narrowed]) -> Narrowed | None:
    """Return for which packets the next rules hold where some are gone; None: for none."""
    left: Narrowed | None = so_far
    for one in gone:
        left = rest(left, one) if left is not None else None
    return left


def rest(so_far: Narrowed, gone: Narrowed) -> Narrowed | None:
    """Return for which packets the rules after one hold that ends all that it holds for; None: for none.

    Told where that is one thing: some addresses, or some interfaces. That some networks are gone tells nothing of all
    the others, and of two things together no list can say what is left.
    """
    added = {
        name: tuple(value for value in getattr(gone, name) if value not in getattr(so_far, name))
        for name in so_far.__struct_fields__
        if getattr(gone, name) != getattr(so_far, name)
    }
    if len(added) != 1:
        return so_far
    ((name, values),) = added.items()
    if name not in _OPPOSITE or (name.startswith("not_") and len(values) > 1):
        return so_far
    opposite = _OPPOSITE[name]
    if len(getattr(so_far, opposite)) >= TOLD:
        return so_far
    return _limited(so_far, opposite, values)


def narrow(rule: Rule, port: int, version: int, so_far: Narrowed) -> Narrowed | None:
    """Return for which packets a rule holds as well, of those that come to it; None: for none."""
    for condition in rule.conditions:
        if not _may(condition, port, version):
            return None
    found: Narrowed | None = so_far
    for condition in rule.conditions:
        found = _added(condition, found) if found is not None else None
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


def _added(condition: Condition, found: Narrowed) -> Narrowed | None:
    # That some sources are left out makes no difference to the rest of the world.
    name = _FIELDS.get((condition.kind, condition.negated))
    if name is None:
        return found
    return _limited(found, name, tuple(str(value) for value in condition.values))


def _limited(found: Narrowed, name: str, values: tuple[str, ...]) -> Narrowed | None:
    """Add to a list what it is limited to, or what is left out; None: then nothing is left."""
    within = _names if name.endswith("interfaces") else _networks
    before, opposite = getattr(found, name), getattr(found, _OPPOSITE.get(name, ""), ())
    if name.startswith("not_"):
        # What is not among the others needs not be left out of them.
        values = tuple(value for value in values if not opposite or _common(opposite, (value,), within))
        if opposite and all(any(within(one, value) for value in (*before, *values)) for one in opposite):
            return None
    elif name != "conditions":
        values = _common(before, values, within) if before else values
        values = tuple(value for value in values if not any(within(value, one) for one in opposite))
        return replace(found, **{name: values}) if values else None
    return replace(found, **{name: tuple(dict.fromkeys((*before, *values)))})


def _common(one: tuple[str, ...], other: tuple[str, ...], within: Callable[[str, str], bool]) -> tuple[str, ...]:
    """Return what is in both lists: of two of which one contains the other, the smaller."""
    pairs = [(first, second) for first in one for second in other]
    found = [first if within(first, second) else second for first, second in pairs
             if within(first, second) or within(second, first)]  # fmt: skip
    return tuple(dict.fromkeys(found))


def _names(one: str, other: str) -> bool:
    return one == other or (other.endswith("*") and one.startswith(other[:-1]))


def _networks(one: str, other: str) -> bool:
    first, second = _network(one), _network(other)
    return first.version == second.version and first.subnet_of(second)  # type: ignore[arg-type]  # of one version


@functools.lru_cache(maxsize=1024)  # each of a cluster's thousands is compared with the few that are told
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)
