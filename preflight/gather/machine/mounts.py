"""The host's mounts, and which of them a path lies on. Pure."""

from __future__ import annotations

import re

from msgspec import Struct

TABLE_BYTES = 4 << 20
_ESCAPE = re.compile(r"\\([0-7]{3})")
_LONG = 120  # characters; overlays list their layers in an option


class Mount(Struct, frozen=True):
    """A line of mountinfo: its own id and the parent's, where it is mounted, what kind of file system, options.

    `options` are the mount's own and the file system's, `of_filesystem` the latter alone: a bind mount may be read-only
    although its file system is not.
    """

    number: int
    parent: int
    point: str
    filesystem: str
    options: tuple[str, ...]
    of_filesystem: tuple[str, ...] = ()


def parse_mountinfo(text: str) -> tuple[Mount, ...]:
    """Parse /proc/PID/mountinfo; lines that are not of its form are left out. Never raises."""
    return tuple(mount for line in text.split("\n") if (mount := _line(line)))


def _line(line: str) -> Mount | None:
    left, dash, right = line.partition(" - ")
    fields, rest = left.split(" "), right.split(" ")
    if not dash or len(fields) < 6 or not re.fullmatch(r"[0-9]{1,10} [0-9]{1,10}", f"{fields[0]} {fields[1]}"):
        return None
    inner = rest[2].split(",") if len(rest) > 2 else []
    kept, below = _kept([*fields[5].split(","), *inner]), _kept(inner)
    return Mount(int(fields[0]), int(fields[1]), _unescape(fields[4]), rest[0], kept, below)


def _kept(options: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(option for option in options if option and len(option) <= _LONG))[:50]


def _unescape(text: str) -> str:
    """Undo the octal escapes of blanks, tabs, line ends and backslashes."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8) & 0xFF), text)


def mount_of(mounts: tuple[Mount, ...], path: str) -> Mount | None:
    """Return the mount that a path (without links) lies on, as the kernel walks; None: it cannot be told.

    From the root's mount downwards: what is mounted on the way leads on, so a later mount hides those below it.
    """
    numbers = {mount.number for mount in mounts}
    tops = [m for m in mounts if m.point == "/" and (m.parent not in numbers or m.parent == m.number)]
    if not tops:
        found = [mount for mount in mounts if below(path, mount.point)]
        return max(reversed(found), key=lambda mount: len(mount.point), default=None)
    here, seen = tops[-1], {tops[-1].number}
    while True:
        ways = [m for m in mounts if m.parent == here.number and m.number not in seen and below(path, m.point)]
        ways = [m for m in ways if len(m.point) >= len(here.point)]
        if not ways:
            return here
        here = min(ways, key=lambda mount: len(mount.point))
        seen.add(here.number)


def below(path: str, folder: str) -> bool:
    """Say whether a path is a folder, or below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
