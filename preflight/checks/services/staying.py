"""Services that need no change, and those that another check tells of."""

from __future__ import annotations

from preflight.checks import Look
from preflight.checks.findings import skipped
from preflight.checks.holders import mailers
from preflight.checks.holders.conflicts import examine
from preflight.checks.services import claims, states
from preflight.facts import Service
from preflight.report.model import Finding
from preflight.text.sentences import say


def told_already(subject: str, ports: list[str], service: Service | None = None) -> Finding:
    """Leave a service or a unit to the check of the ports that it holds: one cause is one finding."""
    reason = say(
        "{subject} uses ports that mailcow publishes, so ports.free reports it: {ports}.",
        subject=subject, ports=", ".join(ports),
    )  # fmt: skip
    if service is None:
        return skipped(reason, subject=subject)
    return skipped(reason, subject=subject, found=states.state(service), evidence=states.evidence(service))


def opens_nothing(look: Look, service: Service) -> bool:
    """Say whether a service opens none of mailcow's ports: by its own settings, else by what it does as it runs."""
    if service.sockets or service.name in mailers.PANELS:
        return False
    if service.streams is not None:
        return not claims.wanted(look.plan, service.streams)
    sockets = look.host.sockets.value
    # Where mailcow has the ports itself, nobody else could open them.
    own = any(examine(look, binding).own for binding in look.plan.bindings)
    return bool(service.active and service.seen and service.unit and sockets and sockets.owners and not own)


def unable(subject: str, service: Service) -> Finding:
    """Let a service stay that a condition of its unit keeps from starting."""
    message = say(
        "{subject} does not start at present: its unit requires {condition}.",
        subject=subject, condition=service.unmet,
    )  # fmt: skip
    return states.passed(subject, service, message)


def harmless(subject: str, service: Service) -> Finding:
    """Let a service stay that opens none of mailcow's ports."""
    message = say("{subject} can stay: it opens none of the ports that mailcow publishes.", subject=subject)
    return states.passed(subject, service, message)
