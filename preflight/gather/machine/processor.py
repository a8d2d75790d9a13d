"""The host's processor: its rate, its name and its flags."""

from __future__ import annotations

import re

from preflight.facts import CpuFeatures, CpuSpeed, Fact
from preflight.gather.access.roots import Roots, Unreadable
from preflight.text.sentences import say

_CPUINFO = "/proc/cpuinfo"
_CPU = "/sys/devices/system/cpu"
_CPUINFO_LIMIT = 8 << 20  # some 2 KiB for each of a few thousand processors
_FASTEST = 20_000.0  # MHz; more is damage


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
            _CPUINFO, say("Neither cpufreq nor /proc/cpuinfo shows a clock rate."), say("Look it up with lscpu.")
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
        return Fact.unknown(_CPUINFO, say("{path} does not describe a processor.", path=_CPUINFO))
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
