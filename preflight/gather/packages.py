"""Which packages the host has, from its package manager's own database, without running it."""

from __future__ import annotations

from preflight.gather.roots import Roots, Unreadable

DPKG = "/var/lib/dpkg/status"
APK = "/lib/apk/db/installed"
_GONE: tuple[list[bytes], ...] = ([], [b"config-files"], [b"not-installed"])
LIMIT = 32 << 20  # 5 MB on a large host


def installed(roots: Roots, wanted: frozenset[str]) -> dict[str, bool] | None:
    """Return the wanted packages that the database names: True = installed, False = removed, its files in /etc left.

    None: there is no database that could be read (rpm keeps a binary one).
    """
    for path, parse in ((DPKG, dpkg), (APK, apk)):
        try:
            return parse(roots.read(path, LIMIT), wanted)
        except Unreadable:
            continue
    return None


def dpkg(status: bytes, wanted: frozenset[str]) -> dict[str, bool]:
    """Read dpkg's status database: stanzas, each with a Package and a Status field."""
    found: dict[str, bool] = {}
    for stanza in status.split(b"\n\n"):
        head, _, rest = stanza.lstrip(b"\n").partition(b"\n")
        if not head.startswith(b"Package: "):
            continue
        name = head[9:].strip().decode("ascii", "replace")
        if name in wanted:
            # Status: want, flag, state. Of two architectures one that is installed is enough.
            states = [line.split()[3:] for line in rest.split(b"\n") if line.startswith(b"Status:")]
            if states:  # none: a stanza that the limit has cut
                found[name] = found.get(name, False) or any(state not in _GONE for state in states)
    return found


def apk(database: bytes, wanted: frozenset[str]) -> dict[str, bool]:
    """Read apk's database: a line `P:name` for each installed package."""
    lines = (line[2:].strip().decode("ascii", "replace") for line in database.split(b"\n") if line.startswith(b"P:"))
    return {name: True for name in lines if name in wanted}
