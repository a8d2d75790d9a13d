"""What several answers of one time server come to. Pure."""

from __future__ import annotations

from msgspec import Struct

from preflight.gather.time.packet import Reply, between, unix

STEP = 0.128  # seconds; RFC 5905, STEPT: a clock that is further off is set, and does not drift there by itself
EARLY = -0.001  # seconds; a delay below that is none: the server says it took longer than the whole


class Sample(Struct, frozen=True):
    """One answer. `ahead`: the server's time since 1970 less our time since the machine was started, in seconds.

    That clock is set by nobody, so that it does not matter where somebody sets the host's meanwhile.
    """

    ahead: float
    delay: float
    distance: float
    stratum: int


def sample(reply: Reply, sent: float, received: float) -> Sample | None:
    """Take a sample from an answer, with the times by time.monotonic() around it; None: its times cannot be."""
    delay = received - sent - between(reply.receive, reply.transmit)
    if delay < EARLY:
        return None
    # The error of this is half of the delay: packets may have taken all of it on one of the two ways.
    ahead = (unix(reply.receive) + unix(reply.transmit)) / 2 - (sent + received) / 2
    return Sample(ahead, max(0.0, delay), reply.distance, reply.stratum)


def best(samples: list[Sample]) -> Sample | None:
    """Return the sample with the smallest delay; None: the server's time jumps more than its delays explain."""
    chosen = min(samples, key=lambda one: one.delay)
    steady = all(abs(one.ahead - chosen.ahead) <= (one.delay + chosen.delay) / 2 + STEP for one in samples)
    return chosen if steady else None
