"""The Docker Engine: there, answering, new enough."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.docker.contact import silent
from preflight.checks.docker.packaging import podman
from preflight.checks.findings import unknown
from preflight.checks.remedies import install
from preflight.checks.sources import INSTALLATION, PREREQUISITES, issue
from preflight.report.evidence.engine import EngineEvidence
from preflight.report.model import Finding, Severity, Status
from preflight.text.sentences import paragraph, phrase, say
from preflight.text.versions import at_least


@check(
    severity=Severity.REQUIRED,
    reads=("contact", "engine", "commands", "services", "os_release"),
    remedy="Install the Docker Engine from Docker's own packages, start it and keep it up to date.",
    docs=(PREREQUISITES, INSTALLATION),
    sources=(issue(6669),),
)
def engine(look: Look) -> Iterator[Finding]:
    """The Docker Engine answers and is new enough

    mailcow runs entirely in containers, and its installer refuses engines older than the documented version. An engine
    that hangs now will also hang during a mailcow update.
    """
    contact = look.host.contact.get()
    if contact.state != "ok":
        yield silent(look.host, contact)
        return
    engine = look.host.engine.get()
    evidence = EngineEvidence(version=engine.version, api_version=engine.api_version)
    yield podman(engine, evidence) or _aged(look, engine.version, contact.url, evidence)


def _aged(look: Look, version: str, url: str, evidence: EngineEvidence) -> Finding:
    """Say whether an engine is new enough; requirements that name no version take any."""
    wanted = look.requirements.docker
    enough = at_least(version, wanted) if wanted else True
    message = say("Docker Engine {version} answers at {url}.", version=version, url=url)
    if enough is None:
        reason = say(
            "The engine's version {version} is not a number, so it cannot be compared with {wanted}.",
            version=repr(version),
            wanted=wanted,
        )
        help = say("Install a released version.")
        return unknown(reason, help, "docker version", message=paragraph(message, reason), evidence=evidence)
    if not enough:
        message = say(
            "Docker Engine {version} is too old: mailcow needs version {wanted} or newer.",
            version=version,
            wanted=wanted,
        )
    return Finding(
        status=Status.PASS if enough else Status.FAIL,
        message=message,
        expected=f"≥ {wanted}" if wanted else phrase("any"),
        found=version,
        evidence=evidence,
        remedy=None if enough else install.newer(look.host),
    )
