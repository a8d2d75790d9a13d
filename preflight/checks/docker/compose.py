"""Docker Compose: there for root, new enough."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import skipped, unknown
from preflight.checks.remedies import install
from preflight.checks.sources import INSTALLATION, PREREQUISITES, issue
from preflight.facts import Compose
from preflight.report.evidence.engine import ComposeEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import paragraph, phrase, say
from preflight.text.versions import at_least


@check(
    severity=Severity.REQUIRED,
    reads=("compose", "contact", "engine", "commands", "services", "os_release"),
    remedy="Install Docker Compose as a plugin of the docker command.",
    docs=(PREREQUISITES, INSTALLATION),
    sources=(issue(6939),),
)
def compose(look: Look) -> Iterator[Finding]:
    """Docker Compose is installed and new enough

    mailcow's scripts start everything through Docker Compose: the plugin if it works, otherwise the old standalone
    program. Without Compose, the installer writes its configuration, and `docker compose pull` then fails.
    """
    found = look.host.compose.get()
    evidence = ComposeEvidence(version=found.version or None, kind=found.kind, path=found.path)
    enough = at_least(found.version, look.requirements.compose)
    if found.kind is None:
        yield _absent(look, found, evidence)
    elif enough is None:
        yield _mute(look, found, evidence)
    else:
        yield _aged(look, found, enough, evidence)


def _absent(look: Look, compose: Compose, evidence: ComposeEvidence) -> Finding:
    if install.absent(look.host) and look.told_by("docker.engine"):
        return skipped(say("Docker Compose comes with Docker (see docker.engine)."), evidence=evidence)
    message, remedy = say("Docker Compose is not installed: there is neither the plugin nor docker-compose."), None
    if compose.inert:
        message = say("{path} is not executable, so docker does not use it.", path=compose.inert)
        remedy = Remedy(say("Make it executable."), (f"chmod +x {shlex.quote(compose.inert)}",))
    if compose.of_user:
        message = say(
            "Docker Compose is not installed for root, who runs mailcow's scripts. Another user has it: {path}.",
            path=compose.of_user,
        )
    return Finding(
        status=Status.FAIL,
        message=message,
        expected=_expected(look),
        found=phrase("none"),
        evidence=evidence,
        remedy=remedy or _install(look),
    )


def _mute(look: Look, compose: Compose, evidence: ComposeEvidence) -> Finding:
    """Say that Compose is there, but not which version."""
    reason = say("{path} did not report a usable version.", path=compose.path)
    again = install.compose(look.host)
    help = paragraph(say("Run it on the host. If it does not work, reinstall it."), again.text)
    asked = "docker compose version" if compose.kind == "plugin" else "docker-compose version"
    message = paragraph(say("Docker Compose is installed, but its version could not be determined."), reason)
    detail = compose.detail or compose.version
    return unknown(reason, help, asked, *again.commands, message=message, detail=detail, evidence=evidence)


def _aged(look: Look, compose: Compose, enough: bool, evidence: ComposeEvidence) -> Finding:
    kind = phrase("the program {path}", path=compose.path)
    if compose.kind == "plugin":
        kind = phrase("the plugin {path}", path=compose.path)
    message = say("Docker Compose {version} is installed: {found}.", version=compose.version, found=kind)
    if not enough:
        message = say(
            "Docker Compose {version} ({path}) is too old: mailcow needs {wanted} or newer.",
            version=compose.version,
            path=compose.path,
            wanted=look.requirements.compose,
        )
    return Finding(
        status=Status.PASS if enough else Status.FAIL,
        message=message,
        expected=_expected(look),
        found=compose.version,
        evidence=evidence,
        remedy=None if enough else _install(look),
    )


def _expected(look: Look) -> str:
    return f"≥ {look.requirements.compose}"


def _install(look: Look) -> Remedy:
    """Say how Compose is installed: with the engine where that has to be installed or replaced, else beside it."""
    host, wanted = look.host, look.requirements.docker
    engine = host.engine.value
    if engine is not None and wanted and at_least(engine.version, wanted) is False:
        return install.newer(host)
    if engine is None and install.nothing(host):
        return install.docker(host)
    return install.compose(host)
