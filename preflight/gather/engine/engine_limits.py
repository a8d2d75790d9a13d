"""The limits of the engine's own process, which it passes on to containers."""

from __future__ import annotations

import re

from preflight.facts import EngineLimits, Fact
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.engine import dockerd

_SOURCE = "/proc/PID/limits"
_SIZE = 1 << 14
UNLIMITED = (1 << 63) - 1


def engine_limits(roots: Roots) -> Fact[EngineLimits]:
    """Read the limits of the engine that runs, where one is found without a look at all processes."""
    try:
        pid = dockerd.process(roots)
    except Unreadable as error:
        return roots.unknown(_SOURCE, error)
    text = roots.try_text(f"/proc/{pid}/limits", _SIZE) if pid else ""
    return Fact.of(_SOURCE, EngineLimits(parse_open_files(text)))


def parse_open_files(text: str) -> int | None:
    """Read the hard limit of open files in /proc/PID/limits; unlimited counts as 2**63 - 1."""
    match = re.search(r"^Max open files +(?:[0-9]{1,19}|unlimited) +([0-9]{1,19}|unlimited) ", text, re.MULTILINE)
    if not match:
        return None
    return UNLIMITED if match[1] == "unlimited" else min(int(match[1]), UNLIMITED)
