"""Gather a host: which adapter makes which part, and what it needs of the others. Judges nothing."""

from __future__ import annotations

import contextlib
import datetime
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from preflight import __version__
from preflight.facts import SCHEMA, Asked, Fact, Host, OsRelease, Probes
from preflight.facts.parts import PARTS, fields
from preflight.gather.access.crew import Crew, Recipe, Tell
from preflight.gather.access.roots import Roots
from preflight.mailcow import plan
from preflight.net.addresses import is_public, own, public
from preflight.text.sentences import paragraph, say, told

PROBES = tuple(f"probes.{name}" for name in Probes.__struct_fields__)
_FIRST = ("compose", "contact", "engine")
_DATA = ("engine", "daemon_config", "engine_start")
_ON_ENGINE = frozenset({"daemon_config", "engine_start", "spaces"})


class Wishes(Struct, frozen=True):
    """What to gather: the parts, and what the user and the documents say about them."""

    asked: Asked
    parts: frozenset[str]
    environ: Mapping[str, str]
    seconds: float = 30.0
    docker_host: str | None = None
    root_given: bool = False
    resolvers: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    unsafe: Callable[[str, OsRelease | None], str] = lambda _release, _system: ""  # why no container may be started


class Begun(Struct):
    """A host that is being gathered: what other programs do is under way."""

    crew: Crew
    started: datetime.datetime
    clock: float


def begin(roots: Roots, wishes: Wishes, stop: threading.Event, tell: Tell) -> Begun:
    """Begin with what other programs do, of the parts wished for: it takes longest, so the rest is loaded meanwhile."""
    crew = Crew(
        _engine_recipes(roots, wishes), wishes.seconds, stop, tell, frozenset(PROBES), _waiting(wishes.asked)
    )  # fmt: skip
    crew.start(*(name for name in _FIRST if name in wishes.parts))
    return Begun(crew, datetime.datetime.now(datetime.UTC), time.monotonic())


def gather(roots: Roots, wishes: Wishes, begun: Begun) -> Host:
    """Gather the parts wished for, side by side; what is late, out of reach or not wished for says so."""
    crew = begun.crew
    crew.learn(_other_recipes(roots, wishes))
    # What builds on the engine comes last, when it has answered.
    rest = wishes.parts.intersection(PARTS).difference(_FIRST)
    crew.start(*sorted(rest, key=lambda name: (name in _ON_ENGINE, PARTS.index(name))))
    facts: dict[str, Fact[Any]] = {
        name: crew.collect(name)
        if name in wishes.parts
        else Fact.skipped("", say("No check that was asked for needs it."))
        for name in PARTS
    }
    return Host(
        schema=SCHEMA,
        version=__version__,
        started=begun.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        seconds=round(time.monotonic() - begun.clock, 3),
        view=roots.view,
        asked=wishes.asked,
        **fields(facts),
    )


def _waiting(asked: Asked) -> frozenset[str]:
    """Name the parts that wait for others; those that were not asked for only say so, and need no thread for it."""
    return frozenset({*_FIRST, *(() if asked.offline else ("answers",)), *(PROBES if asked.probe else ())})


def _other_recipes(roots: Roots, wishes: Wishes) -> dict[str, Recipe]:
    return {
        "_plan": lambda crew: plan.make(crew.get("mailcow_conf").value, wishes.asked),
        **_host_recipes(roots, wishes),
        **_probe_recipes(roots, wishes),
        **_network_recipes(roots, wishes),
    }


def _host_recipes(roots: Roots, wishes: Wishes) -> dict[str, Recipe]:
    from preflight.gather.conf import mailcow_conf
    from preflight.gather.machine import commands, resources, storage, system

    # What takes longest to import is so only where it is wished for: most of a look at the ports alone is imports.
    def kernel_features(_: Crew) -> Fact[Any]:
        from preflight.gather.machine import kernel_features

        return kernel_features.kernel_features(roots)

    def virtualization(_: Crew) -> Fact[Any]:
        from preflight.gather.machine import virtualization

        return virtualization.virtualization(roots)

    def services(_: Crew) -> Fact[Any]:
        from preflight.gather.services import services

        return services.services(roots)

    def userland(_: Crew) -> Fact[Any]:
        from preflight.gather.machine import userland

        return userland.userland(roots)

    def mail_traces(_: Crew) -> Fact[Any]:
        from preflight.gather.services import mail_traces

        return mail_traces.mail_traces(roots)

    def timezone(_: Crew) -> Fact[Any]:
        from preflight.gather.machine import clock

        return clock.timezone(roots)

    def the_clock(_: Crew) -> Fact[Any]:
        from preflight.gather.machine import clock

        return clock.clock(roots)

    def spaces(crew: Crew) -> Fact[Any]:
        paths = plan.space_paths(crew.get("_plan"), *(crew.get(name).value for name in _DATA))
        return storage.spaces(roots, paths)

    return {
        "name": lambda _: system.name(roots),
        "os_release": lambda _: system.os_release(roots),
        "kernel": lambda _: system.kernel(roots),
        "machine": lambda _: system.machine(roots),
        "userland": userland,
        "kernel_features": kernel_features,
        "security": lambda _: system.security(roots),
        "sysctls": lambda _: system.sysctls(roots),
        "virtualization": virtualization,
        "commands": lambda _: commands.commands(roots, wishes.commands),
        "cpu_speed": lambda _: resources.cpu_speed(roots),
        "cpu_features": lambda _: resources.cpu_features(roots),
        "memory": lambda _: resources.memory(roots),
        "spaces": spaces,
        "services": services,
        "mail_traces": mail_traces,
        "timezone": timezone,
        "clock": the_clock,
        "mailcow_conf": lambda _: mailcow_conf.mailcow_conf(roots, wishes.asked.mailcow_conf),
    }


def _engine_recipes(roots: Roots, wishes: Wishes) -> dict[str, Recipe]:
    """Say how each part is made. Names with an underscore are no parts of their own, but shared by some."""
    from preflight.gather.engine import compose, daemon, engine

    def daemon_config(crew: Crew) -> Fact[Any]:
        url = crew.get("_url")
        contact = crew.get("contact").value
        # A busy host has thousands of processes: among them nobody is searched for where nobody listens.
        nobody = contact is not None and url.startswith("unix://") and contact.state in ("absent", "refused")
        where = url if isinstance(url, str) else ""
        return daemon.daemon_config(roots, crew.get("engine").value, where, listening=not nobody)

    def start(crew: Crew) -> Fact[Any]:
        from preflight.gather.engine import next_start

        return next_start.engine_start(roots, crew.get("engine").value, crew.get("daemon_config").value)

    return {
        "_url": lambda _: engine.locate(roots, wishes.environ, wishes.docker_host, root_given=wishes.root_given),
        "_engine": lambda crew: engine.engine(crew.get("_url"), own=engine.own_container(roots)),
        "contact": lambda crew: crew.get("_engine")[0],
        "engine": lambda crew: crew.get("_engine")[1],
        "daemon_config": daemon_config,
        "engine_start": start,
        "compose": lambda _: compose.compose(roots),
    }


def _probe_recipes(roots: Roots, wishes: Wishes) -> dict[str, Recipe]:
    """The experiments: started where they were asked for, on an engine that answers and a kernel that stands them."""

    def ready(crew: Crew) -> Fact[Any] | None:
        """Return why there is no experiment; None: there may be."""
        if not wishes.asked.probe:
            return Fact.skipped("probe", say("--no-probe was given."))
        engine, system = crew.get("engine"), crew.get("os_release")
        if engine.missing is not None:
            return Fact(engine.source, None, engine.missing)
        reason = wishes.unsafe(engine.value.kernel, system.value)
        if reason:
            why = paragraph(say("No container was started, as that could crash this kernel."), told(reason))
            return Fact.unknown("probe", why, say("See system.kernel: change the kernel first."))
        return None

    def dead(crew: Crew) -> object:
        """Remove what dead runs left, before something new is made."""
        from preflight.probes import box

        with contextlib.suppress(box.EngineError):
            return box.cleanup(crew.get("_url"), force=False)
        return None

    def probe(name: str) -> Recipe:
        name = name.removeprefix("probes.")

        def run(crew: Crew) -> Fact[Any]:
            if (why := ready(crew)) is not None:
                return why
            from preflight.gather.engine.engine import own_container
            from preflight.probes import healthcheck, trial

            crew.get("_dead")
            experiment = getattr(healthcheck if name == "healthcheck" else trial, name)
            made: Fact[Any] = experiment(crew.get("_url"), own_container(roots), crew.stop, crew.deadline)
            return made

        return run

    return {"_dead": dead, **{name: probe(name) for name in PROBES}}


def _network_recipes(roots: Roots, wishes: Wishes) -> dict[str, Recipe]:
    from preflight.gather.conf import override
    from preflight.gather.names import hosts, lookups, nameservers
    from preflight.gather.nat import nat
    from preflight.gather.network import network, rules, ways
    from preflight.gather.sockets import binds, sockets

    def answers(crew: Crew) -> Fact[Any]:
        if wishes.asked.offline:
            return Fact.skipped("DNS", say("--offline was given."))
        wanted: plan.Plan = crew.get("_plan")
        links = crew.get("links").value or ()
        sources = tuple(address for _, address in wanted.sources)
        addresses = tuple(
            found for version in (4, 6) for found in (*public(wishes.asked, links, version), *own(links, version))
        )
        addresses = tuple(dict.fromkeys((*filter(is_public, (*addresses, *sources)), *wishes.asked.public_ips)))
        return lookups.look_up(roots, wanted.fqdn, wanted.domains, addresses, wishes.resolvers, crew.deadline)

    def diversions(crew: Crew) -> Fact[Any]:
        wanted: plan.Plan = crew.get("_plan")
        links = crew.get("links").value
        own = None if links is None else [entry.address for link in links for entry in link.addresses]
        bound = [address for address, _ in wanted.places if address]
        return nat.nat(roots, wanted.ports, None if own is None else tuple(dict.fromkeys((*own, *bound))))

    return {
        "links": lambda _: network.links(roots),
        "routes": lambda _: network.routes(roots),
        "override": lambda crew: override.override(roots, crew.get("_plan").directory),
        "handed": lambda _: nameservers.handed(roots),
        "rules": lambda _: rules.rules(roots),
        "ways": lambda _: ways.ways(roots),
        "ipv6": lambda _: network.ipv6(roots),
        "sockets": lambda crew: sockets.sockets(roots, crew.get("_plan").ports),
        "binds": lambda crew: binds.binds(roots, crew.get("_plan").places),
        "nat": diversions,
        "hosts_file": lambda crew: hosts.hosts_file(roots, crew.get("_plan").fqdn),
        "answers": answers,
    }
