"""The machine of a copied root, by its programs, its cpuinfo and its kernel's name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.gather.machine import architecture
from tests.gather.processors import ARM64, ARMV7, PPC64, RISCV, S390X, X86, elf

X86_32 = X86.replace(" lm", "").replace("Xeon(R) CPU E5-2640 v3 @ 2.60GHz", "Pentium(R) M")


@pytest.mark.parametrize(
    ("text", "machine"),
    [
        (X86, "x86_64"), (X86_32, "i686"), (ARM64, "aarch64"), (ARMV7, "armv7l"), (RISCV, "riscv64"),
        (RISCV.replace("rv64", "rv32"), "riscv32"), (S390X, "s390x"), (PPC64, "ppc64"),
        ("system type\t: generic\nprocessor\t: 0\ncpu model\t: MIPS 24Kc V7.4\n", "mips"),
        ("", None), ("processor : 0", None),
        # a 64-bit kernel, read by a 32-bit program
        (ARMV7.replace("architecture: 7", "architecture: 8"), None),
    ],
)  # fmt: skip
def test_the_shape_of_cpuinfo_names_the_machine(text: str, machine: str | None) -> None:
    assert architecture.from_cpuinfo(text) == machine


@pytest.mark.parametrize(
    ("header", "machine"),
    [
        (elf(True, True, 62), "x86_64"), (elf(False, True, 3), "i686"), (elf(True, True, 183), "aarch64"),
        (elf(False, True, 40), "armv7l"), (elf(True, True, 243), "riscv64"), (elf(True, False, 22), "s390x"),
        (elf(True, True, 21), "ppc64le"), (elf(True, False, 21), "ppc64"), (elf(True, True, 9999), None),
        (b"#!/bin/sh\n" + bytes(30), None), (b"\x7fELF", None), (b"", None),
    ],
)  # fmt: skip
def test_an_elf_header_names_the_machine(header: bytes, machine: str | None) -> None:
    assert architecture.from_elf(header) == machine


@pytest.mark.parametrize(
    ("release", "machine"),
    [
        ("6.1.0-18-amd64", "x86_64"), ("5.14.0-427.el9.aarch64", "aarch64"), ("6.1.0-18-686-pae", "i686"),
        ("6.6.20+rpt-rpi-v8", "aarch64"), ("6.1.0-18-powerpc64le", "ppc64le"), ("5.15.0-100-generic", None),
        ("4.18.0-686000", None), ("amd64 arm64", None),
    ],
)  # fmt: skip
def test_some_kernels_name_their_machine(release: str, machine: str | None) -> None:
    assert architecture.from_words(release) == machine


@pytest.mark.parametrize(
    ("words", "cpuinfo", "program", "machine"),
    [
        (None, "x86_64", None, "x86_64"),
        (None, None, "aarch64", "aarch64"),
        (None, "x86_64", "i686", "i686"),  # a 64-bit processor under a 32-bit system
        ("x86_64", "x86_64", "i686", "x86_64"),  # … under a 64-bit kernel, which decides
        (None, "aarch64", "armv7l", "aarch64"),
        (None, "ppc64", "ppc64le", "ppc64le"),
        (None, "aarch64", "x86_64", None),  # they contradict each other
        (None, "i686", "x86_64", None),
        (None, None, None, None),
    ],
)
def test_signs_are_weighed(words: str | None, cpuinfo: str | None, program: str | None, machine: str | None) -> None:
    assert architecture.decide(words, cpuinfo, program) == machine


@given(st.text(max_size=400), st.binary(max_size=64))
def test_nothing_makes_it_raise(text: str, data: bytes) -> None:
    architecture.from_cpuinfo(text)
    architecture.from_words(text)
    architecture.from_elf(data)
