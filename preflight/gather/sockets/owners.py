"""Which process has a socket: a bounded walk over the open files of the host's processes.

Most servers have their listeners among the first files that they opened. So the first files of all processes are
looked at first, and all files of all processes only where that was not enough.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from preflight.facts.sockets import Hidden
from preflight.gather.access.roots import Roots, Unreadable

SECONDS = 5.0
# Numbers of files: nobody opens a listener as the first three, so inetd's alone are left to the look at all files.
FIRST = tuple(tuple(map(str, range(*numbers))) for numbers in ((3, 8), (8, 16)))
GAP = 1  # numbers that may be missing among those in use; after more, a process is taken to have no more files
GENERATIONS = 20


class Late(Exception):
    """The walk takes too long."""


class Owners(NamedTuple):
    """Which process has which socket, by inode, and why some may be hidden."""

    pids: dict[int, int]
    hidden: Hidden = ""


def walk(roots: Roots, inodes: set[int]) -> Owners:
    """Find a process for each inode: of several with the socket the parent."""
    left = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, int] = {}
    if not left:
        return Owners(found)
    try:
        proc = roots.locate("/proc")
        pids = sorted(int(name) for name in roots.entries("/proc", 1_000_000) if name.isdecimal())
    except Unreadable as error:
        return Owners(found, "denied" if error.cause == "denied" else "unreadable")
    closed = pids[:1] != [1]  # where PID 1 is not shown, other users' processes are not either
    until = time.monotonic() + SECONDS
    some = pids
    try:
        for numbers in FIRST:
            some, more = _look(proc, some, numbers, left, found, until)
            closed |= more
        closed |= _look(proc, pids, (), left, found, until)[1]
    except Late:
        return Owners(found, "late")
    return Owners(_eldest(proc, found), "denied" if closed and left else "")


def _look(
    proc: str, pids: list[int], numbers: tuple[str, ...], left: dict[str, int], found: dict[int, int], until: float
) -> tuple[list[int], bool]:
    """Move what is found from `left` to `found`; return the processes with more files, and whether some are hidden."""
    more = []
    hidden = False
    for pid in pids:
        if not left:
            break
        if time.monotonic() > until:
            raise Late
        files = open_files(f"{proc}/{pid}/fd", numbers)
        if files is None:
            hidden = True
            continue
        if len(files) >= len(numbers) - GAP:
            more.append(pid)
        for file in files:
            inode = left.pop(file, None)
            if inode is not None:
                found[inode] = pid
    return more, hidden


def open_files(directory: str, numbers: tuple[str, ...] = ()) -> list[str] | None:
    """Return where a process's open files lead to; [] where it has gone, None where they may not be seen.

    With `numbers`, only these, up to a gap.
    """
    found = []
    missing = 0
    try:
        # An open directory spares the kernel the way to it for every file: a third of the time.
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return None
    except OSError:
        return []
    try:
        for name in numbers or os.listdir(handle):
            try:
                found.append(os.readlink(name, dir_fd=handle))
            except FileNotFoundError:  # none, or closed meanwhile
                missing += 1
                if numbers and missing > GAP:
                    break
    except PermissionError:
        return None
    except OSError:
        return []
    finally:
        os.close(handle)
    return found


def _eldest(proc: str, found: dict[int, int]) -> dict[int, int]:
    """Go up from each owner to the parent that has the socket too: the server itself, or systemd for a .socket unit."""
    files: dict[int, frozenset[str]] = {}
    owners = {}
    for inode, pid in found.items():
        for _ in range(GENERATIONS):
            parent = _parent(proc, pid)
            if parent not in files:
                files[parent] = frozenset(open_files(f"{proc}/{parent}/fd") or ())
            if f"socket:[{inode}]" not in files[parent]:
                break
            pid = parent
        owners[inode] = pid
    return owners


def _parent(proc: str, pid: int) -> int:
    """Return a process's parent; 0: none, or it has gone."""
    try:
        with open(f"{proc}/{pid}/stat", "rb", buffering=0) as file:
            return int(file.read(4096).rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0
