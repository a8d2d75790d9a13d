"""Which programs the host has, and whether BusyBox stands behind them."""

from __future__ import annotations

import stat

from msgspec.structs import replace

from preflight.facts import Command, Fact
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.packages.owners import owners
from preflight.text.sentences import phrase

PATH = (
    "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/snap/bin",
    "/run/current-system/sw/bin",
)  # fmt: skip

# BusyBox has these as applets; others are programs of their own.
_APPLETS = frozenset({"awk", "cp", "cut", "grep", "sed", "sh", "sha1sum", "wget"})
_DOCKER = ("docker", "dockerd")
_LARGE = 4 << 20  # bytes; BusyBox is smaller


def commands(roots: Roots, names: tuple[str, ...]) -> Fact[dict[str, Command]]:
    """Return each command as the host's PATH has it; unknown where a folder of it cannot be looked into.

    A copy without a shell leaves programs out: those that are not in it are not named at all.
    """
    try:
        if roots.root is None or not any(roots.entries(folder) for folder in PATH):
            raise Unreadable("/usr/bin", phrase("it contains no programs"))
        whole = roots.view.live or _find(roots, "sh").path is not None
        found = {name: _find(roots, name) for name in names if "/" not in name}
        found |= _with_packages(roots, {name: found[name] for name in _DOCKER if name in found})
        return Fact.of("PATH", {name: command for name, command in found.items() if whole or command.path})
    except Unreadable as error:
        return roots.unknown("PATH", error)


def _with_packages(roots: Roots, found: dict[str, Command]) -> dict[str, Command]:
    """Say which packages brought Docker's programs: what is installed beside them has to come from the same source."""
    paths = {command.path for command in found.values() if command.path}
    packages = owners(roots, paths) if paths else {}
    return {name: replace(command, package=packages.get(command.path or "")) for name, command in found.items()}


def _find(roots: Roots, name: str) -> Command:
    for folder in PATH:
        path = f"{folder}/{name}"
        found = roots.lstat(path)
        if found is not None and stat.S_ISREG(found.st_mode) and found.st_mode & 0o111:
            return Command(path, _busybox(roots, name, path, found.st_size))
    return Command(None)


def _busybox(roots: Roots, name: str, path: str, size: int) -> bool | None:
    """Say whether a program is BusyBox: by the name that its links lead to, else by what it says of itself."""
    if roots.locate(path).rpartition("/")[2].startswith("busybox"):
        return True
    if name not in _APPLETS or size > _LARGE:
        return False
    try:
        return b"BusyBox v" in roots.read(path, _LARGE)
    except Unreadable:
        return None
