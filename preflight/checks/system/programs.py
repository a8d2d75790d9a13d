"""The programs that mailcow's scripts call: there, and not BusyBox's where that is not enough."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import Measured, skipped
from preflight.checks.remedies import distro, install
from preflight.checks.sources import INSTALLATION, PREREQUISITES
from preflight.facts import Command
from preflight.report.evidence.host import CommandEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import phrase, say

_PACKAGES = {"awk": "gawk", "sha1sum": "coreutils", "cut": "coreutils", "cp": "coreutils"}
_UNSEEN = Command(None)


def _names(look: Look) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*look.requirements.commands, *look.requirements.not_busybox)))


@check(
    severity=Severity.REQUIRED,
    reads=("commands", "contact", "engine", "services", "os_release"),
    remedy="Install the program with the distribution's package manager.",
    docs=(PREREQUISITES, INSTALLATION),
    subject="command",
    subjects=_names,
)
def commands(look: Look, name: str) -> Iterator[Finding]:
    """The commands that mailcow's scripts call are installed

    generate_config.sh and update.sh stop if one is missing. They also stop if grep, cp or sed comes from BusyBox, which
    lacks options that the scripts use.
    """
    command, gnu = look.host.commands.get().get(name), name in look.requirements.not_busybox
    evidence = CommandEvidence(path=(command or _UNSEEN).path, busybox=(command or _UNSEEN).busybox)
    expected = phrase("installed, not from BusyBox") if gnu else phrase("installed")
    measured = Measured(expected=expected, evidence=evidence)
    if command is None or (gnu and command.path and command.busybox is None):
        yield _unread(name, gnu, measured)
    elif command.path is None and name == "docker" and install.absent(look.host) and look.told_by("docker.engine"):
        yield skipped(say("The docker command comes with Docker (see docker.engine)."), evidence=evidence)
    elif command.path is None:
        text = say("{name} is not installed; mailcow's scripts need it.", name=name)
        remedy = _docker(look) if name == "docker" else _install(look)
        yield measured.judged(Status.FAIL, text, remedy, found=phrase("missing"))
    elif gnu and command.busybox:
        text = say("{path} comes from BusyBox; mailcow's scripts refuse to run with it.", path=command.path)
        yield measured.judged(Status.FAIL, text, _install(look), found="BusyBox")
    else:
        yield measured.judged(Status.PASS, _there(name, command), found=command.path)


def _unread(name: str, gnu: bool, measured: Measured) -> Finding:
    text = say("Could not determine whether {name} is installed.", name=name)
    if gnu:
        text = say("Could not determine whether {name} is installed and not from BusyBox.", name=name)
    reason = say("{name} was not checked or cannot be read.", name=name)
    return measured.unknown(reason, say("Check which version it is."), f"{name} --version", message=text)


def _there(name: str, command: Command) -> str:
    if command.busybox:
        return say("{name} is installed: {path} (from BusyBox, which is enough).", name=name, path=command.path)
    return say("{name} is installed: {path}.", name=name, path=command.path)


def _install(look: Look) -> Remedy:
    """Install all that is missing at once: one command line, whichever of them is asked for. Docker comes by itself."""
    known, gnu = look.host.commands.get(), look.requirements.not_busybox
    missing = [
        name
        for name in _names(look)
        if name != "docker"
        and (found := known.get(name)) is not None
        and (found.path is None or (name in gnu and found.busybox))
    ]
    packages = dict.fromkeys(_PACKAGES.get(name, name) for name in missing)
    text = say("Install the GNU version, not the one from BusyBox: {names}.", names=", ".join(missing))
    if not any(known[name].busybox for name in missing):
        text = say("Install {names}.", names=", ".join(missing))
    return Remedy(text, distro.install(look.host, default=" ".join(packages)))


def _docker(look: Look) -> Remedy:
    """Install the docker command beside the engine that is there, or Docker as a whole."""
    if look.host.engine.known or install.path(look.host, "dockerd"):
        return install.command(look.host)
    return install.docker(look.host)
