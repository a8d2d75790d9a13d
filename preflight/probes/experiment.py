"""The frame of every experiment: a box on the engine, our own image in it, and a reason where there is no result."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from preflight.facts import Fact
from preflight.probes.box import TIDYING, Box, EngineError, Stopped, own_image

SECONDS = 10.0
NO_IMAGE = (
    "there is no mailcow-preflight image on this engine to start a container from",
    "Build the image with `make image`, or run preflight as a container.",
    "make image",
)
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
            return Fact.unknown(source, *NO_IMAGE) if image is None else Fact.of(source, act(box, image))
    except Stopped:
        return Fact.unknown(source, "the run was ended before the experiment was")
    except TimeoutError:
        return Fact.unknown(source, "the experiment was not over in time", "Give it more: --timeout 60.")
    except EngineError as error:
        return Fact.unknown(source, f"the engine did not let a container be prepared: {error}")
