"""Who holds a port, in words an administrator knows, and what else can be done about it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from msgspec import UNSET
from msgspec.structs import replace

from preflight.checks import Look
from preflight.checks.holders import connections, endings
from preflight.checks.holders.conflicts import KERNEL, PROXIES, Occupant
from preflight.checks.holders.endings import WEB
from preflight.checks.remedies import distro, rights
from preflight.checks.sources import REVERSE_PROXY
from preflight.facts import NO_ENGINE, Container, Holder, SwarmService
from preflight.mailcow.layout import BEHIND
from preflight.mailcow.plan import Binding
from preflight.net.addresses import parse_address, with_port
from preflight.report.model import Remedy, Setting
from preflight.text.sentences import paragraph, say


def kernel(occupant: Occupant, owners: bool) -> bool:
    """Say whether a socket is the kernel's alone; `owners`: every process's files could be seen."""
    return occupant.holder.pid is None and (owners or occupant.holder.state in KERNEL)


def by_whom(look: Look, port: str, occupants: list[Occupant], alone: list[Occupant]) -> str:
    """Say by whom a port is held, as its administrator knows them."""
    if occupants:
        return paragraph(*_holding(look, port, occupants))
    if alone:
        holder = connections.lasting(alone).holder
        if holder.holds:
            return say("{port} is in use by the kernel itself or by a process that has just exited.", port=port)
        return connections.of_kernel(port, holder)
    if look.host.sockets.missing is not None:
        nobody = say("{port} is in use. Could not determine which process uses it.", port=port)
        return paragraph(nobody, look.host.sockets.missing.reason)
    if look.host.sockets.get().bound:
        return say(
            "{port} is in use, but no socket is visible: it was closed a moment ago or belongs to another network.",
            port=port,
        )
    return say(
        "{port} is in use, but no socket is visible: it was closed a moment ago, or it is bound without listening. "
        "Only kernel 6.8 or newer shows such a socket, and only in the host's own network.",
        port=port,
    )


def _holding(look: Look, port: str, occupants: list[Occupant]) -> Iterator[str]:
    """Yield a sentence for the processes, and one for each of the others that hold a port."""
    plain = [entry.holder for entry in occupants if _plain(entry)]
    if plain:
        processes = dict.fromkeys(map(_process, plain))
        values = {"port": port, "processes": ", ".join(processes)}
        listening = dict.fromkeys(holder.address for holder in plain if holder.state == "listening")
        places = [place for place in listening if place not in port]  # which names the address that mailcow binds
        bound = [parse_address(place) for place in listening]
        if len(processes) == 1 and places and not any(one is None or one.is_unspecified for one in bound):
            yield say("{port} is in use by {processes} on {places}.", places=", ".join(places), **values)
        else:
            yield say("{port} is in use by {processes}.", **values)
    others = dict.fromkeys(_other(port, entry) for entry in occupants if not _plain(entry))
    yield from others
    if any(entry.holder.pid is None for entry in occupants):
        yield unseen(look)


def unseen(look: Look) -> str:
    """Say why a process that holds a port could not be seen, and what would show it; '' where that is not known."""
    match look.host.sockets.get().hidden:
        case "denied":
            return paragraph(say("Other users' processes are hidden."), rights.more(look.host).text)
        case "unreadable":
            return paragraph(say("Could not list the host's processes."), rights.more(look.host).text)
        case "late":
            return say("Searching the open files of all processes took too long.")
        case "":
            return ""


def _proxied(occupant: Occupant) -> bool:
    return occupant.container is not None and (occupant.holder.process in PROXIES or occupant.holder.process is None)


def _plain(occupant: Occupant) -> bool:
    """Say whether it is a process of the host's own, to be named as that."""
    inside = occupant.holder.container and not occupant.holder.unit
    return not (_proxied(occupant) or occupant.service or occupant.holder.pid is None or inside)


def _other(port: str, occupant: Occupant) -> str:
    holder, container = occupant.holder, occupant.container
    if container is not None and _proxied(occupant):
        held = say("{port} is in use by the container {container}.", port=port, container=about(container))
        return paragraph(held, belonging(container))
    if occupant.service is not None:
        return say(
            "{port} is in use by the engine for the swarm service {service}.",
            port=port,
            service=service(occupant.service),
        )
    if holder.pid is None:
        return say("{port} is in use by a process that is not visible from here.", port=port)
    inside = container.name if container else holder.container
    return say(
        "{port} is in use by {process} in the container {name}.", port=port, process=_process(holder), name=inside
    )


def _process(holder: Holder) -> str:
    place = f", {holder.unit}" if holder.unit else ""
    return f"{holder.process or '?'} (pid {holder.pid}{place})"


def about(container: Container) -> str:
    """Name a container with its image."""
    return f"{container.name} ({container.image})"


def belonging(container: Container) -> str:
    """Say in sentences what a container is a part of: a Compose project, a service of the swarm; '' = of nothing."""
    project, swarm = container.project, container.swarm
    return paragraph(
        say("{name} belongs to the Compose project {project}.", name=container.name, project=project)
        if project
        else "",
        say("{name} is a task of the swarm service {service}.", name=container.name, service=swarm) if swarm else "",
    )


def service(found: SwarmService) -> str:
    """Name a service of the swarm with its image."""
    return f"{found.name} ({found.image})"


def seen(occupant: Occupant) -> str:
    """Write where a socket is, with its state where it does not listen."""
    holder = occupant.holder
    return with_port(holder.address, holder.port) + ("" if holder.state == "listening" else f" {holder.state}")


def remedy(look: Look, binding: Binding, occupants: list[Occupant], alone: list[Occupant]) -> Remedy:
    """Say how to get a port free: end what holds it, or wait."""
    show = f"ss -tanp 'sport = :{binding.port}'"
    if not occupants and alone and not (holder := connections.lasting(alone).holder).holds:
        return connections.ends(look, binding, holder)
    if connections.of_processes(occupants):
        return connections.ended(binding)
    if not occupants:
        find = say("Find out what uses the port. If it is your way into this host, give it another port first.")
        return Remedy(paragraph(find, alternative(look, binding, occupants)), (show,))
    ended = endings.of_all(look, binding, occupants)
    # A way in says itself how mailcow goes without the port.
    instead = "" if endings.way_in_among(occupants) else alternative(look, binding, occupants)
    # A web server has sites, and can stay in front of mailcow: that somebody has to decide.
    choice = True if instead and binding.published[0].kind == "web" else ended.choice
    text = paragraph(ended.text, *_origins(look, occupants), instead)
    lines = alternative_lines(look, binding) if instead else ()
    return replace(ended, text=text, choice=choice, settings=lines or UNSET)


def _origins(look: Look, occupants: list[Occupant]) -> list[str]:
    """Say where the holders came from, as far as that is known: what is stopped may also be removed.

    Not as a command: on these ports may be anything, and to purge a VPN or SSH server could be the last thing done.
    """
    found: dict[str, None] = {}
    for entry in occupants:
        holder = entry.holder
        if _meshed(look, entry):
            found[
                say(
                    "A service of this node's swarm publishes it: `docker service ls` on a manager node"
                    " shows which one."
                )
            ] = None
        named = f"{holder.package}-".startswith(f"{holder.process}-")
        if holder.package and not named and holder.process not in (*PROXIES, "systemd"):
            found[
                say("{process} belongs to the package {package}.", process=holder.process, package=holder.package)
            ] = None
        elif holder.binary and not holder.container and not entry.container and holder.process not in PROXIES:
            ask = distro.owner(look.host, shlex.quote(holder.binary))
            if ask:
                found[say("To find the package of {process}, run `{ask}`.", ask=ask, process=holder.process)] = None
    return list(found)


def _meshed(look: Look, occupant: Occupant) -> bool:
    """Say whether the engine may hold a port for a service of a swarm that others manage."""
    swarm = look.host.engine.or_(NO_ENGINE).swarm == "active"
    return swarm and occupant.holder.process == "dockerd" and occupant.container is None and occupant.service is None


def alternative(look: Look, binding: Binding, occupants: list[Occupant]) -> str:
    """Say what else can be done: some ports can be moved."""
    published = binding.published[0]
    if published.kind == "web":
        first = next((entry.holder.process for entry in occupants if entry.holder.process in WEB), None)
        lines = " ".join(f"{line.variable}={line.value}" for line in alternative_lines(look, binding))
        values = {"server": first, "lines": lines, "page": REVERSE_PROXY}
        if first:
            return say(
                "Or keep {server} in front of mailcow as a reverse proxy, with these lines in mailcow.conf: {lines} "
                "(see {page}).",
                **values,
            )
        return say(
            "Or put mailcow behind a web server as a reverse proxy, with these lines in mailcow.conf: {lines}"
            " (see {page}).",
            **values,
        )
    if published.kind == "local":
        return say(
            "Or move mailcow's port in mailcow.conf: {setting}",
            setting="".join(f"{line.variable}={line.value}" for line in alternative_lines(look, binding)),
        )
    if published.variable == "SMTP_PORT" and binding.port == published.port:
        return ""  # other mail servers deliver to no other port
    return say(
        "Or set {variable} in mailcow.conf to another port, and change it in every mail client.",
        variable=published.variable,
    )


def alternative_lines(look: Look, binding: Binding) -> tuple[Setting, ...]:
    """Return the lines of mailcow.conf with which mailcow does without the port."""
    published = binding.published[0]
    if published.kind == "local":
        return (Setting(published.variable, f"127.0.0.1:{binding.port + 1}"),)
    return _behind(look, binding) if published.kind == "web" else ()


def _behind(look: Look, binding: Binding) -> tuple[Setting, ...]:
    """Return the lines for a mailcow that only a web server on the same host reaches."""
    # Whether a port is free that nobody asked for yet is not known; what containers have of them is.
    taken = {port.port for entry in _others(look) for port in entry.ports} | {binding.port}
    lines = []
    for variable, ports in BEHIND.items():
        others = {entry.port for entry in look.plan.bindings if entry.published[0].variable != variable}
        port = next((port for port in ports if port not in taken | others), ports[0])
        lines += [Setting(f"{variable.removesuffix('_PORT')}_BIND", "127.0.0.1"), Setting(variable, str(port))]
    return tuple(lines)


def _others(look: Look) -> list[Container]:
    """Return the containers that are not mailcow's own."""
    known = look.host.engine.or_(NO_ENGINE).containers
    return [entry for entry in known if entry.project != look.plan.project]
