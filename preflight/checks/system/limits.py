"""Limits of the kernel and of the engine that a busy mailcow meets."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import Outcome, skipped
from preflight.checks.sources import issue
from preflight.report.evidence.host import LimitEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import phrase, say

_INOTIFY, _OVERCOMMIT, _OPEN_FILES = "fs.inotify.max_user_instances", "vm.overcommit_memory", "engine.nofile"
_FILE = "/etc/sysctl.d/90-mailcow.conf"


@check(
    severity=Severity.INFO,
    reads=("sysctls", "engine_limits"),
    remedy="Raise the limit in /etc/sysctl.d.",
    sources=(issue(453), issue(5300), issue(4055)),
    subject="sysctl",
    subjects=lambda _: (_INOTIFY, _OVERCOMMIT, _OPEN_FILES),
)
def limits(look: Look, name: str) -> Iterator[Finding]:
    """The limits of the kernel and the engine suit a busy mailcow

    Dovecot needs more inotify instances than the kernel's default if many clients wait for mail. Redis may need memory
    overcommit to save its data. Containers inherit the engine's limit on open files.
    """
    value = look.host.engine_limits.get().open_files if name == _OPEN_FILES else look.host.sysctls.get().get(name)
    lowest = {_INOTIFY: look.requirements.inotify_instances, _OVERCOMMIT: 1}.get(
        name, look.requirements.engine_open_files
    )
    evidence = LimitEvidence(value=value)
    if value is None:
        yield skipped(_unread(name), evidence=evidence)
        return
    if value == lowest or (value > lowest and name != _OVERCOMMIT):
        text = say("{name} is {value}.", name=name, value=value)
        yield Finding(status=Status.PASS, message=text, found=str(value), evidence=evidence)
        return
    outcome = _advice(name, value, lowest)
    yield Finding(
        status=outcome.status,
        message=outcome.message,
        expected=str(lowest) if name == _OVERCOMMIT else phrase("at least {lowest}", lowest=lowest),
        found=str(value),
        evidence=evidence,
        remedy=outcome.remedy,
    )


def _unread(name: str) -> str:
    if name == _OPEN_FILES:
        return say("No engine with the usual pid file is running on the host.")
    return say("Could not read {name}.", name=name)


def _advice(name: str, value: int, lowest: int) -> Outcome:
    """Return what a value that is too low leads to, and how it is raised."""
    if name == _OPEN_FILES:
        text = say(
            "Docker passes on a limit of {value} open files; Dovecot's container requests {lowest}.",
            value=value,
            lowest=lowest,
        )
        advice = say("Remove LimitNOFILE from Docker's unit and default-ulimits from /etc/docker/daemon.json.")
        return Outcome(Status.PASS, text, Remedy(advice))
    if name == _OVERCOMMIT:
        text = say(
            "{name} is {value}. Redis may fail to save its data.",
            name=name,
            value=value,
        )
        return Outcome(Status.PASS, text, Remedy(say("Allow the kernel to overcommit memory."), _write(name, lowest)))
    text = say("{name} is {value}. Many mail clients may exceed it.", name=name, value=value)
    return Outcome(Status.PASS, text, Remedy(say("Raise this limit."), _write(name, max(1024, lowest))))


def _write(name: str, value: int) -> tuple[str, ...]:
    return f"echo '{name} = {value}' >> {_FILE}", f"sysctl -p {_FILE}"
