"""The running kernel's release, and the machine that it is for."""

from __future__ import annotations

import contextlib
import os
import re

from preflight.facts import Fact
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.machine import architecture
from preflight.text.sentences import phrase, say

_RELEASE = "/proc/sys/kernel/osrelease"
_PROGRAMS = ("/bin/sh", "/usr/bin/env", "/sbin/init", "/bin/busybox")


def kernel(roots: Roots) -> Fact[str]:
    """Return the running kernel's release, as `uname -r` gives it."""
    try:
        found = roots.text(_RELEASE, 4096).split()
    except Unreadable as error:
        if roots.view.live:
            return Fact.of("uname", os.uname().release)
        return roots.unknown(_RELEASE, error)
    if not found or not re.fullmatch(r"[!-~]{1,128}", found[0]):
        return roots.unknown(_RELEASE, Unreadable(_RELEASE, phrase("it contains no release")))
    return Fact.of(_RELEASE, found[0])


def machine(roots: Roots) -> Fact[str]:
    """Return the kernel's machine, as `uname -m` gives it to a program that is not held to 32 bits."""
    if roots.view.live:
        return Fact.of("uname", _uname_machine())
    told = roots.try_text("/proc/sys/kernel/arch").strip()
    if re.fullmatch(r"[a-z0-9_]{1,20}", told):
        return Fact.of("/proc/sys/kernel/arch", told)
    words = architecture.from_words(roots.try_text(_RELEASE) or roots.try_text("/proc/version"))
    shape = architecture.from_cpuinfo(roots.try_text("/proc/cpuinfo"))
    programs = architecture.from_elf(_program(roots))
    found = architecture.decide(words, shape, programs)
    if found is None:
        signs = {_RELEASE: words, "/proc/cpuinfo": shape, "ELF": programs}
        told = ", ".join(f"{where} = {what}" for where, what in signs.items() if what)
        reason = say(
            "The copy does not show the machine's architecture: {signs}.",
            signs=told or phrase("nothing in it shows that"),
        )
        return Fact.unknown("/proc/cpuinfo", reason)
    return Fact.of("/proc/cpuinfo" if shape else "the host's programs" if programs else _RELEASE, found)


def _uname_machine() -> str:
    """Ask uname(2), with the personality put aside that makes a 64-bit kernel give a 32-bit name."""
    found = os.uname().machine
    if found not in ("i686", "i386", "armv8l", "ppc", "ppcle", "s390", "mips"):
        return found
    import ctypes

    libc = ctypes.CDLL(None)
    before = libc.personality(0xFFFFFFFF)
    if before < 0 or before & 0xFF != 0x08:  # PER_LINUX32
        return found
    libc.personality(before & ~0xFF)  # of this thread alone
    try:
        return os.uname().machine
    finally:
        libc.personality(before)


def _program(roots: Roots) -> bytes:
    """Return the first bytes of a program that every host has, b'' where there is none."""
    paths = list(_PROGRAMS)
    with contextlib.suppress(Unreadable):
        paths += [f"/lib/{entry}" for entry in roots.entries("/lib") if entry.startswith("ld-")]
    for path in paths:
        try:
            header = roots.read(path, 64)
        except Unreadable:
            continue
        if header.startswith(b"\x7fELF"):
            return header
    return b""
