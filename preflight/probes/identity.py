"""Which run made an object, and whether that run is still alive: what the labels of our own objects say."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from preflight.facts.engine import RUN

STARTED = "mailcow-preflight.started"
BOOT = "mailcow-preflight.boot"
PROCESS = "mailcow-preflight.process"
DEAD = ("Z", "X", "x")  # states of proc_pid_stat(5): a zombie's parent may take its time
FOREIGN_SECONDS = 600.0  # a run that cannot be asked is held for dead after this


class Identity(Struct, frozen=True):
    """A run: its id, when it began (UTC), on which boot of which kernel, and as which process.

    `process` is `NAMESPACE:PID:START`: the inode of the PID namespace, the number in it, and the start in clock ticks.
    """

    run: str
    started: str
    boot: str
    process: str

    def labels(self) -> dict[str, str]:
        """Return the labels that every object of this run carries."""
        return {RUN: self.run, STARTED: self.started, BOOT: self.boot, PROCESS: self.process}


def own(proc: Path = Path("/proc")) -> Identity:
    """Return the identity of this very process, with a run's id of its own."""
    started = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Identity(os.urandom(6).hex(), started, boot(proc), f"{_namespace(proc)}:{_process(proc, 'self')}")


def boot(proc: Path = Path("/proc")) -> str:
    """Return the kernel's id of this boot, the same in every container; '' where it cannot be read."""
    try:
        return (proc / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _namespace(proc: Path) -> str:
    try:
        return os.readlink(proc / "self/ns/pid").removeprefix("pid:[").removesuffix("]")
    except OSError:
        return ""


def _process(proc: Path, name: str) -> str:
    """Return a process's number and start; '' where there is none, or one that has ended and was not waited for."""
    try:
        stat = (proc / name / "stat").read_text()
    except (OSError, ValueError):
        return ""
    number, _, rest = stat.partition(" ")
    fields = rest.rpartition(")")[2].split()  # the program's name may hold anything
    return f"{number}:{fields[19]}" if len(fields) > 19 and fields[0] not in DEAD else ""


def alive(labels: Mapping[str, str], *, local: bool = True, proc: Path = Path("/proc")) -> bool | None:
    """Say whether the run that made an object lives; None: it cannot be asked.

    `local`: the engine is on this very kernel, so that another boot means an earlier one.
    """
    here = boot(proc)
    if not here or not labels.get(BOOT):
        return None
    if labels[BOOT] != here:
        return False if local else None
    namespace, _, process = labels.get(PROCESS, "").partition(":")
    if not namespace or namespace != _namespace(proc):
        return None
    number = process.partition(":")[0]
    found = _process(proc, number) if number.isascii() and number.isdigit() else ""
    if not found and not _process(proc, "1"):  # PID 1 always lives: others' processes are hidden from us
        return None
    return bool(found) and found == process


def age(labels: Mapping[str, str], now: datetime.datetime) -> float:
    """Return the seconds since an object's run began; infinite where that is not said, or in the future."""
    try:
        began = datetime.datetime.strptime(labels.get(STARTED, ""), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC)
    except ValueError:
        return float("inf")
    seconds = (now - began).total_seconds()
    return seconds if seconds > -60 else float("inf")
