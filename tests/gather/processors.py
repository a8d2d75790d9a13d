"""What /proc/cpuinfo says on several machines, and heads of programs for them."""

from __future__ import annotations

X86 = (
    "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R) CPU E5-2640 v3 @ 2.60GHz\n"
    "flags\t\t: fpu vme sse2 ht lm ssse3\n"
)

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
