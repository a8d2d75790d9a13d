"""What every check of the DNS needs: an answer that settles a question, zone lines, and a finding made of them."""

from __future__ import annotations

from collections.abc import Iterable

from preflight import addresses
from preflight.checks import Look
from preflight.facts import Answer, Missing, MissingFact
from preflight.hostnames import bare
from preflight.model import Finding, Remedy, Status
from preflight.sentences import noted, paragraph, phrase, say

SETTLED = ("NOERROR", "NXDOMAIN")
BEHIND_NAT = noted("Give the address that the world sees with --public-ip.")
_TTL = 3600


def no_hostname() -> MissingFact:
    """Make what ends a check as skipped where there is no name to ask for."""
    return MissingFact(Missing("skip", say("No --hostname was given.")), "")


def fqdn(look: Look) -> str:
    """Return the future mail host's name; the check is skipped where there is none."""
    if not look.plan.fqdn:
        raise no_hostname()
    return look.plan.fqdn


def domains(look: Look) -> tuple[str, ...]:
    """Return the mail domains; the check is skipped where there is no host name."""
    fqdn(look)
    return look.plan.domains


def unknown(reason: str, help: str) -> MissingFact:
    """Make what ends a check as unknown."""
    return MissingFact(Missing("unknown", reason, help), "DNS")


def settled(look: Look, name: str, kind: str) -> Answer:
    """Return an answer that settles the question: there is such a record, or there is none. Else raise."""
    answer = look.host.answers.get().get(f"{name}. {kind}")
    if answer is None:
        raise unknown(
            say("{name} was not asked for its {kind} record.", name=name, kind=kind),
            say("Name fewer domains and addresses at a time."),
        )
    if answer.rcode in SETTLED:
        return answer
    server = answer.server or "DNS"
    again = say("Run the check again, or name another server with --resolver.")
    if answer.rcode == "timeout":
        raise unknown(
            say("{server} did not answer when asked for {name} {kind}.", server=server, name=name, kind=kind), again
        )
    if answer.rcode == "error":
        raise unknown(
            say(
                "Asking {server} for {name} {kind} failed: {detail}.",
                server=server,
                name=name,
                kind=kind,
                detail=answer.detail,
            ),
            again,
        )
    help = say("Look at the zone's name servers and its DNSSEC signatures, or name another server with --resolver.")
    if answer.rcode == "REFUSED":
        help = say("Let the name server answer this host for this name, or name another server with --resolver.")
    raise unknown(
        say(
            "{server} answered {rcode} when asked for {name} {kind}.",
            server=server,
            rcode=answer.rcode,
            name=name,
            kind=kind,
        ),
        help,
    )


def known(look: Look, name: str, kind: str) -> Answer | None:
    """Return an answer that settles the question, None where there is no such answer."""
    answer = (look.host.answers.value or {}).get(f"{name}. {kind}") if look.host.answers.known else None
    return answer if answer and answer.rcode in SETTLED else None


def records(answer: Answer | None) -> tuple[str, ...]:
    """Return the addresses of an A or AAAA answer in their usual form; a strange record as it is."""
    return tuple(addresses.usual(record) or record for record in answer.records) if answer else ()


def alias(answer: Answer | None) -> str | None:
    """Return where the name leads, if it is a CNAME."""
    return bare(answer.alias) if answer and answer.alias else None


def line(name: str, kind: str, data: str) -> str:
    """Write a record as a line of a zone file, with absolute names."""
    return f"{name}. {_TTL} IN {kind} {data}"


def enter(zone: Iterable[str], before: str = "") -> Remedy:
    """Say which lines belong into the zone."""
    lines = list(zone)
    text = say("Enter these records at the provider of the zone: {lines}", lines=" · ".join(lines))
    if len(lines) == 1:
        text = say("Enter this record at the provider of the zone: {line}", line=lines[0])
    return Remedy(paragraph(before, text if lines else None))


def some(values: Iterable[str]) -> str:
    """List values for a sentence, not more than four; how many were left out stands behind them."""
    listed = [value[:120] for value in values]
    more = (f"… (+{len(listed) - 4})",) if len(listed) > 4 else ()
    return ", ".join((*listed[:4], *more))


def finding(
    status: Status,
    message: str,
    name: str,
    kind: str,
    *,
    expected: Iterable[str] = (),
    found: Iterable[str] = (),
    zone: Iterable[str] = (),
    remedy: Remedy | None = None,
) -> Finding:
    """Make a finding about the records of a name; missing zone lines are its remedy where no other is given."""
    wanted, there, missing = list(expected), list(found), list(zone)
    return Finding(
        status=status,
        message=message,
        expected=some(wanted) or None,
        found=some(there) or phrase("no data"),
        evidence={"name": name, "type": kind, "expected": wanted, "found": there, "zone": missing},
        remedy=remedy or (enter(missing) if missing and status is not Status.PASS else None),
    )
