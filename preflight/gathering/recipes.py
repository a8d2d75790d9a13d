"""The parts of a host that need more than its root: what mailcow will want of it, or other parts."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from preflight.facts import (
    Answers,
    BindAttempt,
    BlockLists,
    Command,
    ConfFile,
    Fact,
    Goal,
    HostsEntry,
    Nat,
    Outgoing,
    Override,
    Sighting,
    Sockets,
    Space,
)
from preflight.gathering.run import Run, Shared
from preflight.mailcow import plan
from preflight.net.addresses import host_addresses, is_public, public
from preflight.text.sentences import say

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


def answers(run: Run) -> Fact[Answers]:
    """What name servers answer about the mail host, its domains and its addresses."""
    if run.wishes.asked.offline:
        return Fact.skipped("DNS", say("--offline was given."), cause="offline")
    from preflight.gather.names import lookups

    wanted, resolvers, deadline = run.share(PLAN), run.wishes.resolvers, run.crew.deadline
    return lookups.look_up(run.roots, wanted.fqdn, wanted.domains, _addresses(run), resolvers, deadline)


def _addresses(run: Run) -> tuple[str, ...]:
    """Return the addresses by which the world may know this host."""
    wanted, links, asked = run.share(PLAN), run.value("links") or (), run.wishes.asked
    known = (found for version in (4, 6) for found in (*public(asked, links, version), *host_addresses(links, version)))
    sources = (address for _, address in wanted.sources)
    return tuple(dict.fromkeys((*filter(is_public, (*known, *sources)), *asked.public_ips)))


def sightings(run: Run) -> Fact[tuple[Sighting, ...]]:
    """By which address services on the Internet see the host."""
    if run.wishes.asked.offline:
        return Fact.skipped("Internet", say("--offline was given."), cause="offline")
    from preflight.gather.outgoing import sightings
    from preflight.mailcow.address_services import services

    wishes = run.wishes
    return sightings.sightings(run.roots, services(wishes.address_services), wishes.resolvers, run.crew.deadline)


def blocklists(run: Run) -> Fact[BlockLists]:
    """What block lists say of the host's public addresses."""
    if run.wishes.asked.offline:
        return Fact.skipped("DNS", say("--offline was given."), cause="offline")
    from preflight.gather.names import blocklists
    from preflight.mailcow.blocklists import documented, zone

    given = tuple(dict.fromkeys(map(zone, run.wishes.blocklists)))
    zones = given or tuple(entry.zone for entry in documented().lists)
    return blocklists.blocklists(run.roots, zones, _addresses(run), run.wishes.resolvers, run.crew.deadline)


def outgoing(run: Run) -> Fact[Outgoing]:
    """The connections that mailcow makes, or those that the user names instead."""
    given = run.wishes.outbound
    return _tried(run, lambda table: table.named(given) if given else table.wanted(run.share(PLAN)))


def smtp(run: Run) -> Fact[Outgoing]:
    """The mail servers of several operators, or those that the user names instead."""
    return _tried(run, lambda table: table.mail_servers(run.wishes.smtp_targets))


def _tried(run: Run, goals: Callable[[ModuleType], tuple[Goal, ...]]) -> Fact[Outgoing]:
    """Try the connections that are chosen from the documents' tables."""
    if run.wishes.asked.offline:
        return Fact.skipped("Internet", say("--offline was given."), cause="offline")
    from preflight.gather.outgoing import outgoing
    from preflight.mailcow import outgoing as table

    wishes, crew = run.wishes, run.crew
    return outgoing.outgoing(run.roots, goals(table), wishes.resolvers, wishes.environ, crew.deadline, crew.stop)
