"""What the project reads of the running host by itself, held against psutil on the machine that the test runs on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil
import pytest

from preflight.gather.access.roots import Roots
from preflight.gather.access.view import find_roots
from preflight.gather.machine import live, memory, processor
from preflight.gather.machine.mounts import parse_mountinfo
from preflight.gather.sockets import processes
from tests.build import VIEW
from tests.gather.trees import copy, out_of_reach, write

MEMINFO = "MemTotal: {total} kB\nMemFree: 1000 kB\nMemAvailable: 5000 kB\nSwapTotal: 2000 kB\nSwapFree: 1500 kB\n"


@pytest.fixture(autouse=True)
def own_procfs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "PROCFS_PATH", "/proc")


def running(root: Path) -> Roots:
    return Roots(str(root), msgspec.structs.replace(VIEW, root=str(root)))


def test_memory_and_swap() -> None:
    """What is available changes while it is read."""
    told = memory.memory(find_roots({})).get()
    parsed = memory.parse_meminfo(Path("/proc/meminfo").read_text(), told.limit_bytes)
    assert parsed is not None
    assert told.available_bytes is not None
    assert parsed.available_bytes is not None
    assert abs(told.available_bytes - parsed.available_bytes) < told.total_bytes / 5
    assert msgspec.structs.replace(told, available_bytes=None, swap_free_bytes=0) == msgspec.structs.replace(
        parsed, available_bytes=None, swap_free_bytes=0
    )


def test_the_running_host_and_its_copy_have_the_same_facts(tmp_path: Path) -> None:
    """Both where the host's root is, not where this program runs."""
    text = MEMINFO.format(total=9000)
    write(tmp_path, "/proc/vmstat", "pswpin 0\npswpout 0\n")
    copied = memory.memory(copy(tmp_path, **{"/proc/meminfo": text})).get()
    assert copied.total_bytes == 9000 * 1024
    assert memory.memory(running(tmp_path)).get() == copied


@pytest.mark.parametrize("text", ["", "MemTotal: many kB\n", "MemTotal:\n", "MemTotal: 5 kB\n", "\x00\xff", "\n\n"])
def test_a_damaged_table_is_no_memory(tmp_path: Path, text: str) -> None:
    write(tmp_path, "/proc/meminfo", text)
    assert live.memory(running(tmp_path)) is None
    fact = memory.memory(running(tmp_path))
    assert fact.missing
    assert "damaged" in fact.missing.reason


def test_without_a_table_the_reason_is_told(tmp_path: Path) -> None:
    fact = memory.memory(running(tmp_path))
    assert fact.missing
    assert fact.missing.reason.startswith("/proc/meminfo cannot be read")


@pytest.mark.filterwarnings("error")
def test_a_container_s_short_table_does(tmp_path: Path) -> None:
    write(tmp_path, "/proc/meminfo", MEMINFO.format(total=9000))
    assert live.memory(running(tmp_path)) == live.Sizes(9000 << 10, 5000 << 10, 2000 << 10, 1500 << 10)


def test_where_the_root_is_out_of_reach_the_machine_has_the_same_memory() -> None:
    assert memory.memory(out_of_reach()).get().total_bytes == psutil.virtual_memory().total


def test_processors() -> None:
    found = processor.parse_features(Path("/proc/cpuinfo").read_text())
    assert found is not None
    assert found.count == psutil.cpu_count()


def soon(agreed: Callable[[], bool]) -> bool:
    """Say whether both say the same, this time or the next: the machine may change between two looks."""
    return any(agreed() for _ in range(5))


def test_mounts() -> None:
    def agreed() -> bool:
        ours = {(mount.point, mount.filesystem) for mount in parse_mountinfo(Path("/proc/self/mountinfo").read_text())}
        theirs = {(mount.mountpoint, mount.fstype) for mount in psutil.disk_partitions(all=True)}
        return bool(theirs) and ours == theirs

    assert soon(agreed)


def test_processes() -> None:
    """The kernel's own words for each process of this machine: its name's first 15 characters, user and parent."""
    passwd = Path("/etc/passwd").read_text()

    def agreed(pid: int) -> bool:
        found = processes.describe(find_roots({}), pid)
        try:
            status = Path(f"/proc/{pid}/status").read_text(errors="replace")
            name = Path(f"/proc/{pid}/comm").read_text(errors="replace").removesuffix("\n")
        except OSError:
            return True  # it has gone, or is not shown to us
        fields = {key: words.split() for key, _, words in (line.partition(":") for line in status.splitlines())}
        theirs = name[:15], processes.user(passwd, int(fields["Uid"][1])), int(fields["PPid"][0])
        return found is not None and (found.name[:15], found.user, found.parent or 0) == theirs

    assert [pid for pid in psutil.pids() if not soon(lambda pid=pid: agreed(pid))] == []  # type: ignore[misc]
