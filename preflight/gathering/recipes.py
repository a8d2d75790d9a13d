"""The parts of a host that need more than its root: what mailcow will want of it, or other parts."""

from __future__ import annotations

from preflight.facts import (
    BindAttempt,
    Command,
    ConfFile,
    Fact,
    HostsEntry,
    Nat,
    Override,
    Sockets,
    Space,
)
from preflight.gathering.run import Run, Shared
from preflight.mailcow import plan

# mailcow.conf decides what else is looked at.
PLAN = Shared("plan", lambda run: plan.make(run.value("mailcow_conf"), run.wishes.asked))


def commands(run: Run) -> Fact[dict[str, Command]]:
    """The commands that the documents name."""
    from preflight.gather.machine import commands

    return commands.commands(run.roots, run.wishes.commands)


def spaces(run: Run) -> Fact[dict[str, Fact[Space]]]:
    """The file systems of mailcow and of the engine's data."""
    from preflight.gather.machine import storage

    engine, config, start = (run.value(place) for place in ("engine", "daemon_config", "engine_start"))
    return storage.spaces(run.roots, plan.space_paths(run.share(PLAN), engine, config, start))


def mailcow_conf(run: Run) -> Fact[ConfFile]:
    """mailcow.conf, where the user says or where mailcow has it."""
    from preflight.gather.conf import mailcow_conf

    return mailcow_conf.mailcow_conf(run.roots, run.wishes.asked.mailcow_conf, run.wishes.conf)


def override(run: Run) -> Fact[Override]:
    """What stands beside mailcow.conf for Compose."""
    from preflight.gather.conf import override

    return override.override(run.roots, run.share(PLAN).directory)


def sockets(run: Run) -> Fact[Sockets]:
    """The sockets on mailcow's ports."""
    from preflight.gather.sockets import sockets

    return sockets.sockets(run.roots, run.share(PLAN).ports)


def binds(run: Run) -> Fact[tuple[BindAttempt, ...]]:
    """An attempt to bind each of mailcow's ports."""
    from preflight.gather.sockets import binds

    return binds.binds(run.roots, run.share(PLAN).places)


def nat(run: Run) -> Fact[Nat]:
    """The rules that take packets for mailcow's ports, to any address of this host."""
    from preflight.gather.nat import nat

    wanted, links = run.share(PLAN), run.value("links")
    own = None if links is None else [entry.address for link in links for entry in link.addresses]
    bound = [address for address, _ in wanted.places if address]
    return nat.nat(run.roots, wanted.ports, None if own is None else tuple(dict.fromkeys((*own, *bound))))


def hosts_file(run: Run) -> Fact[tuple[HostsEntry, ...]]:
    """/etc/hosts, as far as it names the mail host."""
    from preflight.gather.names import hosts

    return hosts.hosts_file(run.roots, run.share(PLAN).fqdn)
