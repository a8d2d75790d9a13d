"""What the checks of the clock measured."""

from __future__ import annotations

from preflight.report.model import Evidence


class ClockEvidence(Evidence, frozen=True, kw_only=True):
    """The kernel's own word: the largest error in microseconds, and its flag STA_UNSYNC."""

    maxerror_us: int
    unsynchronized: bool


class TimeServiceEvidence(Evidence, frozen=True, kw_only=True):
    """The service that keeps the clock; None: there is none. `enabled`: starts at boot, None: not known."""

    service: str | None
    enabled: bool | None
    active: bool | None


class AskedTimeServer(Evidence, frozen=True, kw_only=True):
    """What an address of a time server told, or a web server. `seconds`: its time less the clock's; None: not known.

    `error`: by so many seconds that may be wrong. `counted`: it is of the majority that tells the time.
    """

    server: str
    address: str | None
    outcome: str
    seconds: float | None
    error: float | None
    counted: bool


class OffsetEvidence(Evidence, frozen=True, kw_only=True):
    """How far the true time is ahead of the clock, in seconds; None: not known. `error`: how exact that is."""

    seconds: float | None
    error: float | None
    servers: tuple[AskedTimeServer, ...]


class TimezoneEvidence(Evidence, frozen=True, kw_only=True):
    """The time zone's name, and whether the hardware clock runs in local time; None: not known."""

    zone: str | None
    rtc_local: bool | None
