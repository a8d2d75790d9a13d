"""What kind of engine answers: Docker's own run by root, or one with which mailcow does not work."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

from preflight.checks import Look, check
from preflight.checks.findings import NOTHING, skipped, unknown
from preflight.checks.remedies import distro, install
from preflight.checks.sources import PREREQUISITES, issue
from preflight.facts import Engine
from preflight.report.model import Evidence, Finding, Remedy, Severity, Status
from preflight.text.sentences import noted, phrase, say


class Unfit(Enum):
    """What mailcow does not work with, of all that an engine is."""

    PODMAN = auto()
    SNAP = auto()
    ROOTLESS = auto()
    REMAPPED = auto()
    DESKTOP = auto()


_NAMES = {
    Unfit.PODMAN: noted("Podman behind Docker's socket"),
    Unfit.SNAP: noted("a snap package"),
    Unfit.ROOTLESS: noted("a rootless engine"),
    Unfit.REMAPPED: noted("an engine with userns-remap"),
    Unfit.DESKTOP: "Docker Desktop",
}


def podman(engine: Engine | None, evidence: Evidence = NOTHING) -> Finding | None:
    """Say that Podman answers, of which only its kind is judged; None: it is another engine."""
    if engine is None or not engine.podman:
        return None
    return skipped(say("Podman, not the Docker Engine, answers (see docker.packaging)."), evidence=evidence)


@check(
    severity=Severity.REQUIRED,
    reads=("engine", "commands", "services", "os_release", "kernel"),
    remedy="Replace it with the Docker Engine from Docker's own packages, run as root.",
    docs=(PREREQUISITES,),
    sources=(issue(2401), issue(5483), issue(656)),
)
def packaging(look: Look) -> Iterator[Finding]:
    """The engine is the Docker Engine, run as root

    mailcow needs privileged containers, the host's network and the socket in its usual place. The snap package sees a
    different file system, and Podman and rootless engines lack features that mailcow's netfilter container needs.
    Privileged containers cannot use user namespaces. Docker Desktop runs in a virtual machine, not on the host.
    """
    engine = look.host.engine.get()
    if kinds := _unfit(engine):
        yield _replaced(look, kinds)
    elif elsewhere := _elsewhere(look, engine):
        yield elsewhere
    elif engine.root_dir or engine.operating_system:
        message = say("The engine is the Docker Engine, run as root.")
        yield Finding(status=Status.PASS, message=message, expected="Docker Engine", found="Docker Engine")
    else:
        reason = say("The engine reports neither its data directory nor its operating system.")
        yield unknown(reason, say("Restart the engine."), "docker info")


def _unfit(engine: Engine) -> list[Unfit]:
    """Return what mailcow does not work with."""
    kinds = {
        Unfit.PODMAN: engine.podman,
        Unfit.SNAP: engine.root_dir.startswith("/var/snap/"),
        Unfit.ROOTLESS: "rootless" in engine.options,
        Unfit.REMAPPED: "userns" in engine.options,
        Unfit.DESKTOP: engine.operating_system.startswith("Docker Desktop"),
    }
    return [kind for kind, here in kinds.items() if here]


def _replaced(look: Look, kinds: list[Unfit]) -> Finding:
    removal = {
        Unfit.SNAP: ("snap stop --disable docker",),
        Unfit.PODMAN: distro.remove(look.host, "podman-docker"),
        Unfit.REMAPPED: ("grep -n userns-remap /etc/docker/daemon.json",),
    }
    first = [line for kind in kinds for line in removal.get(kind, ())]
    again = () if kinds == [Unfit.REMAPPED] else (*install.engine(look.host), *distro.enable(look.host, "docker"))
    listed = ", ".join(phrase(_NAMES[kind]) for kind in kinds)
    return Finding(
        status=Status.FAIL,
        message=say("mailcow does not work with this engine: {kinds}.", kinds=listed),
        expected="Docker Engine",
        found=listed,
        remedy=Remedy(
            say("Use the Docker Engine from Docker's own packages instead, without user namespaces."),
            tuple(dict.fromkeys((*first, *again))),
        ),
    )


def _elsewhere(look: Look, engine: Engine) -> Finding | None:
    """Say that the engine's kernel is not this host's: then it lives on another machine, which nobody looked at."""
    here = look.host.kernel.value
    if not here or not engine.kernel or engine.kernel == here:
        return None
    reason = say(
        "The engine runs on another machine: its kernel is {there}, this host's is {here}.",
        there=engine.kernel,
        here=here,
    )
    help = say(
        "Run preflight on the machine where the engine runs. This report shows the files, ports and memory of another "
        "machine."
    )
    return unknown(reason, help)
