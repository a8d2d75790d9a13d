"""Where a domain's mail is delivered, and where the names lead that mail programs ask for.

A record that serves somebody today is replaced last, when mailcow runs: until then nobody would answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from preflight.checks import Look
from preflight.checks.dns import transport
from preflight.checks.dns.names import (
    addresses_of,
    alias,
    any_answer,
    enter,
    finding,
    fqdn,
    is_null,
    record,
    settled,
    settled_or_none,
    some,
    switch,
    those,
    typo,
)
from preflight.checks.dns.own_addresses import kind_of
from preflight.checks.findings import Outcome
from preflight.facts.records import Mx
from preflight.net.hostnames import bare
from preflight.report.model import DnsRecord, Finding, Remedy, Status
from preflight.text.sentences import paragraph, say


def delivery(look: Look, domain: str) -> Finding:
    """Judge a domain's MX records."""
    name = fqdn(look)
    if wrong := _own_typo(look, domain):
        correct = say("Correct --domain, or register the domain and enter its records.")
        return finding(Status.FAIL, wrong, domain, "MX", remedy=Remedy(correct, place="docker-run"))
    found = settled(look, domain, "MX").of(Mx)
    targets = _targets(found)
    expected = (f"10 {name}.",)
    entry = record(domain, "MX", expected[0])
    if not found:
        outcome = Outcome(Status.FAIL, say("{domain} has no MX record.", domain=domain), enter((entry,)))
    elif "" in targets:
        message = say("{domain} has a null MX record, which means that it accepts no mail.", domain=domain)
        nulls = those(domain, "MX", (str(one) for one in found if is_null(one)))
        remedy = enter(() if name in targets else (entry,), say("Remove the null MX record."), removes=nulls)
        outcome = Outcome(Status.FAIL, message, remedy)
    elif name in targets:
        outcome = _here(look, domain, targets)
    else:
        outcome = _elsewhere(look, domain, list(targets), entry, those(domain, "MX", map(str, found)))
    message = paragraph(outcome.message, transport.remarks(look, domain))
    return finding(
        outcome.status, message, domain, "MX", expected=expected, found=map(str, found), remedy=outcome.remedy
    )


def _own_typo(look: Look, domain: str) -> str | None:
    """Say that a domain does not exist, unless it is the host name's own, which dns.hostname has as its finding."""
    answer = any_answer(look, domain, "MX")
    host = any_answer(look, fqdn(look), "A")
    return typo(answer) if answer and (host is None or host.above != answer.above) else None


def _targets(found: Sequence[Mx]) -> dict[str, int]:
    """Return the hosts named, each with its lowest preference, in the records' order from the last to the first."""
    return {bare(record.exchange): record.preference for record in reversed(found)}


def _here(look: Look, domain: str, targets: dict[str, int]) -> Outcome:
    name = fqdn(look)
    others = [target for target in targets if target != name]
    if alias(settled_or_none(look, name, "A")):
        remedy = Remedy(say("Replace the CNAME record of {name} with address records.", name=name), place="dns")
        message = say(
            "Mail for {domain} goes to {name}, which is an alias. The target of an MX record must not be an alias.",
            domain=domain,
            name=name,
        )
        return Outcome(Status.FAIL, message, remedy)
    if not others:
        return Outcome(Status.PASS, say("Mail for {domain} goes to {name}.", domain=domain, name=name))
    values = {"domain": domain, "others": some(others), "name": name}
    message = say("Mail for {domain} also goes to {others}, not only to {name}.", **values)
    if min(targets[other] for other in others) < targets[name]:
        message = say("Mail for {domain} goes to {others} first, not only to {name}.", **values)
    text = say(
        "Leave the MX records that point to {others} until mailcow runs and you have tested it. Then remove them, "
        "unless those hosts relay mail to {name}.",
        **values,
    )
    return Outcome(Status.WARN, message, Remedy(text, place="dns", when="last"))


def _elsewhere(look: Look, domain: str, targets: list[str], entry: DnsRecord, found: tuple[DnsRecord, ...]) -> Outcome:
    """Warn, as that may serve somebody today; fail if it leads nowhere."""
    name = fqdn(look)
    values = {"domain": domain, "targets": some(targets), "name": name}
    here = set(addresses_of(settled_or_none(look, name, "A")))
    answers = [settled_or_none(look, target, "A") for target in targets]
    if all(a and a.records and not a.alias and set(addresses_of(a)) <= here for a in answers):
        message = say(
            "Mail for {domain} goes to {targets}, not to {name}, although the addresses are the same.", **values
        )
        return Outcome(Status.WARN, message, switch("MX", entry, found))
    if all(_is_nowhere(look, target) for target in targets):
        message = say("Mail for {domain} cannot be delivered: there is no address for {targets}.", **values)
        remove = say("Remove the MX records that point to {targets}.", **values)
        return Outcome(Status.FAIL, message, enter((entry,), remove, removes=found))
    message = say("Mail for {domain} goes to {targets} today.", **values)
    return Outcome(Status.WARN, message, switch("MX", entry, found))


def _is_nowhere(look: Look, target: str) -> bool:
    """Say whether a name certainly has no address."""
    answers = [settled_or_none(look, target, kind) for kind in ("A", "AAAA")]
    return all(answer is not None and not answer.records for answer in answers)


def served(look: Look, domain: str) -> bool:
    """Say whether a domain's mail goes elsewhere today."""
    answer = settled_or_none(look, domain, "MX")
    targets = _targets(answer.of(Mx)) if answer else {}
    return bool(set(targets) - {fqdn(look), ""}) and not all(_is_nowhere(look, target) for target in targets)


def for_programs(look: Look, domain: str, label: str) -> Finding:
    """Look whether a name is an alias of the host's, or has addresses of the host's and no others."""
    host, name = fqdn(look), f"{label}.{domain}"
    target = alias(settled(look, name, "A"))
    found: tuple[str, ...] = (f"{target}.",) if target else _both(look, name)
    expected = (f"{host}.",)
    if target == host or (_both(look, name) and set(_both(look, name)) <= set(_both(look, host))):
        message = say("{name} points to {host}.", name=name, host=host)
        return finding(Status.PASS, message, name, "CNAME", expected=expected, found=found)
    entry = record(name, "CNAME", f"{host}.")
    message, remedy = say("{name} has no record.", name=name), enter((entry,))
    if found:
        message = say("{name} points to {found} today, not to {host}.", name=name, found=some(found), host=host)
        remedy = switch("CNAME" if target else "A", entry, _there(name, target, found))
    elif served(look, domain):
        remedy = enter((entry,), when="last")
    return finding(Status.WARN, message, name, "CNAME", expected=expected, found=found, remedy=remedy)


def _there(name: str, target: str | None, found: tuple[str, ...]) -> tuple[DnsRecord, ...]:
    """Return the records that a name has in place of those of the host."""
    if target:
        return those(name, "CNAME", found)
    return tuple(record(name, kind_of(address), address) for address in found)


def _both(look: Look, name: str) -> tuple[str, ...]:
    return addresses_of(settled(look, name, "A")) + addresses_of(settled(look, name, "AAAA"))
