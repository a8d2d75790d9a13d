"""The engine's own iptables and nft, run in the namespace that is entered, and what they say where they fail."""

from __future__ import annotations

import re
import stat

from preflight.facts import View
from preflight.gather.access import command
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.machine.commands import PATH
from preflight.twin.derive_state import Underivable

LONGEST = 500  # characters of what a program says
SAVED = 16 << 20  # bytes of what iptables-save prints
_MULTI = {"xtables-nft-multi": True, "xtables-legacy-multi": False, "xtables-multi": False}


class Programs:
    """Programs in the root of the engine's process, found where it would find them."""

    def __init__(self, root: str, seconds: float) -> None:
        view = View(container=root != "/", root=root, live=True, network=None, privileged=None)
        self._roots = Roots(root=root, view=view)
        self._root = root
        self._seconds = seconds
        self._path = (*_path_of(root), *PATH)

    def run(self, name: str, *arguments: str, stdin: bytes = b"") -> command.Output:
        """Run a program; raise `Underivable` where there is none, or it does not end."""
        path, _ = self._find(name)
        argv = (path, *arguments)
        ran = command.run(argv, self._seconds, self._root, limit=SAVED, stdin=stdin)
        if ran.code is None or ran.code == 126:
            raise Underivable(f"{name}: {ran.error or words(ran)}")
        return ran

    def native(self, name: str) -> bool:
        """Say whether an iptables is that of nf_tables, without asking the kernel; raise `Underivable`."""
        _, file = self._find(name)
        known = _MULTI.get(file.rpartition("/")[2])
        # "iptables v1.8.4 (nf_tables)"
        return "nf_tables" in self.run(name, "--version").out if known is None else known

    def _find(self, name: str) -> tuple[str, str]:
        """Return a program's path as the engine finds it, and the file that it leads to."""
        for folder in self._path:
            path = f"{folder}/{name}"
            try:
                found = self._roots.lstat(path)
                if found is not None and stat.S_ISREG(found.st_mode) and found.st_mode & 0o111:
                    return path, self._roots.locate(path)
            except Unreadable:
                continue
        raise Underivable(f"{name}: not found")


def words(ran: command.Output) -> str:
    """Return what a program said of its failure, in one line."""
    said = " ".join((ran.err or ran.out).split())
    return said[:LONGEST] or f"exit {ran.code}"


def _path_of(root: str) -> tuple[str, ...]:
    """Return the folders that the engine looks into, where its root is a process's: NixOS and snaps have others."""
    process = re.fullmatch(r"(/proc/[0-9]+)/root/?", root)
    if process is None:
        return ()
    try:
        with open(f"{process[1]}/environ", "rb") as file:
            variables = file.read(1 << 16).split(b"\0")
    except OSError:
        return ()
    path = next((variable[5:] for variable in variables if variable.startswith(b"PATH=")), b"")
    return tuple(folder for folder in path.decode("utf-8", "replace").split(":") if folder.startswith("/"))[:32]
