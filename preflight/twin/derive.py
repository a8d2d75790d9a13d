"""mailcow is not up: add to the twin what this engine would add for its network and its ports.

What the engine has added at its start is on the host already, and copied. Where that was flushed, its commands for the
network fail, here as there, and no port opens.
"""

from __future__ import annotations

import os
import re
from typing import Literal, Protocol

from preflight.packets.nlmsg import by_type
from preflight.packets.nlmsg import text as text_of
from preflight.twin import derive_iptables, derive_nft, derive_zones
from preflight.twin.derive_programs import Programs, words
from preflight.twin.derive_state import Change, State, Underivable, parse, text
from preflight.twin.derive_wanted import concerned, engine_of
from preflight.twin.links import FAMILIES
from preflight.twin.nft import kernel
from preflight.twin.request import Request
from preflight.twin.spaces import Space
from preflight.twin.wire import NETFILTER, Wire

__all__ = ["Underivable", "apply", "forwards", "needs", "rules", "state_of", "wanted"]

VERSIONS: tuple[Literal[4, 6], ...] = (4, 6)
_FORWARDING = {4: ("ipv4/ip_forward",), 6: ("ipv6/conf/all/forwarding", "ipv6/conf/default/forwarding")}
_SYSTEM = "/proc/sys/net"
_PROGRAM = {4: "iptables", 6: "ip6tables"}
# What iptables-save says of a table with rules that are not of iptables (iptables, xtables-save.c)
_MIXED = re.compile(r"^# Table `(\w+)' is incompatible", re.MULTILINE)


class _Stage(Protocol):
    @property
    def twin(self) -> Space: ...


def rules(request: Request, version: Literal[4, 6], state: State) -> str:
    """Return what the engine adds, for `iptables-restore --noflush`, or `nft -f`; '' = nothing; raise `Underivable`."""
    if native(request):
        return derive_nft.text(request, version)
    return text(derive_iptables.changes(request, version, state).made)


def native(request: Request) -> bool:
    """Say whether the engine uses nf_tables itself, without iptables."""
    return request.backend.startswith("nftables")


def needs(request: Request) -> tuple[tuple[str, ...], ...]:
    """Return the kernel's modules that the rules use, under all of their names, any of which will do.

    Where one is not loaded, adding the rules would load it: start a container with a published port first. iptables
    asks for xt_tcpudp even where it then writes the rule without.
    """
    if native(request):
        return ("nf_tables",), ("nft_ct",), ("nft_nat",), ("nft_masq",)
    if not any(concerned(request, version) for version in VERSIONS):
        return ()
    masquerade = ("xt_MASQUERADE", "ipt_MASQUERADE")
    return ("xt_tcpudp",), ("xt_nat",), ("xt_conntrack",), ("xt_addrtype",), masquerade


def apply(request: Request, stage: _Stage) -> str:
    """Add in the twin what the engine would add; return the words of its program that fails, '' = none.

    Raises `Underivable` where it is not known what the engine would add, or where adding it would leave a trace, and
    `OSError`.
    """
    engine = engine_of(request)
    for modules in needs(request):
        if not request.there(*modules):
            raise Underivable(f"module {modules[0]}")
    programs = Programs(request.root, request.seconds)
    with stage.twin.entered():
        doubted = {given.version for given in request.given if given.doubt}
        for version in VERSIONS if request.subnet6 else VERSIONS[:1]:
            failed = "" if version in doubted else _add(request, version, engine, programs)
            if failed:
                return failed
        if any(concerned(request, version) for version in VERSIONS):
            _zone(request, programs)
        if not request.userland_proxy:
            _switch_on(f"ipv4/conf/{request.bridge}/route_localnet")
    return ""


def forwards(version: Literal[4, 6]) -> bool:
    """Say whether packets are forwarded in the namespace that is entered, as far as the engine switches that on."""
    return all(_is_on(name) for name in _FORWARDING[version])


def _add(request: Request, version: Literal[4, 6], engine: tuple[int, ...], programs: Programs) -> str:
    forwarding = forwards(version)
    failed = ""
    if native(request) and request.ip_forward and not forwarding:
        # It leaves that to others, but makes no network without (moby/moby 29.0.0,
        # daemon/libnetwork/drivers/bridge/setup_ip_forwarding.go: checkIPv4Forwarding).
        return f"IPv{version} forwarding is disabled"
    if concerned(request, version):
        if native(request):
            failed = _by_nft(request, version, programs)
        else:
            failed = _by_iptables(request, version, forwarding, programs)
    # Before 28, the engine switched forwarding of IPv4 on when it started, and not here.
    if not failed and request.ip_forward and (version == 6 or engine >= (28,)):
        for name in _FORWARDING[version]:
            _switch_on(name)
    return failed


def _by_nft(request: Request, version: Literal[4, 6], programs: Programs) -> str:
    ran = programs.run("nft", "-f", "-", stdin=derive_nft.text(request, version).encode())
    return "" if ran.code == 0 else words(ran)


def _by_iptables(request: Request, version: Literal[4, 6], forwarding: bool, programs: Programs) -> str:
    state = state_of(request, version, forwarding, programs)
    if version == 6 and request.starts_ip6tables and ("filter", "DOCKER") not in state.chains and state.usable("nat"):
        ran = programs.run("ip6tables-restore", "--noflush", "--wait", stdin=derive_iptables.START.encode())
        if ran.code:
            return words(ran)
        state = state_of(request, version, forwarding, programs)
    given = next((one.changes for one in request.given if one.version == version), None)
    changes = wanted(request, version, state) if given is None else list(given)
    failed = _alone(version, changes, state, programs)
    if failed:
        return failed
    ran = programs.run(f"{_PROGRAM[version]}-restore", "--noflush", "--wait", stdin=text(changes).encode())
    if ran.code and given is not None:
        raise Underivable(words(ran))  # of rules that were carried over, and not of the engine's commands
    return "" if ran.code == 0 else words(ran)


def wanted(request: Request, version: Literal[4, 6], state: State) -> list[Change]:
    """Return what is changed in ip_tables for the network, by the engine and by firewalld; raise `Underivable`."""
    changes = derive_iptables.changes(request, version, state).made
    return changes + derive_zones.in_ip_tables(state, request.bridge)


def state_of(request: Request, version: Literal[4, 6], forwarding: bool, programs: Programs) -> State:
    """Read the rules of ip_tables in the namespace that is entered; raise `Underivable`."""
    program = _PROGRAM[version]
    native = programs.native(program)
    if native and not request.there("nf_tables"):
        return State(chains=frozenset(), forwarding=forwarding, native=False)
    saved = programs.run(f"{program}-save")
    if saved.code:
        raise Underivable(words(saved))
    mixed = "".join(_by_chains(version, table, programs) for table in _MIXED.findall(saved.out))
    return parse(saved.out + mixed, forwarding, native)


def _by_chains(version: Literal[4, 6], table: str, programs: Programs) -> str:
    """Read a table that iptables does not print as rules of nf_tables' own are in it; raise `Underivable`.

    The engine asks for single chains, and has an answer from those without such rules. What others hold is taken for
    not there, so that the engine's jumps come to their top, where it puts them anyhow.
    """
    with Wire(NETFILTER) as netlink:
        found = (by_type(one.body[4:]) for one in netlink.dump(kernel.GET_CHAIN, kernel.head(FAMILIES[version])))
        chains = frozenset(text_of(one.get(3, b"")) for one in found if text_of(one.get(1, b"")) == table)
    if derive_zones.seen(chains):
        raise Underivable(f"firewalld: {table}")
    lines = [f"*{table}", *(f":{chain} - [0:0]" for chain in chains)]
    for chain in derive_iptables.ASKED & chains:
        ran = programs.run(_PROGRAM[version], "--wait", "-t", table, "-S", chain)
        if ran.code and chain == derive_iptables.USER:
            raise Underivable(words(ran))  # before 28 the engine takes it for missing, and goes on without
        lines += [line for line in ran.out.splitlines() if not ran.code and line.startswith("-A ")]
    return "\n".join([*lines, ""])


def _alone(version: Literal[4, 6], changes: list[Change], state: State, programs: Programs) -> str:
    """Have the first command alone whose chain is missing, as the engine does: iptables-restore only tells the line."""
    chains = {(change.table, change.chain) for change in changes if change.action == "-N"} | state.chains
    for change in changes:
        if not state.usable(change.table):
            # What it would say of a new table; to have it say so would load the table's module.
            return f"{_PROGRAM[version]}: No chain/target/match by that name."
        if change.chain.startswith("DOCKER") and (change.table, change.chain) not in chains:
            ran = programs.run(_PROGRAM[version], "--wait", *change.words())
            return words(ran) if ran.code else ""
    return ""


def _zone(request: Request, programs: Programs) -> None:
    if request.there("nf_tables"):
        with Wire(NETFILTER) as netlink:
            if derive_zones.in_nf_tables(netlink, request.bridge):
                return
    # An engine with nf_tables beside a firewalld with iptables: else its rules were found above.
    if native(request) and "firewalld" in request.backend:
        for version in VERSIONS if request.subnet6 else VERSIONS[:1]:
            brothers = derive_zones.in_ip_tables(state_of(request, version, True, programs), request.bridge)
            ran = programs.run(f"{_PROGRAM[version]}-restore", "--noflush", "--wait", stdin=text(brothers).encode())
            if ran.code:
                raise Underivable(words(ran))


def _is_on(name: str) -> bool:
    try:
        with open(f"{_SYSTEM}/{name}", "rb") as file:
            return file.read(1) == b"1"
    except FileNotFoundError:  # a kernel without IPv6, or no such bridge
        return False


def _switch_on(name: str) -> None:
    """Set a value of the namespace that is entered; raise `OSError`."""
    path = f"{_SYSTEM}/{name}"
    if os.path.exists(path) and not _is_on(name):
        with open(path, "wb", buffering=0) as file:
            file.write(b"1\n")
