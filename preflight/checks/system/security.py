"""The kernel's security modules, SELinux and AppArmor, and whether Docker works with them."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import Outcome
from preflight.checks.remedies import distro
from preflight.checks.sources import PREREQUISITES, issue
from preflight.facts import SecurityModules
from preflight.report.evidence.host import SecurityModulesEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import phrase, say


@check(
    severity=Severity.RECOMMENDED,
    reads=("security", "engine", "os_release", "services"),
    remedy="Enable SELinux in Docker, or install AppArmor's parser.",
    docs=(PREREQUISITES,),
    sources=(issue(6510), issue(5044)),
)
def security_modules(look: Look) -> Iterator[Finding]:
    """Docker works with the kernel's security modules

    If SELinux is enforcing and Docker is not configured for it, the other containers cannot reach MariaDB's socket, and
    mailcow waits for SQL endlessly. If AppArmor is enabled in the kernel but its parser is not installed, no container
    starts.
    """
    found = look.host.security.get()
    outcome = _at_odds(look, found) or Outcome(Status.PASS, _agreed(found))
    yield Finding(
        status=outcome.status,
        message=outcome.message,
        found=_on(found),
        evidence=SecurityModulesEvidence(
            selinux=found.selinux, apparmor=found.apparmor, apparmor_parser=found.apparmor_parser
        ),
        remedy=outcome.remedy,
    )


def _on(found: SecurityModules) -> str:
    if found.apparmor:
        return "AppArmor"
    return f"SELinux ({found.selinux})" if found.selinux != "disabled" else phrase("none")


def _at_odds(look: Look, found: SecurityModules) -> Outcome | None:
    """Say where Docker and a security module do not know of each other, and how they get to; None: they do."""
    enforcing = found.selinux == "enforcing"
    unlabelled = enforcing and "selinux" not in look.host.engine.get().options
    if found.apparmor and not found.apparmor_parser:
        text = say(
            "AppArmor is enabled in the kernel, but its parser is not installed: Docker cannot load its profile."
        )
        return Outcome(Status.WARN, text, _parser(look))
    if unlabelled:
        text = say("SELinux is enforcing, but Docker does not label its containers for it.")
        return Outcome(Status.WARN, text, _selinux(look))
    if enforcing and not found.container_selinux:
        text = say("SELinux is enforcing, but the policy for containers (container-selinux) is not installed.")
        return Outcome(Status.WARN, text, _selinux(look))
    return None


def _parser(look: Look) -> Remedy:
    tools = distro.install(look.host, debian="apparmor", suse="apparmor-parser", alpine="apparmor", arch="apparmor")
    return Remedy(say("Install AppArmor's tools and restart Docker."), (*tools, *distro.restart(look.host, "docker")))


def _selinux(look: Look) -> Remedy:
    return Remedy(
        say('Install container-selinux, set "selinux-enabled": true in /etc/docker/daemon.json, and restart Docker.'),
        (*distro.install(look.host, rhel="container-selinux"), *distro.restart(look.host, "docker")),
    )


def _agreed(found: SecurityModules) -> str:
    if found.selinux == "permissive":
        return say("SELinux is permissive: it blocks nothing now, but would if it were enforcing.")
    if found.selinux == "enforcing":
        return say("SELinux is enforcing, and Docker labels its containers for it.")
    if found.apparmor:
        return say("AppArmor is enabled, and its parser is installed.")
    return say("Neither SELinux nor AppArmor is enabled.")
