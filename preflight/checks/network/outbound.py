"""Whether the connections that mailcow makes to the Internet come about."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from preflight.checks import Look, check
from preflight.checks.findings import skipped
from preflight.checks.network import connections, no_way_out
from preflight.checks.sources import PREREQUISITES, issue
from preflight.report.model import Finding, Severity
from preflight.text.sentences import say


@check(
    severity=Severity.RECOMMENDED,
    reads=("outgoing", "engine", "ways", "routes", "rules"),
    remedy="Allow these outgoing connections in the firewalls of this host and of your hosting provider.",
    docs=(PREREQUISITES,),
    sources=(issue(3863), issue(505, "mailcow/mailcow-dockerized-docs")),
    subject="host:port/proto",
)
def outbound(look: Look) -> Iterator[Finding]:
    """mailcow's connections to the Internet succeed

    mailcow downloads its images and updates, filter rules and virus signatures from servers on the Internet. It queries
    name servers itself and requests certificates. mailcow's documentation lists these connections. A blocked connection
    causes a failure later, without a clear message.
    """
    outgoing = look.host.outgoing.get()
    if not outgoing.trials:
        yield skipped(say("There was no connection to test."))
        return
    cause = no_way_out.of_all(look, outgoing)
    families = no_way_out.families(outgoing)
    if cause is not None:
        yield cause.finding
    else:
        yield from (replace(dead.finding, subject=name) for name, dead in families.items() if dead.told)
    for trial in outgoing.trials:
        yield replace(connections.judged(look, trial, cause, families), subject=trial.goal.subject)
