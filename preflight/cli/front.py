"""The program itself: its default command, what it says to a first word that is none, and its help."""

from __future__ import annotations

from typing import Any

import click

from preflight.cli import options
from preflight.cli.helping import (
    EXAMPLES,
    EXIT_CODES,
    MOST_USED,
    READ_ON,
    Command,
    Context,
    Formatter,
    of_check,
    section,
)
from preflight.cli.streams import put


class Front(click.Group):
    """A group whose default command is `check`. Its help shows first what people need first."""

    context_class = Context
    command_class = Command

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's own
        """Write both ways to begin."""
        formatter.write_usage("preflight", "[check] [OPTIONS]")
        formatter.write_usage("preflight", "COMMAND [OPTIONS] [ARGS]...", prefix=" " * len("Usage: "))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write examples, commands, the options that are used most, and exit codes."""
        if isinstance(formatter, Formatter):
            formatter.lines("Examples", EXAMPLES)
        commands = [(name, self.commands[name]) for name in self.list_commands(ctx)]
        section(formatter, "Commands", [(name, one.get_short_help_str(1000)) for name, one in commands])
        check = self.commands["check"]
        by_name = {param.name: param for param in check.params}
        with check.make_context("check", [], parent=ctx, resilient_parsing=True) as default:
            found = [by_name[name].get_help_record(default) for name in MOST_USED]
        # Without the variables: `check --help` names them.
        section(formatter, "Common options", [(one[0], one[1].partition("  [env")[0]) for one in found if one])
        own = [param.get_help_record(ctx) for param in self.get_params(ctx)]
        section(formatter, "Other options", [one for one in own if one])
        section(formatter, "Exit codes", EXIT_CODES)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's own
        """Say where to read on."""
        section(formatter, "More help", READ_ON)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `check` in front of options that are not the group's own."""
        if ctx.resilient_parsing and not args:  # a shell completes the first word
            return super().parse_args(ctx, args)
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = ["check", *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; say what was meant by a word that is none."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            from preflight.cli import hints

            raise click.UsageError(hints.no_command(args[0], self.list_commands(ctx), of_check(ctx))) from None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Complete the first word: the options of `check` too."""
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            with click.Context(self.commands["check"], parent=ctx, info_name="check") as default:
                found += [
                    item for item in self.commands["check"].shell_complete(default, incomplete) if item not in found
                ]
        return found


def _commands(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 - click's own
    """Complete the name of a command."""
    front = ctx.find_root().command
    return (
        [name for name in front.list_commands(ctx) if name.startswith(incomplete)] if isinstance(front, Front) else []
    )


@click.command("help", cls=Command)
@options.HELP
@click.argument("command", required=False, shell_complete=_commands)
@click.pass_context
def help_command(ctx: click.Context, /, command: str | None) -> None:
    """Show the help of preflight or of one of its commands."""
    front = ctx.find_root()
    if command is None or not isinstance(front.command, Front):
        put(f"{front.get_help()}\n")
        return
    name, found, _ = front.command.resolve_command(front, [command])
    if found is not None:
        with found.context_class(found, info_name=name, parent=front) as own:
            put(f"{found.get_help(own)}\n")
