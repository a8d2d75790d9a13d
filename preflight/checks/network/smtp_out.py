"""Whether mail gets out: other operators' mail servers greet this host on port 25."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from preflight.checks import Look, check
from preflight.checks.findings import skipped
from preflight.checks.network import greetings, no_way_out
from preflight.checks.sources import PREREQUISITES, issue
from preflight.report.model import Finding, Severity
from preflight.text.sentences import say


@check(
    severity=Severity.RECOMMENDED,
    reads=("smtp", "outgoing", "ways", "routes", "rules"),
    remedy="Ask your hosting provider to open outgoing connections to port 25, or send through a relay host.",
    docs=(PREREQUISITES,),
    sources=(issue(254), issue(3788), issue(5278)),
    subject="host:port",
)
def smtp_out(look: Look) -> Iterator[Finding]:
    """Mail servers of other operators greet this host on port 25

    Mail to other servers goes to their port 25. Many providers block this port until asked to open it. Mail then
    waits in the queue for days. The greeting shows who answers: some networks redirect such connections to their own
    filter. preflight only reads the greeting and sends no mail.
    """
    smtp = look.host.smtp.get()
    if not smtp.trials:
        yield skipped(say("There was no mail server to test."))
        return
    # What network.outbound tells of needs no second finding.
    cause = no_way_out.told(look)
    told = cause is not None
    outgoing = look.host.outgoing.value if look.told_by("network.outbound") else None
    cause = cause or no_way_out.before_any(look, smtp) or greetings.blocked(smtp) or greetings.intercepted(smtp)
    if cause is not None and not told:
        yield cause.finding
    families = {} if cause else greetings.blocked_families(smtp)
    elsewhere = no_way_out.families(outgoing) if outgoing else {}
    for name, dead in families.items():
        if dead.told and name not in elsewhere:
            yield replace(dead.finding, subject=name)
    for trial in smtp.trials:
        yield replace(greetings.judged(trial, cause, families), subject=greetings.subject(trial))
