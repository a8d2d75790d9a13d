"""Memory and swap: what the host has, not what a container of ours may use."""

from __future__ import annotations

import re

from preflight.facts import Fact, Memory
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.machine import live
from preflight.text.sentences import say

_MEMINFO = "/proc/meminfo"
_NONE = 1 << 60  # bytes; version 1 writes "no limit" as a number near 2**63


def memory(roots: Roots) -> Fact[Memory]:
    """Return RAM and swap of the machine, and the limit that a container around the host sets."""
    try:
        found = _live_memory(roots) if roots.view.live else parse_meminfo(roots.text(_MEMINFO, 1 << 16), _limit(roots))
    except Unreadable as error:
        return roots.unknown(_MEMINFO, error)
    if found is None:
        return Fact.unknown(
            _MEMINFO, say("{path} is damaged: the amounts of memory and swap are missing.", path=_MEMINFO)
        )
    return Fact.of(_MEMINFO, found)


def _live_memory(roots: Roots) -> Memory | None:
    told = live.memory(roots)
    if told is None:
        return None
    return Memory(told.total, told.available, told.swap_total, told.swap_free, _limit(roots))


def parse_meminfo(text: str, limit: int | None = None) -> Memory | None:
    """Read the sizes, which are in KiB; None: total memory or swap is missing or no number."""
    rows = re.findall(r"^(MemTotal|MemAvailable|SwapTotal|SwapFree):[ \t]+([0-9]{1,15}) kB\r?$", text, re.MULTILINE)
    sizes: dict[str, int] = {}
    for name, number in rows:
        sizes.setdefault(name, int(number) * 1024)
    if not sizes.get("MemTotal") or "SwapTotal" not in sizes:
        return None
    return Memory(sizes["MemTotal"], sizes.get("MemAvailable"), sizes["SwapTotal"], sizes.get("SwapFree", 0), limit)


def _limit(roots: Roots) -> int | None:
    """Return the lowest memory limit on PID 1's control group and those above it; None: none is seen."""
    try:
        groups = parse_groups(roots.text("/proc/1/cgroup", 1 << 14))
    except Unreadable:
        return None
    found = [size for folder, name in groups if (size := _size(roots, f"{folder}/{name}")) is not None]
    return min(found, default=None)


def _size(roots: Roots, path: str) -> int | None:
    try:
        text = roots.text(path, 64).strip()
    except Unreadable:
        return None
    return int(text) if re.fullmatch(r"[0-9]{1,20}", text) and 0 < int(text) < _NONE else None


def parse_groups(text: str) -> list[tuple[str, str]]:
    """Return the folders whose limits hold for a process, from its /proc/PID/cgroup, and the file's name in them.

    Seen from another control-group name space the path begins with "..": it is taken from the top.
    """
    found: list[tuple[str, str]] = []
    for line in text.split("\n")[:64]:
        parts = line.split(":", 2)
        if len(parts) != 3:
            continue
        steps = [step for step in parts[2].split("/") if step not in ("", ".", "..")][:32]
        for depth in range(len(steps), -1, -1):
            tail = "/".join(["", *steps[:depth]])
            if not parts[1]:
                found += [(f"/sys/fs/cgroup{tail}", "memory.max"), (f"/sys/fs/cgroup/unified{tail}", "memory.max")]
            elif "memory" in parts[1].split(","):
                found.append((f"/sys/fs/cgroup/memory{tail}", "memory.limit_in_bytes"))
    return found
