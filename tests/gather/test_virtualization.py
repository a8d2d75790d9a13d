"""Containers, virtual machines and storage boxes, by what lies below a root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.gather.access.view import find_roots
from preflight.gather.machine.virtualization import Signs, virtualization, weigh
from tests.gather.processors import ARM64, X86
from tests.gather.trees import copy, out_of_reach

PLAIN = {"/proc/1/environ": "HOME=/\0init=/sbin/init\0TERM=linux\0", "/proc/cpuinfo": X86}
VENDOR, PRODUCT = "/sys/class/dmi/id/sys_vendor", "/sys/class/dmi/id/product_name"
CLOCKS = "/sys/devices/system/clocksource/clocksource0/available_clocksource"
GUEST = X86.replace("ht lm", "ht hypervisor lm")


def seen(root: Path, **files: str) -> tuple[str | None, str | None, str | None]:
    found = virtualization(copy(root, **files)).get()
    return found.container, found.vm, found.nas


def test_a_real_machine(tmp_path: Path) -> None:
    assert seen(tmp_path, **PLAIN) == (None, None, None)


@pytest.mark.parametrize(
    ("files", "container"),
    [
        ({"/proc/1/environ": "TERM=linux\0container=lxc\0"}, "lxc"),
        ({"/proc/1/environ": "container=systemd-nspawn\0"}, "systemd-nspawn"),
        ({"/proc/1/environ": "container=<b>\0"}, "other"),
        ({"/proc/vz/vestat": "", "/proc/user_beancounters": "Version: 2.5\n"}, "openvz"),
        ({"/proc/user_beancounters": "Version: 2.5\n"}, "openvz"),
        ({"/proc/vz/vestat": "", "/proc/bc/x": ""}, None),  # the node, not a container on it
        ({"/proc/sys/kernel/osrelease": "5.15.153.1-microsoft-standard-WSL2\n"}, "wsl"),
        ({"/proc/sys/kernel/osrelease": "4.4.0-19041-Microsoft\n"}, "wsl"),
        ({"/proc/sys/kernel/osrelease": "6.8.0-1014-azure\n"}, None),
        ({"/run/systemd/container": "lxc\n"}, "lxc"),
        ({"/proc/1/mountinfo": "1 0 0:1 / /proc/meminfo rw - fuse.lxcfs lxcfs rw\n"}, "lxc"),
        ({"/proc/1/mountinfo": "1 0 0:1 / /var/lib/lxcfs rw - fuse.lxcfs lxcfs rw\n"}, None),  # a host of containers
        ({"/proc/1/cgroup": "0::/lxc.payload.mail/init.scope\n"}, "lxc"),
        ({"/proc/1/cgroup": "4:memory:/docker/0123abc\n"}, "docker"),
        ({"/proc/1/cgroup": "0::/system.slice/dockerd.service\n"}, None),
        ({"/.dockerenv": ""}, "docker"),
        ({"/run/.containerenv": ""}, "podman"),
        ({"/dev/lxd/sock": ""}, "lxc"),
        ({"/.dockerenv": "", "/proc/2/comm": "kthreadd\n"}, None),  # a disk made from an image
        ({"/dev/lxd/sock": "", "/proc/2/comm": "kthreadd\n"}, None),  # a virtual machine of LXD
    ],
)
def test_containers(tmp_path: Path, files: dict[str, str], container: str | None) -> None:
    assert seen(tmp_path, **{**PLAIN, **files})[0] == container


@pytest.mark.parametrize(
    ("files", "vm"),
    [
        ({VENDOR: "QEMU\n", "/proc/cpuinfo": GUEST}, "qemu"),
        ({PRODUCT: "KVM\n", VENDOR: "Red Hat\n"}, "kvm"),
        ({PRODUCT: "VMware Virtual Platform\n"}, "vmware"),
        ({PRODUCT: "VirtualBox\n"}, "oracle"),
        ({VENDOR: "Microsoft Corporation\n", PRODUCT: "Virtual Machine\n"}, "microsoft"),
        ({VENDOR: "Microsoft Corporation\n", PRODUCT: "Surface Pro\n"}, None),
        ({VENDOR: "Oracle Corporation\n", PRODUCT: "SUN FIRE X4170\n"}, None),
        ({VENDOR: "Amazon EC2\n", PRODUCT: "t3.micro\n"}, "amazon"),
        ({VENDOR: "Amazon EC2\n", PRODUCT: "m5.metal\n"}, None),
        ({"/sys/hypervisor/type": "xen\n"}, "xen"),
        ({"/proc/device-tree/hypervisor/compatible": "linux,kvm\0", "/proc/cpuinfo": ARM64}, "kvm"),
        ({"/proc/sysinfo": "VM00 Control Program: KVM/Linux\n"}, "kvm"),
        ({"/proc/sysinfo": "VM00 Control Program: z/VM    6.4.0\n"}, "zvm"),
        ({"/proc/cpuinfo": GUEST}, "vm-other"),
        ({"/proc/cpuinfo": GUEST, CLOCKS: "tsc kvm-clock\n"}, "kvm"),
        ({"/proc/cpuinfo": GUEST.replace("flags", "x\nbugs")}, None),
    ],
)
def test_machines(tmp_path: Path, files: dict[str, str], vm: str | None) -> None:
    assert seen(tmp_path, **{**PLAIN, **files})[1] == vm


@pytest.mark.parametrize(
    ("files", "nas"),
    [
        ({"/etc/synoinfo.conf": ""}, "synology"), ({"/etc/config/qpkg.conf": ""}, "qnap"),
        ({"/etc/unraid-version": 'version="6.12"'}, "unraid"), ({"/etc/version": "TrueNAS-SCALE-24.04.2\n"}, "truenas"),
        # TrueNAS SCALE: its os-release is Debian's, its version a number alone
        ({"/proc/sys/kernel/osrelease": "6.6.44-production+truenas\n", "/etc/version": "24.10.2\n"}, "truenas"),
        ({"/usr/bin/midclt": "#!/usr/bin/python3\n"}, "truenas"),
        ({"/etc/os-release": 'NAME="ZimaOS"\nID=zimaos\n'}, "zimaos"),
        ({"/etc/os-release": 'NAME="Home Assistant OS"\nID=haos\n'}, "haos"),
        # Programs on a plain Debian make no appliance of it.
        ({"/etc/os-release": "ID=debian\n", "/usr/bin/casaos": "", "/etc/openmediavault/config.xml": ""}, None),
        ({"/etc/version": "20240601\n"}, None),  # others have such a file too
    ],
)  # fmt: skip
def test_storage_boxes(tmp_path: Path, files: dict[str, str], nas: str | None) -> None:
    assert seen(tmp_path, **{**PLAIN, **files})[2] == nas


@pytest.mark.parametrize(
    "proof", [{"/proc/2/comm": "kthreadd\n"}, {"/run/systemd/system/x": ""}, {"/proc/1/environ": "HOME=/\0"}]
)
def test_what_refutes_a_container(tmp_path: Path, proof: dict[str, str]) -> None:
    assert seen(tmp_path, **{"/proc/cpuinfo": X86, **proof})[0] is None


@pytest.mark.parametrize(
    "files", [{}, {"/proc/1/environ": ""}, {"/proc/2/comm": "kthreadd/101\n"}, {"/proc/2/comm": "sh\n"}]
)
def test_without_proof_it_is_unknown(tmp_path: Path, files: dict[str, str]) -> None:
    assert not virtualization(copy(tmp_path, **{"/proc/cpuinfo": GUEST, **files})).known


def test_our_own_container_is_never_meant() -> None:
    missing = virtualization(out_of_reach()).missing
    assert missing
    assert "--pid=host" in missing.help


@pytest.mark.skipif(not os.access("/proc/1/environ", os.R_OK), reason="may not read the first process's environment")
def test_this_machine_is_known() -> None:
    assert virtualization(find_roots({})).known


@given(st.text(max_size=100), st.text(max_size=100))
def test_nothing_makes_it_raise(one: str, other: str) -> None:
    weigh(Signs(environ=one, manager=other, mounts=one, cgroup=other, dmi=(one, other), cpuinfo=one, hypervisor=other))
