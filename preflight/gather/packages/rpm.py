"""rpm's database, as far as it is the SQLite one of today (rpm 4.16 and newer): read, never opened by rpm itself.

Not read are the older kinds, in Berkeley DB (RHEL 8 and before) and ndb (SUSE), nor changes that a killed rpm has left
beside the database: then nothing is said of packages.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.packages.sqlite import SIZE, Damaged, opened

if TYPE_CHECKING:
    from sqlite3 import Connection

PLACES = ("/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite")
_TABLES = frozenset({"Name", "Basenames", "Packages"})
_NAME, _DIRECTORY_OF, _FILES, _DIRECTORIES = 1000, 1116, 1117, 1118  # tags of a package's header
ROWS = 200  # files of one name
ENTRIES = 10_000  # of a header
ITEMS = 500_000  # of an entry


def installed(roots: Roots, wanted: frozenset[str]) -> dict[str, bool] | None:
    """Return those of the wanted packages that are installed; None: there is no database that could be read."""
    named = "SELECT 1 FROM Name WHERE key = CAST(? AS TEXT)"
    try:
        with _database(roots) as held:
            return {name: True for name in sorted(wanted) if held.execute(named, (name.encode(),)).fetchone()}
    except (Unreadable, Damaged, OSError):
        return None


def owners(roots: Roots, paths: set[str]) -> dict[str, str]:
    """Find the packages that files came with, as far as the database says."""
    found: dict[str, str] = {}
    try:
        with _database(roots) as held:
            for path in sorted(paths):
                package = next((name for file, name in _named(held, path) if _same(roots, file, path)), None)
                if package:
                    found[path] = package
    except (Unreadable, Damaged, OSError):
        pass
    return found


@contextmanager
def _database(roots: Roots) -> Iterator[Connection]:
    place = next((place for place in PLACES if roots.exists(place)), PLACES[0])
    waiting = roots.lstat(f"{place}-wal")
    if waiting is not None and waiting.st_size:
        raise Damaged("changes wait beside the database")
    with os.fdopen(roots.open(place), "rb") as file:
        data = bytearray(file.read(SIZE + 1))
    with opened(data, _TABLES) as held:
        yield held


def _named(held: Connection, path: str) -> Iterator[tuple[str, str]]:
    """Yield the files of packages that are named like the last part of a path: each with its package."""
    name = os.fsencode(path.rpartition("/")[2])
    files = f"SELECT hnum, idx FROM Basenames WHERE key = CAST(? AS TEXT) LIMIT {ROWS}"
    for package, at in held.execute(files, (name,)):
        row = held.execute("SELECT blob FROM Packages WHERE hnum = ?", (package,)).fetchone()
        if row and isinstance(row[0], bytes) and isinstance(at, int):
            yield file_of(row[0], at)


def _same(roots: Roots, one: str, other: str) -> bool:
    """Say whether two paths lead to the same file: /bin and /sbin may be links."""
    try:
        return one == other or roots.locate(one) == roots.locate(other)
    except Unreadable:
        return False


def file_of(header: bytes, number: int) -> tuple[str, str]:
    """Read a package's header: return the path of one of its files, and its name; raise `Damaged`."""
    try:
        count, size = struct.unpack_from(">II", header)
        data = header[8 + 16 * count :][:size]
        tags = {}
        for at in range(min(count, ENTRIES)):
            tag, _, start, items = struct.unpack_from(">IIiI", header, 8 + 16 * at)
            tags[tag] = start, min(items, ITEMS)
        at = tags[_DIRECTORY_OF][0] + 4 * number
        if min(at, number) < 0:
            raise ValueError(number)
        (folder,) = struct.unpack_from(">I", data, at)
        file, folders = _strings(data, *tags[_FILES]), _strings(data, *tags[_DIRECTORIES])
        name = _strings(data, *tags[_NAME])[0]
        return os.fsdecode(folders[folder] + file[number]), name.decode("ascii", "replace")
    except (struct.error, KeyError, IndexError, ValueError, OverflowError):
        raise Damaged("a package's header is none") from None


def _strings(data: bytes, start: int, count: int) -> list[bytes]:
    if start < 0:
        raise ValueError(start)
    return data[start:].split(b"\0", count)[:count]
