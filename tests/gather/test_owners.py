"""Who has a socket, found in made-up procfs trees."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.gather.access.roots import Roots
from preflight.gather.sockets.owners import walk
from tests.gather.ends import VIEW
from tests.gather.holders import tree


def test_the_owner_with_the_lowest_pid(tmp_path: Path) -> None:
    roots = tree(tmp_path, 1, 9, 12, 100, pid100=4242, pid12=4242, pid9=1)
    assert walk(roots, {4242}) == ({4242: 12}, "")


@pytest.mark.parametrize(
    "files",
    [
        {9: (3, 4242)},
        {9: (14, 4242)},
        {9: (400, 4242)},
        {9: (3, 4242), 12: (3, 4242)},
        {7: (5, 1), 9: (20, 4242), 12: (3, 4242)},  # the child has it among its first files, the parent has not
        {1: (40, 4242), 12: (3, 4242)},  # systemd opened it for the service
    ],
)
def test_the_owner_is_the_eldest_that_has_the_socket(tmp_path: Path, files: dict[int, tuple[int, int]]) -> None:
    roots = tree(tmp_path, 1, 7, 9, 12)
    for pid, parent in ((9, 1), (12, min((9, 1) if 9 in files else (1,), key=lambda pid: pid not in files))):
        (tmp_path / f"proc/{pid}/stat").write_text(f"{pid} (a) b) S {parent} 0 0")
    for pid, (number, inode) in files.items():
        (tmp_path / f"proc/{pid}/fd/{number}").symlink_to(f"socket:[{inode}]")
        for lower in range(1, min(number, 16)):
            (tmp_path / f"proc/{pid}/fd/{lower}").symlink_to("/dev/null")
    eldest = min(pid for pid, (_, inode) in files.items() if inode == 4242)
    assert walk(roots, {4242}) == ({4242: eldest}, "")


@given(st.dictionaries(st.integers(0, 40), st.integers(1, 9), max_size=12), st.sets(st.integers(1, 9), min_size=1))
def test_no_file_is_overlooked(files: dict[int, int], wanted: set[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "proc/1/fd").mkdir(parents=True)
        for number, inode in files.items():
            (Path(folder) / f"proc/1/fd/{number}").symlink_to(f"socket:[{inode}]")
        assert walk(Roots(folder, VIEW), wanted)[0] == dict.fromkeys(wanted & set(files.values()), 1)


def test_without_wanted_inodes_nobody_is_looked_at() -> None:
    assert walk(Roots(None, VIEW), set()) == ({}, "")


def test_no_owner_where_all_can_be_seen_means_the_kernel(tmp_path: Path) -> None:
    assert walk(tree(tmp_path, 1, 2), {4242}) == ({}, "")


def test_hidden_processes_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, hidden = walk(tree(tmp_path, 7, 8, pid7=1), {1, 2})  # hidepid: not even PID 1 is shown
    assert found == {1: 7}
    assert hidden == "denied"
    assert walk(Roots(str(tmp_path), VIEW), {1}) == ({1: 7}, "")  # all are found: nothing is missing
    (tmp_path / "proc/1/fd").mkdir(parents=True)
    real = os.open

    def refusing(path: str, flags: int) -> int:
        if path.endswith("/proc/8/fd"):
            raise PermissionError(13, "Permission denied")
        return real(path, flags)

    monkeypatch.setattr("preflight.gather.sockets.owners.os.open", refusing)
    inside = Roots(str(tmp_path), msgspec.structs.replace(VIEW, container=True))
    found, hidden = walk(inside, {1, 2})
    assert found == {1: 7}
    assert hidden == "denied"


def test_the_walk_ends_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preflight.gather.sockets.owners.SECONDS", -1.0)
    assert walk(tree(tmp_path, 1, 2, pid2=5), {5}).hidden == "late"
