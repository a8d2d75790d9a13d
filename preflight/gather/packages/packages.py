"""Which packages the host has, from its package manager's own database, without running it."""

from __future__ import annotations

from preflight.gather.access.roots import Roots, Unreadable

DPKG = "/var/lib/dpkg/status"
APK = "/lib/apk/db/installed"
_GONE: tuple[list[bytes], ...] = ([], [b"config-files"], [b"not-installed"])
DATABASE_BYTES = 32 << 20  # 5 MB on a large host
PACMAN = "/var/lib/pacman/local"


def installed(roots: Roots, wanted: frozenset[str]) -> dict[str, bool] | None:
    """Return the wanted packages that the database names: True = installed, False = removed, its files in /etc left.

    None: there is no database that could be read (`rpm` says of which kinds that is true).
    """
    for path, parse in ((DPKG, dpkg), (APK, apk)):
        try:
            return parse(roots.read(path, DATABASE_BYTES), wanted)
        except Unreadable:
            continue
    from preflight.gather.packages import rpm

    found = rpm.installed(roots, wanted)
    return pacman(roots, wanted) if found is None else found


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


def pacman(roots: Roots, wanted: frozenset[str]) -> dict[str, bool] | None:
    """Read the names of pacman's folders, one for each installed package; None: there are none."""
    try:
        names = {pacman_name(name) for name in roots.entries(PACMAN, 100_000)}
    except Unreadable:
        return None
    return dict.fromkeys(sorted(names & wanted), True) if names else None


def pacman_name(folder: str) -> str:
    """Return the package of a folder, which is named NAME-VERSION-RELEASE."""
    return folder.rsplit("-", 2)[0]


def dependents(roots: Roots, groups: dict[str, frozenset[str]]) -> dict[str, tuple[str, ...]]:
    """Return for each group of packages the installed ones that go when it goes; {} where that cannot be told."""
    from preflight.gather.packages import dependencies

    kinds = (DPKG, dependencies.dpkg, dependencies.dpkg_groups), (APK, dependencies.apk, dependencies.apk_groups)
    for path, parse, apart in kinds:
        try:
            database = roots.read(path, DATABASE_BYTES)
        except Unreadable:
            continue
        if len(database) >= DATABASE_BYTES:
            return {}  # cut: more may depend on them
        installed = list(parse(database))
        return {name: dependencies.needing(installed, group, apart) for name, group in groups.items()}
    return {}
