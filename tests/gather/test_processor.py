"""The processor from captured files of several machines."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.gather.access.view import find_roots
from preflight.gather.machine import processor
from tests.gather.processors import ARM64, ARMV7, PPC64, RISCV, S390X, X86
from tests.gather.trees import copy

IDLE = (
    "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD Ryzen 5 3600\n"
    "cpu MHz\t\t: 550.000\nflags\t\t: lm ssse3\n"
)


# --- clock rate ----------------------------------------------------------------------------------------------


def test_cpufreq_knows_the_maximum(tmp_path: Path) -> None:
    files = {
        "/proc/cpuinfo": IDLE, "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "3600000\n",
        "/sys/devices/system/cpu/cpu10/cpufreq/cpuinfo_max_freq": "4200000\n",
        "/sys/devices/system/cpu/cpufreq/boost": "1",
    }  # fmt: skip
    found = processor.cpu_speed(copy(tmp_path, **files)).get()
    assert (found.mhz, found.maximum) == (4200.0, True)


@pytest.mark.parametrize("text", ["", "fast", "-1", "0", "99999999999"])
def test_a_damaged_maximum_gives_way(tmp_path: Path, text: str) -> None:
    files = {"/proc/cpuinfo": IDLE, "/sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq": text}
    found = processor.cpu_speed(copy(tmp_path, **files)).get()
    assert (found.mhz, found.maximum) == (550.0, False)


@pytest.mark.parametrize(
    ("text", "mhz", "maximum"),
    [
        (X86, 2600.0, True), (X86 + "cpu MHz : 800.1\n", 2600.0, True), (IDLE, 550.0, False),
        (IDLE + IDLE.replace("550", "3599.9"), 3599.9, False), (S390X, 5200.0, True), (PPC64, 2500.0, False),
        ("model name : x @ 900MHz\n", 900.0, True), (X86.replace("2.60", "99999.0"), None, None),
        ("cpu MHz : 99999999999\n", None, None), ("cpu MHz : fast\n", None, None),
        (ARM64, None, None), (ARMV7, None, None), (RISCV, None, None), ("", None, None),
    ],
)  # fmt: skip
def test_cpuinfo_knows_a_rate_or_not(text: str, mhz: float | None, maximum: bool | None) -> None:
    found = processor.parse_speed(text)
    assert (found and found.mhz, found and found.maximum) == (mhz, maximum)


def test_no_rate_is_unknown(tmp_path: Path) -> None:
    assert not processor.cpu_speed(copy(tmp_path, **{"/proc/cpuinfo": ARM64})).known
    assert not processor.cpu_speed(find_roots({}, str(tmp_path / "nothing"))).known


# --- features ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "model", "flag", "count"),
    [
        (X86 + "\n" + X86, "Intel(R) Xeon(R) CPU E5-2640 v3 @ 2.60GHz", "ssse3", 2),
        (ARM64, "Raspberry Pi 4 Model B Rev 1.1", "asimd", 1), (ARMV7, "ARMv7 Processor rev 4 (v7l)", "neon", 1),
        (RISCV, "sifive,u74-mc", "rv64imafdc", 1), (S390X, "IBM/S390", "zarch", 2),
        (PPC64, "POWER9 (architected), altivec supported", None, 1),
    ],
)  # fmt: skip
def test_features_of_every_architecture(text: str, model: str, flag: str | None, count: int) -> None:
    found = processor.parse_features(text)
    assert found is not None
    assert (found.model, found.count) == (model, count)
    assert flag is None or flag in found.flags


@pytest.mark.parametrize("text", ["", "\x00\x00", "hello\n"])
def test_a_damaged_cpuinfo_is_unknown(tmp_path: Path, text: str) -> None:
    assert not processor.cpu_features(copy(tmp_path, **{"/proc/cpuinfo": text})).known


@given(st.text(max_size=400))
def test_no_cpuinfo_makes_it_raise(text: str) -> None:
    processor.parse_speed(text)
    processor.parse_features(text)
    processor.parse_features(f"processor : 0\nflags : {text}")
