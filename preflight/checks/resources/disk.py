"""Free space where the engine keeps its data, and where mailcow is cloned."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import Measured
from preflight.checks.remedies import daemon_json
from preflight.checks.resources import spaces
from preflight.checks.resources.sizes import gib
from preflight.checks.sources import PREREQUISITES, issue
from preflight.facts import NO_ENGINE, Space
from preflight.report.evidence.host import SpaceEvidence
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import paragraph, phrase, say


def _paths(look: Look) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*spaces.data(look), look.plan.directory)))


@check(
    severity=Severity.REQUIRED,
    reads=("spaces", "engine", "daemon_config", "engine_start", "commands", "services", "os_release"),
    remedy="Free or add space, or move the engine's data (data-root in daemon.json) to a larger file system.",
    docs=(PREREQUISITES,),
    sources=(issue(1139),),
    subject="path",
    subjects=_paths,
    of_host=True,
)
def disk(look: Look, path: str) -> Iterator[Finding]:
    """There is enough free space for the engine's data and for mailcow's directory

    Images, databases and mail are in the engine's directory, not in mailcow's. If its file system is full, images
    cannot be unpacked, MariaDB stops and mail is refused. Mail itself needs additional space.
    """
    space, need = spaces.at(look, path), _need(look, path)
    measured = Measured(
        expected=phrase("{size} free", size=gib(need)),
        found=phrase("{size} free", size=gib(space.available_bytes)),
        evidence=SpaceEvidence(
            path=space.path,
            mount=space.mount,
            filesystem=space.filesystem,
            available_bytes=space.available_bytes,
            total_bytes=space.total_bytes,
            needed_bytes=need,
        ),
    )
    if space.read_only:
        yield _read_only(path, space, measured)
    elif twin := spaces.twin(look, path):
        reason = say("{path} is on the same file system as {data} and is checked there.", path=path, data=twin)
        yield measured.skipped(reason)
    elif space.available_bytes >= need * (1 - look.requirements.disk.tolerance):
        size, mount = gib(space.available_bytes), space.mount or "?"
        text = say("{size} is free at {path} (on {mount}).", size=size, path=path, mount=mount)
        yield measured.judged(Status.PASS, text)
    else:
        yield _too_little(look, path, space, measured)


def _need(look: Look, path: str) -> int:
    """Return the bytes that are wanted at a path: images and volumes may be on file systems of their own."""
    requirements, data = look.requirements.disk, spaces.data(look)
    if path not in data:
        return requirements.clone_bytes
    if len(data) == 1 or not requirements.images_bytes or spaces.same_mount(look, data[1], data[0]):
        return requirements.bytes
    return requirements.images_bytes if path in data[1:] else requirements.bytes - requirements.images_bytes


def _read_only(path: str, space: Space, measured: Measured) -> Finding:
    text = say("The file system of {path} (on {mount}) is read-only.", path=path, mount=space.mount or "?")
    remount = ("dmesg | tail -50", f"mount -o remount,rw {shlex.quote(space.mount or space.existing)}")
    remedy = Remedy(say("Check for disk errors first, then mount it writable."), remount, choice=True)
    return measured.judged(Status.FAIL, text, remedy, found=phrase("read-only"))


def _too_little(look: Look, path: str, space: Space, measured: Measured) -> Finding:
    data = spaces.data(look)
    text = say(
        "{size} is free at {path} (on {mount}), but mailcow needs {need}.",
        size=gib(space.available_bytes),
        path=path,
        mount=space.mount or "?",
        need=gib(_need(look, path)),
    )
    pulled, more = path in data and _pulled(look), None
    if pulled:
        more = say("Less can be enough, because mailcow's images are on this host already.")
    elif path in data[1:]:
        more = say("containerd keeps the images there, regardless of the engine's data-root.")
    return measured.judged(
        Status.WARN if pulled else Status.FAIL, paragraph(text, more), _more_space(look, space, _need(look, path))
    )


def _pulled(look: Look) -> bool:
    """Say whether mailcow's own containers are on the engine already: then its images take their space by now."""
    return any(container.project == look.plan.project for container in look.host.engine.or_(NO_ENGINE).containers)


def _more_space(look: Look, space: Space, need: int) -> Remedy:
    """Return how space is had: freed, added, or what is kept there moved to a larger file system."""
    root, *others = spaces.data(look)
    missing = gib(need - space.available_bytes)
    free = say("Free or add {size} or more at {mount}.", size=missing, mount=space.mount or space.path)
    if space.path in others:
        return daemon_json.elsewhere(look, space, root, free)
    docker = ("docker system df",) if space.path == root and look.host.engine.value else ()
    return Remedy(free, docker)
