"""Connections to the Internet: their names asked for once, and then all of them tried side by side."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from ipaddress import ip_address

from msgspec import Struct
from msgspec.structs import replace

from preflight.facts import Answer, Answers, Fact
from preflight.facts.outgoing import Attempt, Goal, Names, Outgoing, Trial
from preflight.gather.access.roots import Roots
from preflight.gather.names.nameservers import Server, find_servers, shown
from preflight.gather.names.resolver import MARGIN, ask
from preflight.gather.outgoing import tls
from preflight.gather.outgoing.connection import Aim, Bounds
from preflight.gather.outgoing.trying import attempt
from preflight.net.addresses import of_version, parse_address
from preflight.net.proxies import proxies
from preflight.text.sentences import say

SOURCE = "Internet"
NAMES = 3.0  # seconds for all names
EACH = 2  # addresses of one name that are tried, of each IP version
KINDS = ("A", "AAAA")


def prevented(roots: Roots) -> Fact[Outgoing] | None:
    """Return why nothing is tried; None: it is."""
    if not roots.view.live:
        why = say("The host is a copy, and another machine's connections say nothing about it.")
        return Fact.unknown(SOURCE, why, say("Run preflight on the host itself."), cause="copy")
    if not roots.view.network:
        why = say("Connections are tried only in the host's own network.")
        return Fact.unknown(
            SOURCE, why, say("In a container, add --network=host."), cause="network", place="docker-run"
        )
    return None


def outgoing(
    roots: Roots,
    goals: tuple[Goal, ...],
    resolvers: tuple[str, ...],
    environ: Mapping[str, str],
    deadline: float,
    stop: threading.Event,
) -> Fact[Outgoing]:
    """Try all goals until the deadline (of time.monotonic); those whose addresses are known wait for no name."""
    if (why := prevented(roots)) is not None:
        return why
    speaks_tls = any(goal.speech == "tls" for goal in goals)
    bounds = Bounds(deadline - MARGIN, stop, tls.authorities(roots) if speaks_tls else None)
    goals = tuple(map(_with_address, goals))
    ready = [Aim(goal, address) for goal in goals for address in goal.addresses]
    made: dict[Aim, Attempt] = {}
    meanwhile = threading.Thread(target=lambda: made.update(attempt(ready, bounds)), name="outgoing", daemon=True)
    meanwhile.start()
    servers = find_servers(roots, resolvers).or_(())
    names = resolved([goal.host for goal in goals if not goal.addresses], servers, deadline)
    aims = {goal: [Aim(goal, one) for one in goal.addresses or names[goal.host].addresses] for goal in goals}
    late = attempt((aim for of_goal in aims.values() for aim in of_goal if aim not in ready), bounds)
    meanwhile.join(max(0.0, deadline - MARGIN / 2 - time.monotonic()))
    done = {**made, **late}
    trials = tuple(
        Trial(
            goal,
            tuple(done.get(aim, Attempt(aim.address, "late")) for aim in aims[goal]),
            "" if goal.addresses else names[goal.host].names,
        )
        for goal in goals
    )
    return Fact.of(SOURCE, Outgoing(trials, tuple(map(shown, servers)), shell_proxies(roots, environ)))


def shell_proxies(roots: Roots, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the proxies of the host's shells: of /etc/environment, and of our own where that is the host's."""
    lines = roots.try_text("/etc/environment").splitlines()
    written = dict(line.removeprefix("export ").split("=", 1) for line in lines if "=" in line)
    return proxies(written) | ({} if roots.view.container else proxies(environ))


class Resolved(Struct, frozen=True):
    """What became of a name: how the server answered, as `Trial.names` has it, and the addresses to try."""

    names: Names
    addresses: tuple[str, ...] = ()


def _with_address(goal: Goal) -> Goal:
    """Return a goal that is named by its address as one whose address is known."""
    return replace(goal, addresses=(goal.host,)) if parse_address(goal.host) else goal


def resolved(hosts: list[str], servers: tuple[Server, ...], deadline: float) -> dict[str, Resolved]:
    """Ask for the addresses of all names, each once."""
    if not servers:
        return {host: Resolved("no-server") for host in hosts}
    questions = [(host, kind) for host in dict.fromkeys(hosts) for kind in KINDS]
    answers = Answers(ask(servers, questions, min(deadline, time.monotonic() + NAMES)))
    return {host: _resolved([answers.get(host, kind) for kind in KINDS]) for host in hosts}


def _resolved(answers: list[Answer | None]) -> Resolved:
    """Read the answers for A and AAAA: addresses of either are enough."""
    known = [answer for answer in answers if answer is not None]
    found = [address for answer in known for address in answer.addresses]
    if found:
        real = [address for address in found if not ip_address(address).is_unspecified]
        chosen = (address for one in (4, 6) for address in of_version(real, one)[:EACH])
        return Resolved("NOERROR", tuple(chosen)) if real else Resolved("blocked")
    if len(known) < len(answers):
        return Resolved("timeout")
    codes = {answer.rcode for answer in known}
    # Where one of the two failed, it is not known that there is none.
    if "timeout" in codes:
        return Resolved("timeout")
    if codes - {"NOERROR", "NXDOMAIN"}:
        return Resolved("failed")
    return Resolved("NXDOMAIN" if "NXDOMAIN" in codes else "NODATA")
