"""The kernel's word on its clock, and the host's time zone."""

from __future__ import annotations

import errno
import os
import posixpath
import re

from preflight.facts import Clock, Fact, Timezone
from preflight.gather.access.roots import Roots, Unreadable
from preflight.text.sentences import phrase, say

CLOCK = "adjtimex(2)"
TIMEZONE = "/etc/localtime"
STA_UNSYNC = 0x40
HOPS = 8
_TIMEX = 208  # bytes of struct timex where long has 64 bits: x86_64, aarch64, riscv64, s390x


def clock(roots: Roots) -> Fact[Clock]:
    """Ask the kernel how far off its clock may be. Reads alone (modes = 0); no capability is needed for that."""
    if not roots.view.live:
        return Fact.unknown(CLOCK, say("The root is a copy. Only a running kernel has a clock."), cause="copy")
    try:
        return Fact.of(CLOCK, _adjtimex())
    except OSError as error:
        reason, words = say("The kernel did not report how accurate its clock is."), os.strerror(error.errno or 0)
        if error.errno in (errno.EPERM, errno.EACCES):
            return roots.denied(CLOCK, reason, detail=words)
        return Fact.unknown(CLOCK, reason, detail=words)
    except NotImplementedError:
        return Fact.unknown(CLOCK, say("Reading the kernel's clock status is not supported on this architecture."))


def _adjtimex() -> Clock:
    """Call adjtimex(2); raise OSError, and NotImplementedError where its structure is another one."""
    import ctypes

    class Timex(ctypes.Structure):
        _fields_ = [
            ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long),
            ("esterror", ctypes.c_long), ("status", ctypes.c_int), ("rest", ctypes.c_long * 20),
        ]  # fmt: skip

    if ctypes.sizeof(ctypes.c_long) != 8 or ctypes.sizeof(Timex) != _TIMEX:
        raise NotImplementedError
    buffer = Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(buffer)) < 0:
        raise OSError(ctypes.get_errno(), "adjtimex")
    return Clock(buffer.maxerror, bool(buffer.status & STA_UNSYNC))


def timezone(roots: Roots) -> Fact[Timezone]:
    """Read the zone's name from where /etc/localtime leads, and whether the hardware clock runs in local time.

    A zone file that was copied there bears no name: /etc/timezone may have it, else its own POSIX rule stands for it.
    """
    try:
        return Fact.of(TIMEZONE, Timezone(_zone(roots), _rtc_local(roots), _written(roots)))
    except Unreadable as error:
        return roots.unknown(TIMEZONE, error)


def _written(roots: Roots) -> str | None:
    """Return the zone that /etc/timezone names, '' where it holds anything else; None: it is not there."""
    try:
        held = roots.text("/etc/timezone", 200).rstrip("\n")
    except Unreadable:
        return None
    return held if re.fullmatch(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,3}", held) else ""


def _zone(roots: Roots) -> str | None:
    path = TIMEZONE
    for _ in range(HOPS):
        target = roots.link(path) or _stored(roots, path)
        if target is None:
            break
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if name := zone_name(path):
            return name
    try:
        data = roots.read(TIMEZONE, 1 << 16)
    except Unreadable as error:
        if error.absent and (roots.view.live or roots.entries("/etc")):
            return None
        raise
    try:
        if name := zone_name("/zoneinfo/" + roots.text("/etc/timezone", 200).strip()):
            return name
    except Unreadable:
        pass
    if rule := posix_rule(data):
        return rule
    raise Unreadable(TIMEZONE, phrase("it is not a time zone file"))


def _stored(roots: Roots, path: str) -> str | None:
    """Return the target of a link that a copy holds as a plain file: not every file system takes links."""
    if roots.view.live:
        return None
    held = roots.try_text(path, 200).strip()
    return held if held.startswith(("/", "../")) and zone_name(held) else None


def zone_name(path: str) -> str | None:
    """Return a zone's name from its path below zoneinfo: Europe/Berlin; None: it leads nowhere there."""
    match = re.search(r"/zoneinfo/(?:posix/|right/)?([A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,2})$", path)
    return match[1] if match else None


def posix_rule(data: bytes) -> str | None:
    """Return the rule in the last line of a TZif file (RFC 8536): CET-1CEST,M3.5.0,M10.5.0/3; None: it has none."""
    match = re.search(rb"\n([A-Za-z0-9<>,./:+-]{3,80})\n$", data)
    return match[1].decode("ascii") if match and data.startswith(b"TZif") else None


def _rtc_local(roots: Roots) -> bool | None:
    for path, parse in (("/etc/adjtime", adjtime_local), ("/etc/conf.d/hwclock", conf_local)):
        try:
            return parse(roots.text(path, 10_000))
        except Unreadable as error:
            if not error.absent:
                return None
    return False  # as hwclock(8) and systemd take it when nothing says otherwise


def adjtime_local(text: str) -> bool:
    """Read the third line of adjtime(5): LOCAL, or UTC where it says anything else or is missing."""
    return text.splitlines()[2:3] == ["LOCAL"]


def conf_local(text: str) -> bool:
    """Read OpenRC's conf.d/hwclock: clock="local"."""
    return re.search(r"^\s*clock=[\"']?local\b", text, re.MULTILINE | re.IGNORECASE) is not None
