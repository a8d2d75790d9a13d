"""What a probe works with, as a value."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from preflight.probes.publication import Publication

if TYPE_CHECKING:
    from preflight.facts import PublishRun
    from preflight.facts.rehearsal import SixState
    from preflight.mailcow.plan import Plan
    from preflight.probes.rehearsal.holding import Holder


class Trial(Struct, frozen=True):
    """A network for a container with published ports: its bridge, and its subnets, '' without IPv6.

    `look`: is told what the engine says of the container once it has started, and looks at the host's rules.
    """

    bridge: str
    subnet4: str
    subnet6: str
    publish: tuple[Publication, ...]
    look: Callable[[dict[str, Any]], PublishRun]


class Script(Struct, frozen=True, kw_only=True):
    """What a rehearsal makes, and whom it asks.

    `ipv6`: what becomes of mailcow's IPv6 network; it is made where that is `made`. `addresses`: the host's own, at
    which published ports are tried. `targets`: servers beyond this host that it reaches itself, by address and TCP
    port. `paths`: of the host, which containers see; those that are not there are left out. `no_bridge`: the host has
    no bridge of mailcow's name so far. `holder`: who keeps all of it up for a while.
    `public`: the addresses by which the world may know this host.
    """

    plan: Plan
    ipv6: SixState
    addresses: tuple[str, ...] = ()
    targets: tuple[tuple[str, int], ...] = ()
    paths: frozenset[str] = frozenset()
    no_bridge: bool = False
    holder: Holder | None = None
    public: tuple[str, ...] = ()


class Questions(Struct, frozen=True):
    """What is asked on the resolver's way, as its program takes it; `spared`: why not on the engine's bridge."""

    asked: dict[str, Any]
    spared: Literal["", "modules", "unread"] = ""


class Bench(Struct, frozen=True):
    """An engine, our own image on it, and what ends a probe.

    `own`: the container that we run in, whose image is used; None: that of our image's name. `stop`: set when the run
    is being ended. `deadline` is of time.monotonic(): the run's, or the probe's own where that comes first.
    `trial`: of the probe that publishes ports. `script`: of the rehearsal.
    `questions`: of the probe of the resolver's way.
    """

    url: str
    own: str | None
    stop: threading.Event
    deadline: float
    trial: Trial | None = None
    script: Script | None = None
    questions: Questions | None = None
