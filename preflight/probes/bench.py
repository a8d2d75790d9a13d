"""What a probe works with, as a value."""

from __future__ import annotations

import threading

from msgspec import Struct


class Bench(Struct, frozen=True):
    """An engine, our own image on it, and what ends a probe.

    `own`: the container that we run in, whose image is used; None: that of our image's name. `stop`: set when the run
    is being ended. `deadline` is of time.monotonic(): the run's, or the probe's own where that comes first.
    """

    url: str
    own: str | None
    stop: threading.Event
    deadline: float
