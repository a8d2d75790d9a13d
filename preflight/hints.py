"""Hints for whoever types a command: what a shell completes, and which check a wrong word may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from preflight.checks import Check, catalogue

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

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


def checks(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the id of a check."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(entry.id, help=entry.title) for entry in catalogue() if entry.id.startswith(incomplete)]


def files(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a file's name: the shell does it."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def folders(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a directory's name: the shell does it."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


def numbers(context: click.Context, option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of documented numbers, or of a file."""
    from click.shell_completion import CompletionItem

    from preflight.requirements import NAMES

    named = [CompletionItem(name) for name in NAMES if name.startswith(incomplete)]
    return named or files(context, option, incomplete)
