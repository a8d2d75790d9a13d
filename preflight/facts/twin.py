"""What became of packets in a twin of the host's network: real ones, through copies of the host's rules."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from preflight.facts.kinds import ChainName, InterfaceName, Ip, Secret, Word

# delivered: to the container, and the answer came back. proxy: docker-proxy alone answered, so that the container sees
# the host's own address for everybody's. oneway: it arrived, its answer was lost. elsewhere: something else answered.
# refused: told so at once; dropped: nothing came back. depends: on what `depends` names. unknown: why is in `reason`.
Verdict = Literal["delivered", "proxy", "oneway", "elsewhere", "refused", "dropped", "depends", "unknown"]
# uncopied: a rule that could not be copied lies on the way. sources: ordinary addresses fare differently. interface:
# the port's address is on another one than those that lead to the Internet, so that packets may come by either.
Doubt = Literal["", "uncopied", "sources", "late", "queue", "interface"]


class Step(Struct, frozen=True, omit_defaults=True):
    """A chain of the kernel that the packet passed, in order: where it hangs, and what it decided there."""

    hook: Word  # ingress, prerouting, input, forward, output, postrouting
    table: ChainName  # 'inet firewalld', 'ip filter'; of ip_tables: filter, nat …
    chain: ChainName
    verdict: Word  # accept, drop, continue


class Culprit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What ended a packet.

    kind: rule; policy (of a base chain); forwarding (switched off); route (none, or one to nowhere); filter
    (rp_filter); nat (sent to somewhere else); socket (nobody listens there).
    """

    kind: Literal["rule", "policy", "forwarding", "route", "filter", "nat", "socket"]
    backend: Literal["nf_tables", "ip_tables", ""] = ""
    family: Word = ""  # of the table: ip, ip6, inet, bridge, netdev
    table: ChainName = ""
    chain: ChainName = ""
    handle: int | None = None  # of a rule in nf_tables
    number: int | None = None  # of a rule in ip_tables: its line, from 1
    rule: Secret = ""  # its text, as nft or iptables-save prints it
    counter: int | None = None  # packets that it has stopped on the host so far
    predicted: bool = False  # it is none of the host's: the engine would add it
    to: Ip = ""  # of a nat rule: where the packet went instead


class Journey(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one packet that opens a connection, from an address that no rule singles out."""

    version: Literal[4, 6]
    source: Literal["internet", "neighbour"]  # from beyond the router; from the host's own network
    verdict: Verdict
    culprit: Culprit | None = None
    depends: tuple[Word, ...] = ()  # limit, statistic, recent, time, quota …
    reason: Doubt = ""
    steps: tuple[Step, ...] = ()


class Arrival(Struct, frozen=True):
    """What becomes of connections to a port that mailcow publishes: on that address ('' = every one)."""

    address: Ip
    port: int
    journeys: tuple[Journey, ...]


class Exit(Struct, frozen=True):
    """What becomes of what a container of mailcow sends to the Internet."""

    protocol: Literal["tcp", "udp"]
    port: int
    journey: Journey


class Uncopied(Struct, frozen=True, omit_defaults=True):
    """A rule or set of the host that the kernel did not take in the twin."""

    backend: Literal["nf_tables", "ip_tables", "ip_set"]
    table: ChainName
    chain: ChainName = ""
    handle: int | None = None
    what: Word = ""  # the expression, match or type that is the reason, where that is known
    error: Word = ""  # the name of the kernel's error


class Unseen(Struct, frozen=True):
    """What packets meet on the host's interfaces that the twin has not: programs, offload, load balancing."""

    kind: Literal["xdp", "tc", "ipvs", "offload"]
    interface: InterfaceName = ""


class Chain(Struct, frozen=True, omit_defaults=True):
    """A chain in outline. A base chain has a hook."""

    name: ChainName
    rules: int
    hook: Word = ""
    priority: int = 0
    policy: Word = ""


class Table(Struct, frozen=True):
    """A table of rules in outline."""

    backend: Literal["nf_tables", "ip_tables"]
    family: Word
    name: ChainName
    chains: tuple[Chain, ...]


class Family(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether packets of a family were sent, and through what.

    `state`: judged; none (the host has no address or no way out there); off (mailcow has none); blind (why in `doubt`).
    """

    version: Literal[4, 6]
    state: Literal["judged", "none", "off", "blind"]
    # control: the copy did not carry packets before any rule was in it. rules: something could not be copied that all
    # verdicts hang on. modules: publishing takes some that the kernel has not loaded. derivation: what the engine would
    # add is not known, or its program fails (`detail`).
    doubt: Literal["", "control", "rules", "sysctls", "modules", "derivation", "memory", "late"] = ""
    detail: Secret = ""
    interface: InterfaceName = ""  # of the default route
    address: Ip = ""  # of the host, to which packets were sent


class Twin(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the kernel did with packets in a twin of the host's network.

    `derived`: mailcow is not there yet, so that the engine's rules for it were added as this version would.
    `rules`: how many rules were copied.
    """

    derived: bool
    families: tuple[Family, ...]
    arrivals: tuple[Arrival, ...] = ()
    exits: tuple[Exit, ...] = ()
    uncopied: tuple[Uncopied, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    tables: tuple[Table, ...] = ()
    sets: tuple[ChainName, ...] = ()
    seconds: float = 0.0
