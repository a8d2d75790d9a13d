"""What stands in the way of a port that mailcow wants: the rules of kernel and engine, and who is meant by them.

An engine publishes a port on all addresses as two sockets, one for IPv4 and one for IPv6 alone: the halves of a
binding. What the kernel says to a bind attempt decides each; sockets and containers only name the holder.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from preflight.checks import Look
from preflight.facts import NO_ENGINE, NO_SETTINGS, NO_SOCKETS, Container, Holder, SwarmService
from preflight.mailcow.plan import Binding
from preflight.net.addresses import overlap, parse_address, version

# Processes that hold a port for a container.
PROXIES = ("docker-proxy", "dockerd", "rootlessport", "conmon", "podman")
RUNNING = ("running", "paused")
KERNEL = ("time-wait", "syn-received")  # states in which no process has the socket
REFUSED = ("EACCES", "EPERM")
NOBODY = ("free", "EADDRNOTAVAIL")  # said to a bind attempt where nobody is in the way


class Occupant(Struct, frozen=True):
    """A holder, and the engine's container behind it where it is one's, or the service of the swarm."""

    holder: Holder
    container: Container | None
    service: SwarmService | None = None


class Case(Struct, frozen=True):
    """All that is known of one binding. `outcomes`: half -> what a bind attempt said, '' where none was made."""

    outcomes: dict[str, str]
    proven: tuple[str, ...]  # halves that a listener takes for sure, though no attempt could be made
    occupants: tuple[Occupant, ...]  # who is in the way; mailcow's own left out
    rivals: tuple[Container, ...]  # running, publish the port, not mailcow's
    own: tuple[Container, ...]  # mailcow's own on their own port
    later: tuple[Container, ...]  # stopped, with a restart policy
    services: tuple[SwarmService, ...] = ()  # of the swarm: publish the port, though nobody holds it for them here

    @property
    def taken(self) -> tuple[str, ...]:
        """Return the halves that somebody else has. What mailcow itself publishes is taken by no other family."""
        held = [half for half, outcome in self.outcomes.items() if outcome == "EADDRINUSE" or half in self.proven]
        others = [occupant.holder for occupant in self.occupants if occupant.holder.holds]
        return tuple(
            half
            for half in held
            if not _covered(half, self.own) or any(_same_family(half, row) and meets(half, row) for row in others)
        )

    @property
    def undecided(self) -> tuple[str, ...]:
        """Return the halves of which it is not known whether they are free."""
        known = ("free", "EADDRINUSE", "EADDRNOTAVAIL")
        return tuple(
            half
            for half, outcome in self.outcomes.items()
            if outcome not in known and half not in self.proven and not _covered(half, self.own)
        )


def examine(look: Look, binding: Binding) -> Case:
    """Put together what bind attempts, sockets and engine say of a binding; what is not known is left out."""
    containers = look.host.engine.or_(NO_ENGINE).containers
    wanted = [entry for entry in containers if not entry.run and publishes(entry, binding.address, binding.port)]
    services = {published.service for published in binding.published}
    own = [entry for entry in wanted if entry.project == look.plan.project and entry.service in services]
    others = [entry for entry in wanted if entry not in own]
    running = tuple(entry for entry in own if entry.state in RUNNING)
    outcomes = _outcomes(look, binding)
    rows = _rows(look, binding, outcomes)
    swarm = _services(look, binding)
    occupants = [_named(row, containers, swarm) for row in rows]
    return Case(
        outcomes=outcomes,
        proven=tuple(half for half in outcomes if any(_certain(half, row) for row in rows)),
        occupants=tuple(entry for entry in occupants if entry.container not in running),
        rivals=tuple(entry for entry in others if entry.state in RUNNING),
        own=running,
        later=tuple(entry for entry in others if _returns(entry)),
        services=tuple(swarm),
    )


def _services(look: Look, binding: Binding) -> list[SwarmService]:
    """Return the services of the swarm that publish the port: on every address, whatever node they run on."""
    known = look.host.engine.or_(NO_ENGINE).services
    return [entry for entry in known if publishes(entry, binding.address, binding.port)]


def _named(row: Holder, containers: Iterable[Container], services: Iterable[SwarmService]) -> Occupant:
    """Say whose socket it is. The engine itself holds those of the routing mesh."""
    container = behind(row, containers)
    mine = container is None and not row.container and row.process in ("dockerd", None) and row.holds
    return Occupant(row, container, next((entry for entry in services if entry.mesh), None) if mine else None)


def _returns(entry: Container) -> bool:
    """Say whether the engine starts a stopped container when it starts itself, as engines 20.10, 26.1 and 28.5 do.

    One that never ran stays as it is. One to run "unless stopped" was stopped by hand, else it would run, or it could
    not be started the last time.
    """
    match entry.restart:
        case _ if entry.state in (*RUNNING, "created"):
            return False
        case "always":
            return True
        case "unless-stopped" | "on-failure" if entry.state == "restarting":
            return True
        case "unless-stopped":
            return bool(entry.error)
        case "on-failure":
            return entry.exit_code != 0
    return False


def halves(look: Look, binding: Binding) -> tuple[str, ...]:
    """Return the addresses that the engine will bind for a binding.

    The IPv6 half is left out where the host cannot listen on IPv6 (the engine drops it silently), and where
    mailcow's network has no IPv6 and no userland proxy would stand in for it: a binding to an IPv6 address alone
    then has no half at all.
    """
    settings = look.host.daemon_config.or_(NO_SETTINGS).settings
    without = not look.plan.ipv6 and settings.get("userland-proxy") is False
    if binding.address:
        return () if without and version(binding.address) == 6 else (binding.address,)
    ipv6 = look.host.ipv6.value
    if without or (ipv6 and (not ipv6.supported or ipv6.listenable is False)):
        return ("0.0.0.0",)
    return ("0.0.0.0", "::")


def _outcomes(look: Look, binding: Binding) -> dict[str, str]:
    attempts = look.host.binds.or_(())
    told = {(entry.address, entry.port): entry.outcome for entry in attempts}
    found = {half: told.get((half, binding.port), "") for half in halves(look, binding)}
    # Without IPv6 there is no IPv6 half of a port on all addresses, and nothing that could be missing.
    if not binding.address and found.get("::") in ("EAFNOSUPPORT", "EADDRNOTAVAIL"):
        del found["::"]
    return {half: "EADDRNOTAVAIL" if outcome == "EAFNOSUPPORT" else outcome for half, outcome in found.items()}


def _rows(look: Look, binding: Binding, outcomes: dict[str, str]) -> list[Holder]:
    """Return the sockets that can be in the way of each half: those that hold the port, else all others on it."""
    here = [row for row in look.host.sockets.or_(NO_SOCKETS).holders if row.port == binding.port]
    found: dict[Holder, None] = {}
    for half, said in outcomes.items():
        rows = [row for row in here if said not in NOBODY and meets(half, row)]
        holding = [row for row in rows if row.holds]
        found |= dict.fromkeys(holding or rows)
    return list(found)


def meets(half: str, row: Holder) -> bool:
    """Say whether a socket can keep a half from being bound: one on [::] may have taken IPv4 as well."""
    one, other = parse_address(half), parse_address(row.address)
    if one is None or other is None:
        return False
    if one.version != other.version:
        return one.version == 4 and other.is_unspecified and not row.v6only
    return one == other or one.is_unspecified or other.is_unspecified


def _same_family(half: str, row: Holder) -> bool:
    one, other = parse_address(half), parse_address(row.address)
    return one is not None and other is not None and one.version == other.version


def _certain(half: str, row: Holder) -> bool:
    """Say whether a socket keeps a half from being bound for sure.

    Only listeners do: two sockets that are merely bound may share a port. Whether one on [::] has taken IPv4 as
    well does not stand in the tables, only in the kernel's own answers.
    """
    takes = _same_family(half, row) or row.v6only is False
    return row.state == "listening" and takes and meets(half, row)


def publishes(container: Container | SwarmService, address: str, port: int) -> bool:
    """Say whether a TCP port is published on an address ('' = every one) or one that overlaps it."""
    return any(
        published.port == port and published.protocol == "tcp" and overlap(published.address, address)
        for published in container.ports
    )


def _covered(half: str, own: Iterable[Container]) -> bool:
    """Say whether one of mailcow's own containers publishes its port on this half."""
    return any(overlap(published.address, half) for entry in own for published in entry.ports)


def behind(row: Holder, containers: Iterable[Container]) -> Container | None:
    """Return the container that a socket belongs to: it runs in it, or is a proxy for what it publishes."""
    for entry in containers:
        if row.container and row.container in (entry.id, entry.name):
            return entry
        # Where nobody is seen, the engine's word that it publishes the port there is enough.
        proxy = not row.container and (row.process in PROXIES or (row.process is None and row.holds))
        if proxy and entry.state in RUNNING and publishes(entry, row.address, row.port):
            return entry
    return None
