"""Whether a unit would start at all: conditions on the host's own files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.gather.services.conditions import unmet
from preflight.gather.services.services import services
from tests.gather.trees import copy, out_of_reach
from tests.gather.units import ETC, LIB, SYSTEMD, WANTS, to, tree

FILES = {"/etc/full": "x", "/etc/empty": "", "/etc/folder/x": "", "/etc/conf.d/a.conf": ""}


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("", ""),
        ("ConditionPathExists=/etc/full", ""),
        ("ConditionPathExists=/etc/none", "ConditionPathExists=/etc/none"),
        ("ConditionPathExists=!/etc/none", ""),
        ("ConditionPathExists=!/etc/full", "ConditionPathExists=!/etc/full"),
        ("AssertPathExists=/etc/none", "AssertPathExists=/etc/none"),
        ("ConditionFileNotEmpty=/etc/empty", "ConditionFileNotEmpty=/etc/empty"),
        ("ConditionFileNotEmpty=/etc/full", ""),
        ("ConditionDirectoryNotEmpty=/etc/folder", ""),
        ("ConditionPathIsDirectory=/etc/full", "ConditionPathIsDirectory=/etc/full"),
        ("ConditionPathExistsGlob=/etc/conf.d/*.conf", ""),
        ("ConditionPathExistsGlob=/etc/conf.d/*.ini", "ConditionPathExistsGlob=/etc/conf.d/*.ini"),
        ("ConditionFileIsExecutable=/etc/full", "ConditionFileIsExecutable=/etc/full"),
        ("ConditionPathExists=|/etc/none\nConditionPathExists=|/etc/full", ""),
        ("ConditionPathExists=|/etc/none\nConditionPathExists=|!/etc/full", "ConditionPathExists=|/etc/none"),
        ("ConditionPathExists=|/etc/none\nConditionVirtualization=|kvm", ""),  # which the copy does not tell
        ("ConditionPathExists=/etc/none\nConditionPathExists=", ""),
        ("ConditionPathExists=/etc/%i", ""),
        ("ConditionVirtualization=!container", ""),
        ("ConditionPathExists = \\\n/etc/none", "ConditionPathExists=/etc/none"),
    ],
)
def test_conditions(tmp_path: Path, lines: str, found: str) -> None:
    roots = copy(tmp_path, **FILES)
    assert unmet(roots, f"[Unit]\n{lines}\n[Service]\nExecStart=/bin/x\n") == found
    assert unmet(roots, f"[Service]\n{lines}\n") == ""
    assert unmet(out_of_reach(), f"[Unit]\n{lines}\n") == ""


@pytest.mark.parametrize(
    ("value", "in_lxc", "in_kvm", "bare"),
    [
        ("container", True, False, False), ("!container", False, True, True), ("vm", False, True, False),
        ("yes", True, True, False), ("no", False, False, True), ("kvm", False, True, False),
        ("lxc", True, False, False),
        ("private-users", True, True, True),
    ],
)  # fmt: skip
def test_what_the_host_runs_in(tmp_path: Path, value: str, in_lxc: bool, in_kvm: bool, bare: bool) -> None:
    line = f"ConditionVirtualization={value}"
    for number, (met, files) in enumerate(
        (
            (in_lxc, {"/proc/1/environ": "container=lxc\0"}),
            (in_kvm, {"/proc/1/environ": "A=b\0", "/sys/class/dmi/id/product_name": "KVM\n"}),
            (bare, {"/proc/1/environ": "A=b\0", "/sys/class/dmi/id/product_name": "PowerEdge\n"}),
        )
    ):
        root = tmp_path / str(number)
        root.mkdir()
        assert unmet(copy(root, **files), f"[Unit]\n{line}\n") == ("" if met else line), files


@given(st.text(alphabet="[Unit]\nConditionPathExists=|!/\\*", max_size=200))
def test_no_unit_breaks_it(text: str) -> None:
    unmet(out_of_reach(), text)


def test_a_service_says_what_keeps_it_from_starting(tmp_path: Path) -> None:
    unit = "[Unit]\nConditionPathExists=/etc/postfix/main.cf\n"
    files = {f"{LIB}/postfix.service": unit, f"{ETC}/{WANTS}/postfix.service": to("postfix.service")}
    drop_in = {f"{ETC}/postfix.service.d/x.conf": "[Unit]\nConditionPathExists=\n"}
    (found,) = services(tree(tmp_path / "a", SYSTEMD | files)).get().services
    assert (found.enabled, found.unmet) == (True, "ConditionPathExists=/etc/postfix/main.cf")
    (found,) = services(tree(tmp_path / "b", SYSTEMD | files | drop_in)).get().services
    assert found.unmet == ""
