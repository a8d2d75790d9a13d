"""What a client met: each port at each address, and what is known beside that. Nothing here is judged."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from preflight.facts.kinds import ContainerName, HostName, Ip, Secret, ServerName, Word

# What became of a connection. reached: answered with a proof; other: somebody else spoke; mute: somebody takes the
# connection and says nothing; closed: he ends it without a word; prohibited, unreachable: somebody says so in place of
# an answer; filtered: silence; unsent: this machine itself did not send it; late: the time was over.
Outcome = Literal[
    "reached", "refused", "filtered", "prohibited", "unreachable", "unsent", "other", "mute", "closed", "late"
]  # fmt: skip


class Attempt(Struct, frozen=True, kw_only=True):
    """A connection to a port at an address. `local`: a port that is for the host alone.

    `seconds`: until it was open, or until that is known to fail. `client`: this machine's address. Of who answered with
    a proof: `seen_as`, the client's address as it arrived there, `service`, `heard_at`, the port, and `own`, the
    address, in the container, `same_kernel`: it runs on this machine's kernel. `said`: the beginning of what somebody
    else said, with escapes for what is no letter. `by`: who sent a message in place of an answer. `error`: the kernel's
    name for it.
    """

    address: Ip
    port: int
    inside: int
    local: bool
    outcome: Outcome
    seconds: float = 0.0
    client: Ip = ""
    seen_as: Ip = ""
    service: ContainerName = ""
    heard_at: int = 0
    own: Ip = ""
    same_kernel: bool = False
    said: Secret = ""
    by: Ip = ""
    error: Word = ""


class Control(Struct, frozen=True):
    """A mail server elsewhere, tried to learn whether port 25 is open outwards here. `said`: the beginning of that."""

    host: HostName
    address: Ip
    port: int
    greeted: bool
    said: Secret = ""


class Look(Struct, frozen=True, kw_only=True):
    """All of it. `told`: addresses that stand in the line; `resolved`: those of the name, None: it has none here.

    `until`: when the ports are no longer kept up, seconds of the Unix clock; `now`: this machine's, at the beginning.
    """

    host: ServerName
    until: int
    now: int
    told: tuple[Ip, ...]
    resolved: tuple[Ip, ...] | None
    attempts: tuple[Attempt, ...]
    controls: tuple[Control, ...] = ()
    seconds: float = 0.0
