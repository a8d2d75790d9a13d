"""The name of a host below a root."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from preflight.facts import View
from preflight.gather.access.roots import Roots
from preflight.gather.access.view import find_roots
from preflight.gather.machine import hostname
from tests.gather.trees import copy, write


def test_the_name_is_the_kernels_where_we_run_on_the_host() -> None:
    assert hostname.name(find_roots({})).get() == socket.gethostname()


def test_the_name_of_a_copy_is_in_its_own_file(tmp_path: Path) -> None:
    roots = copy(tmp_path, **{"/etc/hostname": "# set by hand\n\nmail\n", "/proc/sys/kernel/hostname": "other\n"})
    assert hostname.name(roots).get() == "mail"


@pytest.mark.parametrize("text", ["", "# nothing\n", "two words\n", "\x00\x01", "x" * 300])
def test_a_damaged_name_is_unknown(tmp_path: Path, text: str) -> None:
    assert not hostname.name(copy(tmp_path, **{"/etc/hostname": text})).known


def test_in_a_container_the_reader_s_own_name_is_not_the_hosts(tmp_path: Path) -> None:
    write(tmp_path, "/etc/hostname", "mail\n")
    view = View(container=True, root=str(tmp_path), live=True, network=False, privileged=True)
    assert hostname.name(Roots(str(tmp_path), view)).get() == "mail"
    (tmp_path / "etc/hostname").unlink()
    assert not hostname.name(Roots(str(tmp_path), view)).known
