"""Which files go when our container goes: those that are on no mount of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from preflight.gather.access.view import MARKER
from preflight.gather.machine.mounts import TABLE_BYTES, mount_of, parse_mountinfo

_TABLE = "/proc/self/mountinfo"
# The root, and the file systems that the engine itself mounts in a container.
_ENGINES = frozenset({"/", "/dev", "/dev/shm", "/proc", "/sys", "/run"})
_LOST = (
    "{paths}: inside the container, and lost when the container is removed. Mount a directory "
    '(docker run -v "$PWD:/out") and use --output /out/{name}, or redirect standard output.'
)


def lost(paths: Iterable[str], environ: Mapping[str, str], table: str = _TABLE) -> str:
    """Say in one line which files go with our container, and what to do instead; '' where none does."""
    if environ.get(MARKER) != "1":
        return ""
    try:
        with open(table, encoding="utf-8", errors="surrogateescape") as file:
            mounts = parse_mountinfo(file.read(TABLE_BYTES))
    except OSError:
        return ""
    gone = []
    for path in paths:
        if os.path.exists(path) and not os.path.isfile(path):  # a pipe or a device keeps nothing anyway
            continue
        place = os.path.realpath(path)
        if not _same(os.path.dirname(path) or ".", os.path.dirname(place)):  # by /proc/1/root: on the host itself
            continue
        mount = mount_of(mounts, place)
        if mount is not None and mount.point in _ENGINES:
            gone.append(path)
    return _LOST.format(paths=", ".join(gone), name=os.path.basename(gone[0])) if gone else ""


def _same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return True
