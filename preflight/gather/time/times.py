"""What is asked for the time, whom, and what they told."""

from __future__ import annotations

from preflight.facts import Fact
from preflight.facts.time import Times, TimeServer
from preflight.gather.access.roots import Roots
from preflight.gather.time.exchange import Pace, Target, measure
from preflight.gather.time.places import addresses
from preflight.net.targets import NTP, shown, time_server
from preflight.text.sentences import say

SOURCE = "SNTP"
SERVERS = 16  # that are asked
PACE = Pace()


def times(
    roots: Roots,
    servers: tuple[str, ...],
    web: tuple[str, ...],
    resolvers: tuple[str, ...],
    deadline: float,
    pace: Pace | None = None,
) -> Fact[Times]:
    """Return what time servers tell, and if none of them does, the web servers `web`; `deadline`: of time.monotonic."""
    if not roots.view.live:
        reason = say("The root is a copy. Only a running machine has a clock.")
        return Fact.unknown(SOURCE, reason, cause="copy")
    asked = tuple(dict.fromkeys(map(time_server, servers)))[:SERVERS]
    known, missing = addresses(roots, tuple(dict.fromkeys(host for host, _ in asked)), resolvers, deadline)
    targets = tuple(
        Target(shown((host, port), NTP), address, port) for host, port in asked for address in known.get(host, ())
    )
    nameless = tuple(
        TimeServer(server=shown((host, port), NTP), outcome="unresolved", detail=missing.get(host, ""))
        for host, port in asked
        if host not in known
    )
    found = (*measure(targets, deadline, pace or PACE), *nameless)
    # Where no name was found at all, those of web servers are not either: the name servers are the cause.
    if not web or not targets or any(one.outcome == "measured" for one in found):
        return Fact.of(SOURCE, Times(found))
    from preflight.gather.time.dates import dates

    there, _ = addresses(roots, web, resolvers, deadline)
    return Fact.of(SOURCE, Times(found, dates(there, deadline)))
