"""What each server thinks of the clock, and which of them the majority is. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from preflight.facts import Times, TimeServer, WebDate

RESOLUTION = 0.5  # seconds; a Date stands for the middle of the second that it tells


class Opinion(Struct, frozen=True):
    """By how many seconds a server is ahead of the clock, and by how many that may be wrong."""

    server: str
    seconds: float
    error: float
    delay: float


def of_time_servers(times: Times, agree: float) -> list[Opinion]:
    """Return an opinion of each server: of the better of its addresses, none where these contradict each other."""
    found = []
    for name in dict.fromkeys(one.server for one in times.servers):
        opinions = [of_address(one) for one in times.servers if one.server == name and one.outcome == "measured"]
        if opinions and len(majority(opinions, agree)) == len(opinions):
            found.append(min(opinions, key=lambda opinion: opinion.error))
    return found


def of_address(one: TimeServer) -> Opinion:
    """Return what a measurement says; packets may have taken all of the delay on one of the two ways."""
    return Opinion(one.server, one.seconds or 0.0, one.delay / 2 + one.distance, one.delay)


def of_web_servers(times: Times) -> list[Opinion]:
    """Return what the Dates of web servers say, to a second."""
    return [of_date(one) for one in times.dates if one.seconds is not None]


def of_date(one: WebDate) -> Opinion:
    """Return what a Date says."""
    return Opinion(one.server, one.seconds or 0.0, one.delay / 2 + RESOLUTION, one.delay)


def majority(opinions: Iterable[Opinion], agree: float) -> list[Opinion]:
    """Return those that more than a half of all agree with, in their order; none where there is no such majority.

    They agree where there is a time that is within the error of each, and within `agree` seconds of one another.
    """
    known = list(opinions)
    best: list[Opinion] = []
    for one in known:  # the ranges that share a time share the beginning of one of them
        begin = one.seconds - one.error - agree / 2
        group = [other for other in known if _holds(other, begin, agree)]
        best = max(best, group, key=lambda found: (len(found), -min((o.error for o in found), default=0)))
    return best if 2 * len(best) > len(known) else []


def _holds(opinion: Opinion, moment: float, agree: float) -> bool:
    reach = opinion.error + agree / 2 + 1e-9
    return abs(opinion.seconds - moment) <= reach
