"""The frame of every experiment: a box on the engine, our own image in it, and a reason where there is no result."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from preflight.facts import Fact
from preflight.probes.box import TIDYING, Box, EngineError, Stopped, own_image
from preflight.sentences import say

SECONDS = 10.0
T = TypeVar("T")


def experiment(
    source: str, url: str, own: str | None, stop: threading.Event, deadline: float, act: Callable[[Box, str], T]
) -> Fact[T]:
    """Let `act` work in a box with our image for at most 10 s; never raises what the engine or the clock brings about.

    `own` is the container that we run in, whose image is used; `deadline` is of time.monotonic().
    """
    until = min(deadline - TIDYING, time.monotonic() + SECONDS)
    try:
        with Box(url, stop, until) as box:
            image = own_image(box, own)
            return _no_image(source) if image is None else Fact.of(source, act(box, image))
    except Stopped:
        return Fact.unknown(source, say("The run was ended before the experiment was."))
    except TimeoutError:
        return Fact.unknown(source, say("The experiment was not over in time."), say("Give it more: --timeout 60."))
    except EngineError as error:
        return Fact.unknown(
            source, say("The engine did not let a container be prepared: {error}.", error=str(error).rstrip("."))
        )


def _no_image(source: str) -> Fact[Any]:
    reason = say("There is no mailcow-preflight image on this engine to start a container from.")
    help = say("Build the image with `make image`, or run preflight as a container.")
    return Fact.unknown(source, reason, help, "make image")
