"""What a container that asked for something has shown: the same four ends for every such experiment."""

from __future__ import annotations

from msgspec import Struct

from preflight.checks.docker.contact import unknown
from preflight.checks.remedies import distro
from preflight.facts import Host, TrialRun
from preflight.report.model import Finding, Remedy, Status
from preflight.text.sentences import paragraph, phrase, say, unknown_because


class Words(Struct, frozen=True):
    """What to say of each end but for that which says nothing."""

    held: str
    lacking: str
    refused: str
    short: str  # for tables: what a container lacks


def nothing_starts(host: Host, error: str) -> Finding | None:
    """Say that a container was refused as the privileged one was: then no container starts, and that is one finding."""
    privileged = host.probes.privileged.value
    if not error or privileged is None or privileged.started or privileged.error != error:
        return None
    reason = say("The engine refuses a privileged container for the same reason (see docker.privileged).")
    return unknown(unknown_because(reason), reason, say("Remove that reason first."))


def unmounted(host: Host) -> Remedy:
    """Say how control groups are mounted on this host, now and at boot."""
    text = say("Mount the control groups (cgroups) at /sys/fs/cgroup now and at boot, and restart the engine.")
    return Remedy(text, (*distro.mount_cgroups(host), *distro.restart(host, "docker")))


def judge(ran: TrialRun, words: Words, remedy: Remedy | None = None) -> Finding:
    """Judge one; `remedy` None: the check's own."""
    said = say("It said: {words}.", words=ran.error.rstrip(".")) if ran.error else None
    evidence: dict[str, object] = {"started": ran.started, "exit_code": ran.exit_code}
    if ran.started and ran.granted is None:
        reason = paragraph(say("The container ended with exit code {code}.", code=ran.exit_code), said)
        return Finding(
            status=Status.UNKNOWN,
            message=unknown_because(reason),
            reason=reason,
            evidence=evidence,
            remedy=Remedy(say("Look at what the engine logs.")),
        )
    status, message, found = Status.FAIL, paragraph(say(words.refused), said), phrase("refused")
    if ran.granted:
        status, message, found = Status.PASS, say(words.held), phrase("started")
    elif ran.started:
        message, found = say(words.lacking), phrase(words.short)
    return Finding(
        status=status,
        message=message,
        expected=phrase("starts"),
        found=found,
        evidence=evidence,
        remedy=None if status is Status.PASS else remedy,
    )
