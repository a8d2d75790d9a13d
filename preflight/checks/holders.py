"""Who holds a port, in words an administrator knows, and how each of them is ended."""

from __future__ import annotations

import shlex
from typing import Any

from preflight import distro
from preflight.checks import Look
from preflight.checks.conflicts import HOLDING, KERNEL, PROXIES, Named
from preflight.facts import Container, PublishedPort, SwarmService
from preflight.model import Remedy
from preflight.plan import Binding

# Web servers that can pass on what they are asked for, and ports to do it with: the documentation's first.
WEB = ("nginx", "apache2", "httpd", "caddy", "lighttpd", "haproxy", "traefik")
BEHIND = {"HTTP_PORT": (8080, 8088, 8880), "HTTPS_PORT": (8443, 8448, 9443)}
PROXY = "https://docs.mailcow.email/post_installation/reverse-proxy/r_p/"


def kernel(named: Named, owners: bool) -> bool:
    """Say whether a socket is the kernel's alone; `owners`: every process's files could be seen."""
    return named.holder.pid is None and (owners or named.holder.state in KERNEL)


def by_whom(look: Look, named: list[Named], alone: list[Named]) -> str:
    """End the sentence that starts with the port: held by whom, as its administrator knows it."""
    if named:
        names = list(dict.fromkeys(map(_label, named)))
        hidden = look.host.sockets.get().why if any(entry.holder.pid is None for entry in named) else ""
        return f"held by {' and '.join(names)}" + (f": {hidden}" if hidden else "")
    if alone:
        state = alone[0].holder.state
        if state in HOLDING:
            return "held by the kernel itself, or by a process that has just ended"
        return f"held by the kernel alone, for a connection that is closing ({state})"
    if not look.host.sockets.known:
        missing = look.host.sockets.missing
        return f"in use, by whom could not be found out: {missing.reason if missing else ''}"
    if look.host.sockets.get().bound:
        return "in use, though no socket shows: it was closed a moment ago, or is another network's"
    return (
        "in use, though no socket shows: it is bound without listening, which only kernels from 6.8 on tell a program "
        "in the host's own network, or was closed a moment ago"
    )


def _label(named: Named) -> str:
    holder, container = named.holder, named.container
    if container is not None and (holder.process in PROXIES or holder.process is None):
        return f"the container {about(container)}"
    if named.service is not None:
        return f"the engine for {service(named.service)}"
    if holder.pid is None:
        return "a process that is hidden here"
    place = holder.unit or (
        f"container {container.name if container else holder.container}" if holder.container else ""
    )
    return f"{holder.process or 'a process'} (pid {holder.pid}{', ' if place else ''}{place})"


def about(container: Container) -> str:
    """Name a container with its image, and the Compose project or the swarm's service that it is a part of."""
    project = f", Compose project {container.project}" if container.project else ""
    swarm = f", a task of the swarm's service {container.swarm}" if container.swarm else ""
    return f"{container.name} ({container.image}{project}{swarm})"


def service(found: SwarmService) -> str:
    """Name a service of the swarm with its image."""
    return f"the swarm's service {found.name} ({found.image})"


def seen(named: Named) -> str:
    """Write where a socket is, with its state where it does not listen."""
    holder = named.holder
    address = f"[{holder.address}]" if ":" in holder.address else holder.address
    return f"{address}:{holder.port}" + ("" if holder.state == "listening" else f" {holder.state}")


def evidence(named: Named) -> dict[str, Any]:
    """Return a holder as the report's evidence has it."""
    holder, container = named.holder, named.container
    return {
        "pid": holder.pid,
        "process": holder.process,
        "user": holder.user,
        "unit": holder.unit,
        "container": container.name if container else holder.container,
        "image": container.image if container else holder.image,
        "address": holder.address,
        "port": holder.port,
        "state": holder.state,
        "command": list(holder.command),
        "binary": holder.binary,
        "package": holder.package,
        **_managed(container, named.service),
        **({"swarm_service": named.service.name} if named.service else {}),
    }


def published(container: Container, port: PublishedPort) -> dict[str, Any]:
    """Return what a container publishes without a socket of its own, in the shape of a holder."""
    return {
        "pid": None, "process": None, "user": None, "unit": None, "container": container.name, "image": container.image,
        "address": port.address, "port": port.port, "state": "published", "command": [], "binary": None,
        "package": None, **_managed(container),
    }  # fmt: skip


def _managed(container: Container | None, service: SwarmService | None = None) -> dict[str, Any]:
    swarm = service.name if service else container.swarm if container else ""
    return {
        "project": (container.project or None) if container else None,
        "restart": (container.restart or None) if container else None,
        "swarm_service": swarm or None,
    }


def remedy(look: Look, binding: Binding, named: list[Named], alone: list[Named]) -> Remedy:
    """Say how to get a port free: stop its holders, or wait."""
    show = f"ss -tanp 'sport = :{binding.port}'"
    if not named and alone and alone[0].holder.state not in HOLDING:
        return Remedy("Wait a minute until the connection is gone for good, and run the check again.", (show,))
    if not named:
        return Remedy(f"Find out who holds the port and stop it. {alternative(look, binding, named)}", (show,))
    commands = tuple(dict.fromkeys(line for entry in named for line in _end(look, entry)))
    texts = ["Stop what holds the port, for good.", *_origins(look, named), alternative(look, binding, named)]
    return Remedy(" ".join(texts), commands or (show,))


def _origins(look: Look, named: list[Named]) -> list[str]:
    """Say where the holders came from, as far as that is known: what is stopped may also be removed.

    Not as a command: on these ports may be anything, and to purge a VPN or SSH server could be the last thing done.
    """
    found: dict[str, None] = {}
    for entry in named:
        holder = entry.holder
        if _meshed(look, entry):
            found["This node's swarm has it published: `docker service ls` on a manager names the service."] = None
        if holder.package and holder.process not in (*PROXIES, "systemd"):
            found[f"{holder.process} belongs to the package {holder.package}."] = None
        elif holder.binary and not holder.container and not entry.container and holder.process not in PROXIES:
            ask = distro.owner(look.host, shlex.quote(holder.binary))
            if ask:
                found[f"`{ask}` names the package of {holder.process}."] = None
    return list(found)


def _meshed(look: Look, named: Named) -> bool:
    """Say whether the engine may hold a port for a service of a swarm that others manage."""
    swarm = look.host.engine.known and look.host.engine.get().swarm == "active"
    return swarm and named.holder.process == "dockerd" and named.container is None and named.service is None


def _end(look: Look, named: Named) -> tuple[str, ...]:
    """Return the commands that end a holder and keep it from coming back."""
    holder = named.holder
    if named.container is not None:
        return stop(look, named.container)
    if named.service is not None:
        return unpublish(named.service, holder.port)
    if holder.container:
        return ()  # of another kind of container: its own tool stops it
    if holder.process in PROXIES:
        return (f"docker ps --filter publish={holder.port}",)
    if holder.unit:
        return distro.disable_unit(shlex.quote(holder.unit))
    if holder.pid is None or holder.pid <= 1:
        return (f"ss -tanp 'sport = :{holder.port}'",)
    return (f"kill {holder.pid}",)


def stop(look: Look, container: Container) -> tuple[str, ...]:
    """Return the commands that stop a container for good: with the Compose project that it is a part of, if any."""
    if container.swarm:  # the swarm would put another one into its place
        return (f"docker service rm {shlex.quote(container.swarm)}",)
    if container.project and container.project != look.plan.project:
        return (f"docker compose -p {shlex.quote(container.project)} down",)
    name = shlex.quote(container.name)
    return f"docker update --restart=no {name}", f"docker stop {name}"


def unpublish(found: SwarmService, port: int) -> tuple[str, ...]:
    """Return the commands that take a port away from a service of the swarm, which itself goes on."""
    mode = "" if found.mesh else ",mode=host"
    return tuple(
        f"docker service update --publish-rm published={port},target={entry.container_port}{mode}"
        f" {shlex.quote(found.name)}"
        for entry in found.ports
        if entry.port == port and entry.protocol == "tcp"
    )


def alternative(look: Look, binding: Binding, named: list[Named]) -> str:
    """Say what else can be done: some ports can be moved."""
    published = binding.wanted[0]
    if published.kind == "web":
        first = next((entry.holder.process for entry in named if entry.holder.process in WEB), None)
        how = f"let {first} stay in front of mailcow" if first else "put mailcow behind a web server"
        return f"Or {how} as a reverse proxy, with these lines in mailcow.conf: {_behind(look, binding)} (see {PROXY})."
    if published.kind == "local":
        return f"Or move mailcow's port in mailcow.conf: {published.variable}=127.0.0.1:{binding.port + 1}"
    if published.variable == "SMTP_PORT" and binding.port == published.port:
        return "Port 25 cannot be moved: other mail servers deliver to no other."
    return f"Or give mailcow another port with {published.variable} in mailcow.conf, and tell it to every mail program."


def _behind(look: Look, binding: Binding) -> str:
    """Return the lines for a mailcow that only a web server on the same host reaches."""
    # Whether a port is free that nobody asked for yet is not known; what containers have of them is.
    taken = {port.port for entry in _others(look) for port in entry.ports} | {binding.port}
    lines = []
    for variable, ports in BEHIND.items():
        others = {entry.port for entry in look.plan.bindings if entry.wanted[0].variable != variable}
        port = next((port for port in ports if port not in taken | others), ports[0])
        lines += [f"{variable.removesuffix('_PORT')}_BIND=127.0.0.1", f"{variable}={port}"]
    return " ".join(lines)


def _others(look: Look) -> list[Container]:
    """Return the containers that are not mailcow's own."""
    known = look.host.engine.get().containers if look.host.engine.known else ()
    return [entry for entry in known if entry.project != look.plan.project]
