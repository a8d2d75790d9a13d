"""Why an engine would not start a container: engines and runtimes have words for it, and no codes."""

from __future__ import annotations

import re
from typing import TypeGuard

from preflight.facts import HealthRun, Host, Probes, Refusal, StartRun

# runc, containerd and dockerd, each in its own words, where nobody has mounted the control groups.
_WORDS: dict[Refusal, str] = {
    "cgroups": r"cgroup mount ?(?:point|destination)|no cgroup mount|devices cgroup isn't mounted"
    r"|cgroups?: cannot find|cgroup mountpoint does not exist|cgroups? (?:not|isn't) (?:mounted|supported)",
}


def refusal(words: str) -> Refusal:
    """Return the cause that an engine's words name, '' where it is none of those that are known."""
    return next((cause for cause, known in _WORDS.items() if re.search(known, words[:2000], re.IGNORECASE)), "")


def with_causes(host: Host) -> Host:
    """Name the causes in facts that were recorded before causes were named."""
    from msgspec.structs import replace

    def again(run: object) -> TypeGuard[StartRun | HealthRun]:
        return isinstance(run, StartRun | HealthRun) and bool(run.error) and not run.cause and bool(refusal(run.error))

    parts = {}
    for name in Probes.__struct_fields__:
        fact = getattr(host.probes, name)
        if again(fact.value):
            parts[name] = replace(fact, value=replace(fact.value, cause=refusal(fact.value.error)))
    return replace(host, probes=replace(host.probes, **parts)) if parts else host
