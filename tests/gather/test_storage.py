"""Free space below a root: sizes from statvfs, the mount from the host's own table."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from preflight.facts import View
from preflight.gather.access.roots import Roots
from preflight.gather.access.view import find_roots
from preflight.gather.machine import storage
from tests.gather.trees import out_of_reach, write


@pytest.fixture
def host(tmp_path: Path) -> Roots:
    """Stand for another host's root: its mounts are in its own table, its sizes are those of the test's disk."""
    data, frozen = "2 1 8:2 / /data rw - xfs /dev/sdb rw\n", "3 1 8:3 / /frozen ro - ext4 /dev/sdc rw\n"
    write(tmp_path, "/proc/1/mountinfo", f"1 0 8:1 / / rw - ext4 /dev/sda rw\n{data}{frozen}")
    (tmp_path / "data/engine").mkdir(parents=True)
    (tmp_path / "frozen").mkdir()
    view = View(container=True, root=str(tmp_path), live=True, network=True, privileged=True)
    return Roots(str(tmp_path), view)


def test_sizes_are_what_an_ordinary_user_may_fill(host: Roots, tmp_path: Path) -> None:
    found = storage.spaces(host, ("/data/engine",)).get()["/data/engine"].get()
    size = os.statvfs(tmp_path)
    assert found.total_bytes == size.f_blocks * size.f_frsize
    assert abs(found.available_bytes - size.f_bavail * size.f_frsize) < 1 << 30
    assert found.inodes_total == size.f_files


def test_sizes_come_from_the_right_fields(host: Roots, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = os.statvfs_result((4096, 1024, 1000, 500, 400, 90, 80, 70, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: answer)
    found = storage.measure(host, "/data")
    assert (found.total_bytes, found.available_bytes) == (1000 * 1024, 400 * 1024)
    assert (found.inodes_total, found.inodes_available, found.read_only) == (90, 70, False)


def test_the_report_shows_the_hosts_path_and_mount(host: Roots, tmp_path: Path) -> None:
    (tmp_path / "var/lib").mkdir(parents=True)
    (tmp_path / "var/lib/docker").symlink_to("/data/engine")
    found = storage.measure(host, "/var/lib/docker")
    assert (found.path, found.existing) == ("/var/lib/docker", "/var/lib/docker")
    assert (found.mount, found.filesystem) == ("/data", "xfs")


def test_the_nearest_parent_stands_in_for_what_is_not_there(host: Roots) -> None:
    found = storage.measure(host, "/data/not/yet/there")
    assert (found.path, found.existing, found.mount) == ("/data/not/yet/there", "/data", "/data")
    assert storage.measure(host, "/nowhere").existing == "/"


def test_a_read_only_mount(host: Roots) -> None:
    assert storage.measure(host, "/frozen").read_only
    assert not storage.measure(host, "/data").read_only


@pytest.mark.parametrize(
    ("own", "table", "answer"),
    [
        ("", True, False), ("rw", False, False), ("ro", False, True),
    ],
)  # fmt: skip
def test_a_bind_mount_that_is_read_only_for_us_alone(
    host: Roots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, table: bool, answer: bool
) -> None:
    flagged = os.statvfs_result((4096, 1024, 1000, 500, 400, 90, 80, 70, os.ST_RDONLY, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: flagged)
    if not table:
        (tmp_path / "proc/1/mountinfo").unlink()
        monkeypatch.setattr(storage, "OWN", str(tmp_path / "own"))
        write(tmp_path, "/own", f"1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 8:1 / {tmp_path} ro - ext4 /dev/sda {own}\n")
    assert storage.measure(host, "/data").read_only is answer


def test_a_file_system_that_the_kernel_made_read_only(host: Roots, tmp_path: Path) -> None:
    write(tmp_path, "/proc/1/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda ro,errors=remount-ro\n")
    assert storage.measure(host, "/data").read_only


def test_without_a_table_of_mounts_there_are_sizes_still(host: Roots, tmp_path: Path) -> None:
    (tmp_path / "proc/1/mountinfo").unlink()
    found = storage.measure(host, "/data")
    assert (found.mount, found.filesystem, found.total_bytes > 0) == ("", "", True)


def test_a_dead_mount_costs_its_own_path_only(host: Roots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release, real = threading.Event(), os.statvfs

    def slow(path: str) -> os.statvfs_result:
        if path.endswith("frozen"):
            release.wait(20)
        return real(path)

    monkeypatch.setattr(os, "statvfs", slow)
    began = time.monotonic()
    found = storage.spaces(host, ("/frozen", "/data"), seconds=0.3).get()
    assert time.monotonic() - began < 5
    release.set()
    assert found["/data"].known
    assert found["/frozen"].missing
    assert "did not answer within 0.3 s" in found["/frozen"].missing.reason


def test_a_copy_has_no_sizes(tmp_path: Path) -> None:
    found = storage.spaces(find_roots({}, str(tmp_path)), ("/var/lib/docker", "/opt")).get()
    assert list(found) == ["/var/lib/docker", "/opt"]
    assert not any(space.known for space in found.values())


def test_without_the_hosts_root_the_flag_is_named() -> None:
    missing = storage.spaces(out_of_reach(), ("/opt",)).get()["/opt"].missing
    assert missing
    assert "--pid=host" in missing.help
