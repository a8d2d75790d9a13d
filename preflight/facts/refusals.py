"""Why an engine would not start a container: engines and runtimes have words for it, and no codes."""

from __future__ import annotations

import re

from msgspec.structs import replace

from preflight.facts import Fact, HealthRun, Host, Probes, Refusal, StartRun

# runc, containerd and dockerd, each in its own words, where nobody has mounted the control groups.
_WORDS: dict[Refusal, str] = {
    "cgroups": r"cgroup mount ?(?:point|destination)|no cgroup mount|devices cgroup isn't mounted"
    r"|cgroups?: cannot find|cgroup mountpoint does not exist|cgroups? (?:not|isn't) (?:mounted|supported)",
}


def refusal(words: str) -> Refusal:
    """Return the cause that an engine's words name, '' where it is none of those that are known."""
    return next((cause for cause, known in _WORDS.items() if re.search(known, words[:2000], re.IGNORECASE)), "")


def with_causes(host: Host) -> Host:
    """Name the causes for which the engine started no container, of those that have none yet."""
    first = host.probes.privileged.value
    always = first.error if first is not None and not first.started else ""
    parts = {}
    for name in Probes.__struct_fields__:
        fact: Fact[object] = getattr(host.probes, name)
        run = fact.value
        if not isinstance(run, StartRun | HealthRun) or not run.error or run.cause:
            continue
        cause = refusal(run.error)
        if not cause and name != "privileged" and run.error == always and not _began(run):
            cause = "every"
        if cause:
            parts[name] = replace(fact, value=replace(run, cause=cause))
    return replace(host, probes=replace(host.probes, **parts)) if parts else host


def _began(run: StartRun | HealthRun) -> bool:
    return bool(run.states) if isinstance(run, HealthRun) else run.started
