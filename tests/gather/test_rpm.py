"""rpm's database of today: written by SQLite itself as rpm 4.20 does, with headers made as rpm's are."""

from __future__ import annotations

import os
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.gather.access.view import find_roots
from preflight.gather.packages import owners as package_owners
from preflight.gather.packages import packages, rpm
from preflight.gather.packages.rpm import PLACES, file_of, installed, owners
from preflight.gather.packages.sqlite import Damaged
from tests.gather.trees import out_of_reach

WANTED = frozenset({"postfix", "nginx", "exim"})
FILES = {
    "nginx": ("/usr/sbin/nginx", "/etc/nginx/nginx.conf"),
    "nginx-extra": ("/opt/bin/nginx",),
    "postfix": ("/usr/libexec/postfix/master", "/usr/sbin/postfix", "/bin/mailq"),
    "cyrus-imapd": ("/usr/libexec/cyrus-imapd/master",),
    "large": tuple(f"/usr/share/large/{number}" for number in range(3000)),
}


def header(name: str, files: tuple[str, ...]) -> bytes:
    """Make a package's header: its number of entries and bytes, the entries, the data."""
    folders = sorted({f"{os.path.dirname(file)}/" for file in files})
    places = [folders.index(f"{os.path.dirname(file)}/") for file in files]
    parts = [
        (1000, 6, 1, name.encode() + b"\0"),
        (1116, 4, len(files), struct.pack(f">{len(places)}I", *places)),
        (1117, 8, len(files), b"".join(os.path.basename(file).encode() + b"\0" for file in files)),
        (1118, 8, len(folders), b"".join(folder.encode() + b"\0" for folder in folders)),
    ]
    entries = data = b""
    for tag, kind, count, content in parts:
        data += b"\0" * (-len(data) % 4)
        entries += struct.pack(">IIiI", tag, kind, len(data), count)
        data += content
    return struct.pack(">II", len(parts), len(data)) + entries + data


def database(root: Path, place: str = PLACES[1], *, made: dict[str, tuple[str, ...]] = FILES) -> Path:
    path = root / place.lstrip("/")
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as held:
        held.execute("PRAGMA journal_mode = WAL")
        held.execute("CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)")
        for name in ("Name", "Basenames"):
            held.execute(f"CREATE TABLE '{name}' (key 'TEXT' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL)")
            held.execute(f"CREATE INDEX '{name}_key_idx' ON '{name}'(key ASC)")
        for number, (package, files) in enumerate(made.items(), 1):
            held.execute("INSERT INTO Packages VALUES (?, ?)", (number, header(package, files)))
            held.execute("INSERT INTO Name VALUES (?, ?, 0)", (package, number))
            rows = [(os.path.basename(file), number, at) for at, file in enumerate(files)]
            held.executemany("INSERT INTO Basenames VALUES (?, ?, ?)", rows)
        held.commit()
    return path


@pytest.mark.parametrize("place", PLACES)
def test_packages_that_are_installed(tmp_path: Path, place: str) -> None:
    database(tmp_path, place)
    before = sorted(tmp_path.rglob("*"))
    roots = find_roots({}, str(tmp_path))
    assert installed(roots, WANTED) == packages.installed(roots, WANTED) == {"nginx": True, "postfix": True}
    assert installed(roots, frozenset()) == {}
    assert sorted(tmp_path.rglob("*")) == before  # nothing was written beside it


@pytest.mark.parametrize(
    ("path", "package"),
    [
        ("/usr/sbin/nginx", "nginx"), ("/opt/bin/nginx", "nginx-extra"), ("/usr/libexec/postfix/master", "postfix"),
        ("/usr/libexec/cyrus-imapd/master", "cyrus-imapd"), ("/usr/share/large/2999", "large"),
        ("/usr/bin/mailq", "postfix"),  # through the link /bin
        ("/usr/bin/nginx", None), ("/usr/local/sbin/nginx", None), ("/usr/sbin/missing", None), ("/usr/sbin/", None),
    ],
)  # fmt: skip
def test_the_package_that_rpm_names(tmp_path: Path, path: str, package: str | None) -> None:
    database(tmp_path)
    (tmp_path / "bin").symlink_to("usr/bin")
    (tmp_path / "usr/bin").mkdir(parents=True)
    assert package_owners.owners(find_roots({}, str(tmp_path)), {path}) == ({path: package} if package else {})


def test_a_database_with_changes_beside_it_is_not_believed(tmp_path: Path) -> None:
    path = database(tmp_path)
    waiting = path.with_name(f"{path.name}-wal")
    waiting.write_bytes(b"")
    roots = find_roots({}, str(tmp_path))
    assert installed(roots, WANTED)
    waiting.write_bytes(b"x")
    assert installed(roots, WANTED) is None
    assert owners(roots, {"/usr/sbin/nginx"}) == {}


@pytest.mark.parametrize("kind", ["pipe", "loop", "folder", "empty", "other", "absent", "berkeley"])
def test_what_is_no_such_database_says_nothing(tmp_path: Path, kind: str) -> None:
    path = database(tmp_path)
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "other":
        with closing(sqlite3.connect(path)) as held:
            held.execute("CREATE TABLE t (x)")
    elif kind == "berkeley":
        path.with_name("Packages").write_bytes(b"\0" * 12 + b"\x61\x15\x06\0" + b"nginx" * 100)
    roots = find_roots({}, str(tmp_path))
    assert installed(roots, WANTED) is None
    assert owners(roots, {"/usr/sbin/nginx"}) == {}
    assert installed(out_of_reach(), WANTED) is None


@given(st.binary(max_size=80), st.integers(0, 200), st.integers(-(1 << 62), 1 << 62))
def test_no_header_breaks_it(noise: bytes, at: int, number: int) -> None:
    whole = header("nginx", FILES["nginx"])
    for data in (noise, whole[:at], whole[:at] + noise + whole[at + len(noise) :]):
        try:
            path, package = rpm.file_of(data, number)
        except Damaged:
            continue
        assert isinstance(path, str)
        assert isinstance(package, str)
    assert file_of(whole, 1) == ("/etc/nginx/nginx.conf", "nginx")
