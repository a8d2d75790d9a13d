"""Who may import what: the plan of the house (docs/design.md), held against the code. Every room stands in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "preflight"
FILES = sorted(path for path in ROOT.rglob("*.py") if "script" not in path.relative_to(ROOT).parts[:-1])

# The rooms from the ground up, a floor in each line: a room may import what lies on the floors below it. Rooms of one
# floor know nothing of each other.
FLOORS = (
    ("text",),
    ("facts",),
    ("report",),
    ("net",),
    ("mailcow", "policies"),
    ("packets",),
    ("gather", "checks"),
    ("reach",),
    ("probes", "twin", "assess"),
    ("gathering", "redact", "render"),
    ("cli",),
    ("__init__", "__main__"),
)
# What a room must not know of, although it lies below: a check judges facts, and asks nobody.
APART = {
    "report": ("text.sentences",),
    "redact": ("gather", "probes"),
    "render": ("facts", "gather", "checks", "probes", "assess"),
    "gather": ("report", "mailcow.requirements"),
    "probes": ("report", "mailcow.requirements", "checks"),
    "reach": ("checks", "mailcow.requirements"),
    "twin": ("report", "mailcow", "checks"),
    "assess": ("gather",),
}  # fmt: skip
# Types alone: what is given to a room may be named in it.
TYPES = {("checks", "mailcow.requirements"), ("text", "facts"), ("text", "mailcow.requirements")}

# The package: the only place that may import it.
ONE_DOOR = {
    "docker": "gather/engine/engine.py",
    "psutil": "gather/machine/live.py",
    "dns": "gather/names/",
    "subprocess": "gather/access/command.py",
    "jinja2": "render/",
}
PURE = ("docker", "psutil", "dns", "subprocess", "socket", "os", "pathlib", "shutil", "io")
PURE_ROOMS = ("checks", "net", "packets", "facts", "policies")

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


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_every_room_has_its_floor() -> None:
    planned = [room for floor in FLOORS for room in floor]
    assert sorted(planned) == sorted({room_of(path) for path in FILES})


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_rooms_keep_to_the_plan(path: Path) -> None:
    room = room_of(path)
    below_it: set[str] = set()
    for floor in FLOORS:
        if room in floor:
            break
        below_it |= set(floor)
    wrong = []
    for name, typed in imports(path):
        if not below(name, "preflight") or name in ("preflight", "preflight.__version__"):
            continue
        there = name.removeprefix("preflight.")
        other = there.partition(".")[0]
        if typed and any(room == mine and below(there, far) for mine, far in TYPES):
            continue
        if other != room and (other not in below_it or any(below(there, far) for far in APART.get(room, ()))):
            wrong.append(name)
    assert not wrong


@pytest.mark.parametrize("path", [path for path in FILES if room_of(path) in PURE_ROOMS], ids=name_of)
def test_pure_rooms_touch_no_world(path: Path) -> None:
    assert not [name for name, typed in imports(path) for package in PURE if below(name, package) and not typed]


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
def test_types_are_learnt_in_one_place(path: Path) -> None:
    """Two threads that make the first value of a type at once crash the interpreter (text/typed.py)."""
    if name_of(path) == "text/typed.py":
        return
    assert "msgspec.convert" not in {name for name, _ in imports(path)}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            called, named = ast.unparse(node.func), [word.arg for word in node.keywords]
            assert called not in ("msgspec.convert", "msgspec.json.Decoder"), f"line {node.lineno}"
            assert called != "msgspec.json.decode" or "type" not in named, f"line {node.lineno}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_the_command_line_prints_and_exits(path: Path) -> None:
    # The stand-in is a program of its own, the first process of a container; so is the twin. Until the command line is
    # loaded, the start has to end by itself.
    if name_of(path) in ("cli/commands.py", "cli/stop.py", "__main__.py", "probes/stand_in.py", "twin/__main__.py"):
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
        "import sys, preflight.cli.commands; from preflight.checks import catalogue; catalogue();"
        "print([m for m in ('docker', 'psutil', 'dns', 'jinja2', 'rich', 'ctypes', 'requests') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_module_fits_on_a_few_pages_and_a_function_on_one(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 300
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    long = [node.name for node in functions if (node.end_lineno or 0) - node.lineno >= 50]
    assert not long
