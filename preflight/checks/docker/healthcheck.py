"""What a container with a HEALTHCHECK has shown."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.docker.container_starts import nothing_starts
from preflight.checks.remedies import distro
from preflight.checks.sources import HEALTHCHECK, PREREQUISITES, issue
from preflight.facts import HealthRun
from preflight.report.evidence.engine import HealthEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import phrase, say


@check(
    severity=Severity.REQUIRED,
    reads=("probes.healthcheck", "probes.privileged", "services", "os_release"),
    remedy="Restart the engine, and look at what it logs; update it and its runtime where this does not help.",
    docs=(HEALTHCHECK, PREREQUISITES),
    sources=(issue(30402, "moby/moby"),),
)
def healthcheck(look: Look) -> Iterator[Finding]:
    """A container with a HEALTHCHECK becomes unhealthy and healthy

    mailcow's containers wait for others to be healthy before they start, so that an engine that never runs health
    checks, or misreads them, never brings mailcow up. Here one is really run: first failing, then passing.
    """
    run = look.host.probes.healthcheck.get()
    names = [state for _, state in run.states]
    if not run.error and not run.ended and "unhealthy" in names and "healthy" in names[names.index("unhealthy") :]:
        yield _told(run, Status.PASS, _healed(run))
    elif not names and (nothing := nothing_starts(look.host, run.cause)):
        yield nothing
    else:
        commands = (*distro.restart(look.host, "docker"), "docker info", "docker ps --all")
        remedy = Remedy(say("Restart the engine and look at what it logs; then check again."), commands)
        yield _told(run, Status.FAIL, _sick(run, names), remedy)


def _told(run: HealthRun, status: Status, message: str, remedy: Remedy | None = None) -> Finding:
    return Finding(
        status=status,
        message=message,
        detail=None if status is Status.PASS else run.error or run.output,
        expected="starting → unhealthy → healthy",
        found=_way(run),
        evidence=HealthEvidence(states=run.states),
        remedy=remedy,
    )


def _way(run: HealthRun) -> str:
    """Return the states that the container went through."""
    return " → ".join(state for _, state in run.states) or phrase("nothing")


def _healed(run: HealthRun) -> str:
    seconds = f"{run.states[-1][0]:.1f}"
    return say("A container with a HEALTHCHECK went {way} in {seconds} s.", way=_way(run), seconds=seconds)


def _sick(run: HealthRun, names: list[str]) -> str:
    """Say in a sentence what went wrong with the health check."""
    if run.ended and run.exit_code is not None:
        return say("A container with a HEALTHCHECK ended by itself with exit code {code}.", code=run.exit_code)
    if run.ended:
        return say("A container with a HEALTHCHECK ended by itself.")
    if run.error:
        return say("A container with a HEALTHCHECK could not be run.")
    if set(names) <= {"none"}:
        return say("The engine ignores the HEALTHCHECK of a container.")
    if names == ["starting"]:
        return say(
            "A container with a HEALTHCHECK never left the state starting: the engine does not run health checks."
        )
    if "unhealthy" in names:
        return say("A container stayed unhealthy although its check should have passed.")
    return say("A container was called healthy although its check failed.")
