"""What became of each server that was asked for the time, in words and as evidence."""

from __future__ import annotations

from preflight.checks.clock.opinions import Opinion, of_address, of_date
from preflight.checks.findings import Measured
from preflight.facts import Times, TimeServer
from preflight.facts.time import TimeOutcome
from preflight.report.evidence.clock import AskedTimeServer
from preflight.report.model import Finding
from preflight.text.durations import duration
from preflight.text.sentences import noted, paragraph, phrase, say

_WORDS: dict[TimeOutcome, str] = {
    "measured": noted("{server} (gives a different time)"),
    "silent": noted("{server} (no answer)"),
    "refused": noted("{server} (port closed)"),
    "unreachable": noted("{server} (unreachable)"),
    "unresolved": noted("{server} (no address found)"),
    "unsynchronized": noted("{server} (not synchronised)"),
    "distant": noted("{server} (not accurate enough)"),
    "kiss": noted("{server} (refuses to answer)"),
    "invalid": noted("{server} (no valid answer)"),
    "jumping": noted("{server} (its time jumps)"),
}


def evidence(times: Times, counted: list[Opinion]) -> tuple[AskedTimeServer, ...]:
    """Return what each told."""
    names = {opinion.server for opinion in counted}
    servers = [
        AskedTimeServer(
            server=one.server,
            address=one.address or None,
            outcome=one.outcome,
            seconds=one.seconds,
            error=of_address(one).error if one.outcome == "measured" else None,
            counted=one.outcome == "measured" and one.server in names,
        )
        for one in times.servers
    ]
    dates = [
        AskedTimeServer(
            server=one.server,
            address=None,
            outcome="silent" if one.seconds is None else "date",
            seconds=one.seconds,
            error=None if one.seconds is None else of_date(one).error,
            counted=one.seconds is not None and one.server in names,
        )
        for one in times.dates
    ]
    return (*servers, *dates)


def opinion(one: Opinion) -> str:
    """Write a server and what it thinks of the clock."""
    values = {"server": one.server, "offset": duration(one.seconds)}
    if one.seconds > 0:
        return phrase("{server} (clock {offset} behind)", **values)
    return phrase("{server} (clock {offset} ahead)", **values)


def left_out(times: Times, counted: list[Opinion]) -> str | None:
    """Say which time servers do not count, and why; None: all of them do."""
    names = {opinion.server for opinion in counted}
    others = [one for one in times.servers if one.server not in names]
    if not others:
        return None
    return say("Not counted: {servers}.", servers=_list(others))


def nobody(measured: Measured, times: Times) -> Finding:
    """Say that no server tells a time, and what would help."""
    if not times.servers:
        return measured.unknown(
            say("No time server was queried."), say("Set one with --ntp-server."), place="docker-run"
        )
    servers = _list(times.servers)
    if all(one.outcome == "unresolved" for one in times.servers):
        reason = say("The names of the time servers could not be resolved: {servers}.", servers=servers)
        help = say(
            "Correct the name servers in /etc/resolv.conf, or set the address of a time server with --ntp-server."
        )
        return measured.unknown(reason, help, place="host")
    reason = say("No time server gave the time: {servers}.", servers=servers)
    help = paragraph(
        say("Allow outgoing packets to UDP port 123 and the replies."),
        say("If only your own time servers can be reached, set them with --ntp-server."),
    )
    return measured.unknown(reason, help, place="host")


def _list(servers: tuple[TimeServer, ...] | list[TimeServer]) -> str:
    """Name servers, each with what became of its addresses, the same only once."""
    return ", ".join(dict.fromkeys(phrase(_WORDS[one.outcome], server=one.server) for one in servers))
