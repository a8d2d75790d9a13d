"""Rules of the firewall that take mailcow's ports although nobody listens on them: Kubernetes, redirections, forwards.

The kernel is asked for its nat tables as they are; nothing is loaded for that, and no program is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from preflight.facts import Diversion, Fact, Nat
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.nat.matching import Base
from preflight.text.sentences import say

if TYPE_CHECKING:
    from preflight.gather.nat.walk import Match

SOURCE = "nf_tables"
DIVERSIONS = 500  # that are told
DOCKERS_PRIORITY = -100
# By the names of their chains and tables, the first that fits: whose rules these are.
OWNERS = (
    ("docker", re.compile(r"DOCKER|docker-bridges")),
    ("podman", re.compile(r"NETAVARK.*|netavark|nv_.*|CNI-podman.*")),
    ("kubernetes", re.compile(r"KUBE-.*|kube-proxy|CNI-.*|cni_hostport|CNI_.*|FLANNEL-.*|K3S-.*|MINIKUBE.*")),
    ("cilium", re.compile(r"(?:OLD_)?CILIUM_.*|cilium")),
    ("firewalld", re.compile(r"firewalld|PREROUTING_ZONES.*|PREROUTING_POLICIES.*|PREROUTING_direct|PRE_.*")),
    ("libvirt", re.compile(r"LIBVIRT_.*|libvirt_network")),
    ("lxd", re.compile(r"lxd|lxd_.*")),
    ("incus", re.compile(r"incus|incus_.*")),
)


def nat(roots: Roots, ports: tuple[int, ...], addresses: tuple[str, ...] | None = None) -> Fact[Nat]:
    """Return which rules take these ports, where the network of this process is the host's.

    `addresses`: those of the host, and those to be bound; rules for others alone are left out. None: not known.
    """
    if not roots.view.network or not roots.view.live:
        return Fact.skipped(SOURCE, say("Firewall rules are read only in the host's own network."))
    try:
        bases = list(_bases(roots))
    except PermissionError:
        return Fact.of(SOURCE, Nat(unread="denied"))
    except TimeoutError:
        return Fact.of(SOURCE, Nat(unread="late"))
    except OSError:
        return Fact.of(SOURCE, Nat(unread="refused"))
    return Fact.of(SOURCE, taken(bases, ports, addresses))


def _bases(roots: Roots) -> Iterator[Base]:
    """Yield the chains that packets enter; raise `OSError`. A question to a module that is not there would load it."""
    if _loaded(roots, "nf_nat") is False:
        return
    if _loaded(roots, "nf_tables") is not False:
        from preflight.gather.nat import nft

        yield from nft.bases()
    for version, name in ((4, "ip_tables_names"), (6, "ip6_tables_names")):
        path = roots.process_file(f"net/{name}")
        try:
            tables = roots.text(path, 4096).split()
        except Unreadable as error:
            if error.absent:
                continue
            raise PermissionError(path) from None
        if "nat" in tables:
            from preflight.gather.nat import legacy

            base = legacy.base(version)
            if base:
                yield base


def _loaded(roots: Roots, module: str) -> bool | None:
    """Say whether a module of the kernel is there, loaded or built in; None: the kernel knows no modules."""
    from preflight.gather.machine import modules

    try:
        names = modules.there(roots)
    except PermissionError:
        return True
    return None if names is None else module in names


def taken(bases: list[Base], ports: tuple[int, ...], addresses: tuple[str, ...] | None = None) -> Nat:
    """Follow a packet for each port through all chains, and tell which rules take it."""
    from preflight.gather.nat.walk import TooMany, Walker

    walker = Walker(addresses)
    found: dict[Diversion, None] = {}
    try:
        # Where a rule has taken a packet, those of later chains do not see it; all are told, and what comes of them.
        for base in sorted(bases, key=lambda base: base.priority):
            for port in ports:
                for version in (4, 6):
                    for one in walker.follow(base, port, version):
                        found[_told(one, base, bases, port, version)] = None
                        if len(found) > DIVERSIONS:
                            raise TooMany
    except TooMany:
        return Nat(tuple(found)[:DIVERSIONS], "late")
    except OSError:
        return Nat(tuple(found)[:DIVERSIONS], "refused")
    return Nat(tuple(found))


def _told(one: Match, base: Base, bases: list[Base], port: int, version: int) -> Diversion:
    names = (*reversed(one.chains), base.table)
    owner = next((owner for owner, pattern in OWNERS if any(map(pattern.fullmatch, names))), "")
    compatible = base.family in ("ip", "ip6") and (base.table, base.chain) == ("nat", "PREROUTING")
    return Diversion(
        port=port,
        family="ipv4" if version == 4 else "ipv6",
        backend=base.backend,  # type: ignore[arg-type]  # one of two words
        table=base.table if base.backend == "ip_tables" else f"{base.family} {base.table}",
        chain=one.chains[-1],
        rule=one.rule.handle,
        native=not compatible,
        to=one.rule.target,
        owner=owner,  # type: ignore[arg-type]  # of the table above
        order=_order(one, base, bases, compatible=compatible),
        **{name: getattr(one.narrowed, name) for name in one.narrowed.__struct_fields__},
    )


def _order(one: Match, base: Base, bases: list[Base], *, compatible: bool) -> Literal["before", "after", "either"]:
    """Say whether a rule comes before the engine's, which stand at the end of PREROUTING in iptables' nat table."""
    if base.priority != DOCKERS_PRIORITY:
        return "before" if base.priority < DOCKERS_PRIORITY else "after"
    if not compatible:
        return "either"  # chains of one priority run in the reverse order of their creation
    if one.after_docker:
        return "after"
    elsewhere = any(
        rule.target == "DOCKER"
        for other in bases
        if other is not base and other.family == base.family and other.chain == "PREROUTING" and other.table == "nat"
        for rule in other.rules("PREROUTING")
    )
    return "either" if elsewhere else "before"
