"""What a probe works with, as a value."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from preflight.probes.publication import Publication

if TYPE_CHECKING:
    from preflight.facts import PublishRun


class Trial(Struct, frozen=True):
    """A network for a container with published ports: its bridge, and its subnets, '' without IPv6.

    `look`: is told what the engine says of the container once it has started, and looks at the host's rules.
    """

    bridge: str
    subnet4: str
    subnet6: str
    publish: tuple[Publication, ...]
    look: Callable[[dict[str, Any]], PublishRun]


class Bench(Struct, frozen=True):
    """An engine, our own image on it, and what ends a probe.

    `own`: the container that we run in, whose image is used; None: that of our image's name. `stop`: set when the run
    is being ended. `deadline` is of time.monotonic(): the run's, or the probe's own where that comes first.
    `trial`: of the probe that publishes ports.
    """

    url: str
    own: str | None
    stop: threading.Event
    deadline: float
    trial: Trial | None = None
