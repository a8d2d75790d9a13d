"""What an earlier mailcow left on the engine, recognised by the names and labels that Compose gives."""

from __future__ import annotations

import re
import shlex

from preflight.checks import Look
from preflight.checks.holders.conflicts import RUNNING
from preflight.facts import Container, Engine
from preflight.report.model import Remedy
from preflight.text.sentences import paragraph, say

# Without these there is no mailcow; others can be switched off.
_CORE = {"postfix-mailcow", "dovecot-mailcow", "nginx-mailcow", "mysql-mailcow", "redis-mailcow", "unbound-mailcow"}
PROJECTS = ("mailcowdockerized", "mailcow-dockerized")


def works(said: Engine, project: str) -> bool:
    """Say whether a complete mailcow runs as this project."""
    running = {entry.service for entry in said.containers if entry.project == project and entry.state == "running"}
    return running >= _CORE


def _half(said: Engine, project: str) -> bool:
    """Say whether enough of a mailcow runs for mail to live there."""
    running = {entry.service for entry in said.containers if entry.project == project and entry.state in RUNNING}
    return len(running & _CORE) >= len(_CORE) // 2


def left_of(look: Look, projects: tuple[str, ...]) -> dict[str, tuple[str, Remedy]]:
    """List what is left of mailcows of these projects, with what to say and do about it, by subject."""
    said, found = look.host.engine.get(), dict[str, tuple[str, Remedy]]()
    alive = {container.project for container in said.containers if container.project and _half(said, container.project)}
    for container in said.containers:
        if not container.run and (container.project in projects or _named(container.name, projects)):
            found[f"container:{container.name}"] = _container(container, container.project in alive)
    used = {network.interface for network in said.networks}
    for network in said.networks:
        own = network.project in projects or _named(network.name, projects)
        if own and not network.run:
            message = say("The network {name} is left of an earlier mailcow.", name=network.name)
            remedy = Remedy(say("Remove it."), (f"docker network rm {shlex.quote(network.name)}",))
            found[f"network:{network.name}"] = message, remedy
    for volume in said.volumes:
        if _named(volume, projects):
            found[f"volume:{volume}"] = _volume(volume, look.plan.conf_path)
    links = look.host.links.value or ()
    if look.plan.bridge not in used and said.whole("networks") and any(link.name == look.plan.bridge for link in links):
        message = say(
            "The bridge {bridge} is there and belongs to no network of the engine, which would "
            "take it over for mailcow, with all that hangs on it.",
            bridge=look.plan.bridge,
        )
        remedy = Remedy(say("Remove it."), (f"ip link delete {shlex.quote(look.plan.bridge)}",))
        found[f"interface:{look.plan.bridge}"] = message, remedy
    return found


def _named(name: str, projects: tuple[str, ...]) -> bool:
    """Say whether Compose would have given this name in one of the projects."""
    return any(re.match(rf"{re.escape(project)}[_-]", name) is not None for project in projects)


def _container(container: Container, alive: bool) -> tuple[str, Remedy]:
    """Say what to do about a container; `alive`: so much of its mailcow runs that mail may live there."""
    name = shlex.quote(container.name)
    if alive:
        message = say("The container {name} belongs to another mailcow, which runs in part.", name=container.name)
        text = paragraph(
            say("Mail may live there: do not remove it. Back that mailcow up first."),
            say("To go on with it, run the check with its mailcow.conf (--mailcow-conf)."),
            say("To replace it, move its mail to the new one before it goes."),
        )
        return message, Remedy(text, (f"docker inspect {name}",), when="last")
    message = say(
        "The container {name} ({state}) is left of an earlier mailcow.", name=container.name, state=container.state
    )
    text = say("Remove it if that mailcow is not to be started again. The volumes with its mail stay.")
    stop = (f"docker stop {name}",) if container.state in (*RUNNING, "restarting") else ()
    return message, Remedy(text, (*stop, f"docker rm {name}"))


def _volume(volume: str, conf: str) -> tuple[str, Remedy]:
    message = say(
        "The volume {volume} is left of an earlier mailcow: a new one takes it over with what is in it.", volume=volume
    )
    text = say(
        "Restore the old {conf} with its passwords to keep the mail. Where nothing in the "
        "volume is wanted any more, remove it with docker volume rm: that destroys what it "
        "holds.",
        conf=conf,
    )
    return message, Remedy(text, (f"docker volume inspect {shlex.quote(volume)}",))
