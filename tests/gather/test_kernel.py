"""Release and machine of the kernel of a host below a root."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from preflight.gather.access.view import find_roots
from preflight.gather.machine import distribution, hostname, kernel
from tests.gather.processors import ARM64, X86, elf
from tests.gather.trees import copy, out_of_reach, write


def test_the_running_kernel_and_machine_are_unames() -> None:
    assert kernel.kernel(find_roots({})).get() == os.uname().release
    assert kernel.machine(find_roots({})).get() == os.uname().machine
    assert kernel.kernel(out_of_reach()).get() == os.uname().release


def test_a_32_bit_personality_does_not_change_the_machine() -> None:
    code = (
        "import ctypes, os\nfrom preflight.gather.access import view\nfrom preflight.gather.machine import kernel\n"
        "machine = os.uname().machine\nctypes.CDLL(None).personality(8)\nnarrow = os.uname().machine\n"
        "assert kernel.machine(view.find_roots({})).get() == machine\nassert os.uname().machine == narrow"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_the_kernel_of_a_copy_is_its_own_or_unknown(tmp_path: Path) -> None:
    assert not kernel.kernel(find_roots({}, str(tmp_path))).known
    roots = copy(tmp_path, **{"/proc/sys/kernel/osrelease": "3.16.0-4-amd64\n"})
    assert kernel.kernel(roots).get() == "3.16.0-4-amd64"


@pytest.mark.parametrize("text", ["", "\n", "\x00" * 50, "x" * 3000, "ä 5"])
def test_a_damaged_release_is_unknown(tmp_path: Path, text: str) -> None:
    assert not kernel.kernel(copy(tmp_path, **{"/proc/sys/kernel/osrelease": text})).known


def test_the_machine_of_a_copy(tmp_path: Path) -> None:
    assert not kernel.machine(find_roots({}, str(tmp_path))).known
    roots = copy(tmp_path, **{"/proc/cpuinfo": ARM64})
    assert kernel.machine(roots).get() == "aarch64"
    write(tmp_path, "/usr/bin/dash", elf(True, True, 62))
    (tmp_path / "bin").symlink_to("/usr/bin")
    (tmp_path / "usr/bin/sh").symlink_to("dash")
    fact = kernel.machine(roots)
    assert fact.missing
    assert "/proc/cpuinfo = aarch64, ELF = x86_64" in fact.missing.reason
    write(tmp_path, "/proc/sys/kernel/arch", "riscv64\n")
    assert kernel.machine(roots).get() == "riscv64"


def test_the_loader_names_the_machine_where_there_is_no_shell(tmp_path: Path) -> None:
    write(tmp_path, "/lib/ld-linux-aarch64.so.1", elf(True, True, 183))
    assert kernel.machine(find_roots({}, str(tmp_path))).get() == "aarch64"


def test_a_32_bit_system_on_a_64_bit_processor(tmp_path: Path) -> None:
    write(tmp_path, "/bin/sh", elf(False, True, 3))
    roots = copy(tmp_path, **{"/proc/cpuinfo": X86})
    assert kernel.machine(roots).get() == "i686"


def test_a_pipe_an_endless_device_and_a_folder_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/os-release")
    (tmp_path / "etc/hostname").symlink_to("/dev/zero")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/zero").symlink_to("../../../../../../dev/zero")
    (tmp_path / "proc/sys/kernel/osrelease").mkdir(parents=True)
    roots = find_roots({}, str(tmp_path))
    facts = (distribution.os_release(roots), hostname.name(roots), kernel.kernel(roots), kernel.machine(roots))
    assert not any(fact.known for fact in facts)
    assert "not a regular file" in facts[0].missing.reason  # type: ignore[union-attr]  # unknown, as above
