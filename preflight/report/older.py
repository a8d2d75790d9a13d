"""Facts as older versions of this program wrote them, in the shape of today."""

from __future__ import annotations

import re

import msgspec
from msgspec.structs import replace

from preflight.facts import EngineLimits, Fact, HealthRun, Host, Probes, StartRun, refusals
from preflight.facts.base import BEFORE
from preflight.facts.engine import build_of
from preflight.report.older_sentences import from_sentences
from preflight.text.typed import decode

# The exit codes by which a container told what it held, before `granted` was a field of its own.
_HELD, _LACKED = 0, 3
_OPEN_FILES = "engine.nofile"
# What the error of a health check said of a container that ended by itself.
_BY_ITSELF = (
    r"the container ended by itself with exit code (?:None|(?P<code>-?[0-9]{1,10}))(?:, saying: (?P<said>.*?))?\.?"
)


class _Top(msgspec.Struct):
    """Probes that were parts of the host itself, before there were `probes`."""

    healthcheck: Fact[HealthRun] | None = None
    privileged: Fact[StartRun] | None = None
    limits: Fact[StartRun] | None = None


def of_today(host: Host, document: bytes) -> Host:
    """Return a host as it would be written today; `document` is the JSON that it was read from.

    Raise msgspec's errors where an older part is of the wrong type.
    """
    host = _limited(_grouped(from_sentences(host, document), document))
    return refusals.with_causes(_built(_granted(_ended(host))))


def _grouped(host: Host, document: bytes) -> Host:
    """Take probes from the top of a document that has no group of them."""
    if host.probes != Probes():
        return host
    top = decode(document, _Top)
    found = {name: fact for name in Probes.__struct_fields__ if (fact := getattr(top, name, None)) is not None}
    return replace(host, probes=Probes(**found)) if found else host


def _ended(host: Host) -> Host:
    """Say of a container that ended by itself in fields what its error told before."""
    fact = host.probes.healthcheck
    match = re.fullmatch(_BY_ITSELF, fact.value.error, re.DOTALL) if fact.value is not None else None
    if fact.value is None or match is None:
        return host
    code = int(match["code"]) if match["code"] else None
    run = replace(fact.value, ended=True, exit_code=code, error=match["said"] or "")
    return replace(host, probes=replace(host.probes, healthcheck=replace(fact, value=run)))


def _limited(host: Host) -> Host:
    """Take the engine's limit from the settings of the kernel, among which it stood."""
    settings = host.sysctls.value
    if host.engine_limits != BEFORE:
        return host
    if settings is None:
        return replace(host, engine_limits=host.sysctls)
    limits = Fact.of(host.sysctls.source, EngineLimits(settings.get(_OPEN_FILES)))
    rest = {name: value for name, value in settings.items() if name != _OPEN_FILES}
    return replace(host, engine_limits=limits, sysctls=replace(host.sysctls, value=rest))


def _built(host: Host) -> Host:
    """Say whose build an engine is, which its platform alone told before."""
    engine = host.engine.value
    if engine is None or engine.build or not engine.platform:
        return host
    return replace(host, engine=replace(host.engine, value=replace(engine, build=build_of(engine.platform))))


def _granted(host: Host) -> Host:
    """Say of containers by their exit code whether they held what they asked for."""
    changed = {}
    for name in ("privileged", "limits"):
        fact: Fact[StartRun] = getattr(host.probes, name)
        run = fact.value
        if run is not None and run.started and run.granted is None and run.exit_code in (_HELD, _LACKED):
            changed[name] = replace(fact, value=replace(run, granted=run.exit_code == _HELD))
    return replace(host, probes=replace(host.probes, **changed)) if changed else host
