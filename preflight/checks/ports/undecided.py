"""A port of which it is not known whether it is free."""

from __future__ import annotations

from preflight.checks import Look
from preflight.checks.findings import missing
from preflight.checks.holders.conflicts import REFUSED, Case
from preflight.checks.ports import diverted
from preflight.checks.ports.rows import evidence, row
from preflight.checks.remedies import rights
from preflight.facts import NO_ENGINE, MissingFact
from preflight.mailcow.plan import Binding
from preflight.report.model import Finding, Remedy, Status
from preflight.text.sentences import paragraph, say, unknown_because


def untried(look: Look, binding: Binding, case: Case) -> Finding:
    """Say why a bind attempt told nothing, or why none was made at all."""
    if look.host.binds.missing is not None:
        asked = evidence(binding, "bind", source=look.host.binds.source)
        return missing(MissingFact(look.host.binds.missing, look.host.binds.source), asked)
    said = [case.outcomes[half] for half in case.undecided]
    reason = say("No bind attempt was recorded for it.")
    remedy = Remedy(say("Gather the facts again with this mailcow.conf."), place="docker-run")
    if any(outcome in REFUSED for outcome in said):
        reason, remedy = say("Only root may bind {port} here.", port=binding.subject), rights.more(look.host)
    elif all(said):
        reason = say("A bind attempt failed with {error}.", error=said[0])
        remedy = Remedy(say("Try it as root on the host itself."))
    message = paragraph(say("Could not determine whether {port} is free.", port=binding.subject), reason)
    return row(Status.UNKNOWN, message, evidence(binding, "bind"), remedy=remedy, reason=reason)


def unlisted(look: Look) -> bool:
    """Say whether the engine keeps something to itself that may publish ports, without a socket or later."""
    return not look.host.engine.or_(NO_ENGINE).whole("containers", "stopped", "services")


def by_engine(binding: Binding) -> Finding:
    """Say that something on the engine may publish a port that can be bound."""
    reason = say("The engine did not list everything that may publish ports.")
    message = paragraph(say("{subject} can be bound.", subject=binding.subject), unknown_because(reason))
    remedy = Remedy(say("Check what publishes this port."), ("docker ps -a",))
    return row(Status.UNKNOWN, message, evidence(binding, "engine"), remedy=remedy, reason=reason)


def by_rehearsal(binding: Binding) -> Finding:
    """Say that another run of this program rehearses mailcow just now, and has its ports."""
    reason = say("A rehearsal on this host is using the port.")
    message = paragraph(say("Could not determine whether {port} is free.", port=binding.subject), reason)
    remedy = Remedy(
        say("Wait until the rehearsal ends. If none is running, run `preflight cleanup`. Run the check again.")
    )
    return row(Status.UNKNOWN, message, evidence(binding, "bind"), remedy=remedy, reason=reason)


def by_rules(look: Look, binding: Binding, reason: str) -> Finding:
    """Say that a rule of the firewall may take a port that can be bound."""
    message = paragraph(say("{subject} can be bound.", subject=binding.subject), reason)
    help = diverted.help_for(look)
    return row(Status.UNKNOWN, message, evidence(binding, "nat"), remedy=help, reason=reason)
