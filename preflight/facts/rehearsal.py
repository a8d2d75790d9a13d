"""What happened in a dress rehearsal of mailcow's network, ports and conditions, with stand-ins for its containers.

Seconds are counted from the rehearsal's beginning where nothing else is said.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from preflight.facts.base import Fact
from preflight.facts.kinds import InterfaceName, Ip, Secret, Word

# In facts that were recorded without one, those of older versions too: nobody asked for it.
UNASKED: Fact[Any] = Fact.skipped("", "--rehearse was not given.", cause="unasked")

# Why an engine refused something, as far as its words have a meaning that is known (`facts/engine_words.py`).
Trouble = Literal[
    "", "in-use", "allocated", "no-address", "no-right", "overlap", "bridge", "rival", "chains", "tables", "ip6tables",
    "no-ipv6", "forwarding", "kernel", "limits", "privileges", "cgroups", "sysctl", "fixed-address", "mount",
]  # fmt: skip
# What became of mailcow's IPv6 network: made, or made by an engine that gave it no IPv6 all the same, not wanted
# (ENABLE_IPV6=false), or left out, as it would have switched forwarding on for good.
SixState = Literal["made", "missing", "unwanted", "forwarding", "unknown"]
# How a published port answered this host. answered: its own stand-in; crossed: another stand-in of the same rehearsal;
# other: somebody else, who spoke; mute: somebody takes the connection and says nothing; closed: he ends it without a
# word; silent: no connection comes about; unsent: none was sent, for want of a route or by a firewall's word.
Answer = Literal["answered", "crossed", "other", "mute", "closed", "refused", "silent", "unsent"]
# How a connection ended that a container made: `refused` is an answer, too, but not that of the one who was meant.
Way = Literal["reached", "refused", "silent", "unsent"]
Whom = Literal["bridge", "host", "target"]


class NetworkRun(Struct, frozen=True, omit_defaults=True):
    """Whether mailcow's network was made: the subnets asked for, and what the engine said when it refused."""

    made: bool
    bridge: InterfaceName
    subnets: tuple[Ip, ...]
    ipv6: SixState = "unwanted"
    error: Secret = ""
    cause: Trouble = ""


class ContainerRun(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A stand-in for one of mailcow's containers.

    `states`: created, started, starting, healthy, unhealthy, exited, each with the seconds when it was seen.
    `address`: the fixed IPv4 address that it asked for; `given`: what it got. `unmet`: containers whose condition it
    waits for in vain; it was started all the same, so that its ports could be tried. `error`: what the engine said
    when it refused the container for another reason than a port; it was started without what it asks for then
    (`plain`), if at all.
    """

    name: Word
    states: tuple[tuple[float, Word], ...] = ()
    health: bool = False  # it has a health check
    address: Ip = ""
    given: tuple[Ip, ...] = ()
    unmet: tuple[Word, ...] = ()
    error: Secret = ""
    cause: Trouble = ""
    plain: bool = False
    exit_code: int | None = None  # of one that ended
    output: Secret = ""  # of its last health check that failed

    @property
    def last(self) -> str:
        """Return the state that it was seen in last; '' = it never was made."""
        return self.states[-1][1] if self.states else ""


class Reply(Struct, frozen=True, omit_defaults=True):
    """How a published port answered at one of the host's addresses. `seconds`: until then.

    `peer`: the client's address as the stand-in saw it. `said`: the beginning of what somebody else said.
    """

    address: Ip
    answer: Answer
    seconds: float = 0.0
    peer: Ip = ""
    error: Word = ""
    said: Secret = ""


class PortRun(Struct, frozen=True, omit_defaults=True):
    """A port that mailcow publishes ('' = every address): what the engine said when it refused, or how it answered."""

    address: Ip
    port: int
    service: Word
    published: bool
    replies: tuple[Reply, ...] = ()
    error: Secret = ""
    cause: Trouble = ""
    named: bool = False  # the engine's words name this very port; else it refused it with others

    @property
    def answered(self) -> bool:
        """Say whether its own stand-in answered wherever it was tried."""
        return bool(self.replies) and all(reply.answer == "answered" for reply in self.replies)


class WayOut(Struct, frozen=True, omit_defaults=True):
    """A connection out of a container on mailcow's network: to its bridge, to this host, to a server beyond."""

    whom: Whom
    address: Ip
    port: int
    way: Way
    seconds: float = 0.0
    error: Word = ""


class Visit(Struct, frozen=True, omit_defaults=True):
    """Somebody who tried a port that was kept up, so many times; `seconds`: of the hold, at the first of them.

    `stranger`: who did not prove that he knows the line, and got no answer.
    """

    port: int
    peer: Ip
    stranger: bool = False
    count: int = 1
    seconds: float = 0.0


class Rehearsal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of it. `asked`: the ports and the ways out were tried; `error`: what the engine said where not.

    `late`: its time was over before all was tried; what is missing then was not reached. `held`: the seconds that all
    was kept up after that, and `arrivals` who came meanwhile, the first 200.
    """

    network: NetworkRun
    containers: tuple[ContainerRun, ...] = ()
    ports: tuple[PortRun, ...] = ()
    exits: tuple[WayOut, ...] = ()
    asked: bool = False
    error: Secret = ""
    late: bool = False
    held: float = 0.0
    arrivals: tuple[Visit, ...] = ()
    seconds: float = 0.0
