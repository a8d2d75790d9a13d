"""Looking into a root without being fooled, led out of it, or held up."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from preflight.gather.access import view as module
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.access.view import find_roots, is_procfs, shares_network


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/os-release").write_text("ID=inside\n")
    return tmp_path


def roots(root: Path) -> Roots:
    return find_roots({}, str(root))


def test_an_absolute_link_starts_again_at_the_hosts_root(root: Path) -> None:
    (root / "etc/os-release").symlink_to("/usr/lib/os-release")
    assert roots(root).text("/etc/os-release") == "ID=inside\n"


def test_a_relative_link_cannot_leave_the_root(root: Path) -> None:
    (root / "etc/os-release").symlink_to("../../../../../../usr/lib/os-release")
    (root / "etc/passwd").symlink_to("../" * 40 + "etc/hostname")
    assert roots(root).text("/etc/os-release") == "ID=inside\n"
    assert roots(root).locate("/etc/passwd") == f"{root}/etc/hostname"


def test_links_in_the_middle_of_a_path(root: Path) -> None:
    (root / "lib").symlink_to("usr/lib")
    (root / "lib64").symlink_to("/lib")
    assert roots(root).text("/lib64/os-release") == "ID=inside\n"


def test_a_loop_of_links_ends(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    with pytest.raises(Unreadable, match="too many links"):
        roots(root).read("/a")


def test_a_missing_file_is_certainly_absent(root: Path) -> None:
    with pytest.raises(Unreadable) as raised:
        roots(root).read("/etc/nothing/here")
    assert raised.value.absent
    assert not roots(root).exists("/etc/nothing")
    assert roots(root).entries("/nothing") == []


def test_only_regular_files_are_read(root: Path) -> None:
    os.mkfifo(root / "etc/fifo")
    (root / "etc/zero").symlink_to("/dev/zero")
    (root / "dev").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        previous = Path.cwd()
        os.chdir(root)  # a socket's path may have 107 characters
        try:
            server.bind("etc/socket")
        finally:
            os.chdir(previous)
        for name in ("fifo", "socket", "zero"):
            with pytest.raises(Unreadable):
                roots(root).read(f"/etc/{name}")
    with pytest.raises(Unreadable):
        roots(root).read("/etc")


def test_a_device_outside_cannot_be_reached_by_a_link_of_the_root() -> None:
    with pytest.raises(Unreadable, match="not a regular file"):
        find_roots({}).read("/dev/zero")


def test_reading_is_bounded(root: Path) -> None:
    (root / "etc/big").write_bytes(b"x" * 5000)
    assert len(roots(root).read("/etc/big", limit=1000)) == 1000


def test_a_copied_root_is_not_live(root: Path) -> None:
    (root / "proc").mkdir()
    view = roots(root).view
    assert (view.live, view.network) == (False, False)
    assert not is_procfs(f"{root}/proc")
    assert is_procfs("/proc")


def test_natively_the_host_is_here() -> None:
    found = find_roots({})
    assert (found.root, found.anchor, found.view.network, found.view.container) == ("/", "self", True, False)


def test_a_table_shows_whether_the_network_is_shared(tmp_path: Path) -> None:
    assert shares_network("/proc/self/net/tcp") is True
    other = tmp_path / "tcp"
    other.write_text("  sl  local_address rem_address\n   0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 4242 1\n")
    assert shares_network(str(other)) is False
    assert shares_network(str(tmp_path / "none")) is None


def test_in_a_container_without_the_hosts_processes_the_flag_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """/proc/1/root being our own root is what a process namespace of one's own looks like."""
    real = os.stat
    monkeypatch.setattr(
        module.os, "stat", lambda path, **more: real("/") if "/root" in str(path) else real(path, **more)
    )
    found = find_roots({module.MARKER: "1"})
    assert found.root is None
    assert "--pid=host" in found.view.missing_flags
    assert found.why is not None
    assert "--pid=host" in found.why.help
    with pytest.raises(Unreadable):
        found.read("/etc/os-release")
    assert found.text("/proc/sys/kernel/osrelease").strip() == os.uname().release


def test_in_a_container_that_may_not_look_the_flag_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.stat

    def denied(path: object, **more: object) -> os.stat_result:
        if "/root" in str(path):
            raise PermissionError(13, "Permission denied")
        return real(path, **more)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(module.os, "stat", denied)
    found = find_roots({module.MARKER: "1"})
    assert found.root is None
    assert "--privileged" in found.view.missing_flags
