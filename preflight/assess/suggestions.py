"""Which check a wrong word may have meant."""

from __future__ import annotations

from collections.abc import Iterable

from preflight.checks import Check

NEAR = 12


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
