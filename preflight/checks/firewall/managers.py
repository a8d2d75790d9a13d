"""Firewalls beside Docker's own rules."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.firewall import protection
from preflight.checks.firewall.settings import phrases, sentences, switched_off, without_rules
from preflight.checks.remedies import rights
from preflight.checks.services import states
from preflight.checks.sources import PACKET_FILTERING, PREREQUISITES, issue
from preflight.facts import Service
from preflight.report.evidence.services import ManagerEvidence
from preflight.report.model import Finding, Severity, Status
from preflight.text.sentences import noted, paragraph, phrase, say

BANS = ("fail2ban", "crowdsec")  # add single addresses; let everybody else through
TRIED = noted("firewall.inbound and firewall.forwarding test the rules that are in place now.")


@check(
    severity=Severity.RECOMMENDED,
    reads=("services",),
    remedy="Keep the host's protection, put rules for mailcow in DOCKER-USER, and restart Docker after rules are "
    "reloaded.",
    docs=(PREREQUISITES, PACKET_FILTERING),
    sources=(issue(2792),),
    subject="manager",
)
def managers(look: Look) -> Iterator[Finding]:
    """No firewall manager runs alongside Docker

    Docker and mailcow's netfilter container write their own firewall rules. If a manager such as ufw or firewalld loads
    its rules later, it removes or blocks them. mailcow's documentation advises against such a manager. Switch one off
    only once another firewall, such as the hosting provider's, protects the host and allows SSH. Then restart Docker.
    """
    found: dict[str, list[Service]] = {}
    services = look.host.services.get()
    for service in services.services:
        if service.kind == "firewall" and (service.enabled or service.active) and not switched_off(service):
            found.setdefault(service.name, []).append(service)
    for name, units in found.items():
        if name in BANS:
            text = say("{name} is switched on, but only bans single addresses and allows all others.", name=name)
            yield _remark(name, units, text)
        elif without_rules(units[0]):
            files = ", ".join(file.path for file in units[0].rule_files)
            text = say("{name} is enabled, but its files contain no rules: {files}.", name=name, files=files)
            yield _remark(name, units, text)
        else:
            yield _beside(name, units)
    if not found and look.host.view.live and not services.processes:
        yield Finding(
            status=Status.UNKNOWN,
            message=say("No firewall manager is set to start at boot. Could not determine whether one is running now."),
            reason=say("Running processes are not visible."),
            remedy=rights.more(look.host),
        )
    elif not found:
        message = say("No known firewall manager is switched on.")
        yield Finding(status=Status.PASS, message=paragraph(message, say(TRIED)), found=phrase("none"))


def _remark(name: str, services: list[Service], text: str) -> Finding:
    message = paragraph(text, say(TRIED))
    return Finding(
        status=Status.PASS, subject=name, message=message, found=_state(services), evidence=_evidence(services)
    )


def _beside(name: str, services: list[Service]) -> Finding:
    state = _state(services)
    message = say("{name} is switched on and may conflict with Docker.", name=name)
    return Finding(
        status=Status.WARN,
        subject=name,
        message=paragraph(message, *sentences(services[0])),
        expected=phrase("none"),
        found=state,
        evidence=_evidence(services),
        remedy=protection.remedy(name, services),
    )


def _state(services: list[Service]) -> str:
    active = any(service.active for service in services)
    if active and any(service.enabled for service in services):
        return phrase("active and enabled at boot")
    return phrase("active") if active else phrase("enabled at boot")


def _evidence(services: list[Service]) -> ManagerEvidence:
    return ManagerEvidence(
        units=tuple(service.unit for service in services),
        enabled=any(service.enabled for service in services),
        active=any(service.active for service in services),
        detail="; ".join((*phrases(services[0]), *states.details(services[0]))),
    )
