"""What is asked of the twin, and what it answers: it is a process of its own, with a bound on its time and memory."""

from __future__ import annotations

import sys
from ipaddress import ip_network
from typing import Any

import msgspec

from preflight.facts import NO_SETTINGS, Container, DaemonConfig, Engine, Fact
from preflight.facts.twin import Twin
from preflight.gather.access import command
from preflight.gather.access.advice import add, the_hosts_network
from preflight.gather.access.roots import Roots
from preflight.gathering.recipes import PLAN
from preflight.gathering.run import Run
from preflight.mailcow.layout import CONTAINERS
from preflight.mailcow.plan import Binding, Plan
from preflight.net.addresses import of_version
from preflight.probes.registry import PROBES
from preflight.text.sentences import say
from preflight.twin.request import Port, Request

SOURCE = "a twin of the host's network"
SECONDS = 8.0
LEFT = 0.3  # seconds before the run's deadline at which it is given up
LIMIT = 4 << 20  # bytes of its answer
DENIED = 77  # what it ends with where the kernel refuses namespaces
# Without a fixed address the engine gives the next free one: any will do that no other container of mailcow has.
FREE = range(100, 200)


def twin(run: Run) -> Fact[Twin]:
    """Return what became of packets in a twin of the host's network, once the engine's experiments are through."""
    if (why := prevented(run.roots)) is not None:
        return why
    engine = run.fact("engine")
    if engine.missing is not None:
        return Fact(engine.source, None, engine.missing)
    if engine.get().podman:
        other = say("Podman publishes ports in ways of its own, which mailcow does not support (see docker.packaging).")
        return Fact.skipped(engine.source, other, cause="engine")
    if run.wishes.asked.probe:
        # They have the engine load the modules that publishing takes; the twin loads none.
        for probe in PROBES:
            run.fact(f"probes.{probe.name}")
    from preflight.gather.machine import modules

    try:
        there = modules.there(run.roots)
    except PermissionError:
        return run.roots.denied(SOURCE, say("The list of the kernel's modules cannot be read."))
    seconds = min(SECONDS, run.crew.left - LEFT)
    settings = run.fact("daemon_config").or_(NO_SETTINGS)
    asked = request(run.share(PLAN), engine.get(), settings, run.roots, there, seconds)
    words = (sys.executable, "-I", "-m", "preflight.twin", msgspec.json.encode(asked).decode())
    return answer(command.run(words, max(0.0, seconds + LEFT / 2), limit=LIMIT))


def prevented(roots: Roots) -> Fact[Any] | None:
    """Return why there is no twin of this host's network; None: there may be."""
    view = roots.view
    if view.root is None:
        return roots.unknown(SOURCE)
    if not view.live:
        why = say("The root is a copy of a host's files, and only a running host has a firewall that could be tried.")
        return Fact.unknown(SOURCE, why, say("Run preflight on the host itself."), cause="copy")
    if not view.network:
        why = say("The rules of the firewall are only read in the host's own network.")
        help = the_hosts_network(view)
        return Fact.unknown(SOURCE, why, help.text, cause="network", place=help.place)
    if view.container and not view.privileged:
        why = say("A twin of the host's network takes a privileged container.")
        help = add("--privileged")
        return Fact.unknown(SOURCE, why, help.text, cause="container", place=help.place)
    return None


def answer(ran: command.Output) -> Fact[Twin]:
    """Read what the process said, or why it said nothing."""
    if ran.code == 0:
        try:
            return Fact.of(SOURCE, msgspec.json.decode(ran.out, type=Twin))
        except msgspec.MsgspecError:
            return Fact.unknown(SOURCE, say("The twin of the host's network gave no answer that can be read."))
    if ran.code == DENIED:
        why = say("This user may not make a network of its own.")
        return Fact.unknown(SOURCE, why, say("Run preflight as root."), cause="denied")
    if ran.code is None:
        why = say("The twin of the host's network did not answer in time.")
        help = say("Raise --timeout, or run the check on a quieter host.")
        return Fact.unknown(SOURCE, why, help, cause="late", place="docker-run")
    why = say("The twin of the host's network broke off.")
    return Fact.unknown(SOURCE, why, detail=ran.err.strip().rpartition("\n")[2][:300])


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
