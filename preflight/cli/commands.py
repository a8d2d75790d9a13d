"""The command line: the only place that prints, exits and wires the rooms together."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from preflight import __version__
from preflight.assess import assess
from preflight.checks import Check, catalogue
from preflight.cli import options, outputs, reach, reports, request
from preflight.cli.front import Front, help_command
from preflight.cli.making import Option
from preflight.cli.stop import Stop
from preflight.cli.streams import ReaderGone, put, say, shape, unread, usual
from preflight.facts.parts import descriptions
from preflight.gather.access import command
from preflight.gather.access.errand import boxes
from preflight.mailcow import plan
from preflight.report import documents
from preflight.report.model import Report, Verdict
from preflight.text.inputs import InputError, named
from preflight.text.sentences import phrase

if TYPE_CHECKING:
    from collections.abc import Callable

    from preflight.cli.survey import Survey
    from preflight.facts import Host
    from preflight.gathering import Wishes
    from preflight.report.compare import Comparison

    Judge = Callable[[Host], Report]

EXIT = {Verdict.READY: 0, Verdict.READY_WITH_WARNINGS: 0, Verdict.NOT_READY: 1, Verdict.UNDETERMINED: 3}
USAGE, INTERNAL = 2, 3
STYLE = click.option(
    "--format", "style", cls=Option, type=click.Choice(["text", "markdown", "json"]), default="text", metavar="NAME",
    help="The format: text, markdown or json. Default: text.",
)  # fmt: skip
EMPTYING = 35.0  # seconds, at most: as long as an engine that is slow is given to remove a probe's containers


@click.group(cls=Front)
@options.HELP
@click.version_option(__version__, prog_name="mailcow-preflight", cls=Option, help="Show the version and exit.")
def cli() -> None:
    """Check whether this host is ready for mailcow: dockerized, and show how to fix any problems."""


@cli.command()
@options.HELP
@options.HOST
@options.REPORT
@click.pass_context
def check(ctx: click.Context, /, **values: Any) -> None:
    """Check this host and print a report (the default command)."""
    given = options.CheckOptions(**values)
    targets = outputs.targets(given.formats, given.outputs, usual())
    if given.wait and given.hold is not None:
        raise click.UsageError("--hold cannot be used with --wait.")
    stop = Stop()
    everything = given.facts_file is None and not given.only and not given.skip
    survey = _survey(given, stop, request.first(given)) if everything else None  # goes on while the checks are loaded
    requirements = request.requirements(given.requirements)
    waivers = request.waivers(given)
    checks = request.selection(given.only, given.skip, waivers, requirements)
    baseline = _report(given.baseline) if given.baseline is not None else None

    def judge(host: Host) -> Report:
        made = plan.make(host.mailcow_conf.value, host.asked)
        return assess(host, made, requirements, checks, waivers, strict=given.strict)

    if given.facts_file is not None:
        host = request.recorded(ctx, given, given.facts_file)
    else:
        wishes = request.wishes(given, requirements, checks)
        survey = survey or _survey(given, stop, wishes)
        host = survey.gather(wishes)
        if given.wait:
            host = _waited(given, stop, survey, host, checks, judge)
    host, redaction = request.redaction(host, given, baseline)
    report = judge(host)
    if waivers and not stop.exit_code:
        from preflight.assess import waiver_file

        for line in waiver_file.idle(waivers, report, checks, certain=host.mailcow_conf.known):
            say(f"preflight: {line}")
    since = _since(baseline, report)
    if redaction is not None:
        real, report = report, redaction.report(report, requirements, checks, waivers)
        since = redaction.since(baseline, real, report) if baseline is not None else None
    reports.write(
        report, targets, checks, since, color=given.color, redacted=redaction is not None, show_passed=given.show_passed
    )
    ctx.exit(stop.exit_code or EXIT[report.verdict])


@cli.command()
@options.HELP
@options.HOST
@options.RECORD
@click.pass_context
def facts(ctx: click.Context, /, **values: Any) -> None:
    """Record facts about this host as JSON, to check them later or elsewhere."""
    given = options.FactsOptions(**values)
    output = given.output if given.output not in outputs.STANDARD_OUTPUT else None
    if output is not None:
        outputs.writable(output)
    stop = Stop()
    survey = _survey(given, stop, request.first(given))
    host = survey.gather(request.wishes(given, request.requirements("current"), None))
    if given.redact:
        from preflight.redact import Redaction

        host = Redaction(host).facts()
    document = documents.encode(host)
    if output is None:
        put(document)
    else:
        outputs.replace(output, outputs.encoded(document))
        from preflight.cli.kept import lost

        if gone := lost((output,), os.environ):
            say(f"preflight: {gone}")
    ctx.exit(stop.exit_code)


@cli.command()
@options.HELP
@STYLE
def checks(style: str) -> None:
    """List all checks with their ids, weights and titles."""
    from preflight.render.catalogue import catalogue as render_catalogue

    put(render_catalogue(catalogue(), style, descriptions()))


@cli.command()
@options.HELP
@click.argument("id", shell_complete=options.CHECKS)
@click.pass_context
def explain(ctx: click.Context, /, id: str) -> None:
    """Explain a check: why it matters, what it reads, how to fix problems, and which options affect it."""
    from preflight.render.catalogue import explain as render_explain

    found = next((entry for entry in catalogue() if entry.id == id), None)
    if found is None:
        from preflight.assess.selection import meant

        raise click.UsageError(f"There is no check {id[:80]!r}: {meant(id, catalogue())}")
    from preflight.cli import affecting
    from preflight.cli.helping import of_check

    own = [f"--only {found.id}", f"--skip {found.id}", f"--ignore {found.id}=REASON"]
    told = {
        phrase("Options that change the result:"): affecting.options(found, of_check(ctx)),
        phrase("Options that may change every check:"): affecting.EVERY,
        phrase("Run only this check, leave it out, or accept what it finds:"): own,
    }
    put(render_explain(found, descriptions(), told))


@cli.command("compare")
@options.HELP
@click.argument("old", shell_complete=options.FILES)
@click.argument("new", shell_complete=options.FILES)
@STYLE
@click.option(
    "--color", cls=Option, type=options.AUTO, default="auto", metavar="WHEN",
    help="Use colour in text: auto, always or never. Default: auto.",
)  # fmt: skip
@click.pass_context
def compare_command(ctx: click.Context, /, old: str, new: str, style: str, color: str) -> None:
    """Show what changed between two JSON reports. The exit code is 1 if anything got worse."""
    from preflight.redact.tokens import BOTH, MIXED, redacted
    from preflight.render.changes import changes
    from preflight.report.compare import compare

    reports = _report(old), _report(new)
    both = [redacted(report) for report in reports]
    if any(both):
        if not all(both):
            raise InputError(f"{old if both[0] else new}: redacted, but the other report is not; {MIXED}")
        say(f"preflight: {BOTH}")
    found = compare(*reports)
    put(changes(found, style, **shape(color, None)))
    ctx.exit(EXIT[Verdict.NOT_READY] if found.worse else 0)


@cli.command()
@options.HELP
@options.ENGINE
@options.ROOT
@click.pass_context
def cleanup(ctx: click.Context, /, docker_host: str | None, root: str | None) -> None:
    """Remove containers and networks that an interrupted run left on the Docker engine."""
    from preflight.gather.engine.client import EngineError
    from preflight.gather.engine.engine import locate
    from preflight.probes.cleanup import cleanup as remove

    url = locate(request.roots(root), os.environ, docker_host, root_given=root is not None)
    if not isinstance(url, str):
        raise InputError(f"{url.reason}. {url.help}")
    try:
        removed = remove(url)
    except EngineError as error:
        say(f"preflight: Cannot remove objects on the Docker engine at {url}: {error}")
        ctx.exit(EXIT[Verdict.UNDETERMINED])
    put("".join(f"removed {name}\n" for name in removed) or "nothing to remove\n")


@cli.command("schema")
@options.HELP
@click.argument("document", type=click.Choice(["report", "facts", "reach"]), default="report")
def schema_command(document: str) -> None:
    """Print the JSON Schema of reports, facts or results of reach."""
    put(documents.encode(reach.schema() if document == "reach" else documents.schema(document)))


cli.add_command(help_command)
cli.add_command(reach.reach)


def _survey(given: options.HostOptions, stop: Stop, wishes: Wishes) -> Survey:
    """Begin to look at this host. What it takes is loaded only then: facts that were recorded need none of it."""
    from preflight.cli.survey import Survey

    return Survey(given, stop, wishes)


def _waited(
    given: options.CheckOptions, stop: Stop, survey: Survey, host: Host, checks: tuple[Check, ...], judge: Judge
) -> Host:
    """Look again until the host is ready, as long as --wait says."""
    from preflight.cli.wait import Wait

    silent = given.quiet or given.progress == "never"
    tell = (lambda _: None) if silent else (lambda line: say(f"preflight: {line}"))
    wait = Wait(given.wait, checks, judge, tell, stop.event, strict=given.strict, redacted=given.redact)
    return wait.until_ready(survey, host)


def _report(name: str) -> Report:
    return documents.read_report(named(name))


def _since(baseline: Report | None, report: Report) -> Comparison | None:
    if baseline is None:
        return None
    from preflight.report.compare import compare

    return compare(baseline, report)


def main() -> None:
    """Run the command line and end the process.

    At once: everything is written and flushed. Taking the interpreter apart would cost a tenth of a whole check. Only
    the removal of a probe's containers is waited for.
    """
    if sys.stderr is None:  # it was closed: 2>&-
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - until the process ends
    code = run()
    boxes.close()
    boxes.empty(EMPTYING)
    command.end()
    os._exit(code)


def run() -> int:
    """Run the command line: every end is one of the contract's exit codes, and never a traceback."""
    out = sys.stdout
    try:
        return int(cli.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        say(f"preflight: {error.format_message()}")
        return USAGE
    except InputError as error:
        say(f"preflight: {error}")
        return USAGE
    except (KeyboardInterrupt, click.Abort):
        return 128 + signal.SIGINT
    except ReaderGone:
        return unread()
    except SystemExit as left:  # click's: a shell has its completions, or nobody reads the help; stdout is another then
        return unread() if sys.stdout is not out else int(left.code or 0)
    except Exception as error:  # noqa: BLE001 - the user gets a line, not a traceback
        say(f"preflight: Internal error. Please report it: {type(error).__name__}: {error}")
        return INTERNAL
