"""Addresses that mailcow.conf names and this host does not have. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks import Look
from preflight.facts import ConfFile, Setting, require
from preflight.mailcow.conf.programs import SOURCES
from preflight.net.addresses import parse_address, version
from preflight.report.evidence.ports import AddressEvidence, ConfLineEvidence
from preflight.report.model import Finding, Remedy, Status
from preflight.text.sentences import phrase, say


def foreign(look: Look, findings: dict[str, Finding]) -> dict[str, str]:
    """Return the variables that name an address that the host should have, but for those that are wrong anyway."""
    wrong = {subject for subject, finding in findings.items() if finding.status is Status.FAIL}
    return {variable: address for variable, address in _named(look) if variable not in wrong}


def _named(look: Look) -> Iterator[tuple[str, str]]:
    """Yield the variables that name an address of the host, with it. Loopback addresses are always there."""
    named = [(wanted.bind or wanted.variable, row.address) for row in look.plan.bindings for wanted in row.published]
    for variable, text in (*named, *look.plan.sources):
        address = parse_address(text)
        if address is not None and not (address.is_loopback or address.is_unspecified or address.is_multicast):
            yield variable, str(address)


def stranger(look: Look, conf: ConfFile, variable: str, address: str) -> Finding | None:
    """Complain of an address that the host does not have. One that could be bound is at most worth a remark."""
    tried = {row.outcome for row in look.host.binds.or_(()) if row.address == address}
    if not tried:
        require(look.host.links)
    known = look.host.links.or_(())
    if any(entry.address == address for link in known for entry in link.addresses):
        return None
    if tried & {"free", "EADDRINUSE"}:  # the kernel looks at the address first
        return _elsewhere(variable, address)
    setting = conf.settings.get(variable, Setting("", 0))
    values = {"variable": variable, "address": address, "path": conf.path, "line": setting.line}
    message = say(
        "{variable} names {address}, which this host does not have ({path}, line {line}): 'cannot assign requested"
        " address'.",
        **values,
    )
    if variable in SOURCES:
        message = say(
            "{variable} names {address}, which this host does not have ({path}, line {line}): replies would not reach "
            "mailcow.",
            **values,
        )
    return Finding(
        status=Status.FAIL,
        subject=variable,
        message=message,
        expected=phrase("an address of this host"),
        found=address,
        evidence=ConfLineEvidence(path=conf.path, line=setting.line, value=setting.value),
        remedy=Remedy(_own(look, variable, address), ("ip -brief address",), place="mailcow.conf"),
    )


def _elsewhere(variable: str, address: str) -> Finding:
    return Finding(
        status=Status.PASS,
        subject=variable,
        message=say(
            "{variable} names {address}. No interface has this address now, but the kernel lets programs use it, as "
            "on a failover host.",
            variable=variable,
            address=address,
        ),
        expected=phrase("an address of this host"),
        found=address,
        evidence=AddressEvidence(address=address),
    )


def _own(look: Look, variable: str, address: str) -> str:
    """Say which line to write without the address, and where the host has just one such address, that."""
    if variable in SOURCES:
        line = f"{variable}=n"
    else:
        wanted = next(
            row for entry in look.plan.bindings for row in entry.published if variable in (row.bind, row.variable)
        )
        line = f"{variable}=" if variable == wanted.bind else wanted.default
    own = [
        entry.address
        for link in look.host.links.or_(()) for entry in link.addresses
        if entry.scope == "global" and version(entry.address) == version(address)
    ]  # fmt: skip
    if len(own) == 1:
        return say(
            "Set {line} in mailcow.conf, or replace {address} with {own}.", line=line, own=own[0], address=address
        )
    return say("Set {line} in mailcow.conf, or use an address of this host.", line=line)
