"""Write the man page of preflight from its commands: `python tools/man.py > docs/preflight.1`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import click

from preflight import __version__
from preflight.cli.commands import cli
from preflight.cli.helping import EXAMPLES, EXIT_CODES
from preflight.render import words


def page() -> Iterator[str]:
    """Yield the lines of the page (man(7))."""
    yield f'.TH PREFLIGHT 1 "" "mailcow preflight {__version__}" "User Commands"'
    yield from _section("NAME", ["preflight \\- check whether a host is ready for mailcow: dockerized"])
    yield from _section("SYNOPSIS", [".B preflight", "[\\fBcheck\\fR] [\\fIOPTIONS\\fR]", ".br", ".B preflight"])
    yield "\\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGS\\fR]"
    yield from _section("DESCRIPTION", [escape(_summary(cli))])
    yield ".PP"
    yield "The report goes to standard output, progress to standard error. Nothing on the host is changed."
    yield ".SH COMMANDS"
    for name, command in sorted(cli.commands.items()):
        yield from _command(name, command)
    yield ".SH ENVIRONMENT"
    yield escape("Every option of check is also a variable, which the option overrides.")
    yield from _entries((f"\\fB{escape(name)}\\fR", escape(f"As {option}.")) for option, name in variables())
    yield ".SH EXIT STATUS"
    yield from _entries((f"\\fB{escape(code)}\\fR", escape(meaning)) for code, meaning in EXIT_CODES)
    yield ".SH EXAMPLES"
    yield from _entries((f"\\fB{escape(command)}\\fR", escape(meaning)) for command, meaning in EXAMPLES)
    yield from _section("SEE ALSO", [escape(f"{words.PAGE}: every check, what it reads and how to fix what it finds.")])


def variables() -> Iterable[tuple[str, str]]:
    """Return the options of check with their environment variables."""
    for param in cli.commands["check"].params:
        if isinstance(param, click.Option) and isinstance(param.envvar, str):
            yield param.opts[0], param.envvar


def escape(text: str) -> str:
    """Write text so that roff shows it as it is (groff_char(7))."""
    shown = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{shown}" if shown.startswith((".", "'")) else shown


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f".SH {title}"
    yield from lines


def _entries(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for head, text in rows:
        yield from (".TP", head, text)


def _summary(command: click.Command) -> str:
    return " ".join((command.help or "").split())


def _command(name: str, command: click.Command) -> Iterator[str]:
    with command.make_context(name, [], resilient_parsing=True) as context:
        words_of = [param for param in command.params if isinstance(param, click.Argument)]
        yield f".SS {' '.join([name, *(param.make_metavar(context) for param in words_of)])}"
        yield escape(_summary(command))
        for param in command.params:
            record = param.get_help_record(context) if isinstance(param, click.Option) else None
            if record is not None:
                # Environment variables have a section of their own.
                yield from _entries([(f"\\fB{escape(record[0])}\\fR", escape(_without_variable(record[1])))])


def _without_variable(text: str) -> str:
    told, _, extra = text.partition("  [")
    rest = [one for one in extra.removesuffix("]").split("; ") if one and not one.startswith("env var:")]
    return f"{told} [{'; '.join(rest)}]" if rest else told


if __name__ == "__main__":
    sys.stdout.write("\n".join(page()) + "\n")
