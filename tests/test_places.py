"""Where a remedy is followed: whatever names an option of this program or of `docker run` says that it is no work on
the host, and reasons why a fact is missing carry their place into the report."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from preflight.checks import findings
from preflight.facts import Fact, MissingFact, View
from preflight.facts.base import Place
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.engine import engine
from preflight.gather.names import lookups, nameservers
from preflight.gather.network import ways
from preflight.gather.sockets import binds
from tests.build import VIEW

ROOT = Path(__file__).parent.parent / "preflight"
FILES = [
    path
    for room in ("facts", "gather", "gathering", "probes", "checks", "cli")
    for path in ROOT.glob(f"{room}/**/*.py")
]
MAKERS = {"unknown": 1, "Missing": 2, "Remedy": 0, "Advice": 0}  # by name: the argument that the advice may begin at
OPTION = re.compile(
    r"docker run|--(?:[a-z]+=host|privileged|timeout|resolver|ntp-server|hostname|public-ip|docker-host)\b"
)
CONTAINER = View(container=True, root="/proc/1/root", live=True, network=False, privileged=False)
COPY = View(container=False, root="/copy", live=False, network=False, privileged=None)


def literals(node: ast.AST, said: dict[str, list[str]]) -> Iterator[str]:
    """Yield the texts in a call, and those that its names were given before it."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value
        elif isinstance(inner, ast.Name):
            yield from said.get(inner.id, ())


def placeless(path: Path) -> Iterator[str]:
    """Yield the lines of a file that advise an option without a place."""
    for function in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(function, ast.FunctionDef):
            continue
        said: dict[str, list[str]] = {}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign):
                for name in (one for target in node.targets for one in ast.walk(target) if isinstance(one, ast.Name)):
                    said.setdefault(name.id, []).extend(literals(node.value, {}))
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and _advises_an_option(node, said) and not _places(node):
                yield f"{path.name}:{node.lineno}"


def _advises_an_option(call: ast.Call, said: dict[str, list[str]]) -> bool:
    begins = MAKERS.get(ast.unparse(call.func).rpartition(".")[2])
    arguments = [] if begins is None else call.args[begins:]
    return any(OPTION.search(text) for argument in arguments for text in literals(argument, said))


def _places(call: ast.Call) -> bool:
    """Say whether a call names a place: by its keyword, or as `Advice` takes it."""
    named = any(isinstance(one, ast.Constant) and one.value == "docker-run" for one in call.args)
    return named or any(word.arg == "place" for word in call.keywords)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_who_names_an_option_names_the_place(path: Path) -> None:
    assert list(placeless(path)) == []


def made(name: str) -> Fact[object]:
    """Make a fact that is missing as the program was started."""
    bare, denied = Roots("/", VIEW), Unreadable("/etc/x", "Permission denied", "denied")
    inside = Roots("/proc/1/root", CONTAINER)
    return {
        "late": lambda: lookups._fact((), lookups.Answers()),
        "no name server": lambda: nameservers.find_servers(Roots("/copy", COPY), ()),
        "a wrong resolver": lambda: nameservers.find_servers(bare, ("dns.example",)),
        "another network": lambda: binds.binds(inside, ()),
        "another network's way": lambda: ways.ways(inside),
        "no file for a container": lambda: inside.unknown("/etc/x", denied),
        "no file for a user": lambda: bare.unknown("/etc/x", denied),
        "another network, no container": lambda: binds.binds(
            Roots("/copy", msgspec.structs.replace(COPY, live=True)), ()
        ),
    }[name]()


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("late", "docker-run"),
        ("no name server", "docker-run"),
        ("a wrong resolver", "docker-run"),
        ("another network", "docker-run"),
        ("another network's way", "docker-run"),
        ("no file for a container", "docker-run"),
        ("no file for a user", "host"),
        ("another network, no container", "host"),
    ],
)
def test_a_missing_fact_says_where_its_cure_is_done(name: str, place: Place) -> None:
    fact = made(name)
    assert fact.missing is not None
    found = findings.missing(MissingFact(fact.missing, fact.source))
    assert found.remedy is not None
    assert (fact.missing.place, found.remedy.place) == (place, place)


def test_an_engine_that_was_not_named_is_named_to_the_program() -> None:
    found = engine.locate(Roots("/copy", COPY), {}, None)
    assert not isinstance(found, str)
    assert found.place == "docker-run"
