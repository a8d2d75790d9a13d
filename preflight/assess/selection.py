"""Which checks are meant by a pattern, and which by a word that is none of their ids."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

from preflight.checks import Check

NEAR = 12


def select(checks: Iterable[Check], only: tuple[str, ...], skip: tuple[str, ...]) -> tuple[Check, ...]:
    """Return the checks asked for, by id or glob."""
    return tuple(
        check
        for check in checks
        if (not only or _matches(check.id, only)) and not _matches(check.id, skip)
    )  # fmt: skip


def matching(pattern: str, checks: Iterable[Check]) -> tuple[Check, ...]:
    """Return the checks that an id or a glob means."""
    return tuple(check for check in checks if pattern and fnmatch.fnmatchcase(check.id, pattern))


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def meant(word: str, every: Iterable[Check]) -> str:
    """Ask whether one of these checks was meant: near ones, or those of that section; else say where they stand."""
    from difflib import get_close_matches

    ids = [entry.id for entry in every]
    word = word[:80].lower().replace("_", "-")
    found = [identity for identity in ids if word in identity.split(".")] or get_close_matches(word, ids, 3)
    if not found:
        return "`preflight checks` lists them."
    more = f" (and {len(found) - NEAR} more)" if len(found) > NEAR else ""
    return f"did you mean {', '.join(found[:NEAR])}{more}?"
