"""Hosts as trees of files: copies, and roots that are out of reach."""

from __future__ import annotations

from pathlib import Path

from preflight.facts import Missing, View
from preflight.gather.access.roots import Roots
from preflight.gather.access.view import find_roots


def write(root: Path, path: str, content: str | bytes) -> None:
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content if isinstance(content, bytes) else content.encode())


def copy(root: Path, **files: str) -> Roots:
    """Make a copied root of files given by path."""
    for path, content in files.items():
        write(root, path, content)
    return find_roots({}, str(root))


def out_of_reach() -> Roots:
    view = View(container=True, root=None, live=True, network=None, privileged=False)
    return Roots(None, view, why=Missing("unknown", "Out of reach.", "Add --pid=host to docker run."))
