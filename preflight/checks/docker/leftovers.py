"""What an earlier mailcow left on the engine, recognised by the names and labels that Compose gives."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from preflight.checks import Look, check
from preflight.checks.findings import unknown
from preflight.checks.holders.conflicts import RUNNING
from preflight.checks.sources import INSTALLATION, issue
from preflight.facts import Container, Engine, EngineNetwork
from preflight.report.model import Finding, Remedy, Severity, Status
from preflight.text.sentences import paragraph, phrase, say

# Without these there is no mailcow; others can be switched off.
_CORE = {"postfix-mailcow", "dovecot-mailcow", "nginx-mailcow", "mysql-mailcow", "redis-mailcow", "unbound-mailcow"}
PROJECTS = ("mailcowdockerized", "mailcow-dockerized")


@check(
    severity=Severity.RECOMMENDED,
    reads=("engine", "links"),
    remedy="Remove what an earlier mailcow left behind, or restore its mailcow.conf if you still need its mail.",
    docs=(INSTALLATION,),
    sources=(issue(2854), issue(1816)),
    subject="object",
)
def leftovers(look: Look) -> Iterator[Finding]:
    """Nothing is left over from an earlier mailcow

    A new mailcow takes over old volumes with the same names, but has different passwords: it then waits endlessly for
    its database. Old containers and the br-mailcow bridge prevent the new containers from starting.
    """
    engine = look.host.engine.get()
    projects = tuple(dict.fromkeys((look.plan.project, *PROJECTS)))
    working = [project for project in projects if _works(engine, project)]
    gone = tuple(project for project in projects if project not in working)
    left = {finding.subject: finding for finding in _left(look, gone)}
    yield from left.values()
    if not left:
        yield _nothing(engine, working)


def _nothing(engine: Engine, working: list[str]) -> Finding:
    """Say that nothing is left, as far as the engine tells."""
    if not working and not engine.whole("containers", "networks", "volumes"):
        reason = say("The engine did not list all of its containers, networks and volumes.")
        return unknown(reason, say("List them on the host."), "docker volume ls", "docker ps -a")
    message, found = say("There are no containers, networks or volumes of an earlier mailcow."), phrase("none")
    if working:
        message = say(
            "A complete mailcow (project {project}) is already running. Nothing else is left over from an earlier one.",
            project=working[0],
        )
        found = phrase("a running mailcow")
    return Finding(status=Status.PASS, message=message, expected=phrase("none"), found=found)


def _works(engine: Engine, project: str) -> bool:
    """Say whether a complete mailcow runs as this project."""
    running = {entry.service for entry in engine.containers if entry.project == project and entry.state == "running"}
    return running >= _CORE


def _half(engine: Engine, project: str) -> bool:
    """Say whether enough of a mailcow runs for mail to live there."""
    running = {entry.service for entry in engine.containers if entry.project == project and entry.state in RUNNING}
    return len(running & _CORE) >= len(_CORE) // 2


def _left(look: Look, projects: tuple[str, ...]) -> Iterator[Finding]:
    """Yield what is left of mailcows of these projects."""
    engine = look.host.engine.get()
    alive = {
        container.project for container in engine.containers if container.project and _half(engine, container.project)
    }
    for container in engine.containers:
        if not container.run and _belongs(container, projects):
            yield _container(container, container.project in alive)
    for network in engine.networks:
        if not network.run and _belongs(network, projects):
            message = say("The network {name} is left over from an earlier mailcow.", name=network.name)
            yield _object("network", network.name, message, f"docker network rm {shlex.quote(network.name)}")
    for volume in engine.volumes:
        if _named(volume, projects):
            yield _volume(volume, look.plan.conf_path)
    if _is_nobodys(look, look.plan.bridge):
        message = say(
            "The {bridge} bridge exists but belongs to no network of the engine. The engine would reuse it for "
            "mailcow, with everything attached to it.",
            bridge=look.plan.bridge,
        )
        yield _object("interface", look.plan.bridge, message, f"ip link delete {shlex.quote(look.plan.bridge)}")


def _is_nobodys(look: Look, bridge: str) -> bool:
    """Say whether an interface is there that belongs to no network of the engine."""
    engine, links = look.host.engine.get(), look.host.links.or_(())
    used = {network.interface for network in engine.networks}
    return bridge not in used and engine.whole("networks") and any(link.name == bridge for link in links)


def _belongs(entry: Container | EngineNetwork, projects: tuple[str, ...]) -> bool:
    return entry.project in projects or _named(entry.name, projects)


def _named(name: str, projects: tuple[str, ...]) -> bool:
    """Say whether Compose would have given this name in one of the projects."""
    return any(re.match(rf"{re.escape(project)}[_-]", name) is not None for project in projects)


def _finding(kind: str, name: str, message: str, remedy: Remedy) -> Finding:
    return Finding(
        status=Status.WARN,
        subject=f"{kind}:{name}",
        message=message,
        expected=phrase("none"),
        found=phrase("present"),
        remedy=remedy,
    )


def _object(kind: str, name: str, message: str, removal: str) -> Finding:
    return _finding(kind, name, message, Remedy(say("Remove it."), (removal,)))


def _container(container: Container, alive: bool) -> Finding:
    """Say what to do about a container; `alive`: so much of its mailcow runs that mail may live there."""
    name = shlex.quote(container.name)
    if alive:
        message = say("The container {name} belongs to another mailcow, which is partly running.", name=container.name)
        text = paragraph(
            say("It may hold mail: do not remove it. Back up that mailcow first."),
            say("To keep using it, run the check with its mailcow.conf (--mailcow-conf)."),
            say("To replace it, move its mail to the new one before you remove it."),
        )
        remedy = Remedy(text, (f"docker inspect {name}",), when="last")
        return _finding("container", container.name, message, remedy)
    message = say(
        "The container {name} ({state}) is left over from an earlier mailcow.",
        name=container.name,
        state=container.state,
    )
    text = say("Remove it if you will not start that mailcow again. The volumes with its mail are kept.")
    stop = (f"docker stop {name}",) if container.state in (*RUNNING, "restarting") else ()
    return _finding("container", container.name, message, Remedy(text, (*stop, f"docker rm {name}")))


def _volume(volume: str, conf: str) -> Finding:
    message = say(
        "The volume {volume} is left over from an earlier mailcow: a new one takes it over with its contents.",
        volume=volume,
    )
    text = say(
        "To keep the mail, restore the old {conf} with its passwords. If you do not need the volume, remove it with "
        "docker volume rm. This destroys its contents.",
        conf=conf,
    )
    return _finding("volume", volume, message, Remedy(text, (f"docker volume inspect {shlex.quote(volume)}",)))
