"""Which of mailcow's containers would start in the rehearsal, and which conditions were met."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import unknown
from preflight.checks.rehearsal.unplayed import without_network
from preflight.checks.sources import HEALTHCHECK, issue
from preflight.facts import ContainerRun, Rehearsal
from preflight.facts.rehearsal import Trouble
from preflight.report.evidence.rehearsal import RehearsedContainerEvidence, RehearsedHealthEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import noted, paragraph, phrase, say

_LOOK = noted("Check Docker's message and log, fix the cause, and run the rehearsal again.")
_HELP: dict[Trouble, str] = {
    "": _LOOK,
    "limits": noted("Raise the engine's limits (see docker.limits)."),
    "sysctl": noted("Allow the engine to change kernel settings for containers (see docker.limits)."),
    "privileges": noted("Run the engine where it may start privileged containers (see docker.privileged)."),
    "cgroups": noted("Mount the control groups (see docker.privileged)."),
    "fixed-address": noted("Free the address, or set another network in mailcow.conf (see network.subnet)."),
}


@check(
    severity=Severity.REQUIRED,
    reads=("rehearsal",),
    remedy="Fix what keeps these containers from starting or becoming healthy.",
    docs=(HEALTHCHECK,),
    sources=(issue(5651),),
)
def health(look: Look) -> Iterator[Finding]:
    """mailcow's containers start, and their conditions are met

    mailcow's containers wait for others: some until the others have started, some until they are healthy. In the
    rehearsal, stand-ins with the same conditions, health checks, limits and privileges start in the same order.
    """
    run = look.host.rehearsal.get()
    yield without_network(run) or _judged(run)


def _judged(run: Rehearsal) -> Finding:
    refused = [one for one in run.containers if one.error]
    sick = [one for one in run.containers if one.health and not one.error and one.last not in ("healthy", "")]
    ended = [one for one in run.containers if one.last == "exited" and not one.health]
    waiting = [one.name for one in run.containers if one.unmet]
    if refused:
        cause: Trouble = refused[0].cause if refused[0].cause in _HELP else ""
        return _told(run, say(_REFUSED, names=_names(refused)), say(_HELP[cause]), waiting, refused[0].error)
    if sick:
        never = sick[0].last == "starting"
        help = say("See docker.healthcheck.") if never else say(_LOOK)
        message = say(_STARTING, names=_names(sick)) if never else say(_SICK, names=_names(sick))
        return _told(run, message, help, waiting, sick[0].output)
    if ended:
        return _told(run, say(_ENDED, names=_names(ended)), say(_LOOK), waiting, "")
    if run.late and not run.asked:
        reason = say("The rehearsal ran out of time before all containers were up.")
        return unknown(reason, say("Run it again when this host is less busy."), evidence=_evidence(run))
    if kept := tuple(dict.fromkeys((*(one.service for one in run.ports if one.error), *waiting))):
        reason = say(
            "These containers would not start, because a published port is refused: {names}.", names=", ".join(kept)
        )
        return unknown(reason, say("Free that port first (see rehearsal.publish)."), evidence=_evidence(run))
    return Finding(
        status=Status.PASS,
        message=_well(run),
        expected=phrase("all up"),
        found=phrase("all up"),
        evidence=_evidence(run),
    )


_REFUSED = noted("Docker refuses containers with the settings that these mailcow containers need: {names}.")
_SICK = noted("These mailcow containers are not healthy: {names}.")
_STARTING = noted("The health checks of these mailcow containers never finish: {names}.")
_ENDED = noted("These mailcow containers exited by themselves: {names}.")


def _names(containers: list[ContainerRun]) -> str:
    return ", ".join(one.name for one in containers)


def _well(run: Rehearsal) -> str:
    slowest = max((one.states[-1][0] for one in run.containers if one.health and one.states), default=0.0)
    return say(
        "{count} containers started in mailcow's order, and their conditions were met after {seconds} s.",
        count=len(run.containers), seconds=f"{slowest:.1f}",
    )  # fmt: skip


def _told(run: Rehearsal, message: str, help: str, waiting: list[str], detail: str) -> Finding:
    follows = (
        say("These containers are still waiting for others: {names}.", names=", ".join(waiting)) if waiting else None
    )
    return Finding(
        status=Status.FAIL,
        message=paragraph(message, follows),
        detail=detail or None,
        expected=phrase("all up"),
        found=phrase("not all"),
        evidence=_evidence(run),
        remedy=Remedy(help),
    )


def _evidence(run: Rehearsal) -> RehearsedHealthEvidence:
    kept = {one.service for one in run.ports if one.error}
    return RehearsedHealthEvidence(
        containers={
            one.name: RehearsedContainerEvidence(
                states=one.states, healthcheck=one.health,
                started=bool(one.states) and not one.error and one.name not in kept,
                exit_code=one.exit_code, unmet=one.unmet, cause=one.cause,
            )
            for one in run.containers
        }
    )  # fmt: skip
