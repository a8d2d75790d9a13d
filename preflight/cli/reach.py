"""`preflight reach`: on another machine, try what `check --rehearse --hold` keeps up on a host."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from preflight.cli import helping, options, outputs
from preflight.cli.making import group, option, read
from preflight.cli.outputs import Target
from preflight.cli.params import Checked, Seconds
from preflight.cli.stop import Stop
from preflight.cli.streams import colors, dumb, put, say, shape, usual
from preflight.text.inputs import InputError
from preflight.text.sentences import phrase
from preflight.text.sentences import say as told

if TYPE_CHECKING:
    from preflight.reach.document import Reach
    from preflight.reach.facts import Attempt, Look
    from preflight.reach.line import Line

FORMATS = ("text", "markdown", "html", "json")
EXIT = {"reached": 0, "not-reached": 1, "undetermined": 3}


class ReachOptions(Struct, frozen=True, kw_only=True):
    """What was given."""

    line: str
    token: str | None
    smtp_targets: tuple[str, ...]
    timeout: float
    formats: tuple[str, ...]
    outputs: tuple[str, ...]
    redact: bool
    color: str
    progress: str
    quiet: bool


# fmt: off
@click.command(cls=helping.Command)
@options.HELP
@click.argument("line")
@group(
    helping.WHERE,
    option("--token", metavar="TOKEN", help="The token of the line, if LINE is only a host name."),
    option(
        "--smtp-target", "smtp_targets", multiple=True,
        type=Checked("host[:port]", read("outgoing", "mail_server")),
        help="Connect to this mail server first, to see whether port 25 is open from here. Repeatable. "
        "Default: mail servers of several operators.",
    ),
    option(
        "--timeout", type=Seconds(1, 600), default=30.0, metavar="SECONDS",
        help="The longest time that the run may take: 1 to 600 seconds. Default: 30.",
    ),
)
@group(
    helping.OUTPUT,
    option(
        "--format", "formats", multiple=True, type=click.Choice(FORMATS), metavar="NAME",
        help=f"The format of standard output: {', '.join(FORMATS)}. Default: text on a terminal, otherwise markdown.",
    ),
    option(
        "--output", "outputs", multiple=True, metavar="FILE", shell_complete=options.FILES,
        help="Write the report to this file. Repeatable. The suffix sets the format: .txt .md .html .json. "
        "Default: standard output.",
    ),
    option(
        "--color", type=options.AUTO, default="auto", metavar="WHEN",
        help="Use colour: auto, always or never. Default: auto.",
    ),
    options.REDACT,
)
@group(
    helping.PROGRESS,
    option(
        "--progress", type=options.AUTO, default="auto", metavar="WHEN",
        help="Show progress on standard error: auto, always or never. Default: auto.",
    ),
    option("--quiet", "-q", is_flag=True, help="Do not show progress."),
)
@click.pass_context
def reach(ctx: click.Context, /, **values: Any) -> None:
    """Test from this machine whether the ports of another host are reachable.

    LINE is what `preflight check --rehearse --hold` prints on that host.
    """
    from preflight.render.reach import render

    given = ReachOptions(**values)
    targets = _targets(given)
    line = _line(given)
    stop = Stop()
    found = _judged(_look(line, given, stop), redact=given.redact)
    outputs.write({one: render(found, one.format, **shape(given.color, one.path)) for one in targets}, put)
    if all(target.path is not None for target in targets):
        say(f"preflight: {_written(found, targets)}")
    ctx.exit(stop.exit_code or EXIT[found.verdict])
# fmt: on


def _judged(look: Look, *, redact: bool) -> Reach:
    if redact:
        from preflight.redact.reach import redacted

        return redacted(look)
    from preflight.reach.judge import judge

    return judge(look)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the document."""
    from preflight.reach.schema import schema as made

    return made()


def _line(given: ReachOptions) -> Line:
    from preflight.reach import line as lines

    try:
        return lines.read(given.line, given.token)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _targets(given: ReachOptions) -> tuple[Target, ...]:
    """Return which report goes where; raise `InputError` for a format that there is none in."""
    targets = outputs.targets(given.formats, given.outputs, usual())
    for target in targets:
        if target.format not in FORMATS:
            raise InputError(f"--output {str(target.path)[:200]}: reach has no report in the format {target.format}.")
    return targets


def _written(found: Reach, targets: tuple[Target, ...]) -> str:
    from preflight.render.reach import headline

    return f"{headline(found)} ({found.verdict}). {', '.join(str(target.path) for target in targets)}"


def _look(line: Line, given: ReachOptions, stop: Stop) -> Look:
    """Try all of it, with what tells of progress."""
    from preflight.mailcow.outgoing import mail_servers
    from preflight.reach.trying import Bounds, look

    controls = [(goal.host, goal.port) for goal in mail_servers(given.smtp_targets)]
    bounds = Bounds(time.monotonic() + given.timeout, stop.event)
    silent = given.quiet or given.progress == "never"
    display = not silent and (given.progress == "always" or sys.stderr.isatty()) and not dumb()
    counted = _Counted(line, bounds.deadline)
    if not display:
        if not silent:
            say(f"preflight: {counted.head()}")
        return look(line, controls, bounds, counted.tell)
    return _shown(counted, color=colors(given.color), act=lambda: look(line, controls, bounds, counted.tell))


def _shown(counted: _Counted, *, color: bool, act: Callable[[], Look]) -> Look:
    from preflight.cli.progress import live

    over = threading.Event()
    drawing = threading.Thread(target=live(color=color), args=(counted.lines, over, list), daemon=True)
    drawing.start()
    try:
        found = act()
    finally:
        over.set()
        drawing.join(5)
    return found


class _Counted:
    """What came of the connections so far, for a display."""

    def __init__(self, line: Line, deadline: float) -> None:
        self._host, self._deadline = line.host, deadline
        self._counts: dict[str, dict[str, int]] = {}

    def tell(self, attempt: Attempt) -> None:
        """Hear of one more."""
        row = self._counts.setdefault(attempt.address, {})
        row[attempt.outcome] = row.get(attempt.outcome, 0) + 1

    def head(self) -> str:
        """Return the first line."""
        left = max(0, round(self._deadline - time.monotonic()))
        return told("Trying the ports of {host} (up to {left} s more).", host=self._host, left=left)

    def lines(self) -> list[str]:
        """Return the display: a line for each address."""
        rows = []
        for address, counts in list(self._counts.items()):
            how = ", ".join(f"{phrase(outcome)} {count}" for outcome, count in list(counts.items()))
            rows.append(f"{address} · {how}")
        return [self.head(), *rows]
