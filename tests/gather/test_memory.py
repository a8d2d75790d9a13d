"""Memory and swap from captured files, and the limits of control groups."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.gather.machine import memory
from tests.gather.trees import copy

MEMINFO = (
    "MemTotal:        6072912 kB\nMemFree:          150000 kB\nMemAvailable:    5000000 kB\n"
    "SwapTotal:       1048572 kB\nSwapFree:        1048572 kB\n"
)


def test_sizes_are_in_bytes() -> None:
    found = memory.parse_meminfo(MEMINFO)
    assert found is not None
    assert found.total_bytes == 6072912 * 1024
    assert (found.available_bytes, found.swap_total_bytes) == (5000000 * 1024, 1048572 * 1024)


def test_old_kernels_have_no_available_memory() -> None:
    found = memory.parse_meminfo(MEMINFO.replace("MemAvailable", "MemOther"))
    assert found is not None
    assert found.available_bytes is None


@pytest.mark.parametrize(
    "text",
    [
        "", "MemTotal: lots kB\nSwapTotal: 0 kB\n", "MemTotal:\nSwapTotal: 0 kB\n", "MemTotal: 0 kB\nSwapTotal: 0 kB\n",
        "MemTotal: -5 kB\nSwapTotal: 0 kB\n", "MemTotal: 6072912 kB\n", "MemTotal: 6072912\nSwapTotal: 0 kB\n",
        "MemTotal: 6072912 MB\nSwapTotal: 0 kB\n", "MemTotal: 99999999999999999999 kB\nSwapTotal: 0 kB\n",
    ],
)  # fmt: skip
def test_a_damaged_meminfo_is_unknown(tmp_path: Path, text: str) -> None:
    fact = memory.memory(copy(tmp_path, **{"/proc/meminfo": text}))
    assert fact.missing
    assert "damaged" in fact.missing.reason


@given(st.text(max_size=300))
def test_no_meminfo_makes_it_raise(text: str) -> None:
    memory.parse_meminfo(text)
    memory.parse_meminfo(f"MemTotal: {text} kB\nSwapTotal: 0 kB")
    memory.parse_groups(text)


@pytest.mark.parametrize(
    ("cgroup", "files", "limit"),
    [
        ("0::/init.scope\n", {"/sys/fs/cgroup/memory.max": "2147483648\n"}, 2 << 30),
        ("0::/init.scope\n", {"/sys/fs/cgroup/memory.max": "max\n"}, None),
        ("0::/\n", {}, None),
        ("0::/../../init.scope\n", {"/sys/fs/cgroup/init.scope/memory.max": "1073741824"}, 1 << 30),
        ("0::/a/b\n", {"/sys/fs/cgroup/a/memory.max": "1024", "/sys/fs/cgroup/a/b/memory.max": "4096"}, 1024),
        ("4:memory:/\n", {"/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ("4:cpu,memory:/lxc/1\n", {"/sys/fs/cgroup/memory/lxc/1/memory.limit_in_bytes": "536870912\n"}, 1 << 29),
        ("4:memory:/docker/abc\n", {"/sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n"}, 1 << 29),
        ("4:memory:/\n", {"/sys/fs/cgroup/memory/memory.limit_in_bytes": "some\n"}, None),
        ("damaged", {}, None),
    ],
)
def test_limits_of_control_groups(tmp_path: Path, cgroup: str, files: dict[str, str], limit: int | None) -> None:
    roots = copy(tmp_path, **{"/proc/meminfo": MEMINFO, "/proc/1/cgroup": cgroup, **files})
    assert memory.memory(roots).get().limit_bytes == limit
