"""The options of the commands: each is also an environment variable, `PREFLIGHT_<OPTION>`; a flag wins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from msgspec import Struct

from preflight.assess.waivers import Waiver
from preflight.cli.params import Address, Checked, Domain, Name, Seconds, WaiverType
from preflight.gather.engine.address import address
from preflight.gather.names.resolver import server
from preflight.mailcow import plan
from preflight.net.targets import time_server
from preflight.render import FORMATS

F = TypeVar("F", bound=Callable[..., Any])


class Option(click.Option):
    """An option with one line of help, which is shown as it stands.

    click would tidy it up with `inspect`, which is not loaded for that (`preflight.__main__.Later`).
    """

    def __init__(self, *args: Any, help: str | None = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.help = help


def option(*names: str, **settings: Any) -> Callable[[F], F]:
    """Make an option that is also an environment variable, PREFLIGHT_<OPTION>."""
    first = names[0].partition("/")[0].removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=f"PREFLIGHT_{first}", show_envvar=False, cls=Option, **settings)


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


CHECKS, FILES, FOLDERS, REQUIREMENTS = map(typed, ("checks", "files", "folders", "requirements"))
AUTO = click.Choice(["auto", "always", "never"])
HELP = click.help_option("-h", "--help", cls=Option)

ENGINE = option("--docker-host", type=Checked("url", address), metavar="URL", help="The engine to use.")
ROOT = option("--root", metavar="PATH", shell_complete=FOLDERS, help="The host's root directory.")

REDACT = option("--redact", is_flag=True, help="Placeholders for names, addresses and arguments: to be posted.")

# fmt: off
# What host is looked at, and how.
HOST = _stack(
    option("--hostname", type=Name(), help="The future MAILCOW_HOSTNAME."),
    option("--domain", "domains", multiple=True, type=Domain(), help="A mail domain; default: the host name's parent."),
    option("--public-ip", "public_ips", multiple=True, type=Address(), help="A public address, behind NAT."),
    option("--dkim-selector", type=Name(), help="The selector of the DKIM key; default: dkim."),
    option(
        "--mailcow-conf", metavar="PATH", shell_complete=FILES,
        help=f"A mailcow.conf on the host; default: {plan.DEFAULT_CONF}.",
    ),
    option("--offline", is_flag=True, help="Let no packet leave the host."),
    option("--probe/--no-probe", default=True, help="Start short-lived containers for the functional checks."),
    option("--rehearse", is_flag=True, help="Bring mailcow up in miniature and remove it; takes up to 40 s more."),
    option(
        "--hold", type=Seconds(1, 3600), help="Keep a rehearsal's ports up so many seconds, to be tried from elsewhere."
    ),
    option("--resolver", "resolvers", multiple=True, type=Checked("addr[:port]", server), help="Ask only these."),
    option(
        "--ntp-server", "ntp_servers", multiple=True, type=Checked("host[:port]", time_server),
        help="Ask these for the time.",
    ),
    option(
        "--outbound", "outbound", multiple=True, type=Checked("host:port/proto", read("outgoing", "goal")),
        help="Try this connection, not those of mailcow's documents.",
    ),
    option(
        "--smtp-target", "smtp_targets", multiple=True, type=Checked("host[:port]", read("outgoing", "mail_server")),
        help="Try this mail server, not those of several operators.",
    ),
    option(
        "--ping-target", "ping_targets", multiple=True, type=Checked("addr", read("recursion", "target")),
        help="Ping this address, not those of mailcow's health check.",
    ),
    option(
        "--blocklist", "blocklists", multiple=True, type=Checked("zone", read("blocklists", "zone")),
        help="Ask this DNS block list, not the usual ones.",
    ),
    option(
        "--address-service", "address_services", multiple=True,
        type=Checked("url", read("address_services", "service")), help="Ask this service for the public address.",
    ),
    ENGINE,
    ROOT,
    option("--timeout", type=Seconds(0.1, 3600), default=30.0, show_default=True, help="Deadline in seconds."),
    option("--progress", type=AUTO, default="auto", help="Progress on standard error."),
    option("--quiet", "-q", is_flag=True, help="No progress."),
    option("--verbose", "-v", is_flag=True, help="Say on standard error how long each fact took."),
)

# What is judged, and what becomes of it.
REPORT = _stack(
    option(
        "--requirements", "requirements", default="current", show_default=True, shell_complete=REQUIREMENTS,
        help="current, 2017-07 or a TOML file.",
    ),
    option("--only", multiple=True, metavar="ID", shell_complete=CHECKS, help="Only these checks (id or glob)."),
    option("--skip", multiple=True, metavar="ID", shell_complete=CHECKS, help="Not these checks (id or glob)."),
    option(
        "--ignore", "ignores", multiple=True, type=WaiverType(), shell_complete=CHECKS,
        help="Waive a finding: still shown, not counted.",
    ),
    option("--waivers", metavar="FILE", shell_complete=FILES, help="Waivers in a TOML file."),
    option("--facts", "facts_file", metavar="FILE", shell_complete=FILES, help="Judge recorded facts, not this host."),
    option(
        "--baseline", metavar="FILE", shell_complete=FILES,
        help="Mark what is new, known and fixed since this JSON report.",
    ),
    option(
        "--format", "formats", multiple=True, type=click.Choice(["auto", *FORMATS]),
        help="Default: auto (text on a terminal, else markdown).",
    ),
    option(
        "--output", "outputs", multiple=True, metavar="FILE", shell_complete=FILES,
        help="Write there; its suffix names the format.",
    ),
    option(
        "--wait", type=Seconds(0, 86400), default=0.0, show_default=True,
        help="Look again at what is not ready, for so many seconds.",
    ),
    option("--show-passed", is_flag=True, help="List in text what passed and what was skipped, not only how many."),
    option("--strict", is_flag=True, help="Warnings count as failures for the exit code."),
    option("--color", type=AUTO, default="auto", help="Colour in text reports."),
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
