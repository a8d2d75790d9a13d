"""The machine of a copied root, by its programs, its cpuinfo and its kernel's name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.gather.machine import architecture

X86 = (
    "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R) CPU E5-2640 v3 @ 2.60GHz\n"
    "flags\t\t: fpu vme sse2 ht lm ssse3\n"
)
X86_32 = X86.replace(" lm", "").replace("Xeon(R) CPU E5-2640 v3 @ 2.60GHz", "Pentium(R) M")
ARM64 = (
    "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\n"
    "CPU architecture: 8\nCPU variant\t: 0x0\n\nModel\t\t: Raspberry Pi 4 Model B Rev 1.1\n"
)
ARMV7 = (
    "processor\t: 0\nmodel name\t: ARMv7 Processor rev 4 (v7l)\nBogoMIPS\t: 38.40\n"
    "Features\t: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm crc32\n"
    "CPU implementer\t: 0x41\nCPU architecture: 7\n\nHardware\t: BCM2835\n"
)
RISCV = "processor\t: 0\nhart\t\t: 1\nisa\t\t: rv64imafdc\nmmu\t\t: sv39\nuarch\t\t: sifive,u74-mc\n"
S390X = (
    "vendor_id       : IBM/S390\n# processors    : 2\nbogomips per cpu: 3033.00\nmax thread id   : 0\n"
    "features\t: esan3 zarch stfle msa ldisp eimm dfp\n"
    "processor 0: version = FF,  identification = 0B7E58,  machine = 2964\n"
    "processor 1: version = FF,  identification = 0B7E58,  machine = 2964\n\n"
    "cpu number      : 0\ncpu MHz dynamic : 5000\ncpu MHz static  : 5200\n"
)
PPC64 = (
    "processor\t: 0\ncpu\t\t: POWER9 (architected), altivec supported\nclock\t\t: 2500.000000MHz\n"
    "revision\t: 2.2 (pvr 004e 1202)\n\ntimebase\t: 512000000\nplatform\t: pSeries\n"
)


def elf(wide: bool, little: bool, number: int) -> bytes:
    order = "little" if little else "big"
    return b"\x7fELF" + bytes([1 + wide, 2 - little, 1]) + bytes(9) + (3).to_bytes(2, order) + number.to_bytes(2, order)


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
