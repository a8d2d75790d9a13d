"""How each holder of a port gives it up: no way in is cut, no live mail touched, and nothing removed."""

from __future__ import annotations

import shlex

from msgspec import UNSET

from preflight.checks import Look
from preflight.checks.holders import images, mailers, supervised, way_in
from preflight.checks.holders.conflicts import PROXIES, Occupant
from preflight.checks.remedies import distro
from preflight.checks.sources import SYNC_JOBS
from preflight.facts import Container, Holder, Parent, PublishedPort, SwarmService
from preflight.mailcow.plan import Binding
from preflight.net.addresses import is_loopback
from preflight.report.model import Remedy
from preflight.text.sentences import noted, paragraph, say

# Processes that take any free port below 1024 when they start, so that another one may take it next time.
_WANDERERS = ("rpc.statd", "rpc.mountd", "rpc.rquotad", "ypbind", "ypserv", "rpc.yppasswdd", "rpc.ypxfrd")
# Web servers that can pass on what they are asked for: the documentation's first.
WEB = ("nginx", "apache2", "httpd", "caddy", "lighttpd", "haproxy", "traefik")
_STATD = 32765  # what NFS's own documents use; below the ports that the kernel gives out
_RUNTIMES = {
    "podman": noted("It runs in a Podman container. Stop it where it is started: Quadlet or Podman Compose."),
    "kubernetes": noted("It runs in a Kubernetes pod. Remove its hostPort or its host network in the cluster."),
    "lxc": noted("It runs in the LXC container {container}. Move or stop the service inside it."),
    "nspawn": noted("It runs in the systemd-nspawn machine {container}. Move or stop the service inside it."),
    "docker": noted("It runs in a container of another Docker engine. Stop it there."),
}  # fmt: skip


def of_all(look: Look, binding: Binding, occupants: list[Occupant]) -> Remedy:
    """Say how all holders give the port up."""
    return together([of(look, binding, entry) for entry in occupants])


def together(remedies: list[Remedy]) -> Remedy:
    """Make one remedy of several; where one of them may only be followed last, all are for then."""
    made = list(dict.fromkeys(remedies))
    text = paragraph(*dict.fromkeys(one.text for one in made))
    commands = tuple(dict.fromkeys(line for one in made for line in one.commands))
    choice = True if any(one.choice is True for one in made) else UNSET
    return Remedy(text, commands, when="last" if any(one.when == "last" for one in made) else "now", choice=choice)


def way_in_among(occupants: list[Occupant]) -> bool:
    """Say whether a way in to the host is among the holders."""
    return any(
        way_in.of_container(entry.container) if entry.container else way_in.kind_of(entry.holder) for entry in occupants
    )


def of(look: Look, binding: Binding, occupant: Occupant) -> Remedy:
    """Say how one holder gives the port up."""
    holder, container = occupant.holder, occupant.container
    if container is not None:
        return of_container(look, binding, container)
    if occupant.service is not None:
        return of_swarm(occupant.service, holder.port)
    if holder.container:
        return _elsewhere(holder)
    kind = way_in.kind_of(holder)
    if kind is not None:
        return way_in.remedy(binding, holder.process or "", holder.unit or "", kind)
    if holder.process in PROXIES:
        return _proxied(holder)
    if holder.process in _WANDERERS:
        return _wandering(look, holder)
    shared = supervised.remedy(holder)
    if shared is not None:
        return shared
    if holder.unit:
        return _of_unit(look, holder, holder.unit)
    return _without_unit(holder)


def _of_unit(look: Look, holder: Holder, unit: str) -> Remedy:
    kind, name = mailers.kind_of(holder), holder.process or unit
    if mailers.is_postfix(holder):
        kind, name = "mta", "Postfix"
    panel = mailers.signs(look, kind or "", mailers.reads(look)).panel
    if panel:
        return mailers.governed(panel)
    if kind is None and holder.clients and holder.process in WEB:
        text = say(
            "{name} currently serves connections from other machines: {count}. Keep it, or move its sites first.",
            name=name, count=holder.clients,
        )  # fmt: skip
        return Remedy(text, (f"ss -tnp state established 'sport = :{holder.port}'",), when="last")
    if kind is None:
        text = say("Stop {unit} permanently.", unit=unit)
        return Remedy(text, distro.disable_unit(unit))
    found = mailers.signs(look, kind, mailers.reads(look), holder.clients)
    if found.told:
        return mailers.alive(name, found, (holder.port,))
    public = mailers.public(name) if kind == "mta" and not is_loopback(holder.address) else ""
    choice = True if public or found.queued else UNSET
    if mailers.is_postfix(holder):
        restart = ("systemctl restart postfix",) if unit.endswith(".service") else (f"rc-service {unit} restart",)
        quiet = mailers.silenced(unit, restart)
        if quiet is not None:
            return Remedy(paragraph(public, quiet.text, *mailers.queued(found)), quiet.commands, choice=choice)
    text = paragraph(
        public,
        say("Stop {unit} permanently.", unit=unit),
        *mailers.queued(found),
        mailers.lost(name) if kind == "mta" else mailers.unseen(name),
    )
    return Remedy(text, distro.disable_unit(unit), choice=choice)


def _without_unit(holder: Holder) -> Remedy:
    """Say how a process ends for good that no service unit accounts for: at whatever starts it."""
    show = f"ss -tanp 'sport = :{holder.port}'"
    if holder.pid is None or holder.pid <= 1:
        return Remedy(say("Find out what uses the port."), (show,))
    return started_by(holder.process or "?", holder.pid, holder.parent)


def started_by(name: str, pid: int, parent: Parent | None) -> Remedy:
    """Say how a process without a unit ends for good."""
    told = say("{name} (pid {pid}) belongs to no service unit.", name=name, pid=pid)
    if parent is None:
        text = paragraph(told, say("Find out what starts it and stop it there. If you only kill it, it may come back."))
        return Remedy(text, (f"ps -o pid,ppid,user,lstart,args -p {pid}",))
    if parent.pid == 1:
        find = say(
            "Find out what starts it (parent {by}, pid 1: its original parent has ended). Look in crontabs, "
            "/etc/rc.local and supervisors, and stop it there. If you only kill it, it may come back.",
            by=parent.process or "init",
        )
    else:
        find = say(
            "Find out what starts it (parent {by}, pid {parent}) and stop it there. If you only kill it, it may come "
            "back.",
            by=parent.process or "?",
            parent=parent.pid,
        )
    return Remedy(paragraph(told, find), (f"ps -o pid,ppid,user,lstart,args -p {pid},{parent.pid}",))


def _elsewhere(holder: Holder) -> Remedy:
    """Say where a container is stopped that is none of this engine's."""
    inside = holder.container or "?"
    text = say(_RUNTIMES[holder.runtime], container=inside) if holder.runtime else ""
    commands = {
        "podman": (f"podman ps --all --filter id={shlex.quote(inside)}",),
        "kubernetes": (f"crictl ps --id {shlex.quote(inside)}",),
        "lxc": ("lxc-ls --fancy",),
        "nspawn": ("machinectl list",),
    }.get(holder.runtime or "", (f"ss -tanp 'sport = :{holder.port}'",))
    return Remedy(text or say("Stop it where the container {container} is managed.", container=inside), commands)


def _proxied(holder: Holder) -> Remedy:
    """Say how a proxy's container is found, where the engine itself could not be asked or does not know it."""
    if holder.process in ("docker-proxy", "dockerd"):
        text = say("Find the container that publishes the port and stop it.")
        return Remedy(text, (f"docker ps --filter publish={holder.port}",))
    user = holder.user or "root"
    text = say("Find the container of {user} that publishes the port and stop it where it is started.", user=user)
    ask = "podman ps" if user == "root" else f"su -s /bin/sh - {shlex.quote(user)} -c 'podman ps'"
    return Remedy(text, (ask,))


def _wandering(look: Look, holder: Holder) -> Remedy:
    """Say how a process gets a port of its own that takes any free one: stopped, it would take the next."""
    unit = holder.unit or "?"
    moves = say(
        "{name} takes a free port at random when it starts. At its next start it may take another of mailcow's ports.",
        name=holder.process,
    )
    if holder.process != "rpc.statd":
        text = paragraph(moves, say("Give it a fixed port in its own settings and restart {unit}.", unit=unit))
        return Remedy(text, (f"ss -tanp 'sport = :{holder.port}'",))
    text = paragraph(moves, say("Give it a fixed port. NFS keeps running."))
    release = look.host.os_release.value
    numbers = {"debian": 12.0, "ubuntu": 22.04}
    old = release is not None and release.id in numbers and _number(release.version_id) < numbers[release.id]
    fix: tuple[str, ...] = (
        f"nfsconf --set statd port {_STATD}",
        f"nfsconf --set statd outgoing-port {_STATD + 1}",
    )
    if old:
        options = f'STATDOPTS="--port {_STATD} --outgoing-port {_STATD + 1}"'
        fix = (f"sed -i 's/^STATDOPTS=.*/{options}/' /etc/default/nfs-common",)
    restart = "systemctl restart rpc-statd.service" if unit.endswith(".service") else f"rc-service {unit} restart"
    return Remedy(text, (*fix, restart))


def _number(version: str) -> float:
    try:
        return float(version)
    except ValueError:
        return float("inf")


def of_container(look: Look, binding: Binding, container: Container) -> Remedy:
    """Say how a container gives the port up."""
    kind = way_in.of_container(container)
    if kind is not None:
        return way_in.contained(binding, container, kind)
    if images.serves_mail(container.image):
        text = _moved_first(container.name, container.image)
        return Remedy(text, (f"docker inspect {shlex.quote(container.name)}",), when="last")
    text = say("Stop the container {name} and keep it from starting again.", name=container.name)
    if container.swarm:
        text = say("Remove the port from the swarm service {service}.", service=container.swarm)
        text = paragraph(text, say("Run this on a manager node of the swarm."))
    elif container.project and container.project != look.plan.project:
        again = say("Its Compose project {project} starts it again: remove the container or its port there.",
                    project=container.project)  # fmt: skip
        text = paragraph(text, again)
    return Remedy(text, stop(container, binding.port), choice=True)


def of_swarm(service: SwarmService, port: int) -> Remedy:
    """Say how a service of the swarm gives a port up."""
    show = (f"docker service inspect --pretty {shlex.quote(service.name)}",)
    if images.way_in(service.image) is not None:
        text = paragraph(
            say("The swarm service {service} may be your only way in.", service=service.name),
            say("Give it another port, connect through that port, and only then remove {port} from it.", port=port),
        )
        return Remedy(text, show)
    if images.serves_mail(service.image):
        return Remedy(_moved_first(service.name, service.image), show, when="last")
    text = say("Remove the port from the swarm service {service}.", service=service.name)
    return Remedy(text, unpublish(service, port), choice=True)


def _moved_first(name: str, image: str) -> str:
    return paragraph(
        say("{name} ({image}) serves mail.", name=name, image=image),
        say("Do not stop it yet: back up its volumes first."),
        say("Install and test mailcow on another server, and move the mail: {page}", page=SYNC_JOBS),
        say("On the day of the switch-over, take it out of service."),
    )


def stop(container: Container, port: int) -> tuple[str, ...]:
    """Return the commands that stop a container for good. It stays, with all that is in it."""
    if container.swarm:  # the swarm would put another one into its place
        return tuple(dict.fromkeys(
            _unpublish(container.swarm, entry, ",mode=host") for entry in container.ports if entry.port == port
        ))  # fmt: skip
    name = shlex.quote(container.name)
    return f"docker update --restart=no {name}", f"docker stop {name}"


def unpublish(service: SwarmService, port: int) -> tuple[str, ...]:
    """Return the commands that take a port away from a service of the swarm, which itself goes on."""
    mode = "" if service.mesh else ",mode=host"
    return tuple(
        _unpublish(service.name, entry, mode)
        for entry in service.ports
        if entry.port == port and entry.protocol == "tcp"
    )


def _unpublish(service: str, entry: PublishedPort, mode: str) -> str:
    change = f"published={entry.port},target={entry.container_port}{mode}"
    return f"docker service update --publish-rm {change} {shlex.quote(service)}"
