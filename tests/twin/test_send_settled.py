"""A packet of one's own that goes around: when it is there again, the kernel has dealt with all that came before."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from preflight.twin import send_settled
from preflight.twin.send_settled import STEPS, Rounds, pinned
from preflight.twin.spaces import Space


def test_it_goes_around_a_loopback_interface_that_was_down(namespaces: Callable[[], Space]) -> None:
    space = namespaces()
    rounds = Rounds(space)
    assert rounds.settle()
    with space.entered():
        counted = next(line for line in Path("/proc/self/net/dev").read_text().splitlines() if "lo:" in line)
    assert int(counted.split()[2]) == STEPS
    again = Rounds(space)  # now that it is up
    assert again.settle()
    again.close()
    rounds.close()
    assert not rounds.settle()


class Slow:
    """A socket whose packets do not come back from some step on."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def send(self, data: bytes) -> None:
        self._steps -= 1

    def recv(self, size: int) -> bytes:
        if self._steps < 0:
            raise TimeoutError
        return b"\0"


@pytest.mark.parametrize(("steps", "settled"), [(STEPS, True), (STEPS - 1, False), (0, False)])
def test_what_does_not_come_back_in_time_is_not_sure(steps: int, settled: bool) -> None:
    rounds = Rounds.__new__(Rounds)
    rounds._socket = Slow(steps)  # type: ignore[assignment]  # all that it has to do
    assert rounds.settle() is settled


@pytest.fixture
def affinity(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """Return where the process is set to be, which it was allowed on processors 0 and 3."""
    found: list[set[int]] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3})
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, processors: found.append(set(processors)))
    monkeypatch.setattr(send_settled, "_libc", type("Libc", (), {"sched_getcpu": lambda self: 3})())
    return found


def test_one_stays_on_the_processor_where_one_is(affinity: list[set[int]]) -> None:
    with pinned() as sure:
        assert sure
        assert affinity == [{3}]
    assert affinity == [{3}, {0, 3}]


def test_one_may_go_elsewhere_again_whatever_happens(affinity: list[set[int]]) -> None:
    with pytest.raises(ZeroDivisionError), pinned():
        raise ZeroDivisionError
    assert affinity == [{3}, {0, 3}]


def test_where_that_is_not_allowed_nothing_is_sure(affinity: list[set[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    with pinned() as sure:
        assert sure is False


@pytest.mark.parametrize(("flags", "lifted"), [(0x49, False), (0x48, True)])
def test_an_interface_that_is_up_is_left_alone(monkeypatch: pytest.MonkeyPatch, flags: int, lifted: bool) -> None:
    asked: list[tuple[int, bytes]] = []

    def ioctl(_: object, request: int, data: bytes) -> bytes:
        asked.append((request, data))
        return data[:16] + flags.to_bytes(2, "little") + data[18:]

    monkeypatch.setattr(send_settled.fcntl, "ioctl", ioctl)
    send_settled._lift(_socket())
    assert asked[0] == (0x8913, b"lo".ljust(32, b"\0"))
    assert asked[1:] == ([(0x8914, b"lo".ljust(16, b"\0") + (flags | 1).to_bytes(2, "little") + bytes(14))] * lifted)


def _socket() -> Any:
    return socket.SocketType
