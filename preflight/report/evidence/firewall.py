"""What became of packets in a twin of the host's network, as the checks of the firewall tell it."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from preflight.report.model import Evidence


class LanEvidence(Evidence, frozen=True, kw_only=True):
    """What becomes of a connection from a neighbour in the host's own network; it decides nothing."""

    verdict: str
    table: str | None
    chain: str | None
    handle: int | None
    rule: str | None


class FamilyEvidence(Evidence, frozen=True, kw_only=True):
    """What becomes of a connection in one family of addresses.

    `verdict`: delivered, proxy, oneway, elsewhere, dropped, refused, depends; none (the host has no way there), off
    (mailcow does not use the family), unknown. `way`: the interface, then each chain that the packet passed, as
    `HOOK FAMILY TABLE CHAIN VERDICT`. `handle`: of a rule in nf_tables; of one in ip_tables its line. `counter`: how
    many packets the rule has stopped on the host. `depends`: on which conditions. `ports`: those that do not get out.
    """

    verdict: str
    way: tuple[str, ...] = ()
    table: str | None = None
    chain: str | None = None
    handle: int | None = None
    rule: str | None = None
    counter: int | None = None
    owner: str | None = None
    depends: tuple[str, ...] = ()
    lan: LanEvidence | None = None
    ports: tuple[str, ...] | UnsetType = UNSET


class FamiliesEvidence(Evidence, frozen=True, kw_only=True):
    """Both families; None: nothing was published there."""

    ipv4: FamilyEvidence | None
    ipv6: FamilyEvidence | None


class DifferingEvidence(Evidence, frozen=True, kw_only=True):
    """A rule by which the engine differs from what is known of its version, as seen on a network started for that.

    `only`: engine, derived (no longer there), order (all rules of the chain are alike, in another order). `rule`: with
    {bridge}, {port} and the like in the places of names; None: all of the chain.
    """

    only: str
    family: str
    table: str
    chain: str
    rule: str | None


class FirewallEvidence(Evidence, frozen=True, kw_only=True):
    """What becomes of packets, by family; `derived`: by the rules that the engine would add for mailcow.

    `differing`: where the engine adds others than are known of its version.
    """

    families: FamiliesEvidence
    derived: bool = False
    differing: tuple[DifferingEvidence, ...] | UnsetType = UNSET


class BackendEvidence(Evidence, frozen=True, kw_only=True):
    """Who keeps rules where: nf_tables, ip_tables, both or neither (None).

    `engine`: where the engine's own rules are; `netfilter`: what mailcow's netfilter container picks (nftables,
    iptables); `missing`: chains of the engine's that are not there; `differing`: rules that it adds otherwise than its
    version is known to.
    """

    backends: tuple[str, ...]
    engine: str | None
    netfilter: str | None
    missing: tuple[str, ...]
    differing: tuple[DifferingEvidence, ...] | UnsetType = UNSET
