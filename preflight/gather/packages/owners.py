"""Which package a file came with, from the lists of the host's package manager."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator

from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.packages.packages import APK, DATABASE_BYTES, PACMAN, pacman_name

FILES = "/var/lib/dpkg/info"
SECONDS = 1.0  # for dpkg's lists of files, some thousands on a large host
# Where packages put their programs: for all others the databases need not be read.
_PLACES = r"/(?:usr/(?!local/)|bin/|sbin/|lib(?:32|64|x32)?/|opt/|etc/)[^\n]+"


def owners(roots: Roots, paths: set[str]) -> dict[str, str]:
    """Find the packages that files came with, as far as the package manager's database can be read and says."""
    left = {path for path in paths if re.fullmatch(_PLACES, path)}
    found: dict[str, str] = {}
    if not left:
        return found
    try:
        if roots.exists(FILES):
            return _dpkg_owners(roots, left)
        if roots.exists(APK):
            return apk_owners(roots.read(APK, DATABASE_BYTES), left)
        if roots.exists(PACMAN):
            return _pacman_owners(roots, left)
        from preflight.gather.packages import rpm

        return rpm.owners(roots, left)
    except Unreadable:
        return found


def _dpkg_owners(roots: Roots, left: set[str]) -> dict[str, str]:
    """Look through the lists of files, those first whose package is named like a part of a path."""
    names = [name for name in roots.entries(FILES, 100_000) if name.endswith(".list")]
    lists = {f"{FILES}/{name}": name.removesuffix(".list").partition(":")[0] for name in names}
    return _listed(roots, left, lists, "")


def _pacman_owners(roots: Roots, left: set[str]) -> dict[str, str]:
    """Look through pacman's lists of files, whose paths have no slash before them."""
    lists = {f"{PACMAN}/{name}/files": pacman_name(name) for name in roots.entries(PACMAN, 100_000)}
    return _listed(roots, left, lists, "/")


def _listed(roots: Roots, left: set[str], lists: dict[str, str], top: str) -> dict[str, str]:
    """Look through lists of files (with the package of each), those first whose package is named like a path's part."""
    wanted = {path: [b"\n%s\n" % os.fsencode(name.removeprefix(top)) for name in aliases(path)] for path in left}
    found: dict[str, str] = {}
    until = time.monotonic() + SECONDS
    for place in sorted(
        lists, key=lambda place: not any(f"/{lists[place].partition('-')[0]}" in path for path in left)
    ):
        if not wanted or time.monotonic() > until:
            break
        try:
            held = b"\n%s\n" % roots.read(place, DATABASE_BYTES)
        except Unreadable:
            continue
        for path in [path for path, lines in wanted.items() if any(line in held for line in lines)]:
            found[path] = lists[place]
            del wanted[path]
    return found


def aliases(path: str) -> tuple[str, ...]:
    """Return the names that a file may have in a database written before /bin, /sbin and /lib became links."""
    _, top, rest = (*path.split("/", 2), "")[:3]
    if top == "usr" and rest.startswith(("bin/", "sbin/", "lib")):
        return path, f"/{rest}"
    return (path, f"/usr{path}") if top in ("bin", "sbin") or top.startswith("lib") else (path,)


def apk_owners(database: bytes, paths: set[str]) -> dict[str, str]:
    """Read apk's database: of each package its name, then its folders, each followed by the files in it."""
    wanted = {os.fsencode(name[1:]): path for path in paths for name in aliases(path)}
    return {
        wanted[file]: package for package, file in _apk_files(database, {name.rpartition(b"/")[2] for name in wanted})
        if file in wanted
    }  # fmt: skip


def _apk_files(database: bytes, named: set[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield the files with one of these names: package, path."""
    for stanza in database.split(b"\n\n"):
        if not any(b"\nR:%s\n" % name in stanza + b"\n" for name in named):
            continue
        package, folder = "", b""
        for line in stanza.split(b"\n"):
            if line.startswith(b"P:"):
                package = line[2:].decode("ascii", "replace")
            elif line.startswith(b"F:"):
                folder = line[2:] + b"/"
            elif line.startswith(b"R:") and line[2:] in named and package:
                yield package, folder.lstrip(b"/") + line[2:]
