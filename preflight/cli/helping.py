"""Help as people read it: options in groups with their variables, whole summaries, examples, exit codes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from typing import Any

import click

NARROWEST, WIDEST = 40, 80
ROOMY, FEW, INDENT = 60, 24, 4  # from how many columns on names stand beside their meanings, and in how many at most
# At these no line is broken; they are written as the plain ones. A path, an option, a variable stays whole.
TOGETHER = str.maketrans({" ": "\xa0", "-": "\u2011"})
APART = str.maketrans({"\xa0": " ", "\u2011": "-"})
Row = tuple[str, str]
EXIT_CODES: tuple[Row, ...] = (
    ("0", "ready or ready-with-warnings: nothing failed"),
    ("1", "not-ready: at least one failure (with --strict, also a warning)"),
    ("2", "usage or input error: one line on standard error, no report"),
    ("3", "undetermined: nothing failed, but a required check has no result"),
    ("130, 143", "interrupted or terminated: the report shows what was known by then"),
)
EXAMPLES: tuple[Row, ...] = (
    ("preflight --hostname mail.example.org", "Check this host and its DNS records."),
    ("preflight --only 'ports.*' --only 'dns.*'", "Run only the port and DNS checks."),
    ("preflight --output report.html --output report.json", "Write two reports to files."),
)
MOST_USED = ("hostname", "only", "formats", "outputs", "offline", "probe", "rehearse", "wait", "redact")
NAMES, WHAT, EXPERIMENTS, OUTPUT = "Names", "What to check", "Active tests", "Output"
KNOWN, WHERE, TARGETS, PROGRESS = "Known findings", "Where to look", "Test targets (repeatable)", "Progress"
# The sections of help, in their order.
GROUPS = (NAMES, WHAT, EXPERIMENTS, OUTPUT, KNOWN, WHERE, TARGETS, PROGRESS)
READ_ON: tuple[Row, ...] = (
    ("preflight check --help", "All options, with their environment variables"),
    ("preflight help COMMAND", "A command and its options"),
    ("preflight explain ID", "A check: why it matters and how to fix problems"),
)


class Formatter(click.HelpFormatter):
    """As wide as the terminal, from 40 to 80 columns."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        settings["width"] = max(NARROWEST, min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns))
        super().__init__(*args, **settings)

    def rows(self, title: str, rows: Sequence[Row]) -> None:
        """Write a section of names and their meanings; where it is narrow, or a name long, meanings stand below."""
        if rows:
            with self.section(title):
                self.write_dl(rows, col_max=FEW if self.width >= ROOMY else INDENT)

    def write(self, string: str) -> None:
        """Write text; what was kept together has plain spaces."""
        super().write(string.translate(APART))

    def lines(self, title: str, rows: Iterable[Row]) -> None:
        """Write a section of commands, which are never broken, each with its meaning below."""
        with self.section(title):
            for command, meaning in rows:
                self.write(f"{'':{self.current_indent}}{command}\n")
                self.indent()
                self.write_text(meaning)
                self.dedent()


class Context(click.Context):
    """A context whose help is that wide."""

    formatter_class = Formatter


class Command(click.Command):
    """A command whose options stand in groups."""

    context_class = Context

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words; say what was meant by an option or an argument that there is none of."""
        name = self.name or ""
        try:
            ctx.allow_extra_args = True  # they are refused below
            rest = super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            from preflight.cli import hints

            raise click.UsageError(
                hints.no_option(error.option_name, name, option_names(self), of_check(ctx))
            ) from None
        if rest and not ctx.resilient_parsing:
            from preflight.cli import hints

            raise click.UsageError(hints.no_argument(rest[0], name, of_check(ctx)))
        return rest

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group, those first that most people look for."""
        sections: dict[str, list[Row]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                row = record[0], whole(record[1])
                sections.setdefault(getattr(param, "group", "") or "Options", []).append(row)
        own = sorted(sections.pop("Options", []), key=lambda row: row[0] == "-h, --help")
        found = sorted(sections.items(), key=lambda one: GROUPS.index(one[0]))
        for title, rows in (*found, ("Options" if not sections else "Other options", own)):
            section(formatter, title, rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's own
        """Say how a check ends."""
        if self.name == "check":
            section(formatter, "Exit codes", EXIT_CODES)


def option_names(command: click.Command) -> list[str]:
    """Return the long names of a command's options."""
    names = [name for param in command.params for name in (*param.opts, *param.secondary_opts)]
    return [name for name in names if name.startswith("--")]


def of_check(ctx: click.Context) -> list[str]:
    """Return the names of the options of `check`, the default command."""
    front = ctx.find_root().command
    check = front.commands.get("check") if isinstance(front, click.Group) else front
    return option_names(check) if check else []


def whole(text: str) -> str:
    """Keep together what is one word to a reader; name the variable shortly."""
    return re.sub(r"\[?env var: \S+|\S*-\S*", lambda one: one[0].replace("env var:", "env:").translate(TOGETHER), text)


def section(formatter: click.HelpFormatter, title: str, rows: Sequence[Row]) -> None:
    if isinstance(formatter, Formatter):
        formatter.rows(title, rows)
