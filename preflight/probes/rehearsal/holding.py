"""The step between "every port was tried" and "all is removed": the stand-ins may be kept up for others to try them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from preflight.facts.rehearsal import Visit


class Held(Struct, frozen=True):
    """A port of mailcow's that is kept up: where the host publishes it ('' = every address), and who answers there.

    `container` is the stand-in's id on the engine, `inside` the port in it, `answered` whether it answered this host.
    """

    address: str
    port: int
    service: str
    inside: int
    container: str
    answered: bool


class Up(Struct, frozen=True):
    """What is kept up: the ports that are published, and what tells of them.

    `logs`: returns what a container has printed so far, its first 256 KiB; raises `EngineError`, `Stopped` and
    TimeoutError. `stop`: set when the run is being ended (Ctrl-C, SIGTERM): holding ends then, within a second.
    `host`: mailcow's host name, '' = none is known; `addresses`: those by which the world may know this host.
    """

    places: tuple[Held, ...]
    logs: Callable[[str], bytes]
    stop: threading.Event
    host: str = ""
    addresses: tuple[str, ...] = ()


class Audience(Protocol):
    """Who shows what goes on meanwhile."""

    def announce(self, text: str) -> None:
        """Show a line for good, whole and in a line of its own."""

    def arrived(self, text: str, display: Sequence[str]) -> None:
        """Show news, or the whole state from now on, whichever suits."""


class Holder(Protocol):
    """Who keeps the stand-ins up. `seconds`: how long at most; the engine's part of the rehearsal is not counted.

    `environment`: variables for the stand-ins, beside PREFLIGHT_TOKEN and PREFLIGHT_SECONDS (`probes.stand_in`).
    """

    audience: Audience | None

    @property
    def seconds(self) -> float:
        """Return how long the stand-ins are kept up at most."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Return what the stand-ins are told."""

    def hold(self, up: Up) -> tuple[Visit, ...]:
        """Return when nobody needs the stand-ins any more, with who came; called in the probe's own thread."""
