"""Free space and inodes where mailcow's data will lie."""

from __future__ import annotations

import os
import threading
import time

from preflight.facts import Fact, Space
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.machine import mounts
from preflight.text.sentences import say

OWN = "/proc/self/mountinfo"
SECONDS = 3.0  # for a file system to answer: a dead mount never does


def spaces(roots: Roots, paths: tuple[str, ...], seconds: float = SECONDS) -> Fact[dict[str, Fact[Space]]]:
    """Return the space at each path. A path whose file system does not answer is unknown, the others are not."""
    if not roots.view.live:
        reason = say("This is a copy of a host's files. Only the running host knows the sizes of its file systems.")
        copied: Fact[Space] = Fact.unknown("statvfs", reason, say("Run the check on the host."), cause="copy")
        return Fact.of("statvfs", dict.fromkeys(paths, copied))
    found: dict[str, Fact[Space]] = {}
    threads = [
        threading.Thread(target=_keep, args=(roots, path, found), name=f"space {path}", daemon=True) for path in paths
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return Fact.of("statvfs", {path: found.get(path) or _late(path, seconds) for path in paths})


def _late(path: str, seconds: float) -> Fact[Space]:
    reason = say("The file system at {path} did not answer within {seconds} s.", path=path, seconds=f"{seconds:g}")
    return Fact.unknown(
        "statvfs", reason, say("Check whether the mount at {path} or above it still responds.", path=path), cause="late"
    )


def _keep(roots: Roots, path: str, found: dict[str, Fact[Space]]) -> None:
    try:
        found[path] = Fact.of("statvfs", measure(roots, path))
    except Unreadable as error:
        found[path] = roots.unknown("statvfs", error)
    except OSError as error:
        reason = say("The file system at {path} did not report its size.", path=path)
        found[path] = Fact.unknown("statvfs", reason, detail=error.strerror or "")


def measure(roots: Roots, path: str) -> Space:
    """Measure at a path, or at its nearest parent that exists; raise `Unreadable`, OSError."""
    existing = path
    while existing not in ("", "/") and not roots.exists(existing):
        existing = existing.rpartition("/")[0]
    existing = existing or "/"
    here = roots.locate(existing)
    size = os.statvfs(here)
    mount = _mount(roots, here)
    options = mount.options if mount else ()
    return Space(
        path=path,
        existing=existing,
        mount=mount.point if mount else "",
        filesystem=mount.filesystem if mount else "",
        options=options,
        total_bytes=size.f_blocks * size.f_frsize,
        available_bytes=size.f_bavail * size.f_frsize,
        inodes_total=size.f_files,
        inodes_available=size.f_favail,
        read_only=_read_only(roots, mount, here, bool(size.f_flag & os.ST_RDONLY)),
    )


def _read_only(roots: Roots, mount: mounts.Mount | None, here: str, flagged: bool) -> bool:
    """Say whether the host itself cannot write there.

    `flagged` is what statvfs says of the mount that we look through, which may be a bind mount that is read-only for us
    alone (`-v /:/host:ro`). So the host's own table counts; without it, of our mount, what its file system says.
    """
    if mount is not None:
        return "ro" in mount.options
    if not flagged or roots.root in (None, "/"):
        return flagged
    try:
        with open(OWN, "rb") as file:
            ours = mounts.mount_of(mounts.parse_mountinfo(os.fsdecode(file.read(mounts.TABLE_BYTES))), here)
    except OSError:
        return False  # nobody can tell, and it is no reason to call a disk broken
    return ours is not None and "ro" in ours.of_filesystem


def _mount(roots: Roots, here: str) -> mounts.Mount | None:
    """Return the mount of a path of this process, by the host's own table."""
    try:
        table = roots.text(roots.process_file("mountinfo"), mounts.TABLE_BYTES)
    except Unreadable:
        return None
    inside = here[len((roots.root or "/").rstrip("/")) :] or "/"
    return mounts.mount_of(mounts.parse_mountinfo(table), inside)
