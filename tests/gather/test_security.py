"""Security modules and limits of a host below a root."""

from __future__ import annotations

from pathlib import Path

import pytest

from preflight.facts import EngineLimits
from preflight.gather.access.view import find_roots
from preflight.gather.engine.engine_limits import engine_limits, parse_open_files
from preflight.gather.machine import security
from tests.gather.trees import copy, out_of_reach, write


def test_selinux_enforcing(tmp_path: Path) -> None:
    files = {"/sys/fs/selinux/enforce": "1", "/usr/share/selinux/packages/container.pp.bz2": "x"}
    found = security.security(copy(tmp_path, **files)).get()
    assert (found.selinux, found.container_selinux, found.apparmor) == ("enforcing", True, False)


def test_apparmor_without_its_parser(tmp_path: Path) -> None:
    files = {"/sys/module/apparmor/parameters/enabled": "Y\n", "/sys/kernel/x": ""}
    found = security.security(copy(tmp_path, **files)).get()
    assert (found.selinux, found.apparmor, found.apparmor_parser) == ("disabled", True, False)
    write(tmp_path, "/usr/sbin/apparmor_parser", "x")
    assert security.security(find_roots({}, str(tmp_path))).get().apparmor_parser


def test_a_copy_without_sys_tells_nothing_of_security_modules(tmp_path: Path) -> None:
    assert not security.security(find_roots({}, str(tmp_path))).known
    assert not security.security(copy(tmp_path, **{"/sys/fs/selinux/enforce": "maybe"})).known


LIMITS = """Limit                     Soft Limit           Hard Limit           Units
Max processes             96123                96123                processes
Max open files            1024                 524288               files
"""


@pytest.mark.parametrize(
    "named", ["/run/docker.pid", "/sys/fs/cgroup/system.slice/docker.service/cgroup.procs"], ids=["pid file", "unit"]
)
def test_sysctls_and_the_engines_open_files(tmp_path: Path, named: str) -> None:
    files = {
        "/proc/sys/fs/inotify/max_user_instances": "128\n", named: "812\n", "/proc/812/comm": "dockerd\n",
        "/proc/812/status": "Name:\tdockerd\nUid:\t0\t0\t0\t0\n", "/proc/812/limits": LIMITS,
    }  # fmt: skip
    roots = copy(tmp_path, **files)
    assert engine_limits(roots).get() == EngineLimits(None)  # a container's, or another host's
    (tmp_path / "proc/812/root").symlink_to(tmp_path)
    assert engine_limits(roots).get() == EngineLimits(524288)
    assert security.sysctls(roots).get() == {"fs.inotify.max_user_instances": 128}


def test_a_stale_pid_file_names_no_engine(tmp_path: Path) -> None:
    files = {"/run/docker.pid": "812", "/proc/812/comm": "bash\n", "/proc/812/limits": LIMITS}
    assert engine_limits(copy(tmp_path, **files)).get() == EngineLimits(None)
    assert not security.sysctls(copy(tmp_path, **files)).known


def test_limits_out_of_reach_are_unknown() -> None:
    assert engine_limits(out_of_reach()).missing == out_of_reach().why


def test_unlimited_open_files() -> None:
    assert parse_open_files(LIMITS.replace("524288   ", "unlimited")) == (1 << 63) - 1
    assert parse_open_files("Max open files none") is None
