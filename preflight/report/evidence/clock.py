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


class TimezoneEvidence(Evidence, frozen=True, kw_only=True):
    """The time zone's name, and whether the hardware clock runs in local time; None: not known."""

    zone: str | None
    rtc_local: bool | None
