"""The probe with published ports: where one is made, and what follows from it for the twin."""

from __future__ import annotations

import os
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from preflight.facts import NO_SETTINGS, Fact, PublishRun
from preflight.gathering import probes
from preflight.gathering.engine import URL
from preflight.gathering.recipes import PLAN
from preflight.gathering.run import Run, Shared
from preflight.gathering.twin_request import prevented, request
from preflight.probes.registry import PROBES
from preflight.text.sentences import noted, say
from preflight.twin.request import Given, Request

NAME = "publishing"
PROBE = next(probe for probe in PROBES if probe.name == NAME)
SOURCE = PROBE.source
SECONDS = 2.0  # of each program that prints rules
SPARE = 3.0  # seconds before the deadline that are the twin's, which waits until the network is gone
# A network shows in these parts of a host, too: they are made before it.
BEFORE = ("links", "routes", "rules", "ways", "ipv6", "sockets", "binds", "nat")
# Where a network is looked for: made for tests of networks, then private ones.
RANGES = (IPv4Network("198.18.0.0/15"), IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"))
TRIES = 8
_OBSTACLES = {
    "rules": noted("Docker adds no rules on this host."),
    "forwarding": noted("This host does not forward packets. A new Docker network would switch forwarding on."),
    "modules": noted("A new Docker network would load kernel modules."),
    "missing": noted("Docker's own rules are missing on this host."),
    "lasting": noted("A new Docker network would leave changes in the rules of this host."),
    "raw": noted("A new Docker network would leave a table in the rules of this host."),
}


class Tried(Struct, frozen=True):
    """The fact of the probe, and what the twin does instead of what is derived, where that differs.

    `obstacle`: why there is no network, of `twin.trial`.
    """

    fact: Fact[PublishRun]
    given: tuple[Given, ...] = ()
    obstacle: str = ""


def publishing(run: Run) -> Fact[PublishRun]:
    """Return what the engine did for a network of our own."""
    return run.share(TRIED).fact


def spare(run: Run) -> float:
    """Return the seconds before the deadline that are the twin's; of a short run, a tenth."""
    return min(SPARE, run.wishes.seconds / 10)


def given(run: Run, found: Fact[PublishRun] | None) -> tuple[Given, ...]:
    """Return what the twin does instead of what is derived for mailcow; None: nothing was tried."""
    result = found.value if found else None
    return run.share(TRIED).given if result is not None and result.differing else ()


def _try(run: Run) -> Tried:
    if (why := _prevented(run)) is not None:
        return Tried(why)
    for place in BEFORE:
        run.fact(place)
    from preflight.gather.machine import modules
    from preflight.twin.derive_state import Underivable

    try:
        return _made(run, modules.there(run.roots))
    except (PermissionError, Underivable) as error:
        unread = say("Could not read the firewall rules of this host.")
        return Tried(
            Fact.unknown(SOURCE, unread, say("Run preflight as root."), detail=str(error)[:300], cause="denied")
        )


TRIED = Shared(NAME, _try)


def _prevented(run: Run) -> Fact[Any] | None:
    """Return why there is no probe; None: there may be."""
    why = probes.prevented(run) or prevented(run.roots)
    if why is None and run.value("engine").podman:
        return Fact.skipped(SOURCE, say("Podman publishes ports in its own way."), cause="engine")
    return why


def _made(run: Run, there: frozenset[str] | None) -> Tried:
    """Make the network, where nothing of it stays; raise `Underivable`."""
    from preflight.probes.identity import own
    from preflight.twin.trial import Trial

    settings = run.fact("daemon_config").or_(NO_SETTINGS)
    mailcow = request(run.share(PLAN), run.value("engine"), settings, run.roots, there, SECONDS)
    if mailcow.present:
        return Tried(Fact.skipped(SOURCE, say("Docker's rules for mailcow are already in place.")))
    subnet = _free(run, mailcow)
    if subnet is None:
        return Tried(Fact.unknown(SOURCE, say("No free subnet was found on this host.")))
    asked = _asked(mailcow, f"br-pf{own().run[:8]}", subnet)
    trial = Trial(asked)
    if obstacle := trial.obstacle(4):
        return Tried(Fact.skipped(SOURCE, say(_OBSTACLES[obstacle])), obstacle=obstacle)
    if trial.obstacle(6):
        trial.without(6)
        asked = replace(asked, subnet6="")
    return _tried(run, asked, mailcow, trial)


def _asked(mailcow: Request, bridge: str, subnet: str) -> Request:
    """Return what is asked of the engine now: IPv6 alone where mailcow has it, and the engine filters that already."""
    local = IPv6Network(((0xFD << 120) | (int.from_bytes(os.urandom(7)) << 64), 64))
    six = bool(mailcow.subnet6) and mailcow.ip6tables and not mailcow.starts_ip6tables
    return replace(mailcow, bridge=bridge, subnet4=subnet, subnet6=str(local) if six else "", ports=())


def _tried(run: Run, asked: Request, mailcow: Request, trial: Any) -> Tried:
    from preflight.gather.engine.engine import own_container
    from preflight.probes import bench
    from preflight.probes.frame import run_probe
    from preflight.probes.publication import Publication
    from preflight.twin.trial import INSIDE, LOCAL_INSIDE

    kept: list[tuple[Given, ...]] = []

    def look(said: dict[str, Any]) -> PublishRun:
        result, others = trial.result(up(said), mailcow)
        kept.append(others)
        made: PublishRun = result
        return made

    probes.tidy(run)
    publish = Publication(INSIDE), Publication(LOCAL_INSIDE, address="127.0.0.1")
    place = bench.Trial(asked.bridge, asked.subnet4, asked.subnet6, publish, look)
    url = str(run.share(URL))
    until = run.crew.deadline - spare(run)
    fact = run_probe(PROBE, bench.Bench(url, own_container(run.roots), run.crew.stop, until, place))
    return Tried(fact, kept[0] if kept else ())


def up(said: dict[str, Any]) -> Any:
    """Read what the engine says of the container."""
    from preflight.gather.engine import reply
    from preflight.probes.publication import published
    from preflight.twin.trial import INSIDE, LOCAL_INSIDE, Up

    networks = reply.table(reply.table(said.get("NetworkSettings")).get("Networks"))
    network = next(map(reply.table, networks.values()), {})
    texts = {name: reply.text(value) for name, value in network.items()}
    ports: dict[int, int] = {}
    local = 0
    for one in published(said):
        if one.container_port == LOCAL_INSIDE:
            local = one.port
        elif one.container_port == INSIDE:
            ports[6 if ":" in one.address else 4] = one.port
    return Up(
        containers={4: texts.get("IPAddress", ""), 6: texts.get("GlobalIPv6Address", "")},
        gateways={4: texts.get("Gateway", ""), 6: texts.get("IPv6Gateway", "")},
        ports=ports,
        local=local,
        ids=tuple(filter(None, (reply.text(said.get("Id")), texts.get("NetworkID", ""), texts.get("EndpointID", "")))),
    )


def _free(run: Run, mailcow: Request) -> str | None:
    """Return a network that is nowhere on this host; None: none is found, or it is not known what there is."""
    links, routes = run.value("links"), run.value("routes")
    if links is None or routes is None:
        return None
    known = [f"{entry.address}/{entry.prefix}" for link in links for entry in link.addresses]
    known += [route.destination for route in routes] + [mailcow.subnet4]
    known += [subnet for network in run.value("engine").networks for subnet in network.subnets]
    taken = [one for one in map(_network, known) if one is not None and one.prefixlen]
    return next((str(one) for one in _candidates() if not any(one.overlaps(other) for other in taken)), None)


def _network(text: str) -> IPv4Network | None:
    try:
        found = ip_network(text, strict=False)
    except ValueError:
        return None
    return found if isinstance(found, IPv4Network) else None


def _candidates() -> Iterable[IPv4Network]:
    """Yield networks of 16 addresses, chosen by chance: other runs may look for one at the same time."""
    for within in RANGES:
        for _ in range(TRIES):
            number = int.from_bytes(os.urandom(4)) % (1 << 28 - within.prefixlen)
            yield IPv4Network((int(within.network_address) + (number << 4), 28))
