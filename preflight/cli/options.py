"""The options of the commands: each is also an environment variable, `PREFLIGHT_<OPTION>`; a flag wins."""

from __future__ import annotations

import click
from msgspec import Struct

from preflight.assess.waivers import Waiver
from preflight.cli.helping import EXPERIMENTS, KNOWN, NAMES, OUTPUT, PROGRESS, TARGETS, WHAT, WHERE
from preflight.cli.making import Option, group, option, read, stack, typed
from preflight.cli.params import Address, Checked, Domain, Name, Seconds, WaiverType
from preflight.gather.engine.address import address
from preflight.gather.names.resolver import server
from preflight.mailcow import plan
from preflight.net.targets import time_server
from preflight.render import FORMATS

CHECKS, FILES, FOLDERS, REQUIREMENTS = map(typed, ("checks", "files", "folders", "requirements"))
AUTO = click.Choice(["auto", "always", "never"])
HELP = click.help_option("-h", "--help", cls=Option, help="Show this help and exit.")

# fmt: off
ENGINE = option(
    "--docker-host", type=Checked("url", address), metavar="URL",
    help="The Docker engine to use. Default: DOCKER_HOST, otherwise the host's own socket.",
)
ROOT = option(
    "--root", metavar="PATH", shell_complete=FOLDERS,
    help="The directory that holds the host's files. Default: /, in the container /proc/1/root.",
)
REDACT = option(
    "--redact", is_flag=True,
    help="Replace names, addresses and process arguments with placeholders, so that you can post the output.",
)

# What host is looked at, and how.
HOST = stack(
    group(
        NAMES,
        option(
            "--hostname", type=Name(),
            help="The host name that mailcow will have. Default: MAILCOW_HOSTNAME in mailcow.conf. Without either, DNS "
            "is not checked.",
        ),
        option(
            "--domain", "domains", multiple=True, type=Domain(),
            help="A mail domain to check. Repeatable. Default: the parent domain of the host name.",
        ),
        option(
            "--public-ip", "public_ips", multiple=True, type=Address(),
            help="A public IP address of this host, if it is behind NAT. Repeatable. Default: found automatically.",
        ),
        option("--dkim-selector", type=Name(), help="The selector of the DKIM key in the DNS. Default: dkim."),
    ),
    group(
        WHERE,
        option(
            "--mailcow-conf", metavar="PATH", shell_complete=FILES,
            help=f"The mailcow.conf to read. Default: {plan.DEFAULT_CONF} if it exists, otherwise mailcow's defaults.",
        ),
        ENGINE,
        ROOT,
        option(
            "--timeout", type=Seconds(0.1, 3600), default=30.0, metavar="SECONDS",
            help="The deadline of a run: 0.1 to 3600 seconds. --rehearse and --wait add to it. Anything not known by "
            "then is reported as unknown. Default: 30.",
        ),
    ),
    group(
        EXPERIMENTS,
        option("--offline", is_flag=True, help="Send no packets to other hosts. Checks that need them are skipped."),
        option(
            "--probe/--no-probe", default=True,
            help="Start short-lived containers for some checks and remove them afterwards. Default: --probe.",
        ),
        option(
            "--rehearse", is_flag=True,
            help="Start stand-ins for mailcow's containers on its ports, test them and remove them. Takes up to 40 "
            "seconds longer.",
        ),
        option(
            "--hold", type=Seconds(1, 3600), metavar="SECONDS",
            help="With --rehearse: keep the stand-ins up for 1 to 3600 seconds, so that preflight reach on another "
            "machine can try the ports. Default: do not keep them.",
        ),
    ),
    group(
        TARGETS,
        option(
            "--resolver", "resolvers", multiple=True, type=Checked("addr[:port]", server),
            help="Send all DNS queries to this name server. Default: the host's name servers, and those of the zones.",
        ),
        option(
            "--ntp-server", "ntp_servers", multiple=True, type=Checked("host[:port]", time_server),
            help="Compare the clock with this time server. Default: public time servers.",
        ),
        option(
            "--outbound", "outbound", multiple=True, type=Checked("host:port/proto", read("outgoing", "goal")),
            help="Try this outgoing connection. Default: those that mailcow documents.",
        ),
        option(
            "--smtp-target", "smtp_targets", multiple=True,
            type=Checked("host[:port]", read("outgoing", "mail_server")),
            help="Connect to this mail server to test outgoing port 25. Default: mail servers of several operators.",
        ),
        option(
            "--ping-target", "ping_targets", multiple=True, type=Checked("addr", read("recursion", "target")),
            help="Ping this address from a container. Default: 1.1.1.1, 8.8.8.8 and 9.9.9.9, as mailcow does.",
        ),
        option(
            "--blocklist", "blocklists", multiple=True, type=Checked("zone", read("blocklists", "zone")),
            help="Look up the host's public addresses on this DNS block list. Default: three public ones.",
        ),
        option(
            "--address-service", "address_services", multiple=True,
            type=Checked("url", read("address_services", "service")),
            help="Ask this service for the host's public address. Default: mailcow's own and icanhazip.com.",
        ),
    ),
    group(
        PROGRESS,
        option(
            "--progress", type=AUTO, default="auto", metavar="WHEN",
            help="Show progress on standard error: auto, always or never. Default: auto.",
        ),
        option("--quiet", "-q", is_flag=True, help="Do not show progress."),
        option("--verbose", "-v", is_flag=True, help="Show on standard error how long each part took."),
    ),
)

# What is judged, and what becomes of it.
REPORT = stack(
    group(
        WHAT,
        option(
            "--only", multiple=True, metavar="ID", shell_complete=CHECKS,
            help="Run only this check. Repeatable. * and ? are wildcards. Default: all checks.",
        ),
        option(
            "--skip", multiple=True, metavar="ID", shell_complete=CHECKS,
            help="Do not run this check. Repeatable. * and ? are wildcards.",
        ),
        option(
            "--requirements", "requirements", default="current", metavar="NAME|FILE",
            shell_complete=REQUIREMENTS,
            help="mailcow's requirements: current, 2017-07 or your own TOML file. Default: current.",
        ),
        option(
            "--facts", "facts_file", metavar="FILE", shell_complete=FILES,
            help="Check the facts in this file, recorded with preflight facts, instead of this host.",
        ),
        option(
            "--wait", type=Seconds(0, 86400), default=0.0, metavar="SECONDS",
            help="Check again until the host is ready, for 0 to 86400 seconds. Default: 0 (check once).",
        ),
    ),
    group(
        KNOWN,
        option(
            "--ignore", "ignores", multiple=True, type=WaiverType(), shell_complete=CHECKS,
            help="Waive a known finding, until DATE if given. It is still shown but does not count. Repeatable.",
        ),
        option("--waivers", metavar="FILE", shell_complete=FILES, help="A TOML file with waivers."),
        option(
            "--baseline", metavar="FILE", shell_complete=FILES,
            help="An earlier JSON report. The new one marks what is new, known and fixed since then.",
        ),
        option("--strict", is_flag=True, help="Exit with 1 even if there are only warnings."),
    ),
    group(
        OUTPUT,
        option(
            "--format", "formats", multiple=True, type=click.Choice(["auto", *FORMATS]), metavar="NAME",
            help=f"The format of standard output: auto, {', '.join(FORMATS)}. Default: auto (text on a terminal, "
            "otherwise markdown).",
        ),
        option(
            "--output", "outputs", multiple=True, metavar="FILE", shell_complete=FILES,
            help=f"Write the report to this file. Repeatable. The suffix sets the format: "
            f"{' '.join(filter(None, FORMATS.values()))}. Default: standard output.",
        ),
        option(
            "--show-passed", is_flag=True,
            help="In text, list the checks that passed or were skipped. Default: only count them.",
        ),
        option(
            "--color", type=AUTO, default="auto", metavar="WHEN",
            help="Use colour: auto, always or never. Default: auto.",
        ),
        REDACT,
    ),
)

# What `facts` does with them.
RECORD = group(
    OUTPUT,
    option(
        "--output", metavar="FILE", shell_complete=FILES,
        help="Write the facts to this file. Default: standard output.",
    ),
    REDACT,
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
