"""Processors, memory and disk space."""

from __future__ import annotations

from msgspec import Struct

from preflight.facts.kinds import FilePath, Flags, Text, Word


class CpuSpeed(Struct, frozen=True):
    """A clock rate; `maximum` False: only the moment's rate is known, the maximum is at least that."""

    mhz: float
    source: Text
    maximum: bool


class CpuFeatures(Struct, frozen=True):
    """The processor's name and the instruction-set flags that matter (x86: ssse3, sse4_2 …; arm: asimd)."""

    model: Text
    flags: Flags
    count: int


class Memory(Struct, frozen=True):
    """From /proc/meminfo, in bytes; `limit_bytes`: the lowest cgroup limit on PID 1 (LXC), None = none."""

    total_bytes: int
    available_bytes: int | None
    swap_total_bytes: int
    swap_free_bytes: int  # no check asks; earlier versions read no facts without it
    limit_bytes: int | None = None


class Space(Struct, frozen=True):
    """A file system as seen at a path of the host. `existing`: the nearest parent that exists, where measured."""

    path: FilePath
    existing: FilePath
    mount: FilePath
    filesystem: Word
    options: tuple[Word, ...]
    total_bytes: int
    available_bytes: int
    inodes_total: int  # 0 = the file system has no fixed number
    inodes_available: int
    read_only: bool
