"""The parts of a host that others tell across the network; with --offline nobody is asked, and each says so."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import TypeVar

from preflight.facts import Answers, BlockLists, Fact, Goal, Mirrors, Outgoing, Sighting, Times
from preflight.gathering.recipes import PLAN
from preflight.gathering.run import Run
from preflight.net.addresses import host_addresses, is_public, public, vouched_for
from preflight.text.sentences import say

T = TypeVar("T")
_Recipe = Callable[[Run], Fact[T]]


def _by(what: str) -> Callable[[_Recipe[T]], _Recipe[T]]:
    """Make a recipe that asks somebody, by `what`, one that asks nobody where --offline was given."""

    def online(recipe: _Recipe[T]) -> _Recipe[T]:
        @wraps(recipe)
        def unless_offline(run: Run) -> Fact[T]:
            if run.wishes.asked.offline:
                return Fact.skipped(what, say("--offline was given."), cause="offline")
            return recipe(run)

        return unless_offline

    return online


@_by("SNTP")
def times(run: Run) -> Fact[Times]:
    """What time servers tell."""
    from preflight.gather.time import times

    wishes = run.wishes
    return times.times(run.roots, wishes.time_servers, wishes.web_servers, wishes.resolvers, run.crew.deadline)


@_by("DNS")
def answers(run: Run) -> Fact[Answers]:
    """What name servers answer about the mail host, its domains and its addresses."""
    from preflight.gather.names import lookups

    wanted, wishes = run.share(PLAN), run.wishes
    names = wanted.fqdn, wanted.domains, _addresses(run)
    return lookups.look_up(run.roots, *names, wishes.resolvers, run.crew.deadline, wishes.asked.selector)


@_by("DNS")
def blocklists(run: Run) -> Fact[BlockLists]:
    """What block lists say of the host's public addresses."""
    from preflight.gather.names import blocklists
    from preflight.mailcow.blocklists import zones

    asked = zones(run.wishes.blocklists)
    return blocklists.blocklists(run.roots, asked, _addresses(run), run.wishes.resolvers, run.crew.deadline)


@_by("Internet")
def mirrors(run: Run) -> Fact[Mirrors]:
    """Whether Spamhaus answers this host's network, where its list is asked at all."""
    from preflight.gather.outgoing import mirrors
    from preflight.mailcow.blocklists import documented, zones

    wishes, service = run.wishes, documented().mirrors
    if service.zone not in zones(wishes.blocklists):
        return Fact.skipped(mirrors.SOURCE, say("{zone} is not one of the block lists to query.", zone=service.zone))
    return mirrors.mirrors(run.roots, service.url, wishes.resolvers, run.crew.deadline)


def _addresses(run: Run) -> tuple[str, ...]:
    """Return the addresses by which the world may know this host."""
    wanted, links, asked = run.share(PLAN), run.value("links") or (), run.wishes.asked
    vouched = asked.public_ips
    if links and not public(vouched, links, 4) and "sightings" in run.wishes.parts:  # behind NAT: nobody else knows
        vouched = vouched_for(asked, links, run.value("sightings") or ())
    known = (
        found for version in (4, 6) for found in (*public(vouched, links, version), *host_addresses(links, version))
    )
    sources = (address for _, address in wanted.sources)
    return tuple(dict.fromkeys((*filter(is_public, (*known, *sources)), *vouched)))


@_by("Internet")
def sightings(run: Run) -> Fact[tuple[Sighting, ...]]:
    """By which address services on the Internet see the host."""
    from preflight.gather.outgoing import sightings
    from preflight.mailcow.address_services import services

    wishes = run.wishes
    return sightings.sightings(run.roots, services(wishes.address_services), wishes.resolvers, run.crew.deadline)


@_by("Internet")
def outgoing(run: Run) -> Fact[Outgoing]:
    """The connections that mailcow makes, or those that the user names instead."""
    given = run.wishes.outbound
    return _tried(run, lambda table: table.named(given) if given else table.wanted(run.share(PLAN)))


@_by("Internet")
def smtp(run: Run) -> Fact[Outgoing]:
    """The mail servers of several operators, or those that the user names instead."""
    return _tried(run, lambda table: table.mail_servers(run.wishes.smtp_targets))


def _tried(run: Run, goals: Callable[[ModuleType], tuple[Goal, ...]]) -> Fact[Outgoing]:
    """Try the connections that are chosen from the documents' tables."""
    from preflight.gather.outgoing import outgoing
    from preflight.mailcow import outgoing as table

    wishes, crew = run.wishes, run.crew
    return outgoing.outgoing(run.roots, goals(table), wishes.resolvers, wishes.environ, crew.deadline, crew.stop)
