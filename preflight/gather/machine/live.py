"""Memory and swap of the running host, as psutil reads them from the host's own procfs.

A copy of a root has a parser of our own (`resources`), and so has what psutil would tell worse, or too late. A test
holds all of these against psutil on the machine that it runs on.

- Processes: to load psutil and describe the holders of mailcow's ports takes 12 ms of the processor. A look at the
  ports of a busy host would take 0.62 of the time of `ss -tlnp` instead of 0.59, and 0.6 is its bound.
- Mounts: psutil reads the table of its own process, without the numbers that tell which mount hides which, and without
  the options of the file system alone.
- Processors: psutil counts those that its own process sees (in a container on LXC the machine's), knows no flags, and
  takes a limit that an administrator set for the highest clock rate.
"""

from __future__ import annotations

import warnings

from msgspec import Struct

from preflight.gather.access.roots import Roots, Unreadable


class Sizes(Struct, frozen=True):
    """Memory and swap in bytes."""

    total: int
    available: int
    swap_total: int
    swap_free: int


def memory(roots: Roots) -> Sizes | None:
    """Return the host's memory and swap; None: its procfs does not tell them; raise `Unreadable`."""
    import psutil  # 10 ms, for whoever asks for memory

    # What a container's procfs leaves out psutil says as a warning, and none of it is used.
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="psutil")
    psutil.PROCFS_PATH = "/proc" if roots.root is None else roots.locate("/proc")
    try:
        plain, swap = psutil.virtual_memory(), psutil.swap_memory()
    except OSError as error:
        raise Unreadable.by("/proc/meminfo", error) from None
    except (KeyError, ValueError, IndexError):
        return None
    return Sizes(plain.total, plain.available, swap.total, swap.free)
