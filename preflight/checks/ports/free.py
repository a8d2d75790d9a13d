"""The ports that mailcow publishes: free, or what each of them comes to."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.holders.conflicts import Case, examine
from preflight.checks.ports import diverted, fleeting, taken, undecided, unusable
from preflight.checks.ports.rows import evidence, row
from preflight.checks.sources import IP_BINDINGS, PREREQUISITES, issue
from preflight.mailcow.plan import Binding
from preflight.report.model import Finding, Severity, Status
from preflight.text.sentences import phrase, say


@check(
    severity=Severity.REQUIRED,
    reads=(
        "binds",
        "sockets",
        "engine",
        "daemon_config",
        "ipv6",
        "nat",
        "links",
        "routes",
        "os_release",
        "mail_traces",
    ),
    remedy="Free the port without losing access or mail, or change mailcow's port in mailcow.conf.",
    docs=(PREREQUISITES, IP_BINDINGS),
    sources=(issue(63),),
    subject="port",
    subjects=lambda look: look.plan.bindings,
)
def free(look: Look, binding: Binding) -> Iterator[Finding]:
    """Every port that mailcow publishes is free

    Docker publishes mailcow's ports on the host. If one of them is taken, even on a loopback address only, the
    container does not start: `bind: address already in use` is the most common reason why an installation fails.
    """
    case = examine(look, binding)
    ours = any(entry.container and entry.container.run for entry in case.occupants)
    yield undecided.by_rehearsal(binding) if ours and case.taken else _judged(look, binding, case)


def _judged(look: Look, binding: Binding, case: Case) -> Finding:
    """Return what a port comes to: the first that holds, what is certain before what may be."""
    if not case.outcomes:
        return unusable.unpublished(binding)
    if case.taken and (case.occupants or not case.rivals):
        return taken.held(look, binding, case)
    if "EADDRNOTAVAIL" in case.outcomes.values():
        return unusable.nowhere(look, binding)
    if case.rivals:
        return taken.published(look, binding, case)
    if (rules := diverted.consequences(look, binding, case)) and (rules[0].status is Status.FAIL or not case.undecided):
        return taken.diverted_by(look, binding, rules)
    if case.undecided:
        return undecided.untried(look, binding, case)
    if case.later:
        return fleeting.stopped(binding, case)
    if case.services:
        return fleeting.swarm(binding, case)
    if case.own:
        return _own(binding, case)
    return _bindable(look, binding)


def _own(binding: Binding, case: Case) -> Finding:
    message = say(
        "{subject} is in use by mailcow itself, which already runs here: {names}.",
        subject=binding.subject,
        names=", ".join(entry.name for entry in case.own),
    )
    return row(Status.PASS, message, evidence(binding, "engine"), found="mailcow")


def _bindable(look: Look, binding: Binding) -> Finding:
    """Say that a port is free, unless something may take it that does not show."""
    if undecided.unlisted(look):
        return undecided.by_engine(binding)
    if reason := diverted.unread(look, binding):
        return undecided.by_rules(look, binding, reason)
    if fleeting.given_out(look, binding.port):
        return fleeting.outgoing(look, binding)
    message = say("{subject} is free.", subject=binding.subject)
    return row(Status.PASS, message, evidence(binding, "bind"), found=phrase("free"))
