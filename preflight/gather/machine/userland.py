"""What the host's programs are made for: a 64-bit kernel may run a 32-bit system, and uname tells the kernel's."""

from __future__ import annotations

import re

from preflight.facts import Fact, Userland
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.machine import architecture
from preflight.gather.packages.packages import DATABASE_BYTES, DPKG

SOURCE = "the host's programs and its package manager"
_SHELLS = ("/bin/sh", "/usr/bin/env", "/bin/busybox")
_ENGINES = ("/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd", "/opt/bin/dockerd")
# dpkg's file has its own architecture first, then the foreign ones; it is there only once one was added.
_DPKG_ARCH, _APK_ARCH = "/var/lib/dpkg/arch", "/etc/apk/arch"
_DPKG_OWN = re.compile(rb"^Package: dpkg\n(?:[^\n]+\n)*?Architecture: ([a-z0-9-]{1,20})\n", re.MULTILINE)


def userland(roots: Roots) -> Fact[Userland]:
    """Read the headers of a program that every host has and of the engine's, and what the package manager says."""
    if roots.root is None:
        return roots.unknown(SOURCE, Unreadable("/bin/sh", ""))
    found = Userland(shell=_program(roots, _SHELLS), engine=_program(roots, _ENGINES), packages=_packages(roots))
    return Fact.of(SOURCE, found)


def _program(roots: Roots, paths: tuple[str, ...]) -> str:
    """Name what the first of these programs is made for; scripts are passed over."""
    for path in paths:
        try:
            named = architecture.from_elf(roots.read(path, 64))
        except Unreadable:
            continue
        if named:
            return named
    return ""


def _packages(roots: Roots) -> str:
    try:
        if own := _DPKG_OWN.search(roots.read(DPKG, DATABASE_BYTES)):
            return architecture.named(own[1].decode("ascii"))
    except Unreadable:
        pass
    return architecture.named((roots.try_text(_DPKG_ARCH, 1000) or roots.try_text(_APK_ARCH, 1000)).partition("\n")[0])
