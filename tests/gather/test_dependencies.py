"""Which packages go when others are removed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.gather.packages import dependencies
from preflight.gather.packages.dependencies import apk, apk_groups, dpkg, dpkg_groups, needing
from preflight.gather.packages.packages import APK, DPKG, dependents
from tests.gather.trees import copy, out_of_reach

MTA = frozenset({"postfix"})


def status(**packages: str) -> bytes:
    """Write dpkg's database: the fields of each package, one a line, with a dash in a name as two underscores."""
    head = "Package: {}\nStatus: install ok installed\n{}"
    stanzas = [head.format(name.replace("__", "-"), fields) for name, fields in packages.items()]
    return "\n\n".join(stanzas).encode()


POSTFIX = "Provides: mail-transport-agent"


@pytest.mark.parametrize(
    ("packages", "gone"),
    [
        ({}, ()),
        ({"pve__manager": "Depends: postfix | mail-transport-agent", "proxmox__ve": "Depends: pve-manager (>= 8)"},
         ("proxmox-ve", "pve-manager")),
        ({"bsd__mailx": "Depends: libc6, default-mta | mail-transport-agent"}, ("bsd-mailx",)),
        ({"bsd__mailx": "Depends: default-mta | mail-transport-agent",
          "nullmailer": "Provides: mail-transport-agent"}, ()),
        ({"a": "Pre-Depends: postfix:any (>= 3) [amd64]"}, ("a",)),
        ({"a": "Recommends: postfix\nSuggests: postfix\nConflicts: postfix"}, ()),
        ({"a": "Depends: postfix-doc, postfixadmin"}, ()),
        ({"a": "Description: x\n Depends: postfix"}, ()),
        ({"a": "Depends: b | postfix", "b": ""}, ()),
    ],
)  # fmt: skip
def test_what_goes_with_a_package_of_dpkg_s(packages: dict[str, str], gone: tuple[str, ...]) -> None:
    installed = dpkg(status(postfix=POSTFIX, **packages))
    assert needing(installed, MTA, dpkg_groups) == gone


def test_what_is_no_longer_installed_needs_nothing_and_helps_nobody() -> None:
    text = status(postfix=POSTFIX, a="Depends: mail-transport-agent") + (
        b"\n\nPackage: exim4\nStatus: deinstall ok config-files\nProvides: mail-transport-agent\nDepends: postfix\n"
    )
    assert needing(dpkg(text), MTA, dpkg_groups) == ("a",)


@pytest.mark.parametrize(
    ("database", "gone"),
    [
        ("P:postfix\np:cmd:sendmail=3\n\nP:mailx\nD:cmd:sendmail so:libc.musl\n", ("mailx",)),
        ("P:postfix\n\nP:postfix-pcre\nD:postfix=3.9-r0\n", ("postfix-pcre",)),
        ("P:postfix\np:cmd:sendmail=3\n\nP:msmtp\np:cmd:sendmail=1\n\nP:mailx\nD:cmd:sendmail\n", ()),
        ("P:postfix\n\nP:exim\nD:!postfix\n", ()),
    ],
)
def test_what_goes_with_a_package_of_apk_s(database: str, gone: tuple[str, ...]) -> None:
    assert needing(apk(database.encode()), MTA, apk_groups) == gone


def test_many_are_named_in_part() -> None:
    packages = {f"p{number}": "Depends: postfix" for number in range(100)}
    assert len(needing(dpkg(status(postfix="", **packages)), MTA, dpkg_groups)) == dependencies.NAMED


def test_each_distribution_s_own_database(tmp_path: Path) -> None:
    groups = {"postfix": MTA}
    text = status(postfix=POSTFIX, a="Depends: postfix").decode()
    assert dependents(copy(tmp_path / "debian", **{DPKG: text}), groups) == {"postfix": ("a",)}
    assert dependents(copy(tmp_path / "alpine", **{APK: "P:postfix\n"}), groups) == {"postfix": ()}
    assert dependents(copy(tmp_path / "other"), groups) == {}
    assert dependents(out_of_reach(), groups) == {}


@given(
    st.binary(max_size=300)
    | st.text(alphabet="Package: Status installed\nDepends:|,a P:D", max_size=300).map(str.encode)
)
def test_no_database_breaks_it(database: bytes) -> None:
    needing(dpkg(database), MTA, dpkg_groups)
    needing(apk(database), MTA, apk_groups)
