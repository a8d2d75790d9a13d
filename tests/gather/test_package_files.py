"""Which package a file came with, from captured lists of dpkg, apk and pacman."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.gather.packages import owners, packages
from tests.gather.trees import copy, out_of_reach

LISTS = {
    "exim4-daemon-light.list": "/.\n/usr\n/usr/sbin\n/usr/sbin/exim4\n/usr/sbin/exim4-extra\n",
    "postfix.list": "/.\n/usr/lib/postfix/sbin/master\n",
    "libc6:amd64.list": "/usr/sbin/exim4.so\n/lib/ld.so",
    "busybox.list": "/bin/busybox\n",
}


@pytest.mark.parametrize(
    ("path", "package"),
    [
        ("/usr/sbin/exim4", "exim4-daemon-light"),
        ("/usr/lib/postfix/sbin/master", "postfix"),
        ("/lib/ld.so", "libc6"),
        ("/usr/lib/ld.so", "libc6"),  # written before /lib became a link
        ("/usr/bin/busybox", "busybox"),
        ("/usr/sbin/exim", None),
        ("/usr/local/sbin/exim4", None),
        ("/usr/sbin/exim4\n/usr/sbin/exim4-extra", None),
        ("sbin/exim4", None),
        ("/", None),
        ("", None),
    ],
)
def test_the_package_that_dpkg_names(tmp_path: Path, path: str, package: str | None) -> None:
    roots = copy(tmp_path, **{f"{owners.FILES}/{name}": text for name, text in LISTS.items()})
    assert owners.owners(roots, {path}) == ({path: package} if package else {})


def test_the_lists_are_not_read_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "SECONDS", -1.0)
    roots = copy(tmp_path, **{f"{owners.FILES}/{name}": text for name, text in LISTS.items()})
    assert owners.owners(roots, {"/usr/sbin/exim4"}) == {}


APK_FILES = (
    "P:musl\nF:lib\nR:ld-musl.so\n\nP:postfix\nV:3\nF:\nF:usr\nF:usr/libexec/postfix\nR:other\n"
    "R:master\na:0:0:755\nZ:Q1x\nF:usr/sbin\nR:postfix\n"
)


@pytest.mark.parametrize(
    ("path", "package"),
    [("/usr/libexec/postfix/master", "postfix"), ("/usr/sbin/postfix", "postfix"), ("/lib/ld-musl.so", "musl"),
     ("/usr/lib/ld-musl.so", "musl"), ("/usr/sbin/master", None), ("/usr/sbin", None)],
)  # fmt: skip
def test_the_package_that_apk_names(tmp_path: Path, path: str, package: str | None) -> None:
    assert owners.owners(copy(tmp_path, **{packages.APK: APK_FILES}), {path}) == ({path: package} if package else {})


@given(st.binary(max_size=200) | st.text(alphabet="P:R:F:\nab/", max_size=200).map(str.encode))
def test_no_database_breaks_the_search_for_files(database: bytes) -> None:
    assert set(owners.apk_owners(b"P:a\nF:b\nR:c\n\n" + database, {"/b/c", "/a", "/"})) >= {"/b/c"}


PACMAN_FILES = {"nginx-1.28.0-1": "%FILES%\nusr/\nusr/bin/\nusr/bin/nginx\n", "lib-x-2:1-3": "%FILES%\nusr/lib/x\n"}


def test_pacmans_lists_of_files(tmp_path: Path) -> None:
    files = {f"{packages.PACMAN}/{name}/files": text for name, text in PACMAN_FILES.items()}
    roots = copy(tmp_path, **files, **{f"{packages.PACMAN}/ALPM_DB_VERSION": "9\n"})
    wanted = {"/usr/bin/nginx", "/usr/lib/x", "/usr/bin/exim"}
    assert owners.owners(roots, wanted) == {"/usr/bin/nginx": "nginx", "/usr/lib/x": "lib-x"}


def test_without_a_database_that_can_be_read_no_file_has_a_package(tmp_path: Path) -> None:
    assert owners.owners(copy(tmp_path, **{"/var/lib/rpm/rpmdb.sqlite": "SQLite"}), {"/usr/sbin/exim4"}) == {}
    assert owners.owners(out_of_reach(), {"/usr/sbin/exim4"}) == {}
