"""Web servers in front of mailcow."""

from __future__ import annotations

from collections.abc import Iterable

from preflight.checks.services import states
from preflight.facts import Service
from preflight.mailcow.plan import Plan
from preflight.net.addresses import is_loopback
from preflight.report.model import Finding, Remedy, Status
from preflight.text.sentences import phrase, say

WEB_PORTS = (80, 443)


def fronted(plan: Plan) -> bool:
    """Say whether mailcow's web ports leave 80 and 443 to a reverse proxy: moved away, or bound to loopback."""
    web = [binding for binding in plan.bindings if any(wanted.kind == "web" for wanted in binding.published)]
    return all(binding.port not in WEB_PORTS or is_loopback(binding.address) for binding in web)


def clash(plan: Plan, subject: str, service: Service, wanted: Iterable[int]) -> Finding:
    """Complain of a web server in front of mailcow that opens mailcow's own ports."""
    ports = ", ".join(map(str, wanted))
    message = say(
        "{subject} opens ports that {path} assigns to mailcow: {ports}.",
        subject=subject,
        path=plan.conf_path,
        ports=ports,
    )
    text = say(
        "Set other ports for mailcow in {path}, or remove these listeners from the settings of {subject}.",
        path=plan.conf_path, subject=subject,
    )  # fmt: skip
    return Finding(
        status=Status.WARN, subject=subject, message=message, expected=phrase("none"),
        found=phrase("opens {ports}", ports=ports), evidence=states.evidence(service),
        remedy=Remedy(text, place="mailcow.conf"),
    )  # fmt: skip


def proxy(plan: Plan, subject: str, service: Service) -> Finding:
    """Let a web server stay that mailcow leaves 80 and 443 to."""
    ports = ", ".join(
        str(binding.port) for binding in plan.bindings if any(wanted.kind == "web" for wanted in binding.published)
    )
    message = say(
        "{subject} can stay as a reverse proxy: {path} leaves ports 80 and 443 to it. mailcow uses {ports}.",
        subject=subject,
        path=plan.conf_path,
        ports=ports,
    )
    return states.passed(subject, service, message)
