"""The frame of every probe: a box on the engine, our own image in it, and a reason where there is no result."""

from __future__ import annotations

import time
from typing import Any

from msgspec.structs import replace

from preflight.facts import Fact
from preflight.gather.access.errand import Stopped
from preflight.gather.engine.client import EngineError
from preflight.probes.bench import Bench
from preflight.probes.box import Box, Slow
from preflight.probes.image import own_image
from preflight.probes.registry import Probe
from preflight.text.sentences import say

TIDYING = 0.3  # seconds before the run's deadline at which a probe gives up, so that it is removing by then


def run_probe(probe: Probe, bench: Bench) -> Fact[Any]:
    """Run a probe within its budget; never raises what the engine or the clock brings about."""
    limit = time.monotonic() + probe.seconds
    until = min(bench.deadline - TIDYING, limit)
    try:
        with Box(replace(bench, deadline=until)) as box:
            image = own_image(box, bench.own)
            return _no_image(probe) if image is None else Fact.of(probe.source, probe.act(box, image))
    except Stopped:
        return Fact.unknown(probe.source, say("The run was stopped before the probe ended."))
    except Slow as error:
        return _slow(probe, error.seconds)
    except TimeoutError:
        return _late(probe, own=until == limit)
    except EngineError as error:
        return Fact.unknown(
            probe.source, say("The engine did not let preflight prepare a container."), detail=str(error)
        )


def _slow(probe: Probe, seconds: float) -> Fact[Any]:
    why = say(
        "The engine takes {seconds} s for each request. That is too slow for this probe.", seconds=f"{seconds:.1f}"
    )
    help = say("Check the load of this host and the engine's log, then run the check again.")
    return Fact.unknown(probe.source, why, help)


def _late(probe: Probe, *, own: bool) -> Fact[Any]:
    """Say what would help: more time for the run, unless it was the probe's own that was over."""
    if not own:
        why = say("The run reached its deadline before the probe ended.")
        return Fact.unknown(probe.source, why, say("Raise --timeout."), place="docker-run")
    why = say("The probe did not end within {limit} s.", limit=f"{probe.seconds:g}")
    return Fact.unknown(
        probe.source,
        why,
        say(
            "Check the load of this host and the engine's log, then run the check again. A longer timeout does not "
            "help."
        ),
    )


def _no_image(probe: Probe) -> Fact[Any]:
    reason = say("There is no mailcow-preflight image on this engine to start a container from.")
    help = say("Build the image with `make image`, or run preflight as a container.")
    return Fact.unknown(probe.source, reason, help, "make image")
