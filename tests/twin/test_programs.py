"""BPF programs on interfaces, of which no qdisc tells."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable, Iterator

import pytest

from preflight.facts.twin import Unseen
from preflight.twin import programs
from preflight.twin.spaces import Space
from tests.twin import hosts

_libc = ctypes.CDLL(None, use_errno=True)
LOAD, LINK = 5, 28  # BPF_PROG_LOAD, BPF_LINK_CREATE
INDEX = 7


def bpf(command: int, attributes: bytes) -> int:
    """Do something; return a descriptor, or skip where the kernel refuses."""
    number = programs._NUMBERS.get(programs.platform.machine())
    given = ctypes.create_string_buffer(attributes, len(attributes))
    done = int(_libc.syscall(number, command, given, len(attributes))) if number else -1
    if done < 0:
        pytest.skip(f"no program can be attached: {os.strerror(ctypes.get_errno())}")
    return done


@pytest.fixture
def program() -> Iterator[int]:
    """Return a program that lets all packets pass."""
    code = ctypes.create_string_buffer(struct.pack("=BBhiBBhi", 0xB7, 0, 0, -1, 0x95, 0, 0, 0))  # r0 = -1; exit
    licence = ctypes.create_string_buffer(b"GPL")
    kind = 3  # BPF_PROG_TYPE_SCHED_CLS
    attributes = struct.pack("=IIQQIIQI", kind, 2, ctypes.addressof(code), ctypes.addressof(licence), 0, 0, 0, 0)
    descriptor = bpf(LOAD, attributes + bytes(80))
    yield descriptor
    os.close(descriptor)


def test_a_program_without_a_qdisc_is_told(namespaces: Callable[[], Space], program: int) -> None:
    host = namespaces()
    hosts.run(host, f"link add eth0 index {INDEX} type veth peer name x", "link set eth0 up")
    assert hosts.read(host).unseen == ()
    with host.entered():
        link = bpf(LINK, struct.pack("=IIII", program, INDEX, 46, 0) + bytes(48))  # BPF_TCX_INGRESS
    assert hosts.read(host).unseen == (Unseen("tc", "eth0"),)
    os.close(link)
    assert hosts.read(host).unseen == ()


def test_machines_whose_call_is_not_known_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs.platform, "machine", lambda: "vax")
    assert programs.attached([1, 2]) == set()


def test_a_kernel_that_does_not_know_the_question_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Old:
        def syscall(self, number: int, *rest: object) -> int:
            asked.append(number)
            return -1

    monkeypatch.setattr(programs, "_libc", Old())
    monkeypatch.setattr(programs.platform, "machine", lambda: "x86_64")
    assert programs.attached([1, 2]) == set()
    assert asked == [321]
