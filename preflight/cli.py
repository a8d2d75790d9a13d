"""The command line: the only place that prints, exits and wires the rooms together."""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

import click
import msgspec
from click.core import ParameterSource

from preflight import __version__, plan, requirements
from preflight.assess import Ignore, assess, select
from preflight.bounded import InputError
from preflight.checks import Check, catalogue
from preflight.documents import read_facts, schema, write_json
from preflight.facts import Asked, Host, OsRelease
from preflight.gather import mailcow_conf
from preflight.gather.host import PARTS, Wishes, gather
from preflight.gather.resolver import server
from preflight.gather.roots import Roots, find
from preflight.model import Report, Verdict
from preflight.params import Address, Checked, IgnoreType, Name, Seconds
from preflight.progress import Progress
from preflight.render import FORMATS, render
from preflight.versions import matching_rule

EXIT = {Verdict.READY: 0, Verdict.READY_WITH_WARNINGS: 0, Verdict.NOT_READY: 1, Verdict.UNDETERMINED: 3}
USAGE, INTERNAL = 2, 3
_ALWAYS = frozenset({"name", "os_release", "kernel", "machine", "mailcow_conf"})
_LINE = 500

F = TypeVar("F", bound=Callable[..., Any])


class _Group(click.Group):
    """A group whose default command is `check`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `check` in front of options that are not the group's own."""
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = ["check", *args]
        return super().parse_args(ctx, args)


def _option(*names: str, **settings: Any) -> Callable[[F], F]:
    """Make an option that is also an environment variable, PREFLIGHT_<OPTION>."""
    first = names[0].partition("/")[0].removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=f"PREFLIGHT_{first}", show_envvar=False, **settings)


def _stack(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    def apply(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


_AUTO = click.Choice(["auto", "always", "never"])
_HOST_OPTIONS = _stack(
    _option("--hostname", type=Name(), help="The future MAILCOW_HOSTNAME."),
    _option("--domain", "domains", multiple=True, type=Name(), help="A mail domain; default: the host name's parent."),
    _option("--public-ip", "public_ips", multiple=True, type=Address(), help="A public address, behind NAT."),
    _option("--mailcow-conf", metavar="PATH", help=f"A mailcow.conf on the host; default: {plan.DEFAULT_CONF}."),
    _option("--offline", is_flag=True, help="Let no packet leave the host."),
    _option("--probe/--no-probe", default=True, help="Start short-lived containers for the functional checks."),
    _option("--resolver", "resolvers", multiple=True, type=Checked("addr[:port]", server), help="Ask only these."),
    _option("--docker-host", metavar="URL", help="The engine to use."),
    _option("--root", metavar="PATH", help="The host's root directory."),
    _option("--timeout", type=Seconds(0.1, 3600), default=30.0, show_default=True, help="Deadline in seconds."),
    _option("--progress", type=_AUTO, default="auto", help="Progress on standard error."),
    _option("--quiet", "-q", is_flag=True, help="No progress."),
    _option("--verbose", "-v", is_flag=True, help="Say on standard error how long each fact took."),
)  # fmt: skip


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mailcow-preflight")
def cli() -> None:
    """Tell whether this host is ready for mailcow: dockerized, and how to mend what is not."""


@cli.command()
@_HOST_OPTIONS
@_option("--requirements", "numbers", default="current", show_default=True, help="current, 2017-07 or a TOML file.")
@_option("--only", multiple=True, metavar="ID", help="Only these checks (id or glob).")
@_option("--skip", multiple=True, metavar="ID", help="Not these checks (id or glob).")
@_option("--ignore", "ignores", multiple=True, type=IgnoreType(), help="A known finding: still shown, not counted.")
@_option("--facts", "facts_file", metavar="FILE", help="Judge recorded facts instead of this host.")
@_option("--format", "formats", multiple=True, type=click.Choice(list(FORMATS)), help="Default: markdown.")
@_option("--output", "outputs", multiple=True, metavar="FILE", help="Write there instead of standard output.")
@_option("--strict", is_flag=True, help="Warnings count as failures for the exit code.")
@_option("--color", type=_AUTO, default="auto", help="Colour in text reports.")
@click.pass_context
def check(ctx: click.Context, /, **given: Any) -> None:
    """Check this host and print the report (the default command)."""
    targets = _targets(given["formats"], given["outputs"])
    numbers = _requirements(given["numbers"])
    checks = _selection(given["only"], given["skip"], given["ignores"], numbers)
    stop = _Stop()
    host = _recorded(ctx, given) if given["facts_file"] is not None else _gather(given, numbers, checks, stop)
    report = assess(
        host, plan.make(host.mailcow_conf.value, host.asked), numbers, checks, given["ignores"], strict=given["strict"]
    )
    _write(report, targets, checks, color=given["color"])
    ctx.exit(stop.exit_code or EXIT[report.verdict])


@cli.command()
@_HOST_OPTIONS
@_option("--output", metavar="FILE", help="Write there instead of standard output.")
@click.pass_context
def facts(ctx: click.Context, /, **given: Any) -> None:
    """Gather facts of this host, without judging, and print them as JSON."""
    stop = _Stop()
    host = _gather(given, _requirements("current"), None, stop)
    _put(write_json(host), given["output"])
    ctx.exit(stop.exit_code)


@cli.command()
@click.option("--format", "style", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True)
def checks(style: str) -> None:
    """List all checks: id, title, severity, section."""
    from preflight.render.catalogue import catalogue as render_catalogue

    _put(render_catalogue(catalogue(), style), None)


@cli.command()
@click.argument("id")
def explain(id: str) -> None:
    """Explain one check: why it matters, what it reads, how to fix it, sources."""
    from preflight.render.catalogue import explain as render_explain

    found = next((entry for entry in catalogue() if entry.id == id), None)
    if found is None:
        raise click.UsageError(f"there is no check {id[:80]!r}; `preflight checks` lists them.")
    _put(render_explain(found), None)


@cli.command()
@_option("--docker-host", metavar="URL", help="The engine to use.")
@_option("--root", metavar="PATH", help="The host's root directory.")
@click.pass_context
def cleanup(ctx: click.Context, /, **given: Any) -> None:
    """Remove the labelled objects that a killed run left on the engine."""
    from preflight.gather.engine import locate
    from preflight.gather.engine_http import EngineError
    from preflight.probes.box import cleanup as remove

    url = locate(_roots(given["root"]), os.environ, given["docker_host"], root_given=given["root"] is not None)
    if not isinstance(url, str):
        raise InputError(f"{url.reason}. {url.help}")
    try:
        removed = remove(url)
    except EngineError as error:
        _say(f"preflight: the engine at {url} did not do it: {error}")
        ctx.exit(EXIT[Verdict.UNDETERMINED])
    _put("".join(f"removed {name}\n" for name in removed) or "nothing to remove\n", None)


@cli.command("schema")
@click.argument("document", type=click.Choice(["report", "facts"]), default="report")
def schema_command(document: str) -> None:
    """Print the JSON Schema of the report or of the facts."""
    _put(msgspec.json.format(msgspec.json.encode(schema(document)), indent=2).decode() + "\n", None)


class _Stop:
    """Ctrl-C and `docker stop`: the run is told to end; what is known by then is printed."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.exit_code = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._hear)

    def _hear(self, number: int, _: FrameType | None) -> None:
        if self.exit_code and number == signal.SIGINT:  # a second Ctrl-C does not wait for the clean-up
            os._exit(128 + number)
        self.exit_code = 128 + number
        self.event.set()


def _roots(given: str | None) -> Roots:
    """Find the host; a root that is given and certainly none is refused, one that we may not look into is looked at."""
    if given is not None:
        try:
            directory = bool(given) and stat.S_ISDIR(os.stat(given).st_mode)
        except OSError as error:
            directory = error.errno in (errno.EACCES, errno.EPERM)
        if not directory:
            raise click.UsageError(f"--root {given[:200]!r}: not a directory.")
    return find(dict(os.environ), given)


def _requirements(name: str) -> requirements.Requirements:
    try:
        return requirements.load(name)
    except requirements.RequirementsError as error:
        raise click.UsageError(f"--requirements {error}") from None


def _selection(
    only: tuple[str, ...], skip: tuple[str, ...], ignores: tuple[Ignore, ...], numbers: requirements.Requirements
) -> tuple[Check, ...]:
    every = catalogue()
    for option, patterns in (("--only", only), ("--skip", skip), ("--ignore", tuple(i.check for i in ignores))):
        for pattern in patterns:
            if not pattern or not select(every, (pattern,), ()):
                raise click.UsageError(f"{option} {pattern[:80]!r} matches no check; `preflight checks` lists them.")
    for identity in numbers.severities:
        if all(entry.id != identity for entry in every):
            raise click.UsageError(f"--requirements {numbers.name}: severities: there is no check {identity[:80]!r}")
    return select(every, only, skip)


_NOT_WITH_FACTS = ("mailcow_conf", "resolvers", "docker_host", "root", "probe")


def _recorded(ctx: click.Context, given: dict[str, Any]) -> Host:
    """Return recorded facts; what was asked of the names may be asked anew."""
    for name in _NOT_WITH_FACTS:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = next(param.opts[0] for param in ctx.command.params if param.name == name)
            raise click.UsageError(f"{option} is about a host that is looked at; it does not go with --facts.")
    from pathlib import Path

    host = read_facts(Path(given["facts_file"]))
    asked = msgspec.structs.replace(
        host.asked,
        hostname=given["hostname"] or host.asked.hostname,
        domains=given["domains"] or host.asked.domains,
        public_ips=given["public_ips"] or host.asked.public_ips,
        offline=given["offline"] or host.asked.offline,
    )
    return msgspec.structs.replace(host, asked=asked)


def _gather(
    given: dict[str, Any], numbers: requirements.Requirements, checks: tuple[Check, ...] | None, stop: _Stop
) -> Host:
    """Look at this host: at all of it, or at what these checks need."""
    roots = _roots(given["root"])
    if given["mailcow_conf"] is not None:
        mailcow_conf.given(roots, given["mailcow_conf"])
    parts = frozenset(PARTS) if checks is None else _ALWAYS.union(*(entry.reads for entry in checks))

    def unsafe(release: str, system: OsRelease | None) -> str:
        rule, possible = matching_rule(tuple(r for r in numbers.kernels if r.unsafe), release, system)
        return (rule or possible).reason if rule or possible else ""  # type: ignore[union-attr]  # one of them is there

    wishes = Wishes(
        asked=Asked(
            hostname=given["hostname"],
            domains=given["domains"],
            public_ips=given["public_ips"],
            mailcow_conf=given["mailcow_conf"],
            offline=given["offline"],
            probe=given["probe"],
        ),
        parts=parts,
        environ=dict(os.environ),
        seconds=given["timeout"],
        docker_host=given["docker_host"],
        root_given=given["root"] is not None,
        resolvers=given["resolvers"],
        commands=tuple(dict.fromkeys(numbers.commands + numbers.not_busybox)),
        unsafe=unsafe,
    )
    with _progress(given).shown() as progress:
        progress.stage(f"reading the host ({len(parts)} facts, at most {given['timeout']:g} s)")
        return gather(roots, wishes, stop.event, progress.tell)


def _progress(given: dict[str, Any]) -> Progress:
    wanted = {"always": True, "never": False, "auto": sys.stderr.isatty()}[given["progress"]]
    silent = given["quiet"] or given["progress"] == "never"
    return Progress(wanted, None if silent else _say, verbose=given["verbose"])


def _targets(formats: tuple[str, ...], outputs: tuple[str, ...]) -> list[tuple[str, str | None]]:
    """Pair formats with files: by their order, else by the file's suffix; one format may go to standard output."""
    if len(formats) > len(outputs) + 1:
        raise click.UsageError("several formats at once need an --output for all but one of them.")
    targets: list[tuple[str, str | None]] = []
    for number, output in enumerate(outputs):
        suffix = os.path.splitext(output)[1]
        by_suffix = next((name for name, entry in FORMATS.items() if entry.suffix == suffix), None)
        name = formats[number] if number < len(formats) else by_suffix
        if name is None:
            raise click.UsageError(f"--output {output[:200]}: no format has this suffix; name one with --format.")
        if os.path.isdir(output) or not os.path.isdir(os.path.dirname(output) or "."):
            raise click.UsageError(f"--output {output[:200]}: not a file in a directory that exists.")
        targets.append((name, output))
    targets += [(name, None) for name in formats[len(outputs) :]]
    return targets or [("markdown", None)]


def _write(report: Report, targets: list[tuple[str, str | None]], checks: tuple[Check, ...], *, color: str) -> None:
    why = {entry.id: entry.why for entry in checks}
    for name, output in targets:
        colored = color == "always" or (
            color == "auto" and output is None and sys.stdout.isatty() and "NO_COLOR" not in os.environ
        )
        _put(render(report, name, why=why, color=colored), output)


def _put(text: str, output: str | None) -> None:
    """Write a document as UTF-8 to a file or to standard output."""
    data = text.encode("utf-8", "backslashreplace")
    if output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        with open(output, "wb") as file:
            file.write(data)
    except OSError as error:
        raise InputError(f"--output {output}: {error.strerror}") from None


def _say(line: str) -> None:
    """Write one line to standard error, with nothing in it that a terminal would obey."""
    shown = "".join(c if c.isprintable() else " " for c in line)
    print(shown if len(shown) <= _LINE else shown[: _LINE - 1] + "…", file=sys.stderr, flush=True)


def main() -> None:
    """Run the command line and end the process.

    At once: everything is written and flushed. Taking the interpreter apart would cost a tenth of a whole check. Only
    what removes the containers of an experiment is waited for.
    """
    code = run()
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.current_thread():
            thread.join()
    os._exit(code)


def run() -> int:
    """Run the command line: every end is one of the contract's exit codes, and never a traceback."""
    try:
        return int(cli.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        _say(f"preflight: {error.format_message()}")
        return USAGE
    except InputError as error:
        _say(f"preflight: {error}")
        return USAGE
    except (KeyboardInterrupt, click.Abort):
        return 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception as error:  # noqa: BLE001 - the user gets a line, not a traceback
        _say(f"preflight: internal error, please report it: {type(error).__name__}: {error}")
        return INTERNAL
