"""What ended a packet's way, in sentences: the rule, the policy, the setting or the route, and whose it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from preflight.checks.firewall import owners
from preflight.facts import Culprit, Family, Host, Journey, Table
from preflight.text.sentences import noted, say

# Of settings of the kernel, by family.
FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
NUMBERS = {4: "IPv4", 6: "IPv6"}

_RULES = {
    "nf_tables": noted("The rule with handle {number} in the {chain} chain of the {table} table stops them."),
    "ip_tables": noted("Rule {number} in the {chain} chain of the {table} table of iptables-legacy stops them."),
}
_UNNUMBERED = {
    "nf_tables": noted("A rule in the {chain} chain of the {table} table stops them."),
    "ip_tables": noted("A rule in the {chain} chain of the {table} table of iptables-legacy stops them."),
}
_POLICIES = {
    "nf_tables": noted("The policy of the {chain} chain in the {table} table stops them."),
    "ip_tables": noted("The policy of the {chain} chain in the {table} table of iptables-legacy stops them."),
}


class Case(Struct, frozen=True, kw_only=True):
    """A connection that does not get through: what stops it, whose that is, and what a rule has to name to let it.

    `hook`: of the chain that the rule is in or is called from, '' = not known. `inner`: ports in the container,
    `outer`: those of the host, which packets have until Docker's rule has translated them.
    """

    way: Literal["in", "out"]
    version: Literal[4, 6]
    verdict: str
    culprit: Culprit
    owner: str
    hook: str
    early: bool = False  # the chain comes before addresses are translated
    interface: str = ""
    bridge: str = ""
    inner: tuple[int, ...] = ()
    outer: tuple[int, ...] = ()
    protocols: tuple[str, ...] = ("tcp",)

    @property
    def answers(self) -> bool:
        """Say whether it is the answers that are stopped."""
        return self.verdict == "oneway"

    @property
    def table(self) -> str:
        """Return the table as nft and iptables name it."""
        return table_name(self.culprit)


def table_name(culprit: Culprit) -> str:
    """Return a culprit's table with its family, where it has one that counts."""
    return f"{culprit.family} {culprit.table}" if culprit.backend == "nf_tables" and culprit.family else culprit.table


def known(journey: Journey) -> Culprit | None:
    """Return what stopped a packet, where anything is known of it."""
    culprit = journey.culprit
    return culprit if culprit is not None and (culprit.kind not in ("rule", "policy") or culprit.chain) else None


def hook(culprit: Culprit, journey: Journey, tables: tuple[Table, ...]) -> tuple[str, bool]:
    """Return the hook that a culprit is reached by, and whether its chain comes before addresses are translated."""
    for table in tables:
        if (table.backend, table.family, table.name) == (culprit.backend, culprit.family, culprit.table):
            chain = next((one for one in table.chains if one.name == culprit.chain and one.hook), None)
            if chain is not None:
                early = chain.hook == "ingress" or (chain.hook == "prerouting" and chain.priority <= _DNAT)
                return chain.hook, early
    steps = [step for step in journey.steps if step.chain == culprit.chain] or list(journey.steps)
    found = steps[-1].hook if steps else _BASES.get(culprit.chain, "")
    return found, found in ("ingress", "prerouting")


_DNAT = -100  # the priority of chains that translate destinations
_BASES = {"INPUT": "input", "FORWARD": "forward", "PREROUTING": "prerouting", "POSTROUTING": "postrouting"}


def sentences(case: Case) -> Iterator[str]:
    """Yield what stops connections, in a sentence each."""
    if case.way == "in" and case.hook == "input":
        yield say("Docker does not forward them, so the rules for the host's own ports apply to them.")
    yield from _ended(case)
    if case.culprit.kind in ("rule", "policy", "nat"):
        yield from _whose(case)


def _ended(case: Case) -> Iterator[str]:
    culprit = case.culprit
    match culprit.kind:
        case "rule":
            yield _rule(case)
        case "policy":
            backend = culprit.backend or "nf_tables"
            yield say(_POLICIES[backend], chain=culprit.chain, table=case.table)
        case "forwarding":
            setting = FORWARDING[case.version]
            yield say(
                "The kernel does not forward packets: {setting} is 0, globally or for an interface.", setting=setting
            )
        case "route" if case.answers or case.way == "out":
            yield say("There is no route to the Internet, or a route leads nowhere.")
        case "route":
            yield say("There is no route to mailcow's network, or a route leads nowhere.")
        case "filter":
            yield say("The kernel's source address check (rp_filter) drops them.")
        case "nat":
            yield from _elsewhere(case)
        case "socket":
            yield say("None of Docker's rules forwards them to mailcow, and no program listens there.")


def _rule(case: Case) -> str:
    culprit = case.culprit
    backend = culprit.backend or "nf_tables"
    number = culprit.handle if backend == "nf_tables" else culprit.number
    if number is None:
        return say(_UNNUMBERED[backend], chain=culprit.chain, table=case.table)
    return say(_RULES[backend], number=number, chain=culprit.chain, table=case.table)


def _elsewhere(case: Case) -> Iterator[str]:
    culprit = case.culprit
    if culprit.chain:
        yield say(
            "A rule in the {chain} chain of the {table} table redirects them.", chain=culprit.chain, table=case.table
        )
    if culprit.to:
        yield say("They arrive at {address} instead.", address=culprit.to)


def _whose(case: Case) -> Iterator[str]:
    if case.culprit.predicted:
        yield say("Docker will add this rule for mailcow.")
    elif case.owner == owners.DOCKER_USER:
        yield say("Rules in this chain are written by hand, or by a tool that manages Docker's ports.")
    elif case.owner:
        yield say("It belongs to {owner}.", owner=owners.NAMES[case.owner])
    if case.culprit.counter and case.culprit.kind == "rule":
        yield say("Packets it has stopped on this host so far: {count}.", count=case.culprit.counter)


def make(
    host: Host,
    journey: Journey,
    family: Family,
    *,
    way: Literal["in", "out"],
    bridge: str,
    inner: tuple[int, ...] = (),
    outer: tuple[int, ...] = (),
    protocols: tuple[str, ...] = ("tcp",),
) -> Case | None:
    """Return what is known of a packet that did not get through; None: nothing."""
    culprit = known(journey)
    if culprit is None:
        return None
    found, early = hook(culprit, journey, host.twin.get().tables)
    return Case(
        way=way,
        version=journey.version,
        verdict=journey.verdict,
        culprit=culprit,
        owner=owners.owner(host, culprit),
        hook=found,
        early=early,
        interface=family.interface,
        bridge=bridge,
        inner=inner,
        outer=outer,
        protocols=protocols,
    )
