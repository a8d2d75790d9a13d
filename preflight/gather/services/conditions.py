"""Whether a systemd unit would start at all: the conditions in its files that look at the host's own files.

So is what the host itself runs in. Other conditions (kernel command line, security …) are taken as met.
"""

from __future__ import annotations

import fnmatch
import re
import stat
from collections.abc import Callable, Iterable

from preflight.gather.access.roots import Roots, Unreadable

CONDITIONS = 50  # of one unit


def unmet(roots: Roots, text: str) -> str:
    """Return the first condition of a unit that is not met now; '' = none. `text`: its file, then its drop-ins.

    Of those marked with `|` one that is met is enough; an empty assignment takes back all before it.
    """
    found: list[tuple[str, str]] = []
    section = ""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        key, equals, value = (part.strip() for part in line.partition("="))
        if section != "[Unit]" or not equals or not key.startswith(("Condition", "Assert")):
            continue
        found = [*found, (key, value)] if value else []
    told = [(key, value, _met(roots, key, value)) for key, value in found[:CONDITIONS]]
    needed = [f"{key}={value}" for key, value, met in told if not value.startswith("|") and met is False]
    enough = [met for _, value, met in told if value.startswith("|")]
    if needed:
        return needed[0]
    if enough and all(met is False for met in enough):
        return next(f"{key}={value}" for key, value, _ in told if value.startswith("|"))
    return ""


def _met(roots: Roots, key: str, value: str) -> bool | None:
    """Say whether one condition is met; None: not known."""
    test = _TESTS.get(re.sub("^(Condition|Assert)", "", key))
    path = value.removeprefix("|").strip()
    no, path = path.startswith("!"), path.removeprefix("!").strip()
    if key.endswith("Virtualization"):
        found = _runs_in(roots, path)
        return None if found is None else found != no
    if test is None or not path.startswith("/") or "%" in path:
        return None
    try:
        return test(roots, path) != no
    except Unreadable:
        return None


def _runs_in(roots: Roots, wanted: str) -> bool | None:
    """Say whether the host runs in what ConditionVirtualization= names; None: not known."""
    from preflight.gather.machine.virtualization import virtualization  # most units have no such condition

    found = virtualization(roots).value
    if found is None or wanted == "private-users":
        return None
    inner = found.container or found.vm
    if wanted in ("yes", "true", "1", "on", "no", "false", "0", "off"):
        return (inner is not None) == (wanted in ("yes", "true", "1", "on"))
    kinds = {"container": found.container is not None, "vm": found.container is None and found.vm is not None}
    return kinds.get(wanted, inner == wanted)


def _exists(roots: Roots, path: str) -> bool:
    return roots.lstat(path) is not None


def _is(kind: Callable[[int], bool]) -> Callable[[Roots, str], bool]:
    def test(roots: Roots, path: str) -> bool:
        found = roots.lstat(path)
        return found is not None and kind(found.st_mode)

    return test


def _glob(roots: Roots, path: str) -> bool:
    folder, _, last = path.rpartition("/")
    if re.search(r"[*?\[]", folder):
        raise Unreadable(path, "")
    return bool(fnmatch.filter(_names(roots, folder), last))


def _names(roots: Roots, folder: str) -> Iterable[str]:
    return roots.entries(folder or "/")


def _not_empty(roots: Roots, path: str) -> bool:
    found = roots.lstat(path)
    return found is not None and stat.S_ISREG(found.st_mode) and found.st_size > 0


def _executable(roots: Roots, path: str) -> bool:
    found = roots.lstat(path)
    return found is not None and stat.S_ISREG(found.st_mode) and bool(found.st_mode & 0o111)


_TESTS: dict[str, Callable[[Roots, str], bool]] = {
    "PathExists": _exists,
    "PathExistsGlob": _glob,
    "PathIsDirectory": _is(stat.S_ISDIR),
    "DirectoryNotEmpty": lambda roots, path: bool(roots.entries(path)),
    "FileNotEmpty": _not_empty,
    "FileIsExecutable": _executable,
}
