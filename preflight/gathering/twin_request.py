"""What the twin has to know, put together from what is known of a host."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from preflight.facts import Container, DaemonConfig, Engine, Fact
from preflight.gather.access.advice import add, the_hosts_network
from preflight.gather.access.roots import Roots
from preflight.mailcow.layout import CONTAINERS
from preflight.mailcow.plan import Binding, Plan
from preflight.net.addresses import of_version
from preflight.text.sentences import say
from preflight.twin.request import Port, Request

SOURCE = "a twin of the host's network"
# Without a fixed address the engine gives the next free one: any will do that no other container of mailcow has.
FREE = range(100, 200)


def prevented(roots: Roots) -> Fact[Any] | None:
    """Return why the rules of this host cannot be looked at; None: they can."""
    view = roots.view
    if view.root is None:
        return roots.unknown(SOURCE)
    if not view.live:
        why = say("The root is a copy of a host's files. Only a running host has a firewall that can be tested.")
        return Fact.unknown(SOURCE, why, say("Run preflight on the host itself."), cause="copy")
    if not view.network:
        why = say("Firewall rules are read only in the host's own network.")
        help = the_hosts_network(view)
        return Fact.unknown(SOURCE, why, help.text, cause="network", place=help.place)
    if view.container and not view.privileged:
        why = say("A twin of the host's network needs a privileged container.")
        help = add("--privileged")
        return Fact.unknown(SOURCE, why, help.text, cause="container", place=help.place)
    return None


def request(
    plan: Plan,
    engine: Engine,
    config: DaemonConfig,
    roots: Roots,
    there: frozenset[str] | None,
    seconds: float,
) -> Request:
    """Put together what the twin has to know."""
    settings = config.settings
    running = {entry.service: entry for entry in engine.containers if entry.project == plan.project}
    network = any(entry.interface == plan.bridge for entry in engine.networks)
    present = network and any(_publishes(entry) for entry in running.values())
    ip6tables = _ip6tables(engine, config, present=present)
    return Request(
        ports=_ports(plan, running),
        bridge=plan.bridge,
        subnet4=plan.ipv4_network,
        subnet6=plan.ipv6_network if plan.ipv6 else "",
        present=present,
        engine=engine.version,
        backend=engine.firewall_backend or str(settings.get("firewall-backend") or ""),
        iptables=settings.get("iptables") is not False,
        ip6tables=ip6tables,
        starts_ip6tables=ip6tables and not _ip6tables(engine, config, present=True),
        userland_proxy=settings.get("userland-proxy") is not False,
        ip_forward=settings.get("ip-forward") is not False,
        ip_masq=settings.get("ip-masq") is not False,
        root=roots.view.root or "/",
        modules=None if there is None else tuple(sorted(there)),
        seconds=round(seconds, 3),
    )


def _publishes(entry: Container) -> bool:
    return entry.state == "running" and bool(entry.ports)


def _ip6tables(engine: Engine, config: DaemonConfig, *, present: bool) -> bool:
    """Say whether the engine filters IPv6 once mailcow is there.

    Since version 27 it does unless told not to; an older one has to be told, which mailcow's installer does
    (docker.daemon-config).
    """
    told = config.settings.get("ip6tables")
    if isinstance(told, bool):
        return told
    major = engine.version.partition(".")[0]
    return not present or not major.isdigit() or int(major) >= 27


def _ports(plan: Plan, running: dict[str, Container]) -> tuple[Port, ...]:
    """Return the ports, with the addresses that their containers have, or will have."""
    last = {container.name: container.address for container in CONTAINERS if container.address}
    free = iter(FREE)
    for binding in plan.bindings:
        if (service := binding.published[0].service) not in last:
            last[service] = next(free)
    return tuple(_port(plan, binding, last, running.get(binding.published[0].service)) for binding in plan.bindings)


def _port(plan: Plan, binding: Binding, last: dict[str, int], now: Container | None) -> Port:
    published = binding.published[0]
    will = {4: _address(plan.ipv4_network, last[published.service])}
    if plan.ipv6:
        will[6] = _address(plan.ipv6_network, last[published.service])
    addresses = {version: next(iter(of_version(now.addresses if now else (), version)), "") for version in (4, 6)}
    return Port(
        address=binding.address,
        port=binding.port,
        service=published.service,
        inside=published.inside or published.port,
        container4=addresses[4] or will[4],
        container6=addresses[6] or will.get(6, ""),
    )


def _address(network: str, number: int) -> str:
    return str(ip_network(network, strict=False).network_address + number)
