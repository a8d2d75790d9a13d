"""What machine a root was made for: by its programs' ELF headers, the shape of its cpuinfo, its kernel's name. Pure."""

from __future__ import annotations

import re

_ELF = {3: "i686", 20: "ppc", 40: "armv7l", 62: "x86_64", 183: "aarch64", 258: "loongarch64"}
_ELF_BY_CLASS = {8: ("mips", "mips64"), 22: ("s390", "s390x"), 243: ("riscv32", "riscv64")}

# Words of kernel names ("6.1.0-18-amd64", "5.14.0-427.el9.aarch64") and of compilers in /proc/version.
_WORDS = {
    "x86_64": "x86_64", "amd64": "x86_64", "686": "i686", "686-pae": "i686", "i686": "i686", "i386": "i686",
    "aarch64": "aarch64", "arm64": "aarch64", "rpi-v8": "aarch64", "armmp": "armv7l", "armv7l": "armv7l",
    "armv7hl": "armv7l", "rpi-v7": "armv7l", "rpi-v6": "armv6l", "riscv64": "riscv64", "s390x": "s390x",
    "ppc64le": "ppc64le", "powerpc64le": "ppc64le", "ppc64": "ppc64", "loongarch64": "loongarch64",
    "loong64": "loongarch64",
}  # fmt: skip
_ANY = "|".join(sorted(map(re.escape, _WORDS), key=len, reverse=True))
_WORD = rf"(?<![a-zA-Z0-9])({_ANY})(?![a-zA-Z0-9])"

# What package managers and Go call them.
_OTHERS = {
    "amd64": "x86_64", "x32": "x86_64", "i386": "i686", "386": "i686", "x86": "i686", "arm64": "aarch64",
    "armhf": "armv7l", "armv7": "armv7l", "armel": "armv5l", "ppc64el": "ppc64le", "loong64": "loongarch64",
}  # fmt: skip

_FAMILY = {
    "x86_64": "x86", "i686": "x86", "aarch64": "arm", "armv8l": "arm", "armv7l": "arm", "armv6l": "arm",
    "armv5l": "arm", "ppc": "ppc", "ppc64": "ppc", "ppc64le": "ppc", "s390": "s390", "s390x": "s390",
}  # fmt: skip

# Shapes of cpuinfo that leave open what the kernel is: a 64-bit processor may run a 32-bit x86 kernel, and POWER
# runs in either byte order.
_OPEN = ("x86_64", "ppc64")


def from_elf(header: bytes) -> str | None:
    """Name the machine of an ELF file as `uname -m` does; None: it is none, or of a machine that is not known."""
    if len(header) < 20 or header[:4] != b"\x7fELF" or header[4] not in (1, 2) or header[5] not in (1, 2):
        return None
    wide, little = header[4] == 2, header[5] == 1
    number = int.from_bytes(header[18:20], "little" if little else "big")
    if number == 21:
        return "ppc64le" if little else "ppc64"
    if number in _ELF_BY_CLASS:
        return _ELF_BY_CLASS[number][wide]
    return _ELF.get(number)


def named(told: str) -> str:
    """Return a package manager's or Go's word for a machine as `uname -m` has it; '' where it is no word."""
    told = told.strip()
    return _OTHERS.get(told, told) if re.fullmatch(r"[a-z0-9_-]{1,20}", told) else ""


def from_cpuinfo(text: str) -> str | None:
    """Name the machine by the shape of its /proc/cpuinfo; None: it cannot be told."""
    fields: dict[str, str] = {}
    for line in text.split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    if "flags" in fields and "vendor_id" in fields:
        return "x86_64" if "lm" in fields["flags"].split() else "i686"
    if "features" in fields and "cpu architecture" in fields:
        return _arm(fields["features"].split(), fields["cpu architecture"])
    if fields.get("vendor_id", "").startswith("IBM/S390"):
        return "s390x"
    if re.match(r"rv(32|64)", fields.get("isa", "")):
        return "riscv" + fields["isa"][2:4]
    if fields.get("cpu", "").startswith(("POWER", "PPC970")):
        return "ppc64"
    if "loongson" in (fields.get("model name", "") + fields.get("cpu family", "")).lower():
        return "loongarch64"
    return "mips" if fields.get("cpu model", "").startswith("MIPS") else None


def _arm(features: list[str], architecture: str) -> str | None:
    if "asimd" in features and architecture in ("8", "AArch64"):
        return "aarch64"
    match = re.match(r"([5-7])", architecture)  # "7", "5TEJ", "6TEJ"
    return f"armv{match[1]}l" if match else None  # 8 with 32-bit features: a 64-bit kernel, seen by a 32-bit reader


def from_words(text: str) -> str | None:
    """Name the machine that a kernel's release or version names; None: it names none, or more than one."""
    found = {_WORDS[word] for word in re.findall(_WORD, text[:2000])}
    return found.pop() if len(found) == 1 else None


def decide(words: str | None, cpuinfo: str | None, elf: str | None) -> str | None:
    """Weigh the three against each other; None: they know nothing, or contradict each other."""
    known = [name for name in (words, cpuinfo, elf) if name]
    if len({_FAMILY.get(name, name) for name in known}) != 1:
        return None
    if cpuinfo == "i686" and "x86_64" in (words, elf):
        return None
    return words or (elf if cpuinfo in _OPEN and elf else cpuinfo) or elf
