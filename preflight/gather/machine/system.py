"""The host's name, distribution, kernel and machine, its security modules and limits."""

from __future__ import annotations

import contextlib
import os
import re

from preflight.facts import Fact, OsRelease, SecurityModules
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.machine import architecture
from preflight.text.sentences import phrase, say

_RELEASE = "/proc/sys/kernel/osrelease"
_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
_PROGRAMS = ("/bin/sh", "/usr/bin/env", "/sbin/init", "/bin/busybox")
_APPARMOR_PARSER = ("/sbin/apparmor_parser", "/usr/sbin/apparmor_parser", "/usr/bin/apparmor_parser")
_CONTAINER_SELINUX = (
    "/usr/share/selinux/packages/container.pp.bz2",
    "/var/lib/selinux/targeted/active/modules/200/container",
    "/etc/selinux/targeted/active/modules/200/container",
    "/usr/share/containers/selinux/contexts",
)
_SYSCTLS = {
    "fs.inotify.max_user_instances": "/proc/sys/fs/inotify/max_user_instances",
    "vm.overcommit_memory": "/proc/sys/vm/overcommit_memory",
}
ENGINE_FILES = "engine.nofile"


# --- name ----------------------------------------------------------------------------------------------------


def name(roots: Roots) -> Fact[str]:
    """Return the host's name: the kernel's word where its name space is the host's, else the host's own file."""
    if not roots.view.container and roots.anchor == "self":
        return Fact.of("uname", os.uname().nodename)
    paths = ["/etc/hostname", "/etc/HOSTNAME"]
    if not roots.view.live:
        paths.append("/proc/sys/kernel/hostname")
    error = Unreadable("/etc/hostname", phrase("not there"))
    for path in paths:
        try:
            found = parse_hostname(roots.text(path, 4096))
        except Unreadable as caught:
            error = caught
            continue
        if found:
            return Fact.of(path, found)
        error = Unreadable(path, phrase("it holds no name"))
    if roots.view.container and roots.view.network:  # the engine gives such a container the host's name
        return Fact.of("uname (of a container in the host's network)", os.uname().nodename)
    return roots.unknown("/etc/hostname", error)


def parse_hostname(text: str) -> str:
    """Read hostname(5): the first line that is no comment; '' where there is none or it is no name."""
    lines = (line.strip() for line in text.split("\n"))
    found = next((line for line in lines if line and not line.startswith("#")), "")
    return found if re.fullmatch(r"[A-Za-z0-9._-]{1,253}", found) else ""


# --- distribution --------------------------------------------------------------------------------------------


def os_release(roots: Roots) -> Fact[OsRelease]:
    """Return os-release(5), from /etc or /usr/lib."""
    error: Unreadable | None = None
    for path in _OS_RELEASE:
        try:
            release = parse_os_release(roots.text(path, 1 << 16))
        except Unreadable as caught:
            error = error or caught
            continue
        if release.id or release.name or release.pretty_name:
            return Fact.of(path, release)
        error = Unreadable(path, phrase("it names no system"))
    return roots.unknown(_OS_RELEASE[0], error or Unreadable(_OS_RELEASE[0], phrase("not there")))


def parse_os_release(text: str) -> OsRelease:
    """Parse os-release(5); a variable that is set twice has its last value. Never raises."""
    fields: dict[str, str] = {}
    for line in text.lstrip("\ufeff").split("\n")[:1000]:
        match = re.match(r"\s*([A-Z][A-Z0-9_]*)=(.*)", line)
        if match:
            fields[match[1]] = _unquote(match[2])[:256]
    title = fields.get("NAME", "")
    return OsRelease(
        id=fields.get("ID", "").lower(),
        version_id=fields.get("VERSION_ID", ""),
        id_like=tuple(fields.get("ID_LIKE", "").lower().split()),
        pretty_name=fields.get("PRETTY_NAME", "") or f"{title} {fields.get('VERSION', '')}".strip(),
        codename=fields.get("VERSION_CODENAME", "") or fields.get("UBUNTU_CODENAME", ""),
        name=title,
        variant=fields.get("VARIANT_ID", "").lower(),
        base=fields.get("UBUNTU_CODENAME", "") or fields.get("DEBIAN_CODENAME", ""),
    )


def _unquote(value: str) -> str:
    """Undo the shell's quoting as os-release(5) allows it: single and double quotes, backslashes."""
    kept: list[str] = []
    quote = ""
    rest = iter(value.rstrip("\r"))
    for char in rest:
        if char == "\\" and quote != "'":
            following = next(rest, "")
            kept.append(following if not quote or following in '"$`\\' else char + following)
        elif char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        elif not quote and char.isspace():
            break
        else:
            kept.append(char)
    return "".join(kept)


# --- kernel and machine --------------------------------------------------------------------------------------


def kernel(roots: Roots) -> Fact[str]:
    """Return the running kernel's release, as `uname -r` gives it."""
    try:
        found = roots.text(_RELEASE, 4096).split()
    except Unreadable as error:
        if roots.view.live:
            return Fact.of("uname", os.uname().release)
        return roots.unknown(_RELEASE, error)
    if not found or not re.fullmatch(r"[!-~]{1,128}", found[0]):
        return roots.unknown(_RELEASE, Unreadable(_RELEASE, phrase("it holds no release")))
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
        reason = say("The copy does not tell its machine: {signs}.", signs=told or phrase("nothing in it does"))
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


# --- security modules and limits -----------------------------------------------------------------------------


def security(roots: Roots) -> Fact[SecurityModules]:
    """Return what SELinux and AppArmor are set to in the running kernel, and what of them the host has installed."""
    source = "/sys/fs/selinux/enforce"
    try:
        if not roots.exists("/sys/fs/selinux/enforce") and not roots.exists("/sys/kernel"):
            raise Unreadable("/sys", phrase("not there"))
        enforce = roots.text(source, 16).strip() if roots.exists(source) else None
        enabled = "/sys/module/apparmor/parameters/enabled"
        apparmor = roots.exists(enabled) and roots.text(enabled, 16).strip() == "Y"
        parser = any(roots.exists(path) for path in _APPARMOR_PARSER)
        policy = any(roots.exists(path) for path in _CONTAINER_SELINUX)
    except Unreadable as error:
        return roots.unknown(source, error)
    if enforce not in (None, "0", "1"):
        return roots.unknown(source, Unreadable(source, phrase("it holds neither 0 nor 1")))
    selinux = "disabled" if enforce is None else "enforcing" if enforce == "1" else "permissive"
    return Fact.of(source, SecurityModules(selinux, apparmor, parser, policy))


def sysctls(roots: Roots) -> Fact[dict[str, int]]:
    """Return the limits that can be read: sysctls, and the open files that the engine passes on (`engine.nofile`)."""
    found: dict[str, int] = {}
    error: Unreadable | None = None
    for key, path in _SYSCTLS.items():
        try:
            value = roots.text(path, 64).strip()
        except Unreadable as caught:
            error = error or caught
            continue
        if re.fullmatch(r"[0-9]{1,18}", value):
            found[key] = int(value)
    if files := _engine_files(roots):
        found[ENGINE_FILES] = files
    if not found and error:
        return roots.unknown("/proc/sys", error)
    return Fact.of("/proc/sys", found)


def _engine_files(roots: Roots) -> int | None:
    """Return the hard limit of open files of the engine that runs; None: none is found."""
    from preflight.gather.engine import dockerd

    try:
        pid = dockerd.process(roots)
    except Unreadable:
        return None
    return parse_open_files(roots.try_text(f"/proc/{pid}/limits", 1 << 14)) if pid else None


def parse_open_files(text: str) -> int | None:
    """Read the hard limit of open files in /proc/PID/limits; unlimited counts as 2**63 - 1."""
    match = re.search(r"^Max open files +(?:[0-9]{1,19}|unlimited) +([0-9]{1,19}|unlimited) ", text, re.MULTILINE)
    if not match:
        return None
    return (1 << 63) - 1 if match[1] == "unlimited" else min(int(match[1]), (1 << 63) - 1)
