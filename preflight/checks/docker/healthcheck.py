"""What containers with a HEALTHCHECK have shown, and one in which commands were run as health checks are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from msgspec.structs import replace

from preflight.checks import Look, check
from preflight.checks.docker.container_starts import nothing_starts
from preflight.checks.remedies import distro
from preflight.checks.sources import HEALTHCHECK, PREREQUISITES, issue
from preflight.facts import ExecRun, Fact, HealthRun, TimeoutRun
from preflight.report.evidence.engine import HealthEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import paragraph, phrase, say

T = TypeVar("T")


@check(
    severity=Severity.REQUIRED,
    reads=(
        "probes.healthcheck",
        "probes.timeout",
        "probes.executions",
        "probes.privileged",
        "services",
        "os_release",
    ),
    remedy="Restart the engine and check its log. If that does not help, update it and its runtime.",
    docs=(HEALTHCHECK, PREREQUISITES),
    sources=(
        issue(30402, "moby/moby"),
        issue(43737, "moby/moby"),
        issue(45804, "moby/moby"),
        issue(4509, "containerd/containerd"),
    ),
)
def healthcheck(look: Look) -> Iterator[Finding]:
    """The engine runs health checks and reports their results

    mailcow's containers wait for others to be healthy before they start. If the engine never runs health checks or
    misreads their results, mailcow never starts. This check runs a real health check, which first fails and then
    passes. Another one hangs until its timeout. Then twenty commands run in a container one after another, in the same
    way as health checks. The engine must report the correct exit code of each.
    """
    run = look.host.probes.healthcheck.get()
    names = [state for _, state in run.states]
    if not run.error and not run.ended and "unhealthy" in names and "healthy" in names[names.index("unhealthy") :]:
        yield from _further(look, run)
    elif not names and (nothing := nothing_starts(look.host, run.cause)):
        yield nothing
    else:
        commands = (*distro.restart(look.host, "docker"), "docker info", "docker ps --all")
        remedy = Remedy(say("Restart the engine and check its log. Then run the check again."), commands)
        yield _told(run, Status.FAIL, _sick(run, names), remedy)


def _further(look: Look, run: HealthRun) -> Iterator[Finding]:
    """Judge the hanging check and the commands, once a health check does what it should."""
    probes = look.host.probes
    commands = _asked(probes.executions)
    hung = probes.timeout.value
    restart = (*distro.restart(look.host, "docker"), "docker info", "docker ps --all")
    if commands is not None and (wrong := _wrong(commands)):
        remedy = Remedy(say("Restart the engine. Update it and its runtime if that does not help."), restart)
        finding = _told(run, Status.FAIL, wrong, remedy, detail=commands.error)
    elif (hung := _asked(probes.timeout)) is not None and (wrong := _stuck(hung)):
        remedy = Remedy(say("Update the engine and its runtime."))
        finding = _told(run, Status.WARN, wrong, remedy, detail=hung.error or hung.output)
    elif hung is not None and hung.late:
        remedy = Remedy(say("Check the load of this host and the engine's log, then run the check again."))
        finding = _told(run, Status.UNKNOWN, _late(), remedy, detail=hung.output)
    else:
        finding = _told(run, Status.PASS, paragraph(_healed(run), *_unseen(hung, commands)))
    yield replace(finding, evidence=_measured(run, hung, commands))


def _asked(fact: Fact[T]) -> T | None:
    """Return what a probe saw; None where the version that recorded these facts had no such probe."""
    if fact.missing is not None and fact.missing.cause == "older":
        return None
    return fact.get()


def _wrong(run: ExecRun) -> str:
    """Say what went wrong with commands in a container; '' = nothing."""
    done = len(run.codes)
    if run.error:
        return say("The engine ran {done} commands in a container, and failed to run the next one.", done=done)
    for number, code in enumerate(run.codes, 1):
        if code is None:
            return say("According to the engine, command {number} in a container never ended.", number=number)
        if code != number:
            return say(
                "Command {number} in a container ended with exit code {number}, but the engine reports {code}.",
                number=number, code=code,
            )  # fmt: skip
    return ""


def _stuck(run: TimeoutRun) -> str:
    """Say what went wrong with a health check that hangs; '' = nothing."""
    if run.withheld:
        return say(
            "Docker {version} can crash when a health check exceeds its timeout. This was not tried.",
            version=run.withheld,
        )
    if run.error:
        return say("The test of a health check that hangs could not be completed.")
    if "unhealthy" not in [state for _, state in run.states]:
        return say("A health check that hangs is not stopped at its timeout: the container never became unhealthy.")
    if run.gone is False:
        return say(
            "The process of a health check that exceeds its timeout keeps running. Each such check leaves another "
            "process behind."
        )
    return ""


def _late() -> str:
    return say(
        "A health check that hangs did not begin well before its timeout. Could not determine whether it leaves a "
        "process behind."
    )


def _unseen(hung: TimeoutRun | None, commands: ExecRun | None) -> Iterator[str]:
    """Say what was not seen to the end, and does not decide."""
    if hung is not None and hung.gone is None:
        yield say("Could not determine whether a health check that hangs leaves a process behind.")
    if commands is not None and len(commands.codes) < commands.wanted:
        done = len(commands.codes)
        yield say("Only {done} of {wanted} commands were run in the time available.", done=done, wanted=commands.wanted)


def _measured(run: HealthRun, hung: TimeoutRun | None, commands: ExecRun | None) -> HealthEvidence:
    return HealthEvidence(
        states=run.states,
        timeout_states=hung.states if hung else (),
        timeout_gone=hung.gone if hung else None,
        exit_codes=commands.codes if commands else (),
    )


def _told(
    run: HealthRun, status: Status, message: str, remedy: Remedy | None = None, detail: str | None = None
) -> Finding:
    return Finding(
        status=status,
        message=message,
        reason=message if status is Status.UNKNOWN else None,
        detail=None if status is Status.PASS else detail or run.error or run.output,
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
    return say(
        "A container with a HEALTHCHECK changed its status in {seconds} s: {way}.", way=_way(run), seconds=seconds
    )


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
            "A container with a HEALTHCHECK never left the starting state: the engine does not run health checks."
        )
    if "unhealthy" in names:
        return say("A container stayed unhealthy although its check should have passed.")
    return say("A container was reported healthy although its check failed.")
