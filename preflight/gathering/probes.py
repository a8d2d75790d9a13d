"""The probes: made where they were asked for, on an engine that answers and a kernel that stands them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from preflight.facts import Fact
from preflight.gathering.engine import URL
from preflight.gathering.run import Recipe, Run, Shared
from preflight.mailcow.layout import BRIDGE
from preflight.probes.registry import Probe
from preflight.text.sentences import paragraph, say, told


def recipe(probe: Probe) -> Recipe:
    """Return how the fact of a probe is made."""

    def made(run: Run) -> Fact[Any]:
        if (why := prevented(run)) is not None:
            return why
        from preflight.gather.engine.engine import own_container
        from preflight.probes.bench import Bench
        from preflight.probes.frame import run_probe

        tidy(run)
        url = run.share(URL)
        assert isinstance(url, str), "an engine that is known has an address"
        return run_probe(probe, Bench(url, own_container(run.roots), run.crew.stop, run.crew.deadline))

    return made


def prevented(run: Run) -> Fact[Any] | None:
    """Return why there is no probe; None: there may be."""
    if not run.wishes.asked.probe:
        return Fact.skipped("probe", say("--no-probe was given."), cause="no-probe")
    engine = run.fact("engine")
    if engine.missing is not None:
        return Fact(engine.source, None, engine.missing)
    reason = run.wishes.unsafe(engine.get().kernel, run.value("os_release"))
    if reason:
        why = paragraph(say("No container was started, because that could crash this kernel."), told(reason))
        return Fact.unknown("probe", why, say("Change the kernel first (see system.kernel)."), cause="kernel")
    return None


def tidy(run: Run) -> None:
    """Remove what dead runs left, once in a run, before something new is made."""
    run.share(_TIDIED)


def sweep(run: Run) -> None:
    """Have what a killed rehearsal left removed before the host is looked at: it has mailcow's ports and bridge."""
    run.share(_SWEPT)


def _sweep(run: Run) -> None:
    if not run.wishes.asked.probe or not run.roots.view.live:
        return
    interfaces = run.roots.try_text(run.roots.process_file("net/dev"))
    if f"{BRIDGE}:" not in interfaces:  # which every rehearsal makes first
        return
    engine = run.value("engine")
    if engine is not None and any(network.run for network in engine.networks):
        tidy(run)


def _tidy(run: Run) -> None:
    from preflight.gather.engine.client import EngineError
    from preflight.probes.cleanup import cleanup

    with suppress(EngineError):
        cleanup(str(run.share(URL)), force=False)


_TIDIED = Shared("tidied", _tidy)
_SWEPT = Shared("swept", _sweep)
