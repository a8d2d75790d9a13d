"""Write the man page of preflight from its commands: `python tools/man.py > docs/preflight.1`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import click

from preflight import __version__
from preflight.cli.commands import cli
from preflight.cli.helping import EXAMPLES, EXIT_CODES, GROUPS
from preflight.mailcow import plan
from preflight.render import words

DESCRIPTION = (
    "preflight checks a host before mailcow: dockerized is installed on it. The report says whether the host is ready, "
    "what is wrong, and which commands fix it. What cannot be determined is reported as unknown, with the reason.",
    "The report goes to standard output. Progress and errors go to standard error.",
    "preflight does not change the host. Some checks start short-lived containers and remove them afterwards. "
    "--no-probe leaves these checks out. With --rehearse, stand-ins for mailcow's containers use mailcow's ports for a "
    "short time.",
)
FILES = (
    (plan.DEFAULT_CONF, "mailcow's settings, read if the file exists. --mailcow-conf names another file."),
    ("/proc/1/root", "The root of the host as a container sees it. --root names another directory."),
)
MORE_EXAMPLES = (
    ("preflight facts --output facts.json", "Record facts about this host."),
    ("preflight --facts facts.json", "Check recorded facts, on any machine and without root."),
    ("preflight --redact --output report.md", "Write a report that you can post."),
    ("preflight --baseline report.json", "Mark what changed since an earlier report."),
    ("preflight explain ports.free", "Explain a check."),
)
NOT_CHECKED = (
    "A firewall of your hosting provider and a router in front of the host cannot be seen from the host. "
    "preflight reach, run on another machine, tries the ports.",
    "How much mail you will store and how many users you will have is not known. The speed and health of the disk are "
    "not measured.",
    "Without a host name, DNS is not checked.",
    "docs/not-checked.md in the source code has the whole list.",
)


def page() -> Iterator[str]:
    """Yield the lines of the page (man(7))."""
    yield f'.TH PREFLIGHT 1 "" "mailcow preflight {__version__}" "User Commands"'
    yield from _section("NAME", ["preflight \\- check whether a host is ready for mailcow: dockerized"])
    yield from _section("SYNOPSIS", [".B preflight", "[\\fBcheck\\fR] [\\fIOPTIONS\\fR]", ".br", ".B preflight"])
    yield "\\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGS\\fR]"
    yield from _section("DESCRIPTION", _paragraphs(DESCRIPTION))
    yield ".SH COMMANDS"
    yield from _entries((_bold(_usage(name)), escape(_summary(one))) for name, one in sorted(cli.commands.items()))
    for name in ("check", *sorted({*cli.commands} - {"check"})):
        yield from _options(name)
    yield ".SH ENVIRONMENT"
    yield escape("Every option of check is also a variable. An option overrides its variable.")
    yield from _entries((_bold(name), escape(f"As {option}.")) for option, name in variables())
    yield from _entries([(_bold("NO_COLOR"), escape("If not empty, text has no colour. --color overrides it."))])
    yield ".SH FILES"
    yield from _entries((f"\\fI{escape(path)}\\fR", escape(meaning)) for path, meaning in FILES)
    yield ".SH EXIT STATUS"
    yield from _entries((_bold(code), escape(meaning)) for code, meaning in EXIT_CODES)
    yield ".SH EXAMPLES"
    yield from _entries((_bold(command), escape(meaning)) for command, meaning in (*EXAMPLES, *MORE_EXAMPLES))
    yield from _section("NOTES", [escape("Not everything is checked:"), *_paragraphs(NOT_CHECKED, first=".PP")])
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


def _bold(text: str) -> str:
    return f"\\fB{escape(text)}\\fR"


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f".SH {title}"
    yield from lines


def _paragraphs(texts: Iterable[str], first: str = "") -> Iterator[str]:
    start = first
    for text in texts:
        yield from filter(None, (start, escape(text)))
        start = ".PP"


def _entries(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for head, text in rows:
        yield from (".TP", head, text)


def _summary(command: click.Command) -> str:
    return " ".join((command.help or "").split())


def _usage(name: str) -> str:
    command = cli.commands[name]
    with command.make_context(name, [], resilient_parsing=True) as context:
        arguments = [one.make_metavar(context) for one in command.params if isinstance(one, click.Argument)]
    return " ".join([name, *arguments])


def _options(name: str) -> Iterator[str]:
    """Yield the options of a command by group, in the order of its help; those of check are not repeated."""
    groups, check = _groups(name), _groups("check")
    own = {title: rows for title, rows in groups.items() if name == "check" or rows != check[title]}
    if not any(own.values()):
        return
    yield f'.SH "OPTIONS OF {name.upper()}"'
    same = [title for title, rows in groups.items() if title and rows and title not in own]
    if same:
        yield escape(f"All options of check in these groups: {', '.join(same)}. In addition:")
    for title, rows in own.items():
        if rows and (same or len(list(filter(None, own.values()))) > 1):
            yield f".SS {title or 'Other options'}"
        yield from _entries(rows)


def _groups(name: str) -> dict[str, list[tuple[str, str]]]:
    """Return the options of a command by group. Environment variables have a section of their own."""
    command = cli.commands[name]
    groups: dict[str, list[tuple[str, str]]] = {title: [] for title in (*GROUPS, "")}
    with command.make_context(name, [], resilient_parsing=True) as context:
        for param in command.params:
            record = param.get_help_record(context) if isinstance(param, click.Option) else None
            if record is not None:
                row = _bold(record[0]), escape(_without_variable(record[1]))
                groups[getattr(param, "group", "")].append(row)
    return groups


def _without_variable(text: str) -> str:
    return text.partition("  [env var:")[0]


if __name__ == "__main__":
    sys.stdout.write("\n".join(page()) + "\n")
