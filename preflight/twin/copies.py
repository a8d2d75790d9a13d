"""All rules of the host at once: nf_tables, ip_tables of both families, and the sets that they refer to."""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection
from itertools import chain

from msgspec import Struct, field

from preflight.facts.twin import Chain, Table, Uncopied
from preflight.twin import ipsets, legacy, policies
from preflight.twin import wire as w
from preflight.twin.legacy_worlds import World
from preflight.twin.nft import kernel
from preflight.twin.nft import load as nft_load
from preflight.twin.nft import mentions as nft_mentions
from preflight.twin.nft import read as nft_read
from preflight.twin.policies import Policy
from preflight.twin.request import Request
from preflight.twin.stage import Stage
from preflight.twin.wire import Wire

VERSIONS = (4, 6)
_CHANGING = ("nat", "mangle")  # tables of ip_tables whose rules change packets
_LEGACY = {4: ("ip_tables",), 6: ("ip6_tables",)}


class Copies(Struct, frozen=True):
    """What was read of the host. A part whose module the kernel has not loaded holds nothing."""

    nft: nft_read.Ruleset | None = None
    legacy: tuple[legacy.Blob, ...] = ()
    sets: ipsets.Sets | None = None
    queues: frozenset[int] = frozenset()  # that a program reads
    policies: tuple[Policy, ...] = ()

    def ordinary(self) -> Callable[[str], bool]:
        """Return a function that says whether no rule and no set singles an address out."""
        single = [
            *([nft_mentions.of(self.nft)] if self.nft else ()),
            *(legacy.mentions(blob) for blob in self.legacy),
            *([ipsets.mentions(self.sets)] if self.sets else ()),
        ]
        return lambda address: not any(mentions(address) for mentions in single)

    def disputed(self) -> bool:
        """Say whether it is not known whose rules are asked first where either may decide: of ip_tables, or nf_tables.

        Of equal priorities the one registered last comes first, and the kernel does not tell which that was. Where both
        only filter, the order does not matter.
        """
        hooks: dict[str, set[tuple[str, str, int]]] = {"ip_tables": set(), "nf_tables": set()}
        for table in self.outline():
            if table.backend == "ip_tables" and table.name not in _CHANGING:
                continue
            families = ("ip", "ip6") if table.family == "inet" else (table.family,)
            for one in table.chains:
                if one.hook and one.rules:
                    hooks[table.backend].update((family, one.hook, one.priority) for family in families)
        return not hooks["ip_tables"].isdisjoint(hooks["nf_tables"])

    def bridged(self) -> bool:
        """Say whether rules decide about what crosses bridges: in the twin there are ends of cables in their place."""
        return any(_decides(one) for table in self.outline() if table.family == "bridge" for one in table.chains)

    def asking(self, bridge: str) -> bool:
        """Say whether rules decide about ARP on mailcow's bridge: in the twin nobody asks for addresses there."""
        if self.nft is None:
            return False
        arp = [table for table in self.nft.outline() if table.family == "arp"]
        if not any(_decides(one) for table in arp for one in table.chains):
            return False
        rules = [rule for rule in self.nft.rules if rule.family == kernel.ARP]
        closed = any(one.policy == "drop" for table in arp for one in table.chains)
        return closed or any(not nft_mentions.of_others(rule, bridge) for rule in rules)

    def early(self, interfaces: Collection[str]) -> bool:
        """Say whether rules decide at one of these interfaces: below those that the twin has, packets pass none."""
        if self.nft is None or not interfaces:
            return False
        deciding = {(of.family, of.name, one.name) for of in self.nft.outline() for one in of.chains if _decides(one)}
        return any(
            (kernel.FAMILIES[one.family], one.table, one.name) in deciding and nft_mentions.enters(one, interfaces)
            for one in self.nft.chains
        )

    def outline(self) -> tuple[Table, ...]:
        """Return the tables in outline."""
        return (*(self.nft.outline() if self.nft else ()), *map(legacy.outline, self.legacy))


def _decides(chain: Chain) -> bool:
    """Say whether a chain may stop packets."""
    return bool(chain.hook and (chain.rules or chain.policy == "drop"))


class Loaded(Struct):
    """The copies in place. `blind`: something that all verdicts hang on could not be copied."""

    nft: nft_load.Loaded | None = None
    legacy: list[legacy.Loaded] = field(default_factory=list)
    sets: ipsets.Copied | None = None

    @property
    def blind(self) -> str:
        """Say what could not be copied that all verdicts hang on; '' = nothing of that sort."""
        return next(filter(None, (self.nft.blind if self.nft else "", *(one.blind for one in self.legacy))), "")

    @property
    def conditions(self) -> frozenset[str]:
        """Return what rules depend on that no packet decides: rate, chance, time."""
        told = chain.from_iterable(one.conditions.values() for one in self.legacy)
        return frozenset().union(*told) | (self.nft.conditions if self.nft else frozenset())

    def uncopied(self) -> tuple[Uncopied, ...]:
        """Return what the kernel did not take."""
        return (
            *(self.nft.uncopied() if self.nft else ()),
            *(refusal.told() for one in self.legacy for refusal in one.refused.values()),
            *(self.sets.refused if self.sets else ()),
        )


def read(request: Request) -> Copies:
    """Read the rules of the namespace that the process is in; raise `OSError`."""
    found = None
    if request.there("nf_tables"):
        with Wire(w.NETFILTER) as wire:
            found = nft_read.read(wire)
    blobs = tuple(
        legacy.read(version, table)
        for version in VERSIONS if request.there(*_LEGACY[version])
        for table in legacy.tables(version)
    )  # fmt: skip
    sets = None
    if request.there("ip_set"):
        with Wire(w.NETFILTER) as wire:
            sets = ipsets.read(wire)
    return Copies(found, blobs, sets, legacy.queues(), _policies(request))


def _policies(request: Request) -> tuple[Policy, ...]:
    if not request.there(policies.MODULE):
        return ()
    try:
        with Wire(policies.XFRM) as wire:
            return policies.read(wire)
    except OSError as error:
        if error.errno == errno.EPROTONOSUPPORT:  # a kernel without
            return ()
        raise


def load(copies: Copies, stage: Stage, world: World, *, swapped: bool = False) -> Loaded:
    """Put the copies in place in the twin; raise `OSError`. `swapped`: nf_tables before ip_tables."""
    loaded = Loaded()

    def native() -> None:
        if copies.nft:
            with Wire(w.NETFILTER) as wire:
                loaded.nft = nft_load.load(copies.nft, wire, world, indices, copies.queues)

    with stage.twin.entered():
        if copies.sets and copies.sets.found:
            with Wire(w.NETFILTER) as wire:
                loaded.sets = ipsets.load(copies.sets, wire)
        indices = loaded.sets.indices if loaded.sets else {}
        if swapped:
            native()
        for blob in copies.legacy:
            loaded.legacy.append(legacy.load(blob, indices, world, copies.queues))
        if not swapped:
            native()
    return loaded
