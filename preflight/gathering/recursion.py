"""The probe of the resolver's way: whom it asks, and where nobody may be asked."""

from __future__ import annotations

from typing import Any, Literal

from preflight.facts import Fact, RecursionRun
from preflight.gathering import probes, publishing
from preflight.gathering.engine import URL
from preflight.gathering.run import Run
from preflight.net.addresses import version
from preflight.probes.registry import PROBES
from preflight.text.sentences import say

NAME = "recursion"
PROBE = next(probe for probe in PROBES if probe.name == NAME)
# Docker 28 adds a rule for each container on a bridge, which the probe with published ports would be shown.
RULES = 28
CABLE = "veth"


def recursion(run: Run) -> Fact[RecursionRun]:
    """Return what name servers on the Internet answer a container."""
    if run.wishes.asked.offline:
        return Fact.skipped(PROBE.source, say("--offline was given."), cause="offline")
    if (why := probes.prevented(run)) is not None:
        return why
    if run.value("engine").podman:
        # It would switch on forwarding for its first container on a bridge, and leave that so.
        return Fact.skipped(PROBE.source, say("Podman creates bridges in its own way."), cause="engine")
    from preflight.gather.engine.engine import own_container
    from preflight.probes.bench import Bench, Questions
    from preflight.probes.frame import run_probe

    for place in _before(run):
        run.fact(place)
    probes.tidy(run)
    own, crew = own_container(run.roots), run.crew
    asked = Questions(questions(run), _spared(run))
    bench = Bench(str(run.share(URL)), own, crew.stop, crew.deadline, questions=asked)
    return run_probe(PROBE, bench)


def _spared(run: Run) -> Literal["", "modules", "unread"]:
    """Say why there is no container on the engine's bridge: the first one loads its cable's module, which stays."""
    from preflight.gather.machine import modules

    try:
        there = modules.there(run.roots)
    except PermissionError:
        return "unread"
    return "" if there is None or CABLE in there else "modules"


def _before(run: Run) -> tuple[str, ...]:
    """Return the parts of a host in which a container on the engine's own bridge shows.

    No other part is waited for where it need not be: an engine may be slow with each connection.
    """
    major = run.value("engine").version.partition(".")[0]
    ruled = not major.isdigit() or int(major) >= RULES
    return (*publishing.BEFORE, f"probes.{publishing.NAME}") if ruled else publishing.BEFORE


def questions(run: Run) -> dict[str, Any]:
    """Return what is asked, as the program takes it. Where the user names all name servers, no other one is asked.

    IPv4 alone: the engine's own bridge has IPv6 only where its settings give it some, and Unbound copes without.
    """
    from preflight.mailcow.recursion import documented

    table, wishes = documented(), run.wishes
    servers = [(address, one.zone) for one in table.servers for address in one.addresses if version(address) == 4]
    named = bool(wishes.resolvers)
    return {
        "servers": [] if named else servers,
        "canaries": [] if named else table.canaries,
        "pings": list(dict.fromkeys(wishes.ping_targets or table.pings.addresses)),
    }
