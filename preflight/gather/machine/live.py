"""The running host, as psutil describes it by the host's own procfs: processes, memory and swap.

A copy of a root has a parser of our own (`resources`), and so has what psutil would tell worse. A test holds all of
these against psutil on the machine that it runs on.

- Mounts: psutil reads the table of its own process, without the numbers that tell which mount hides which, and without
  the options of the file system alone.
- Processors: psutil counts those that its own process sees (in a container on LXC the machine's), knows no flags, and
  takes a limit that an administrator set for the highest clock rate.
- A process's arguments: psutil splits a title that a process wrote over them, so "nginx: master process" is three.

It takes 10 ms of the processor to load: a look at the ports of a busy host takes 0.58 of the time of `ss -tlnp` instead
of 0.55. A process takes it 0.2 ms, so thousands of names are searched through without it
(`sockets.processes.running_processes`).
"""

from __future__ import annotations

import warnings
from typing import Any

from msgspec import Struct

from preflight.gather.access.roots import Roots, Unreadable
from preflight.text.sentences import phrase


class Sizes(Struct, frozen=True):
    """Memory and swap in bytes."""

    total: int
    available: int
    swap_total: int
    swap_free: int


class Described(Struct, frozen=True):
    """A process: its name (whole, where its arguments tell it), its effective user's number, its parent (0 = none)."""

    name: str
    uid: int
    parent: int


def process(roots: Roots, pid: int) -> Described:
    """Describe a process of the host; raise `Unreadable` where it has gone, or cannot be read."""
    path = f"/proc/{pid}"
    library = _library(roots)
    try:
        found = library.Process(pid)
        with found.oneshot():
            return Described(_text(found.name()), found.uids().effective, found.ppid())
    except library.AccessDenied:
        raise Unreadable(path, phrase("permission denied"), "denied") from None
    except library.NoSuchProcess:
        raise Unreadable(path, phrase("not found"), "absent") from None
    except OSError as error:
        raise Unreadable.by(path, error) from None
    except (ValueError, IndexError):
        raise Unreadable(path, phrase("not readable")) from None


def memory(roots: Roots) -> Sizes | None:
    """Return the host's memory and swap; None: its procfs does not tell them; raise `Unreadable`."""
    library = _library(roots)
    try:
        plain, swap = library.virtual_memory(), library.swap_memory()
    except OSError as error:
        raise Unreadable.by("/proc/meminfo", error) from None
    except (KeyError, ValueError, IndexError):
        return None
    return Sizes(plain.total, plain.available, swap.total, swap.free)


def _library(roots: Roots) -> Any:
    """Load psutil, and point it at the host's procfs: a run looks at one host."""
    import psutil

    # What a container's procfs leaves out it says as a warning, and none of it is used.
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="psutil")
    psutil.PROCFS_PATH = "/proc" if roots.root is None else roots.locate("/proc")
    return psutil


def _text(name: str) -> str:
    """Turn bytes that are no text, which psutil keeps as surrogates, into replacement characters."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
