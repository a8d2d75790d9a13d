"""Processes that hold sockets, as files of a tree."""

from __future__ import annotations

from pathlib import Path

from preflight.gather.access.roots import Roots
from tests.gather.ends import VIEW


def tree(root: Path, *pids: int, **owners: int) -> Roots:
    """Make a procfs with these processes; `owners` name the inode that one of them has open: pid7=4242."""
    for pid in pids:
        (root / f"proc/{pid}/fd").mkdir(parents=True)
        (root / f"proc/{pid}/fd/0").symlink_to("/dev/null")
    for name, inode in owners.items():
        (root / f"proc/{name.removeprefix('pid')}/fd/{inode}").symlink_to(f"socket:[{inode}]")
    (root / "proc/sys").mkdir()
    return Roots(str(root), VIEW, anchor="1")
