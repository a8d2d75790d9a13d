"""The frame of every experiment: a box on the engine, our own image in it, and a reason where there is no result."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from preflight.facts import Fact
from preflight.probes.box import TIDYING, Box, EngineError, Stopped, own_image
from preflight.text.sentences import say

SECONDS = 10.0
T = TypeVar("T")


def experiment(
    source: str, url: str, own: str | None, stop: threading.Event, deadline: float, act: Callable[[Box, str], T]
) -> Fact[T]:
    """Let `act` work in a box with our image for at most 10 s; never raises what the engine or the clock brings about.

    `own` is the container that we run in, whose image is used; `deadline` is of time.monotonic().
    """
    limit = time.monotonic() + SECONDS
    until = min(deadline - TIDYING, limit)
    try:
        with Box(url, stop, until) as box:
            image = own_image(box, own)
            return _no_image(source) if image is None else Fact.of(source, act(box, image))
    except Stopped:
        return Fact.unknown(source, say("The run was ended before the experiment was."))
    except TimeoutError:
        return _late(source, own=until == limit)
    except EngineError as error:
        return Fact.unknown(
            source, say("The engine did not let a container be prepared: {error}.", error=str(error).rstrip("."))
        )


def _late(source: str, *, own: bool) -> Fact[Any]:
    """Say what would help: more time for the run, unless it was the experiment's own that was over."""
    if not own:
        why = say("The run reached its deadline before the experiment ended.")
        return Fact.unknown(source, why, say("Raise --timeout."))
    why = say("The experiment did not end within {limit} s.", limit=f"{SECONDS:g}")
    return Fact.unknown(
        source,
        why,
        say("Check the load of this host and the engine's log, then run the check again. More time does not help."),
    )


def _no_image(source: str) -> Fact[Any]:
    reason = say("There is no mailcow-preflight image on this engine to start a container from.")
    help = say("Build the image with `make image`, or run preflight as a container.")
    return Fact.unknown(source, reason, help, "make image")
