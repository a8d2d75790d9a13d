"""SRV records of a domain's services: whether they lead to this host and its ports, or say that there is none."""

from __future__ import annotations

from collections.abc import Sequence

from preflight.checks import Look
from preflight.checks.dns.deliveries import served
from preflight.checks.dns.names import enter, finding, fqdn, of_registered, record, settled, some, text_record
from preflight.checks.findings import Outcome
from preflight.facts import Missing, MissingFact, absolute
from preflight.facts.records import Srv, Txt
from preflight.mailcow.services import PRIORITY, WEIGHT, Announced
from preflight.net.hostnames import bare
from preflight.report.model import DnsRecord, Finding, Remedy, Status, When
from preflight.text.sentences import paragraph, say


def judge(look: Look, service: Announced, domain: str) -> Finding:
    """Judge the records of one service of a domain."""
    of_registered(look, domain)
    if service.path and look.plan.skip_sogo:
        reason = say("SKIP_SOGO is on, so mailcow has no calendars or address books.")
        raise MissingFact(Missing("skip", reason), "mailcow.conf")
    name = service.owner(domain)
    found = settled(look, name, "SRV").of(Srv)
    wanted = Srv(PRIORITY, WEIGHT, _ports(look, service)[0], absolute(fqdn(look)))
    outcome = _judged(look, service, domain, found, wanted)
    return finding(
        outcome.status, outcome.message, name, "SRV", expected=(str(wanted),), found=map(str, found),
        remedy=outcome.remedy,
    )  # fmt: skip


def _ports(look: Look, service: Announced) -> tuple[int, ...]:
    """Return the ports that a record may name, the one to enter first.

    A web server in front of mailcow has the usual port, wherever HTTPS_PORT moves mailcow's own.
    """
    bindings = look.plan.bindings
    bound = [one.port for one in bindings if any(each.variable == service.variable for each in one.published)]
    return (service.port, *bound) if service.variable == "HTTPS_PORT" else tuple(bound)


def _judged(look: Look, service: Announced, domain: str, found: Sequence[Srv], wanted: Srv) -> Outcome:
    name, host = service.owner(domain), fqdn(look)
    targets = dict.fromkeys(bare(one.target) for one in found)
    if tuple(targets) == ("",):
        return Outcome(Status.PASS, say("{name} says that the service is not provided.", name=name))
    entries = (record(name, "SRV", str(wanted)), *_lacking(look, service, domain))
    if not found:
        return _none(look, domain, name, entries)
    others = tuple(target for target in targets if target not in ("", host))
    if host not in targets:
        return _elsewhere(domain, name, host, others, entries)
    ports = [one.port for one in found if bare(one.target) == host]
    if not set(ports) & set(_ports(look, service)):
        values = {"name": name, "host": host, "found": ports[0], "port": wanted.port}
        message = say("{name} points to port {found} of {host}. mailcow uses port {port}.", **values)
        return Outcome(Status.WARN, message, _replace(name, entries, when="last" if others else "now"))
    if len(targets) > 1:
        return _also(name, host, others)
    return _good(service, name, host, entries[1:])


def _also(name: str, host: str, others: tuple[str, ...]) -> Outcome:
    values = {"name": name, "host": host, "others": some(others)}
    if not others:
        message = say("{name} points to {host}, but also says that the service is not provided.", **values)
        remove = say("Remove the SRV record of {name} that has a dot as its target.", **values)
        return Outcome(Status.WARN, message, Remedy(remove, place="dns"))
    message = say("{name} points to {host}, but also to {others}.", **values)
    text = say("Once mailcow runs and you have tested it, remove the SRV records of {name} that point to {others}.",
               **values)  # fmt: skip
    return Outcome(Status.WARN, message, Remedy(text, place="dns", when="last"))


def _good(service: Announced, name: str, host: str, lacking: tuple[DnsRecord, ...]) -> Outcome:
    values = {"name": name, "host": host, "path": service.path}
    if not lacking:
        return Outcome(Status.PASS, say("{name} points to {host}.", **values))
    message = say("{name} points to {host}, but has no TXT record with the path {path}.", **values)
    others = say("Remove TXT records of {name} with another path.", **values)
    return Outcome(Status.WARN, message, enter(lacking, others))


def _none(look: Look, domain: str, name: str, entries: tuple[DnsRecord, ...]) -> Outcome:
    message = say("{name} has no SRV record.", name=name)
    if not served(look, domain):
        return Outcome(Status.WARN, message, enter(entries))
    return Outcome(Status.WARN, message, enter(entries, when="last"))


def _elsewhere(domain: str, name: str, host: str, targets: tuple[str, ...], entries: tuple[DnsRecord, ...]) -> Outcome:
    if targets == (f"{host}.{domain}",):
        message = say(
            "{name} points to {target}: the trailing dot is missing in its zone.", name=name, target=targets[0]
        )
        return Outcome(Status.WARN, message, _replace(name, entries))
    message = say("{name} points to {targets} today, not to {host}.", name=name, targets=some(targets), host=host)
    leave = say("Leave the SRV record of {name} as it is until mailcow runs and you have tested it.", name=name)
    return Outcome(Status.WARN, message, _replace(name, entries, leave, when="last"))


def _replace(name: str, entries: tuple[DnsRecord, ...], before: str | None = None, when: When = "now") -> Remedy:
    lines = " · ".join(entry.line for entry in entries)
    text = say(
        "Replace the SRV record of {name}. The zone must then contain these lines: {lines}", name=name, lines=lines
    )
    return Remedy(paragraph(before, text), place="dns", when=when, records=entries)


def _lacking(look: Look, service: Announced, domain: str) -> tuple[DnsRecord, ...]:
    """Return the TXT record with the path, where that is needed and not there (RFC 6764, 4)."""
    if not service.path:
        return ()
    name = service.owner(domain)
    texts = [text for one in settled(look, name, "TXT").of(Txt) for text in one.strings]
    paths = [text.partition("=")[2] for text in texts if text.lower().startswith("path=")]
    if any(path.rstrip("/") == service.path.rstrip("/") for path in paths):
        return ()
    return (text_record(name, f"path={service.path}"),)
