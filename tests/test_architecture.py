"""Who must never import what: the plan of the house, held against the code (docs/design.md)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "preflight"
FILES = sorted(ROOT.rglob("*.py"))

# The room: what it must not import (a name forbids everything below it).
FORBIDDEN = {
    "model": ("preflight",),
    "facts": ("preflight",),
    "plan": ("preflight.gather", "preflight.checks", "preflight.render", "preflight.probes", "preflight.requirements"),
    "checks": (
        "preflight.gather", "preflight.probes", "preflight.render", "preflight.cli",
        "docker", "psutil", "dns", "subprocess", "socket", "os", "pathlib", "shutil", "io",
    ),
    "gather": ("preflight.checks", "preflight.requirements", "preflight.render", "preflight.cli", "preflight.assess"),
    "probes": ("preflight.checks", "preflight.requirements", "preflight.render", "preflight.cli", "preflight.assess"),
    "compare": ("preflight.gather", "preflight.checks", "preflight.render", "preflight.cli", "os", "pathlib"),
    "redact": ("preflight.gather", "preflight.probes", "preflight.render", "preflight.cli"),
    "render": ("preflight.gather", "preflight.checks", "preflight.probes", "preflight.cli"),
    "assess": ("preflight.gather", "preflight.probes", "preflight.render", "preflight.cli"),
}  # fmt: skip

# The package: the only file that may import it.
ONE_DOOR = {
    "docker": "gather/engine.py",
    "psutil": "gather/processes.py",
    "dns": "gather/resolver.py",
    "subprocess": "gather/command.py",
    "jinja2": "render/",
}


BROAD = ("Exception", "BaseException")


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield what a file imports, and whether only for type checking."""
    tree = ast.parse(path.read_text("utf-8"))
    typed = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in typed
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", id(node) in typed


def below(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_rooms_keep_to_the_plan(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    wrong = [
        name
        for name, typed in imports(path)
        for package in FORBIDDEN.get(room, ())
        if below(name, package) and not (typed and room == "checks" and below(name, "preflight.requirements"))
        and not (room == "checks" and below(name, "preflight.checks"))
    ]  # fmt: skip
    assert not wrong


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_each_package_of_the_world_has_one_door(path: Path) -> None:
    wrong = [
        name
        for name, typed in imports(path)
        for package, door in ONE_DOOR.items()
        if below(name, package) and not name_of(path).startswith(door) and not typed
    ]
    assert not wrong


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_the_command_line_prints_and_exits(path: Path) -> None:
    # The stand-in is a program of its own: the first process of a container. Until the command line is loaded, the
    # start has to end by itself.
    if name_of(path) in ("cli.py", "__main__.py", "probes/stand_in.py"):
        return
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("print", "sys.exit", "exit", "os._exit", "click.echo"), f"line {node.lineno}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_broad_excepts_have_their_reason_beside_them(path: Path) -> None:
    text = path.read_text("utf-8")
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler) and ast.unparse(node.type or ast.Name("BaseException")) in BROAD:
            raised_again = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            assert raised_again or "noqa: BLE001 - " in lines[node.lineno - 1], f"line {node.lineno}"


def test_heavy_packages_are_imported_when_they_are_used() -> None:
    """Importing the command line pulls in none of the packages that one run may not need."""
    import subprocess
    import sys

    code = (
        "import sys, preflight.cli; from preflight.checks import catalogue; catalogue();"
        "print([m for m in ('docker', 'psutil', 'dns', 'jinja2', 'rich', 'ctypes', 'requests') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert run.stdout.strip() == "[]"
