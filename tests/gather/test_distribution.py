"""The distribution of a host below a root: os-release(5)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.gather.machine import distribution
from tests.gather.trees import copy

DEBIAN = (
    'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\n'
    'VERSION="12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n'
)


def test_os_release_through_an_absolute_link(tmp_path: Path) -> None:
    roots = copy(tmp_path, **{"/usr/lib/os-release": DEBIAN})
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").symlink_to("/usr/lib/os-release")
    found = distribution.os_release(roots).get()
    assert (found.id, found.version_id, found.codename) == ("debian", "12", "bookworm")
    assert found.pretty_name == "Debian GNU/Linux 12 (bookworm)"


def test_os_release_falls_back_to_usr_lib(tmp_path: Path) -> None:
    assert distribution.os_release(copy(tmp_path, **{"/usr/lib/os-release": DEBIAN})).source == "/usr/lib/os-release"


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
    assert distribution.parse_os_release(line + "\n").id == value


def test_a_missing_pretty_name_is_made_of_name_and_version() -> None:
    assert distribution.parse_os_release("NAME=Void\nVERSION='1 (one)'").pretty_name == "Void 1 (one)"
    assert distribution.parse_os_release('ID_LIKE="rhel Fedora"').id_like == ("rhel", "fedora")
    assert distribution.parse_os_release("ID=fedora\nVARIANT_ID=CoreOS").variant == "coreos"
    assert distribution.parse_os_release("ID=linuxmint\nUBUNTU_CODENAME=noble\nVERSION_CODENAME=wilma").base == "noble"
    assert distribution.parse_os_release("ID=linuxmint\nDEBIAN_CODENAME=bookworm").base == "bookworm"


@pytest.mark.parametrize("content", ["", "\x00\xff\x00", "<html>not it</html>\n", "# ID=debian\n"])
def test_a_damaged_os_release_is_unknown(tmp_path: Path, content: str) -> None:
    assert not distribution.os_release(copy(tmp_path, **{"/etc/os-release": content})).known


def test_a_huge_os_release_is_cut(tmp_path: Path) -> None:
    roots = copy(tmp_path, **{"/etc/os-release": DEBIAN + "X=" + "y" * 200_000 + "\nID=late\n"})
    assert distribution.os_release(roots).get().id == "debian"
    assert len(distribution.parse_os_release("PRETTY_NAME=" + "y" * 9999).pretty_name) == 256


@given(st.text(max_size=300))
def test_no_os_release_makes_it_raise(text: str) -> None:
    distribution.parse_os_release(text)
    distribution.parse_os_release(f"ID={text}")
