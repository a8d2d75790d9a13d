"""Features of the kernel of a host below a root: its configuration, its modules, its tables."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.gather.machine import kernel_config, kernel_features
from tests.gather.trees import copy, out_of_reach, write

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
