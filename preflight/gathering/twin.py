"""What is asked of the twin, and what it answers: it is a process of its own, with a bound on its time and memory."""

from __future__ import annotations

import sys

import msgspec
from msgspec.structs import replace

from preflight.facts import NO_SETTINGS, Fact
from preflight.facts.twin import Twin
from preflight.gather.access import command
from preflight.gathering.publishing import NAME, given, spare
from preflight.gathering.recipes import PLAN
from preflight.gathering.run import Run
from preflight.gathering.twin_request import SOURCE, prevented, request
from preflight.text.sentences import say
from preflight.text.typed import decode

SECONDS = 8.0
LEFT = 0.3  # seconds before the run's deadline at which it is given up
LIMIT = 4 << 20  # bytes of its answer
DENIED = 77  # what it ends with where the kernel refuses namespaces


def twin(run: Run) -> Fact[Twin]:
    """Return what became of packets in a twin of the host's network, once the probe with published ports is through."""
    if (why := prevented(run.roots)) is not None:
        return why
    engine = run.fact("engine")
    if engine.missing is not None:
        return Fact(engine.source, None, engine.missing)
    if engine.get().podman:
        other = say("Podman publishes ports in its own way, which mailcow does not support (see docker.packaging).")
        return Fact.skipped(engine.source, other, cause="engine")
    # It has the engine load the modules that publishing takes, and its network goes first. Other probes are in none.
    tried = run.fact(f"probes.{NAME}", spare(run)) if run.wishes.asked.probe else None
    from preflight.gather.machine import modules

    try:
        there = modules.there(run.roots)
    except PermissionError:
        return run.roots.denied(SOURCE, say("Cannot read the list of kernel modules."))
    seconds = min(SECONDS, run.crew.left - LEFT)
    settings = run.fact("daemon_config").or_(NO_SETTINGS)
    asked = request(run.share(PLAN), engine.get(), settings, run.roots, there, seconds)
    asked = replace(asked, given=given(run, tried))
    words = (sys.executable, "-I", "-m", "preflight.twin", msgspec.json.encode(asked).decode())
    return answer(command.run(words, max(0.0, seconds + LEFT / 2), limit=LIMIT))


def answer(ran: command.Output) -> Fact[Twin]:
    """Read what the process said, or why it said nothing."""
    if ran.code == 0:
        try:
            return Fact.of(SOURCE, decode(ran.out, Twin))
        except msgspec.MsgspecError:
            return Fact.unknown(SOURCE, say("The copy of the host's network gave no readable answer."))
    if ran.code == DENIED:
        why = say("This user cannot create a separate network.")
        return Fact.unknown(SOURCE, why, say("Run preflight as root."), cause="denied")
    if ran.code is None:
        why = say("The twin of the host's network did not answer in time.")
        help = say("Raise --timeout, or run the check on a quieter host.")
        return Fact.unknown(SOURCE, why, help, cause="late", place="docker-run")
    why = say("The twin of the host's network stopped unexpectedly.")
    return Fact.unknown(SOURCE, why, detail=ran.err.strip().rpartition("\n")[2][:300])
