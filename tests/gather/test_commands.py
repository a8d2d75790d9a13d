"""Programs on the host's PATH, and BusyBox behind them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from preflight.facts import Command
from preflight.gather.access.view import find_roots
from preflight.gather.machine.commands import commands
from tests.gather.trees import out_of_reach, write

NAMES = ("grep", "cp", "awk", "docker", "jq")


def program(root: Path, path: str, content: bytes = b"\x7fELF", mode: int = 0o755) -> None:
    write(root, path, content)
    (root / path.lstrip("/")).chmod(mode)


def test_busybox_by_link_by_hard_link_and_gnu(tmp_path: Path) -> None:
    program(tmp_path, "/bin/busybox", b"\x7fELF...BusyBox v1.36.1 (2023-11-07)")
    (tmp_path / "bin/grep").symlink_to("/bin/busybox")
    (tmp_path / "bin/sh").symlink_to("/bin/busybox")
    os.link(tmp_path / "bin/busybox", tmp_path / "bin/cp")
    program(tmp_path, "/usr/bin/mawk")
    (tmp_path / "etc/alternatives").mkdir(parents=True)
    (tmp_path / "etc/alternatives/awk").symlink_to("/usr/bin/mawk")
    (tmp_path / "usr/bin/awk").symlink_to("/etc/alternatives/awk")
    found = commands(find_roots({}, str(tmp_path)), NAMES).get()
    assert found["grep"] == Command("/bin/grep", True)
    assert found["cp"] == Command("/bin/cp", True)
    assert found["awk"] == Command("/usr/bin/awk", False)
    assert found["docker"] == Command(None)


def test_gnu_before_busybox_in_the_path(tmp_path: Path) -> None:
    program(tmp_path, "/usr/bin/grep")
    program(tmp_path, "/bin/busybox", b"BusyBox v1")
    (tmp_path / "bin/grep").symlink_to("busybox")
    assert commands(find_roots({}, str(tmp_path)), ("grep",)).get()["grep"] == Command("/usr/bin/grep", False)


def test_only_programs_count(tmp_path: Path) -> None:
    program(tmp_path, "/usr/bin/sh")
    program(tmp_path, "/usr/bin/jq", mode=0o644)
    (tmp_path / "usr/bin/docker").mkdir()
    os.mkfifo(tmp_path / "usr/bin/awk", 0o755)
    (tmp_path / "usr/bin/grep").symlink_to("/gone")
    found = commands(find_roots({}, str(tmp_path)), NAMES).get()
    assert {name: command.path for name, command in found.items()} == dict.fromkeys(NAMES)


def test_a_copy_without_a_shell_proves_no_absence(tmp_path: Path) -> None:
    program(tmp_path, "/usr/bin/jq")
    assert commands(find_roots({}, str(tmp_path)), NAMES).get() == {"jq": Command("/usr/bin/jq", False)}


def test_a_copy_without_programs_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    assert not commands(find_roots({}, str(tmp_path)), NAMES).known


def test_without_the_hosts_root_the_flag_is_named() -> None:
    missing = commands(out_of_reach(), NAMES).missing
    assert missing
    assert "--pid=host" in missing.help


@pytest.mark.parametrize("name", ["../etc/passwd", "/bin/sh"])
def test_names_are_names_not_paths(tmp_path: Path, name: str) -> None:
    program(tmp_path, "/usr/bin/x")
    assert commands(find_roots({}, str(tmp_path)), (name,)).get() == {}


def test_the_package_that_brought_docker_is_known(tmp_path: Path) -> None:
    for name in ("docker", "dockerd", "grep"):
        program(tmp_path, f"/usr/bin/{name}")
    lists = {"docker-ce": "/usr/bin/dockerd", "docker-ce-cli": "/usr/bin/docker", "grep": "/usr/bin/grep"}
    for package, path in lists.items():
        write(tmp_path, f"/var/lib/dpkg/info/{package}.list", f"/.\n{path}\n".encode())
    found = commands(find_roots({}, str(tmp_path)), ("docker", "dockerd", "grep")).get()
    assert {name: command.package for name, command in found.items()} == {
        "docker": "docker-ce-cli", "dockerd": "docker-ce", "grep": None,
    }  # fmt: skip


def test_what_was_put_there_by_hand_is_no_packages(tmp_path: Path) -> None:
    program(tmp_path, "/usr/bin/sh")
    program(tmp_path, "/usr/local/bin/dockerd")
    write(tmp_path, "/var/lib/dpkg/info/docker.io.list", b"/.\n/usr/bin/dockerd\n")
    assert commands(find_roots({}, str(tmp_path)), ("dockerd",)).get()["dockerd"] == Command(
        "/usr/local/bin/dockerd", False
    )
