"""Which packages the host has, from captured databases of dpkg and apk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.gather.access.view import find_roots
from preflight.gather.packages import packages
from preflight.gather.packages.packages import DPKG, apk, dpkg, installed
from tests.gather.trees import copy, out_of_reach
from tests.gather.units import STANZA

WANTED = frozenset({"exim4", "postfix", "nginx"})


@pytest.mark.parametrize(
    ("status", "here"),
    [
        ("install ok installed", True), ("hold ok installed", True), ("deinstall ok installed", True),
        ("install ok half-configured", True), ("install reinstreq half-installed", True), ("install ok unpacked", True),
        ("install ok triggers-pending", True), ("deinstall ok config-files", False),
        ("unknown ok not-installed", False), ("purge ok not-installed", False), ("", False), ("install", False),
    ],
)  # fmt: skip
def test_a_state_of_dpkg(status: str, here: bool) -> None:
    assert dpkg(STANZA.format("exim4", status).encode(), WANTED) == {"exim4": here}


def test_a_database_of_dpkg() -> None:
    """Other names, and fields within a description, do not count; of two architectures one is enough."""
    gone, kept = "deinstall ok config-files", "install ok installed"
    text = "\n".join((
        STANZA.format("exim4-doc", kept), STANZA.format("postfix", kept), STANZA.format("postfix", gone),
        STANZA.format("exim4", gone).replace(" y\n", " Package: nginx\n Status: install ok installed\n"),
        "Status: install ok installed\nPackage: nginx\n",
    ))  # fmt: skip
    assert dpkg(text.encode(), WANTED) == {"postfix": True, "exim4": False}


@pytest.mark.parametrize(
    ("database", "found"),
    [
        (b"", {}),
        (b"C:Q1a\nP:nginx\nV:1.26.2-r0\nA:x86_64\nT:web server\nF:etc/nginx\n\nP:musl\nV:1\n\n", {"nginx": True}),
        (b"C:Q1a\nP:nginx-doc\nD:so:nginx postfix\np:postfix=1\nT:P:exim4\n", {}),
        (b"P:nginx\r\nP:\xff\xfe\nP:postfix", {"nginx": True, "postfix": True}),
    ],
)
def test_a_database_of_apk(database: bytes, found: dict[str, bool]) -> None:
    assert apk(database, WANTED) == found


@given(st.binary(max_size=300) | st.text(alphabet="Package: Status:\nexim4 install ok", max_size=300).map(str.encode))
def test_no_database_breaks_it(database: bytes) -> None:
    for found in (dpkg(database, WANTED), dpkg(b"Package: exim4\n" + database, WANTED), apk(database, WANTED)):
        assert set(found) <= WANTED


def test_each_distribution_s_own_database(tmp_path: Path) -> None:
    debian, alpine = tmp_path / "debian", tmp_path / "alpine"
    assert installed(copy(debian, **{DPKG: STANZA.format("exim4", "install ok installed")}), WANTED) == {"exim4": True}
    roots = copy(alpine, **{"/usr/lib/apk/db/installed": "P:nginx\n"})
    (alpine / "lib").symlink_to("usr/lib")
    assert installed(roots, WANTED) == {"nginx": True}


def test_of_a_damaged_database_of_rpm_nothing_is_known(tmp_path: Path) -> None:
    roots = copy(tmp_path, **{"/var/lib/rpm/rpmdb.sqlite": "SQLite format 3\0"})
    assert installed(roots, WANTED) is None
    assert installed(out_of_reach(), WANTED) is None


@pytest.mark.parametrize("kind", ["pipe", "loop", "folder", "outside"])
def test_what_is_no_database_is_not_read(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "root" / DPKG.lstrip("/")
    place.parent.mkdir(parents=True)
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "loop":
        place.symlink_to("status")
    elif kind == "folder":
        place.mkdir()
    else:
        (tmp_path / "status").write_text(STANZA.format("exim4", "install ok installed"))
        place.symlink_to("../" * 20 + str(tmp_path / "status").lstrip("/"))
    assert installed(find_roots({}, str(tmp_path / "root")), WANTED) is None


def test_a_huge_database_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, last = STANZA.format("exim4", "install ok installed"), STANZA.format("postfix", "install ok installed")
    monkeypatch.setattr(packages, "DATABASE_BYTES", len(first) + 20)
    assert installed(copy(tmp_path, **{DPKG: f"{first}\n{last}"}), WANTED) == {"exim4": True}


def test_pacmans_folders(tmp_path: Path) -> None:
    folders = {f"{packages.PACMAN}/{name}/files": "" for name in ("nginx-1.28.0-1", "lib-x-2:1-3")}
    roots = copy(tmp_path, **folders, **{f"{packages.PACMAN}/ALPM_DB_VERSION": "9\n"})
    assert installed(roots, WANTED | {"lib-x"}) == {"nginx": True, "lib-x": True}
