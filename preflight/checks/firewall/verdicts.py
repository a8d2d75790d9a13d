"""What a journey's verdict means, and why one is not known: for connections in either direction."""

from __future__ import annotations

from collections.abc import Iterable

from preflight.checks import Look
from preflight.checks.firewall import culprits, engine_rules, ways
from preflight.checks.firewall.culprits import Case
from preflight.checks.remedies import rights
from preflight.facts import Culprit, Family, Journey, Twin, Uncopied, require
from preflight.report.evidence.firewall import FamilyEvidence, LanEvidence
from preflight.report.model import Remedy, Status
from preflight.text.sentences import noted, paragraph, say

LOST = ("oneway", "elsewhere", "refused", "dropped")
_BLIND = {
    "control": noted("A copy of this host's network did not carry packets, so its rules could not be tested."),
    "rules": noted("The firewall rules could not be copied completely, so they could not be tested."),
    "sysctls": noted("The kernel's network settings could not be copied, so the rules could not be tested."),
    "modules": noted("Docker has not loaded the kernel modules for published ports yet, so the rules were not tested."),
    "derivation": noted("Could not determine the rules that Docker would add for mailcow."),
    "memory": noted("There are too many firewall rules to test with the available memory."),
    "late": noted("There are too many firewall rules to test in the available time."),
    "": noted("The firewall rules could not be tested."),
}
_UNKNOWN = {
    "uncopied": noted("The packets reach a rule that could not be tested."),
    "sources": noted("The rules treat some Internet addresses differently, although no rule lists them."),
    "late": noted("There are too many firewall rules to test in the available time."),
    "queue": noted("A rule passes the packets to a program (NFQUEUE), which decides."),
    "interface": noted(
        "The address is on an interface without a default route, so the interface of incoming connections is not known."
    ),
    "": noted("No test packet gave a result."),
}


def status(journey: Journey) -> Status:
    """Judge what became of a packet."""
    if journey.verdict == "delivered":
        return Status.PASS
    return Status.FAIL if journey.verdict in (*LOST, "proxy") else Status.UNKNOWN


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst of some statuses."""
    order = (Status.FAIL, Status.UNKNOWN, Status.PASS)
    return min(statuses, key=order.index)


def undecided(twin: Twin, journey: Journey) -> str:
    """Return why it is not known what becomes of a packet, in sentences."""
    if journey.depends == ("order",):
        return say("The result depends on whether the ip_tables or the nf_tables rules come first, which is not known.")
    if journey.depends == ("neighbours",):
        return say(
            "A rule blocks neighbor discovery: IPv6 works only while hardware addresses are cached. New ones cannot "
            "be queried."
        )
    if journey.reason != "sources" and journey.depends:
        return say("The result depends on rule conditions that change: {names}.", names=", ".join(journey.depends))
    return paragraph(say(_UNKNOWN[journey.reason]), *_uncopied(twin, journey))


def _uncopied(twin: Twin, journey: Journey) -> Iterable[str]:
    if journey.reason != "uncopied":
        return
    where = journey.culprit
    for one in twin.uncopied:
        if where is None or (one.table.rpartition(" ")[2], one.chain) == (where.table, where.chain):
            yield _of(one)
            return


def _of(one: Uncopied) -> str:
    if one.chain and one.what:
        return say(
            "It is in the {chain} chain of the {table} table and uses {what}.",
            chain=one.chain,
            table=one.table,
            what=one.what,
        )
    if one.chain:
        return say("It is in the {chain} chain of the {table} table.", chain=one.chain, table=one.table)
    return say("It uses {table}.", table=one.table)


def blind(look: Look, family: Family) -> str:
    """Return why a family could not be judged; ends the check where that is the engine's absence."""
    if family.doubt == "derivation":
        require(look.host.engine)  # without one nothing can be derived, and that is told as its absence
        if engine_rules.told(look):
            return say("Docker's own rules are missing on this host (see firewall.backend).")
    return say(_BLIND[family.doubt])


def help_for(look: Look, doubt: str) -> Remedy:
    """Say what would make a verdict known."""
    match doubt:
        case "derivation" if engine_rules.told(look):
            return ways.restart(look)
        case "modules":
            return Remedy(say("Start a container with a published port once, then run this check again."))
        case "derivation":
            return Remedy(say("Start mailcow, then run this check again. Docker's own rules are then tested."))
        case "control" | "sysctls" if look.host.view.container:
            return rights.more(look.host)
        case "control" | "sysctls":
            return Remedy(say("Run the check as root, outside a container."))
        case "late" | "memory":
            return Remedy(say("Run this check again with a longer --timeout."), place="docker-run")
    return Remedy(say("Try a connection from another machine once mailcow is running."))


def evidence(journey: Journey, neighbour: Journey | None, case: Case | None, ends: tuple[str, str]) -> FamilyEvidence:
    """Return what became of a packet, for the report; `ends`: the interfaces that it comes in and should leave by."""
    culprit = journey.culprit
    return FamilyEvidence(
        verdict=journey.verdict,
        way=way(journey, ends),
        table=_table(culprit),
        chain=_chain(culprit),
        handle=_number(culprit),
        rule=_rule(culprit),
        counter=culprit.counter if culprit else None,
        owner=(case.owner or None) if case else None,
        depends=journey.depends,
        lan=_lan(neighbour) if neighbour else None,
    )


def _lan(journey: Journey) -> LanEvidence:
    culprit = journey.culprit
    return LanEvidence(
        verdict=journey.verdict,
        table=_table(culprit),
        chain=_chain(culprit),
        handle=_number(culprit),
        rule=_rule(culprit),
    )


def way(journey: Journey, ends: tuple[str, str]) -> tuple[str, ...]:
    """Return where a packet came in, which chains it passed, and where it left, if it did."""
    steps = [" ".join((step.hook, step.table, step.chain, step.verdict)) for step in journey.steps]
    start, end = ends
    return tuple(filter(None, (start, *steps, end if journey.verdict in ("delivered", "oneway") else "")))


def _table(culprit: Culprit | None) -> str | None:
    return (culprits.table_name(culprit) or None) if culprit else None


def _chain(culprit: Culprit | None) -> str | None:
    return (culprit.chain or None) if culprit else None


def _number(culprit: Culprit | None) -> int | None:
    if culprit is None:
        return None
    return culprit.number if culprit.handle is None else culprit.handle


def _rule(culprit: Culprit | None) -> str | None:
    return (culprit.rule or None) if culprit else None
