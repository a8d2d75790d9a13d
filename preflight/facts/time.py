"""The time, as servers elsewhere tell it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from preflight.facts.kinds import Ip, Secret, ServerName, Word

# What became of asking an address of a time server. `unresolved`: its name has no address, or nobody could say.
# `distant`: it is too far from its own source to be of use. `kiss`: it asks not to be asked. `jumping`: its time is now
# this, now that.
TimeOutcome = Literal[
    "measured", "silent", "refused", "unreachable", "unresolved", "unsynchronized", "distant", "kiss", "invalid",
    "jumping",
]  # fmt: skip
# What is wrong with a packet that is no answer to what was asked. `times`: what it says of its own times cannot be.
TimeFault = Literal["", "short", "origin", "mode", "version", "stratum", "times"]


class TimeServer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An address of a time server that was asked by SNTP, or a name that has none.

    `seconds`: how far its time is ahead of this host's clock, by the sample with the smallest delay. `delay`: seconds
    that packets took there and back, without what the server itself took. `distance`: the error that the server reckons
    with itself, in seconds: half of the way to its source, and the dispersion.
    """

    server: ServerName  # as given or by default, with its port where it is not 123
    outcome: TimeOutcome
    address: Ip = ""
    seconds: float | None = None
    delay: float = 0.0
    distance: float = 0.0
    stratum: int = 0
    samples: int = 0
    kiss: Word = ""
    fault: TimeFault = ""
    detail: Secret = ""  # of what kept the packets from going out, or the name from being found


class WebDate(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The Date of a web server's answer, which has a resolution of one second; `seconds` and `delay` as above."""

    server: ServerName
    seconds: float | None = None
    delay: float = 0.0
    detail: Secret = ""


class Times(Struct, frozen=True, omit_defaults=True):
    """What all of them told; web servers are asked only where no time server gave a measurement."""

    servers: tuple[TimeServer, ...] = ()
    dates: tuple[WebDate, ...] = ()
