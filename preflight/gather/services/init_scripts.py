"""Services of hosts whose init system runs scripts: OpenRC's run levels, System V's rc?.d links."""

from __future__ import annotations

import re

from msgspec import Struct

from preflight.facts import SocketUnit
from preflight.gather.access.roots import Roots, Unreadable


class Unit(Struct, frozen=True):
    """What starts a service. `active` None: cannot be told from the init system's own files."""

    name: str  # exim4.service, of scripts exim4
    enabled: bool
    active: bool | None
    source: str  # the file that makes it
    script: bool = False  # a script in /etc/init.d
    masked: bool = False
    sockets: tuple[SocketUnit, ...] = ()  # enabled ones that start it, also without a port
    unmet: str = ""  # a condition in its files that keeps it from starting


class Scripts(Struct, frozen=True):
    """Scripts in /etc/init.d: which there are, which start at boot, which were started (None: cannot be told)."""

    present: frozenset[str]
    enabled: frozenset[str]
    started: frozenset[str] | None

    def unit(self, name: str) -> Unit | None:
        """Return the script that a systemd unit's name stands for; None: there is none."""
        stem = name.removesuffix(".service")
        if stem not in self.present:
            return None
        active = None if self.started is None else stem in self.started
        return Unit(stem, stem in self.enabled, active, f"/etc/init.d/{stem}", script=True)

    def instances(self, _: str) -> tuple[str, ...]:
        """Return nothing: a script has no instances."""
        return ()


def openrc(roots: Roots) -> Scripts:
    """Read /etc/runlevels, and /run/openrc/started where OpenRC runs; raise `Unreadable`."""
    levels = [level for level in roots.entries("/etc/runlevels", 100) if level != "shutdown"]
    enabled = frozenset(name for level in levels for name in roots.entries(f"/etc/runlevels/{level}"))
    runs = roots.view.live and roots.exists("/run/openrc/softlevel")
    started = frozenset(roots.entries("/run/openrc/started")) if runs else None
    return Scripts(frozenset(roots.entries("/etc/init.d")), enabled, started)


def sysv(roots: Roots) -> Scripts:
    """Read the links of the default run level, of 2 to 5 where it is not known; raise `Unreadable`."""
    return Scripts(frozenset(roots.entries("/etc/init.d")), started_at_boot(roots, default_level(roots)), None)


def started_at_boot(roots: Roots, levels: str = "2345") -> frozenset[str]:
    """Return the scripts that run levels start, by their links /etc/rc?.d/S??name; raise `Unreadable`."""
    links = (name for level in levels for name in roots.entries(f"/etc/rc{level}.d"))
    return frozenset(match[1] for match in map(re.compile(r"S[0-9]{2}(.+)").fullmatch, links) if match)


def default_level(roots: Roots) -> str:
    """Return the run level that inittab(5) names, or all that may be."""
    try:
        match = re.search(r"^[^#:\n]*:([2-5]):initdefault:", roots.text("/etc/inittab"), re.MULTILINE)
    except Unreadable:
        return "2345"
    return match[1] if match else "2345"
