"""What may be shown: words and paths that stand in our own code, and names that the whole world knows."""

from __future__ import annotations

import errno
import importlib.util
import os
import pkgutil
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from types import CodeType

import preflight
from preflight.mailcow import requirements

TOKEN = re.compile(r"[^\W_]+")
_LINK = re.compile(r"https?://[^\s\"'`<>]+")
_PATH = re.compile(r"(?:/[\w.@+-]+)+", re.ASCII)

INTERFACES = re.compile(
    r"\*|lo|dummy[0-9]{1,2}|ifb[0-9]{1,2}|docker0|docker_gwbridge|br-mailcow|br[0-9]{1,3}|virbr[0-9]{1,2}|sit[0-9]{1,2}"
    r"|(?:eth|wlan|bond|team|tun|tap|wg|ppp|venet|vmbr|lxcbr|lxdbr|ib)[0-9]{1,3}(?:\.[0-9]{1,4})?"
    r"|(?:en|wl|ww)(?:o[0-9]{1,3}|s[0-9]{1,3}|p[0-9]{1,3}s[0-9]{1,3})(?:f[0-9]{1,3})?(?:np?[0-9]{1,3}|d[0-9]{1,3})?"
)


@cache
def listed(name: str) -> frozenset[str]:
    """Return one of the lists of everybodys.toml."""
    with open(os.path.join(os.path.dirname(__file__), "everybodys.toml"), "rb") as file:
        lists = tomllib.load(file)
    return frozenset(str(lists[name]).split())


@cache
def words() -> frozenset[str]:
    """Return the words, in lower case, that stand in our own code, or in what kernels and engines say."""
    texts = [
        *listed("words"),
        *_constants(),
        *_documents(),
        *map(os.strerror, errno.errorcode),
        *errno.errorcode.values(),
    ]
    return frozenset(
        token.lower() for text in texts for token in TOKEN.findall(text) if token.isascii() and not token.isdecimal()
    )


@cache
def path_parts() -> frozenset[str]:
    """Return the names of directories and files that our own code looks for, and those every system has."""
    found = {part for text in _constants() for path in _PATH.findall(text) for part in path.split("/")}
    return (listed("paths") | found) - {""}


@cache
def links() -> frozenset[str]:
    """Return the links that stand in our own code."""
    return frozenset(link.rstrip(".:…)") for text in _constants() for link in _LINK.findall(text))


@cache
def _constants() -> tuple[str, ...]:
    """Return every string in the program itself: compiled code is read, not run."""
    return tuple(text for code in _codes() for text in _strings(code))


def _codes() -> Iterator[CodeType]:
    for module in pkgutil.walk_packages(preflight.__path__, "preflight."):
        if module.name.rpartition(".")[2] == "__main__":
            continue
        spec = importlib.util.find_spec(module.name)
        code = spec.loader.get_code(module.name) if spec and hasattr(spec.loader, "get_code") else None  # type: ignore[union-attr]  # asked for just before
        if code is not None:
            yield code


def _strings(code: CodeType) -> Iterator[str]:
    pending: list[object] = [code]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, CodeType):
            pending += [*value.co_consts, *value.co_names]
        elif isinstance(value, tuple | frozenset):
            pending += value


def _documents() -> Iterator[str]:
    for name in requirements.NAMES:
        with open(os.path.join(requirements.FOLDER, f"{name}.toml"), encoding="utf-8") as file:
            yield file.read()
