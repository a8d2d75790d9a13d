"""Name, distribution, kernel, machine, kernel features, security modules and limits of a host below a root."""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import View
from preflight.gather.access.roots import Roots
from preflight.gather.access.view import find_roots
from preflight.gather.machine import kernel_config, kernel_features, system
from tests.gather.processors import ARM64, X86, elf
from tests.gather.trees import copy, out_of_reach, write

DEBIAN = (
    'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\n'
    'VERSION="12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n'
)


# --- name ----------------------------------------------------------------------------------------------------


def test_the_name_is_the_kernels_where_we_run_on_the_host() -> None:
    assert system.name(find_roots({})).get() == socket.gethostname()


def test_the_name_of_a_copy_is_in_its_own_file(tmp_path: Path) -> None:
    roots = copy(tmp_path, **{"/etc/hostname": "# set by hand\n\nmail\n", "/proc/sys/kernel/hostname": "other\n"})
    assert system.name(roots).get() == "mail"


@pytest.mark.parametrize("text", ["", "# nothing\n", "two words\n", "\x00\x01", "x" * 300])
def test_a_damaged_name_is_unknown(tmp_path: Path, text: str) -> None:
    assert not system.name(copy(tmp_path, **{"/etc/hostname": text})).known


def test_in_a_container_the_reader_s_own_name_is_not_the_hosts(tmp_path: Path) -> None:
    write(tmp_path, "/etc/hostname", "mail\n")
    view = View(container=True, root=str(tmp_path), live=True, network=False, privileged=True)
    assert system.name(Roots(str(tmp_path), view)).get() == "mail"
    (tmp_path / "etc/hostname").unlink()
    assert not system.name(Roots(str(tmp_path), view)).known


# --- distribution --------------------------------------------------------------------------------------------


def test_os_release_through_an_absolute_link(tmp_path: Path) -> None:
    roots = copy(tmp_path, **{"/usr/lib/os-release": DEBIAN})
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").symlink_to("/usr/lib/os-release")
    found = system.os_release(roots).get()
    assert (found.id, found.version_id, found.codename) == ("debian", "12", "bookworm")
    assert found.pretty_name == "Debian GNU/Linux 12 (bookworm)"


def test_os_release_falls_back_to_usr_lib(tmp_path: Path) -> None:
    assert system.os_release(copy(tmp_path, **{"/usr/lib/os-release": DEBIAN})).source == "/usr/lib/os-release"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("ID=debian", "debian"), ('ID="debian"', "debian"), ("ID='debian'", "debian"), ("ID=De\\bian", "debian"),
        ('ID="a\\"b\\\\c\\$d\\`e"', 'a"b\\c$d`e'), ('ID="a\\nb"', "a\\nb"), ("ID='a\\b'", "a\\b"), ("ID=x # y", "x"),
        ("ID=", ""), ('ID="unclosed', "unclosed"), ("ID=debian\r", "debian"), ("\ufeffID=debian", "debian"),
        (" ID=debian", "debian"), ("ID=first\nID=last", "last"),
    ],
)  # fmt: skip
def test_quoting_in_os_release(line: str, value: str) -> None:
    assert system.parse_os_release(line + "\n").id == value


def test_a_missing_pretty_name_is_made_of_name_and_version() -> None:
    assert system.parse_os_release("NAME=Void\nVERSION='1 (one)'").pretty_name == "Void 1 (one)"
    assert system.parse_os_release('ID_LIKE="rhel Fedora"').id_like == ("rhel", "fedora")
    assert system.parse_os_release("ID=fedora\nVARIANT_ID=CoreOS").variant == "coreos"
    assert system.parse_os_release("ID=linuxmint\nUBUNTU_CODENAME=noble\nVERSION_CODENAME=wilma").base == "noble"
    assert system.parse_os_release("ID=linuxmint\nDEBIAN_CODENAME=bookworm").base == "bookworm"


@pytest.mark.parametrize("content", ["", "\x00\xff\x00", "<html>not it</html>\n", "# ID=debian\n"])
def test_a_damaged_os_release_is_unknown(tmp_path: Path, content: str) -> None:
    assert not system.os_release(copy(tmp_path, **{"/etc/os-release": content})).known


def test_a_pipe_an_endless_device_and_a_folder_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/os-release")
    (tmp_path / "etc/hostname").symlink_to("/dev/zero")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/zero").symlink_to("../../../../../../dev/zero")
    (tmp_path / "proc/sys/kernel/osrelease").mkdir(parents=True)
    roots = find_roots({}, str(tmp_path))
    facts = (system.os_release(roots), system.name(roots), system.kernel(roots), system.machine(roots))
    assert not any(fact.known for fact in facts)
    assert "not a regular file" in facts[0].missing.reason  # type: ignore[union-attr]  # unknown, as above


def test_a_huge_os_release_is_cut(tmp_path: Path) -> None:
    roots = copy(tmp_path, **{"/etc/os-release": DEBIAN + "X=" + "y" * 200_000 + "\nID=late\n"})
    assert system.os_release(roots).get().id == "debian"
    assert len(system.parse_os_release("PRETTY_NAME=" + "y" * 9999).pretty_name) == 256


@given(st.text(max_size=300))
def test_no_os_release_makes_it_raise(text: str) -> None:
    system.parse_os_release(text)
    system.parse_os_release(f"ID={text}")


# --- kernel and machine --------------------------------------------------------------------------------------


def test_the_running_kernel_and_machine_are_unames() -> None:
    assert system.kernel(find_roots({})).get() == os.uname().release
    assert system.machine(find_roots({})).get() == os.uname().machine
    assert system.kernel(out_of_reach()).get() == os.uname().release


def test_a_32_bit_personality_does_not_change_the_machine() -> None:
    code = (
        "import ctypes, os\nfrom preflight.gather.access import view\nfrom preflight.gather.machine import system\n"
        "machine = os.uname().machine\nctypes.CDLL(None).personality(8)\nnarrow = os.uname().machine\n"
        "assert system.machine(view.find_roots({})).get() == machine\nassert os.uname().machine == narrow"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_the_kernel_of_a_copy_is_its_own_or_unknown(tmp_path: Path) -> None:
    assert not system.kernel(find_roots({}, str(tmp_path))).known
    roots = copy(tmp_path, **{"/proc/sys/kernel/osrelease": "3.16.0-4-amd64\n"})
    assert system.kernel(roots).get() == "3.16.0-4-amd64"


@pytest.mark.parametrize("text", ["", "\n", "\x00" * 50, "x" * 3000, "ä 5"])
def test_a_damaged_release_is_unknown(tmp_path: Path, text: str) -> None:
    assert not system.kernel(copy(tmp_path, **{"/proc/sys/kernel/osrelease": text})).known


def test_the_machine_of_a_copy(tmp_path: Path) -> None:
    assert not system.machine(find_roots({}, str(tmp_path))).known
    roots = copy(tmp_path, **{"/proc/cpuinfo": ARM64})
    assert system.machine(roots).get() == "aarch64"
    write(tmp_path, "/usr/bin/dash", elf(True, True, 62))
    (tmp_path / "bin").symlink_to("/usr/bin")
    (tmp_path / "usr/bin/sh").symlink_to("dash")
    fact = system.machine(roots)
    assert fact.missing
    assert "/proc/cpuinfo = aarch64, ELF = x86_64" in fact.missing.reason
    write(tmp_path, "/proc/sys/kernel/arch", "riscv64\n")
    assert system.machine(roots).get() == "riscv64"


def test_the_loader_names_the_machine_where_there_is_no_shell(tmp_path: Path) -> None:
    write(tmp_path, "/lib/ld-linux-aarch64.so.1", elf(True, True, 183))
    assert system.machine(find_roots({}, str(tmp_path))).get() == "aarch64"


def test_a_32_bit_system_on_a_64_bit_processor(tmp_path: Path) -> None:
    write(tmp_path, "/bin/sh", elf(False, True, 3))
    roots = copy(tmp_path, **{"/proc/cpuinfo": X86})
    assert system.machine(roots).get() == "i686"


# --- kernel features -----------------------------------------------------------------------------------------

RELEASE = "6.1.0-18-amd64"
CONFIG = "# Linux\nCONFIG_MODULES=y\nCONFIG_NAMESPACES=y\nCONFIG_VETH=m\nCONFIG_BRIDGE=m\n# CONFIG_NF_NAT is not set\n"


def features(root: Path, **files: str) -> kernel_config.KernelFeatures:
    return kernel_features.kernel_features(copy(root, **{"/proc/sys/kernel/osrelease": RELEASE, **files})).get()


def test_the_configuration_comes_from_proc_before_boot(tmp_path: Path) -> None:
    write(tmp_path, "/proc/config.gz", gzip.compress(CONFIG.encode()))
    found = features(tmp_path, **{f"/boot/config-{RELEASE}": "CONFIG_VETH=y\n"})
    assert found.options_source == "/proc/config.gz"
    assert (found.options["VETH"], found.options["NF_NAT"], found.options["NAMESPACES"]) == ("m", "n", "y")


@pytest.mark.parametrize("data", [b"\x1f\x8bbroken", gzip.compress(CONFIG.encode(), mtime=0)[:12], b""])
def test_a_damaged_configuration_gives_way_to_the_next(tmp_path: Path, data: bytes) -> None:
    write(tmp_path, "/proc/config.gz", data)
    assert features(tmp_path, **{f"/boot/config-{RELEASE}": CONFIG}).options_source == f"/boot/config-{RELEASE}"


def test_a_configuration_that_inflates_without_end_is_cut(tmp_path: Path) -> None:
    write(tmp_path, "/proc/config.gz", gzip.compress(CONFIG.encode() + b"\n" * (64 << 20)))
    assert features(tmp_path).options["VETH"] == "m"


def test_a_module_that_the_configuration_promises_may_not_be_installed(tmp_path: Path) -> None:
    files = {
        f"/boot/config-{RELEASE}": CONFIG,
        f"/lib/modules/{RELEASE}/modules.dep": "kernel/net/bridge/bridge.ko.xz: kernel/net/llc/llc.ko.xz\n",
    }
    found = features(tmp_path, **files)
    assert found.modules_directory is True
    assert found.absent == ("VETH",)


def test_after_an_upgrade_only_loaded_modules_count(tmp_path: Path) -> None:
    files = {
        f"/boot/config-{RELEASE}": CONFIG, "/lib/modules/6.1.0-22-amd64/modules.dep": "",
        "/proc/modules": "bridge 311296 0 - Live 0x0000000000000000\n",
    }  # fmt: skip
    found = features(tmp_path, **files)
    assert found.modules_directory is False
    assert (found.loaded, found.absent) == (("bridge",), ("VETH",))


def test_modules_speak_where_there_is_no_configuration(tmp_path: Path) -> None:
    files = {
        f"/lib/modules/{RELEASE}/modules.dep": "kernel/drivers/net/veth.ko:\n",
        f"/lib/modules/{RELEASE}/modules.builtin": "kernel/net/bridge/bridge.ko\n",
    }
    found = features(tmp_path, **files)
    assert (found.options["VETH"], found.options["BRIDGE"], found.options["NF_NAT"]) == ("m", "y", "n")
    assert "NAMESPACES" not in found.options


def test_a_copy_without_modules_does_not_tell_whether_they_are_installed(tmp_path: Path) -> None:
    assert features(tmp_path, **{"/proc/modules": "veth 1 0 - Live 0x0\n"}).modules_directory is None


def test_a_hostile_release_leads_nowhere(tmp_path: Path) -> None:
    roots = copy(tmp_path, **{"/proc/sys/kernel/osrelease": "../../etc\n"})
    assert not kernel_features.kernel_features(roots).known


def test_kernel_features_need_the_hosts_root() -> None:
    fact = kernel_features.kernel_features(out_of_reach())
    assert fact.missing
    assert "--pid=host" in fact.missing.help


def test_the_tables_in_use(tmp_path: Path) -> None:
    assert features(tmp_path, **{"/proc/1/net/ip_tables_names": "nat\nfilter\n<b>\n"}).tables == ("ip:nat", "ip:filter")


@given(st.text(max_size=300))
def test_no_list_of_modules_makes_it_raise(text: str) -> None:
    kernel_config.parse_config(text)
    kernel_config.parse_modules(text)
    kernel_config.parse_files(text)


# --- security modules and limits -----------------------------------------------------------------------------


def test_selinux_enforcing(tmp_path: Path) -> None:
    files = {"/sys/fs/selinux/enforce": "1", "/usr/share/selinux/packages/container.pp.bz2": "x"}
    found = system.security(copy(tmp_path, **files)).get()
    assert (found.selinux, found.container_selinux, found.apparmor) == ("enforcing", True, False)


def test_apparmor_without_its_parser(tmp_path: Path) -> None:
    files = {"/sys/module/apparmor/parameters/enabled": "Y\n", "/sys/kernel/x": ""}
    found = system.security(copy(tmp_path, **files)).get()
    assert (found.selinux, found.apparmor, found.apparmor_parser) == ("disabled", True, False)
    write(tmp_path, "/usr/sbin/apparmor_parser", "x")
    assert system.security(find_roots({}, str(tmp_path))).get().apparmor_parser


def test_a_copy_without_sys_tells_nothing_of_security_modules(tmp_path: Path) -> None:
    assert not system.security(find_roots({}, str(tmp_path))).known
    assert not system.security(copy(tmp_path, **{"/sys/fs/selinux/enforce": "maybe"})).known


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
    sysctls = {"fs.inotify.max_user_instances": 128}
    assert system.sysctls(roots).get() == sysctls  # a container's, or another host's
    (tmp_path / "proc/812/root").symlink_to(tmp_path)
    assert system.sysctls(roots).get() == {**sysctls, "engine.nofile": 524288}


def test_a_stale_pid_file_names_no_engine(tmp_path: Path) -> None:
    files = {"/run/docker.pid": "812", "/proc/812/comm": "bash\n", "/proc/812/limits": LIMITS}
    assert not system.sysctls(copy(tmp_path, **files)).known


def test_unlimited_open_files() -> None:
    assert system.parse_open_files(LIMITS.replace("524288   ", "unlimited")) == (1 << 63) - 1
    assert system.parse_open_files("Max open files none") is None
