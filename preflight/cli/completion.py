"""What a shell completes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight.checks import catalogue

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem


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


def requirements(context: click.Context, option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of documented requirements, or of a file."""
    from click.shell_completion import CompletionItem

    from preflight.mailcow.requirements import NAMES

    named = [CompletionItem(name) for name in NAMES if name.startswith(incomplete)]
    return named or files(context, option, incomplete)
