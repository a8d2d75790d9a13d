"""All that is asked of the DNS for one mail host, in rounds: what an answer names is asked for in the next one."""

from __future__ import annotations

import time

from msgspec.structs import replace

from preflight.facts import Answer, Answers, Fact
from preflight.facts.names import Unasked
from preflight.gather.access.roots import Roots
from preflight.gather.names import denial, own
from preflight.gather.names.budget import Budget, weigh
from preflight.gather.names.nameservers import Server, find_servers, shown
from preflight.gather.names.own import Resolvers
from preflight.gather.names.questions import MailHost, due
from preflight.gather.names.resolver import MARGIN, SILENT, ask
from preflight.net.hostnames import askable
from preflight.text.sentences import say

BUDGET = Budget()
DELEGATIONS = 3  # zones below zones, whose servers are asked in turn


def look_up(
    roots: Roots,
    fqdn: str | None,
    domains: tuple[str, ...],
    addresses: tuple[str, ...],
    resolvers: tuple[str, ...],
    deadline: float,
    selector: str = "dkim",
) -> Fact[Answers]:
    """Return the answers for the host's name, its addresses' PTR, its domains, and the names those lead to.

    `fqdn` and `domains` are normalised (plan.py), `addresses` are the public ones, `deadline` is of time.monotonic,
    `selector` is the DKIM key's.
    Where no server ever answered the fact is unknown.
    """
    if not fqdn:
        return Fact.skipped("DNS", say("No --hostname was given."), cause="no-hostname")
    if not askable(fqdn):
        reason = say("{fqdn} cannot be looked up in the DNS.", fqdn=fqdn[:80])
        return Fact.unknown("DNS", reason, say("Give a correct --hostname."), place="docker-run")
    servers = find_servers(roots, resolvers)
    if servers.missing is not None:
        return Fact(servers.source, None, servers.missing)
    host = MailHost(fqdn, domains, addresses, selector)
    return _fact(servers.get(), _all(Resolvers(servers.get(), bool(resolvers)), host, BUDGET, deadline))


def _all(resolvers: Resolvers, host: MailHost, budget: Budget, deadline: float) -> Answers:
    """Ask the resolver and the zones' own servers until neither names anything new, then weigh what was denied."""
    found, silent = Answers(), set[Server]()
    for _ in range(DELEGATIONS):
        found = in_rounds(resolvers.servers, host, budget, deadline, found, silent)
        if _dead(found.by_question):
            return found
        before = len(found.zones), len(found.own)
        found = own.asked(found, host, resolvers, deadline, _room(budget, found))
        if (len(found.zones), len(found.own)) == before:
            break
    found = own.asked_again(found, resolvers, deadline, time.monotonic())
    if above := denial.questions(found.by_question.values()):
        told = ask(resolvers.servers, above, deadline, budget.weight, silent)
        found = denial.weighed(found, Answers(told))
    return found


def in_rounds(
    servers: tuple[Server, ...],
    host: MailHost,
    budget: Budget,
    deadline: float,
    known: Answers | None = None,
    silent: set[Server] | None = None,
) -> Answers:
    """Ask until no answer leads to a new question, the budget is spent, the time is over, or nobody answers."""
    found = known or Answers()
    quiet: set[Server] = set() if silent is None else silent
    while True:
        given, unasked = found.by_question, found.unasked
        wanted = {Answers.key(*question): question for question in due(host, found)}
        fresh = [key for key in wanted if key not in given and key not in unasked]
        if not fresh or (given and _dead(given)):
            return found
        room = _room(budget, found)
        payable = fresh[: max(0, budget.questions - len(given))] if room > 0 else []
        answers = ask(servers, [wanted[key] for key in payable], deadline, room, quiet)
        late = time.monotonic() >= deadline - 2 * MARGIN
        left = {key: _why(late and key in payable) for key in fresh if key not in answers}
        found = replace(found, by_question=given | answers, unasked=unasked | left)


def _why(is_late: bool) -> Unasked:
    return "deadline" if is_late else "budget"


def _room(budget: Budget, found: Answers) -> int:
    told = (answer for rows in found.own.values() for answer in rows)
    return budget.weight - sum(map(weigh, (*found.by_question.values(), *told)))


def _dead(found: dict[str, Answer]) -> bool:
    return all(answer.rcode in SILENT for answer in found.values())


def _fact(servers: tuple[Server, ...], found: Answers) -> Fact[Answers]:
    """Make the fact; where nobody ever answered, that is one cause, and it is said once."""
    names = ", ".join(map(shown, servers))
    source = f"DNS, from {names}"
    if not found.by_question:
        return Fact.unknown(
            source,
            say("This run was out of time before a name server was queried."),
            say("Run the check again with a longer --timeout."),
            cause="late",
            place="docker-run",
        )
    if not _dead(found.by_question):
        return Fact.of(source, found)
    details = {answer.detail for answer in found.by_question.values() if answer.rcode == "error"}
    silence = say("None of the name servers answered any query: {names}.", names=names)
    if len(servers) == 1:
        silence = say("The name server {name} did not answer any query.", name=names)
    return Fact.unknown(
        source,
        silence,
        say(
            "Make sure that this host can reach {names} over UDP and TCP, or name another server with --resolver.",
            names=names,
        ),
        detail=details.pop() if len(details) == 1 else "",
        cause="name-servers",
        place="host",
    )
