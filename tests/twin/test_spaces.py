"""Namespaces that nothing but descriptors hold, and how one comes back from them."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from preflight.twin import spaces
from preflight.twin.spaces import Space


def here() -> str:
    return os.readlink("/proc/self/ns/net")


def opened() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_one_comes_back_whatever_happens(namespaces: Callable[[], Space]) -> None:
    space, before, files = namespaces(), here(), opened()
    inside = []
    with suppress(ZeroDivisionError), space.entered():
        inside.append(here())
        raise ZeroDivisionError
    assert inside != [before]
    assert (here(), opened()) == (before, files)


def test_one_is_entered_from_another(namespaces: Callable[[], Space]) -> None:
    first, second, before = namespaces(), namespaces(), here()
    with first.entered():
        outer = here()
        with second.entered():
            assert len({here(), outer, before}) == 3
        assert here() == outer
    assert here() == before


def test_what_is_made_is_not_entered_and_empty(namespaces: Callable[[], Space]) -> None:
    before = here()
    space = namespaces()
    assert here() == before
    with space.entered():
        assert [line.split(":")[0].strip() for line in Path("/proc/self/net/dev").read_text().splitlines()[2:]] == [
            "lo"
        ]


class Libc:
    """A kernel that refuses something."""

    def __init__(self, refused: str, code: int) -> None:
        self._refused, self._code = refused, code
        self.entered: list[int] = []

    def unshare(self, flags: int) -> int:
        assert flags == spaces.NETWORK
        return self._answer("unshare")

    def setns(self, descriptor: int, flags: int) -> int:
        self.entered.append(descriptor)
        return self._answer("setns")

    def _answer(self, what: str) -> int:
        if what != self._refused:
            return 0
        ctypes.set_errno(self._code)
        return -1


@pytest.mark.parametrize(
    ("refused", "code"), [("unshare", errno.EPERM), ("unshare", errno.ENOSPC), ("setns", errno.EINVAL)]
)
def test_what_the_kernel_refuses_is_said_and_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch, refused: str, code: int
) -> None:
    monkeypatch.setattr(spaces, "_libc", libc := Libc(refused, code))
    files = opened()
    with pytest.raises(OSError, match=refused) as failure:
        spaces.make()
    assert failure.value.errno == code
    # Only where one has been made is it left again.
    assert len(libc.entered) == (refused == "setns")
    assert opened() <= files + (refused == "setns")


def test_a_namespace_that_is_gone_is_not_entered_in_silence(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    before = here()
    with (tmp_path / "x").open("rb") as file, pytest.raises(OSError, match="setns"), Space(file.fileno()).entered():
        raise AssertionError("it is not entered")
    assert here() == before
