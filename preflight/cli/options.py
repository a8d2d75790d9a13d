"""The options of the commands: each is also an environment variable, `PREFLIGHT_<OPTION>`; a flag wins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from msgspec import Struct

from preflight.assess.waivers import Waiver
from preflight.cli.helping import EXPERIMENTS, KNOWN, NAMES, OUTPUT, PROGRESS, TARGETS, WHAT, WHERE
from preflight.cli.params import Address, Checked, Domain, Name, Seconds, WaiverType
from preflight.gather.engine.address import address
from preflight.gather.names.resolver import server
from preflight.mailcow import plan
from preflight.net.targets import time_server
from preflight.render import FORMATS

F = TypeVar("F", bound=Callable[..., Any])


class Option(click.Option):
    """An option with one line of help, which is shown as it stands.

    click would tidy it up with `inspect`, which is not loaded for that (`preflight.__main__.Later`). `group`: the
    section of the help that it stands in.
    """

    group: str = ""

    def __init__(self, *args: Any, help: str | None = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.help = help


def option(*names: str, **settings: Any) -> Callable[[F], F]:
    """Make an option that is also an environment variable, PREFLIGHT_<OPTION>."""
    first = names[0].partition("/")[0].removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=f"PREFLIGHT_{first}", show_envvar=True, cls=Option, **settings)


def typed(kind: str) -> Callable[[click.Context, click.Parameter, str], list[Any]]:
    """Return what completes a value of this kind (a function of `hints`); it is loaded when a shell asks."""

    def complete(context: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from preflight.cli import completion

        return list(getattr(completion, kind)(context, param, incomplete))

    return complete


def read(module: str, function: str) -> Callable[[str], object]:
    """Return what reads a value, a function of a module in mailcow/; it is loaded when there is a value."""

    def accept(text: str) -> object:
        from importlib import import_module

        read_by: Callable[[str], object] = getattr(import_module(f"preflight.mailcow.{module}"), function)
        return read_by(text)

    return accept


def _stack(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    def apply(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def _group(title: str, *decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Return what adds these options, all in one section of the help."""

    def apply(function: F) -> F:
        made = _stack(*decorators)(function)
        params: list[click.Parameter] = getattr(made, "__click_params__", [])
        for param in params[-len(decorators) :]:
            if isinstance(param, Option):
                param.group = title
        return made

    return apply


CHECKS, FILES, FOLDERS, REQUIREMENTS = map(typed, ("checks", "files", "folders", "requirements"))
AUTO = click.Choice(["auto", "always", "never"])
HELP = click.help_option("-h", "--help", cls=Option)

# fmt: off
ENGINE = option(
    "--docker-host", type=Checked("url", address), metavar="URL",
    help="Query this engine. Default: DOCKER_HOST, else the host's socket.",
)
ROOT = option(
    "--root", metavar="PATH", shell_complete=FOLDERS,
    help="Read the host's files below this directory. Default: / (in the container: /proc/1/root).",
)
REDACT = option(
    "--redact", is_flag=True,
    help="Replace names, addresses and process arguments with placeholders, so that the report can be posted.",
)

# What host is looked at, and how.
HOST = _stack(
    _group(
        NAMES,
        option("--hostname", type=Name(), help="The future MAILCOW_HOSTNAME. Without it DNS is not checked."),
        option(
            "--domain", "domains", multiple=True, type=Domain(),
            help="A mail domain. Repeatable. Default: the parent domain of the host name.",
        ),
        option(
            "--public-ip", "public_ips", multiple=True, type=Address(),
            help="A public address of this host, if it is behind NAT. Repeatable.",
        ),
        option("--dkim-selector", type=Name(), help="The selector of the DKIM key. Default: dkim."),
    ),
    _group(
        WHERE,
        option(
            "--mailcow-conf", metavar="PATH", shell_complete=FILES,
            help=f"Read this mailcow.conf. Default: {plan.DEFAULT_CONF}, if it exists.",
        ),
        ENGINE,
        ROOT,
        option(
            "--timeout", type=Seconds(0.1, 3600), default=30.0, show_default=True, metavar="SECONDS",
            help="Deadline of the whole run in seconds. What is not known by then is reported as unknown.",
        ),
    ),
    _group(
        EXPERIMENTS,
        option("--offline", is_flag=True, help="Send no packet to other hosts. Skips checks that need one."),
        option(
            "--probe/--no-probe", default=True,
            help="Start short-lived containers for the functional checks, and remove them. Default: on.",
        ),
        option(
            "--rehearse", is_flag=True,
            help="Start mailcow in miniature, try its ports, and remove it. Takes up to 40 s more.",
        ),
        option(
            "--hold", type=Seconds(1, 3600), metavar="SECONDS",
            help="With --rehearse: keep the ports up for this many seconds, for preflight reach on another machine.",
        ),
    ),
    _group(
        TARGETS,
        option(
            "--resolver", "resolvers", multiple=True, type=Checked("addr[:port]", server),
            help="Send all DNS queries to this name server.",
        ),
        option(
            "--ntp-server", "ntp_servers", multiple=True, type=Checked("host[:port]", time_server),
            help="Query this time server.",
        ),
        option(
            "--outbound", "outbound", multiple=True, type=Checked("host:port/proto", read("outgoing", "goal")),
            help="Try this outgoing connection.",
        ),
        option(
            "--smtp-target", "smtp_targets", multiple=True,
            type=Checked("host[:port]", read("outgoing", "mail_server")), help="Connect to this mail server.",
        ),
        option(
            "--ping-target", "ping_targets", multiple=True, type=Checked("addr", read("recursion", "target")),
            help="Ping this address.",
        ),
        option(
            "--blocklist", "blocklists", multiple=True, type=Checked("zone", read("blocklists", "zone")),
            help="Query this DNS block list.",
        ),
        option(
            "--address-service", "address_services", multiple=True,
            type=Checked("url", read("address_services", "service")), help="Query this service for the public address.",
        ),
    ),
    _group(
        PROGRESS,
        option(
            "--progress", type=AUTO, default="auto", metavar="WHEN",
            help="Show progress on standard error: auto (default), always, never.",
        ),
        option("--quiet", "-q", is_flag=True, help="Show no progress."),
        option("--verbose", "-v", is_flag=True, help="Show how long each fact took, on standard error."),
    ),
)

# What is judged, and what becomes of it.
REPORT = _stack(
    _group(
        WHAT,
        option(
            "--only", multiple=True, metavar="ID", shell_complete=CHECKS,
            help="Run only this check. Repeatable, takes * and ?.",
        ),
        option("--skip", multiple=True, metavar="ID", shell_complete=CHECKS, help="Do not run this check."),
        option(
            "--requirements", "requirements", default="current", show_default=True, metavar="NAME|FILE",
            shell_complete=REQUIREMENTS,
            help="The requirements: current, 2017-07 or a TOML file.",
        ),
        option(
            "--facts", "facts_file", metavar="FILE", shell_complete=FILES,
            help="Judge facts recorded by preflight facts, not this host.",
        ),
        option(
            "--wait", type=Seconds(0, 86400), default=0.0, metavar="SECONDS",
            help="Repeat what is not ready for up to this many seconds.",
        ),
    ),
    _group(
        KNOWN,
        option(
            "--ignore", "ignores", multiple=True, type=WaiverType(), shell_complete=CHECKS,
            help="Waive a finding. It is still shown, but does not count.",
        ),
        option("--waivers", metavar="FILE", shell_complete=FILES, help="Read waivers from a TOML file."),
        option(
            "--baseline", metavar="FILE", shell_complete=FILES,
            help="Mark what is new, known and fixed since this JSON report.",
        ),
        option("--strict", is_flag=True, help="Count warnings as failures for the exit code."),
    ),
    _group(
        OUTPUT,
        option(
            "--format", "formats", multiple=True, type=click.Choice(["auto", *FORMATS]), metavar="NAME",
            help=f"Format of standard output: {', '.join(FORMATS)}. Default: auto (text on a terminal, else markdown).",
        ),
        option(
            "--output", "outputs", multiple=True, metavar="FILE", shell_complete=FILES,
            help=f"Write the report to FILE. Its suffix names the format: {' '.join(filter(None, FORMATS.values()))}.",
        ),
        option("--show-passed", is_flag=True, help="List passed and skipped checks in text, not only their number."),
        option("--color", type=AUTO, default="auto", metavar="WHEN", help="Use colour: auto (default), always, never."),
        REDACT,
    ),
)
# fmt: on


class HostOptions(Struct, frozen=True, kw_only=True):
    """What was given for `HOST`."""

    hostname: str | None
    domains: tuple[str, ...]
    public_ips: tuple[str, ...]
    dkim_selector: str | None
    mailcow_conf: str | None
    offline: bool
    probe: bool
    rehearse: bool
    hold: float | None
    resolvers: tuple[str, ...]
    ntp_servers: tuple[str, ...]
    outbound: tuple[str, ...]
    smtp_targets: tuple[str, ...]
    ping_targets: tuple[str, ...]
    blocklists: tuple[str, ...]
    address_services: tuple[str, ...]
    docker_host: str | None
    root: str | None
    timeout: float
    progress: str
    quiet: bool
    verbose: bool
    color: str = "auto"


class CheckOptions(HostOptions, frozen=True, kw_only=True):
    """What was given for `check`: `HOST`, `REPORT` and `REDACT`."""

    requirements: str
    only: tuple[str, ...]
    skip: tuple[str, ...]
    ignores: tuple[Waiver, ...]
    waivers: str | None
    facts_file: str | None
    baseline: str | None
    formats: tuple[str, ...]
    outputs: tuple[str, ...]
    wait: float
    show_passed: bool
    strict: bool
    redact: bool


class FactsOptions(HostOptions, frozen=True, kw_only=True):
    """What was given for `facts`: `HOST`, `REDACT` and a file."""

    redact: bool
    output: str | None
