"""Processor and memory: what the host has, not what a container of ours may use."""

from __future__ import annotations

import re

from preflight.facts import CpuFeatures, CpuSpeed, Fact, Memory
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.machine import live
from preflight.text.sentences import say

_CPUINFO = "/proc/cpuinfo"
_MEMINFO = "/proc/meminfo"
_CPU = "/sys/devices/system/cpu"
_CPUINFO_LIMIT = 8 << 20  # some 2 KiB for each of a few thousand processors
_FASTEST = 20_000.0  # MHz; more is damage
_NONE = 1 << 60  # bytes; version 1 writes "no limit" as a number near 2**63


# --- processor -----------------------------------------------------------------------------------------------


def cpu_speed(roots: Roots) -> Fact[CpuSpeed]:
    """Return the highest rate that cpufreq, the processor's name or /proc/cpuinfo know, in this order."""
    if (mhz := _cpufreq(roots)) is not None:
        return Fact.of(_CPU, CpuSpeed(mhz, "cpufreq", maximum=True))
    try:
        speed = parse_speed(roots.text(_CPUINFO, _CPUINFO_LIMIT))
    except Unreadable as error:
        return roots.unknown(_CPUINFO, error)
    if speed is None:
        return Fact.unknown(
            _CPUINFO, say("Neither cpufreq nor /proc/cpuinfo names a clock rate."), say("Look it up with lscpu.")
        )
    return Fact.of(_CPUINFO, speed)


def _cpufreq(roots: Roots) -> float | None:
    """Return the highest maximum of any processor in MHz; None: the kernel does not steer the rate."""
    try:
        paths = [f"{_CPU}/cpufreq/{name}" for name in roots.entries(f"{_CPU}/cpufreq") if name.startswith("policy")]
        cpus = [f"{_CPU}/{name}/cpufreq" for name in roots.entries(_CPU) if re.fullmatch(r"cpu[0-9]{1,5}", name)]
    except Unreadable:
        return None
    return max(_maxima(roots, paths), default=None) or max(_maxima(roots, cpus), default=None)


def _maxima(roots: Roots, folders: list[str]) -> list[float]:
    found = []
    for folder in folders:
        try:
            text = roots.text(f"{folder}/cpuinfo_max_freq", 32).strip()
        except Unreadable:
            continue
        if re.fullmatch(r"[0-9]{1,9}", text) and 0 < int(text) / 1000 < _FASTEST:
            found.append(int(text) / 1000)
    return found


def parse_speed(text: str) -> CpuSpeed | None:
    """Read a clock rate from /proc/cpuinfo: the name's nominal rate, else the highest of the moment's."""
    names = re.findall(r"^model name\s*:.*@ ?([0-9]{1,5}(?:\.[0-9]{1,4})?) ?([GM])Hz", text, re.MULTILINE)
    nominal = [float(number) * (1000 if unit == "G" else 1) for number, unit in names]
    if fits := [mhz for mhz in nominal if 0 < mhz < _FASTEST]:
        return CpuSpeed(max(fits), "model name", maximum=True)
    rows = re.findall(r"^(cpu MHz(?: static)?|clock)\s*:\s*([0-9]{1,6}(?:\.[0-9]{1,9})?)", text, re.MULTILINE)
    fixed = [float(mhz) for name, mhz in rows if name.endswith("static") and 0 < float(mhz) < _FASTEST]
    moment = [float(mhz) for _, mhz in rows if 0 < float(mhz) < _FASTEST]
    if fixed:  # s390: the processor's own rate
        return CpuSpeed(max(fixed), "cpu MHz static", maximum=True)
    return CpuSpeed(max(moment), "cpu MHz", maximum=False) if moment else None


def cpu_features(roots: Roots) -> Fact[CpuFeatures]:
    """Return the processor's name, its flags as the kernel lists them, and how many processors there are."""
    try:
        found = parse_features(roots.text(_CPUINFO, _CPUINFO_LIMIT))
    except Unreadable as error:
        return roots.unknown(_CPUINFO, error)
    if found is None:
        return Fact.unknown(_CPUINFO, say("{path} describes no processor.", path=_CPUINFO))
    return Fact.of(_CPUINFO, found)


def parse_features(text: str) -> CpuFeatures | None:
    """Read the processor's name, flags and count from /proc/cpuinfo of any architecture; None: it has none of them."""
    count = len(re.findall(r"^processor\s*(?:[0-9]+)?\s*:", text, re.MULTILINE))
    flags = re.search(r"^(?:flags|Features|features|isa|CPU Flags)\s*:([^\n]{0,20000})", text, re.MULTILINE)
    if not count and not flags:
        return None
    titles = "model name|Model Name|cpu model|cpu|uarch|Hardware|Model"
    name = re.search(rf"^(?:{titles})\s*:\s*([^\n]{{0,200}})", text, re.MULTILINE)
    name = name or re.search(r"^vendor_id\s*:\s*([^\n]{0,200})", text, re.MULTILINE)
    words = flags[1].split() if flags else []
    return CpuFeatures(name[1].strip() if name else "", tuple(word[:64] for word in words[:1000]), max(count, 1))


# --- memory --------------------------------------------------------------------------------------------------


def memory(roots: Roots) -> Fact[Memory]:
    """Return RAM and swap of the machine, and the limit that a container around the host sets."""
    try:
        found = _live_memory(roots) if roots.view.live else parse_meminfo(roots.text(_MEMINFO, 1 << 16), _limit(roots))
    except Unreadable as error:
        return roots.unknown(_MEMINFO, error)
    if found is None:
        return Fact.unknown(
            _MEMINFO, say("{path} is damaged: it does not tell how much memory and swap there is.", path=_MEMINFO)
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
