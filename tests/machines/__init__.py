"""Copies of other machines' roots: a tree of files each, and beside it what is to be said of that machine.

The trees are written by hand, from what these systems have; only files that the checks read are in them. Links and
empty directories stand in machine.toml, as not every way to copy a repository keeps them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

HERE = Path(__file__).parent

Tree = Mapping[str, str | bytes]  # path: content, or "-> target" for a link; a path that ends in / is a directory


class Machine(Struct, frozen=True):
    """A tree, and what is to be said of it: a status, or two where it is another one for the page of 2017."""

    tree: Tree
    statuses: dict[str, str]
    host: dict[str, str | None]  # of the report's summary

    def expected(self, profile: str) -> dict[str, str]:
        """Return the status of each check by the requirements of that name."""
        return {check: said.split("/")[-1 if profile == "2017-07" else 0] for check, said in self.statuses.items()}


def read(name: str) -> Machine:
    """Read a machine from its folder."""
    folder = HERE / name
    told = tomllib.loads((folder / "machine.toml").read_text("utf-8"))
    files = sorted(path for path in (folder / "tree").rglob("*") if path.is_file())
    tree: dict[str, str | bytes] = {
        f"/{path.relative_to(folder / 'tree').as_posix()}": path.read_bytes() for path in files
    }
    tree |= {path: f"-> {target}" for path, target in told.get("links", {}).items()}
    tree |= dict.fromkeys(told.get("empty", ()), "")
    return Machine(tree, told["statuses"], {key: value or None for key, value in told.get("host", {}).items()})


def plant(root: Path, tree: Tree) -> Path:
    """Lay a tree below a folder; return that."""
    root.mkdir(exist_ok=True)
    for path, content in tree.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            place.mkdir(exist_ok=True)
        elif isinstance(content, str) and content.startswith("-> "):
            place.symlink_to(content.removeprefix("-> "))
        else:
            place.write_bytes(content if isinstance(content, bytes) else content.encode())
            place.chmod(0o755)
    return root


MACHINES = {folder.parent.name: read(folder.parent.name) for folder in sorted(HERE.glob("*/machine.toml"))}
