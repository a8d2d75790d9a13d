"""Connections to the Internet that were tried, and what became of each."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from preflight.facts.kinds import HostName, Ip, Secret, ServerName, Url, Word

Protocol = Literal["tcp", "udp"]
# What a server there says, or answers, by which it is known; '' = nothing is known of it.
Speech = Literal["", "tls", "http", "rsync", "dns", "root", "fuzzy", "smtp"]
# What mailcow needs it for; 'asked' = the user named it.
Use = Literal[
    "asked", "images", "updates", "signatures", "rules", "fuzzy", "lists", "addresses", "certificates", "mail", "dns"
]
# How a name server answered for a name: '' = it was not asked, `blocked` = with 0.0.0.0, as filters do, `failed` = with
# an error (SERVFAIL, REFUSED …).
Names = Literal["", "NOERROR", "NODATA", "NXDOMAIN", "blocked", "no-server", "timeout", "failed"]
# `unwelcome`: it is the server, and it takes nothing from this host. `foreign`: somebody else answers. `mute`:
# connected, and then not a word that a server there would say. `filtered`: a TCP connection has no answer. `silent`:
# nor has a datagram, which may mean nothing. `unsent`: it never left this host, for want of a route or an address.
# `late`: the time of the run was over.
Outcome = Literal[
    "reached", "unwelcome", "foreign", "mute", "refused", "prohibited", "unreachable", "filtered", "silent", "unsent",
    "late",
]  # fmt: skip


class Goal(Struct, frozen=True, omit_defaults=True):
    """Where a connection is to go. `addresses`: those of the name, where they need not be asked for.

    `domains`: of the operator, where the server greets with a name in one of them.
    """

    host: ServerName
    port: int
    protocol: Protocol = "tcp"
    speech: Speech = ""
    use: Use = "asked"
    addresses: tuple[Ip, ...] = ()
    domains: tuple[HostName, ...] = ()

    @property
    def subject(self) -> str:
        """Name it as the report does: `ghcr.io:443/tcp`, `[2001:db8::1]:53/udp`."""
        return (
            f"[{self.host}]:{self.port}/{self.protocol}"
            if ":" in self.host
            else (f"{self.host}:{self.port}/{self.protocol}")
        )


class Attempt(Struct, frozen=True, omit_defaults=True):
    """What became of a connection to one address.

    `error`: the name of the error that ended it. `by`: who sent word of it (ICMP), where that was not the address
    itself. `said`: the beginning of what a mail server, or somebody else in place of a server, said there.
    """

    address: Ip
    outcome: Outcome
    seconds: float = 0.0
    error: Word = ""
    by: Ip = ""
    said: Secret = ""


class Trial(Struct, frozen=True, omit_defaults=True):
    """A goal, and what came of it."""

    goal: Goal
    attempts: tuple[Attempt, ...] = ()
    names: Names = ""


class Outgoing(Struct, frozen=True, omit_defaults=True):
    """All connections that were tried, and the name servers that were asked for their names."""

    trials: tuple[Trial, ...]
    servers: tuple[ServerName, ...] = ()
    proxies: dict[Word, Url] = field(default_factory=dict)  # HTTP_PROXY, HTTPS_PROXY, as the host's shells have them
