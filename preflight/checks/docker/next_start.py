"""Whether the engine starts again: daemon.json, held against what its version takes and the flags it is given."""

from __future__ import annotations

from preflight.checks import Look
from preflight.checks.docker import keys, values
from preflight.checks.docker.at_odds import contradictions
from preflight.checks.docker.directives import NEWEST
from preflight.facts import EngineStart
from preflight.text.versions import parse_version


def start_of(look: Look) -> EngineStart | None:
    """Return what the engine meets next; where that was not recorded, the version of the one that answers at least."""
    start, engine = look.host.engine_start.value, look.host.engine.value
    return start or (EngineStart(version=engine.version) if engine else None)


def version(look: Look) -> int | None:
    """Return the first number of the engine's version; None: not known."""
    start = start_of(look)
    found = parse_version(start.version) if start else None
    return min(found[0], NEWEST) if found else None


def refused(look: Look) -> list[str]:
    """Return why the engine will not start again, each reason a sentence; [] = no reason is known."""
    start, config, major = start_of(look), look.host.daemon_config.value, version(look)
    if start is None or config is None:
        return []
    reasons = (keys.not_taken, values.mistyped, keys.given_twice, values.flawed, contradictions)
    return [sentence for reason in reasons for sentence in reason(start, config, major)]


def idle(look: Look) -> list[str]:
    """Name what the file sets without any effect, each in a sentence."""
    start, config = look.host.engine_start.value, look.host.daemon_config.value
    return [] if start is None or config is None else list(keys.idle(start, config, version(look)))
