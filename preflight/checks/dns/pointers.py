"""Reverse names of the addresses that mail is sent from."""

from __future__ import annotations

import shlex

from msgspec import UNSET

from preflight.checks import Look
from preflight.checks.dns.names import (
    BEHIND_NAT,
    addresses_of,
    enter,
    finding,
    fqdn,
    record,
    settled_or_none,
    some,
    those,
    undetermined,
)
from preflight.checks.dns.own_addresses import VERSIONS, kind_of, public
from preflight.facts import MissingFact, require
from preflight.mailcow.conf.programs import source_variable
from preflight.net import addresses
from preflight.packets import routing
from preflight.report.model import Finding, Remedy, Setting, Status, When
from preflight.text.sentences import paragraph, say


def sending(look: Look) -> tuple[str, ...]:
    """Name the addresses whose PTR counts: those given, those of the name, and the one that mail is sent from."""
    links = look.host.links
    fqdn(look)
    if not look.vouched and not links.known:
        require(look.host.answers, links)
    chosen: list[str] = []
    for kind, version in VERSIONS.items():
        chosen += _of_version(look, kind, version)
    if not chosen:
        require(look.host.answers)
        raise undetermined(
            say("This host has no public address, so the address that it sends from is not known."),
            say(BEHIND_NAT),
        )
    return tuple(dict.fromkeys(chosen))


def _of_version(look: Look, kind: str, version: int) -> list[str]:
    public = list(addresses.public(look.vouched, look.host.links.or_(()), version))
    given = addresses.of_version(look.vouched, version)
    if not given and version == 6 and not look.plan.ipv6:
        return []
    sender = _sender(look, version)
    if given and not set(given) & set(addresses.host_addresses(look.host.links.or_(()), version)):
        sender = None  # NAT beyond this host gives mail the address that the user named
    named = public if given else [one for one in public if one in addresses_of(settled_or_none(look, fqdn(look), kind))]
    return [*named, sender] if sender else named or public


def _sender(look: Look, version: int) -> str | None:
    """Return the public address that mail leaves with; None: it is not known, or somebody else's NAT decides."""
    told = dict(look.plan.sources).get(source_variable(version))
    try:
        network = look.plan.ipv4_network if version == 4 else look.plan.ipv6_network
        found = told or routing.sent_from(look.host, version, network)
    except MissingFact:
        return None
    usual = addresses.usual(found) if found else None
    return usual if usual and addresses.is_public(usual) else None


def wrong_reverse(look: Look, address: str, pointer: str, names: tuple[str, ...]) -> Finding:
    """Fail: the address has another reverse name, or none."""
    name = fqdn(look)
    message = say(
        "Reverse DNS (PTR) for {address} gives {names}, not {name}.",
        address=address,
        names=some(names),
        name=name,
    )
    if not names:
        message = say("{address} has no reverse DNS (PTR) record.", address=address)
    entry = record(pointer, "PTR", f"{name}.")
    text = say("Set the reverse DNS (PTR) record to {name} at your hosting provider.", name=name)
    wrong = those(pointer, "PTR", (f"{one}." for one in names))
    remedy = Remedy(text, place="provider", records=(entry,), removes=wrong or UNSET)
    if other := _better(look, address):
        message = paragraph(message, say("Mail is sent from this address, but {name} resolves to {other}.",
                                         name=name, other=other))  # fmt: skip
        remedy = _send_from(look, other)
    found = [f"{other}." for other in names]
    expected = (f"{name}.",)
    return finding(Status.FAIL, message, pointer, "PTR", expected=expected, found=found, remedy=remedy)


def loose(look: Look, address: str, kind: str, forward: tuple[str, ...]) -> Finding:
    """Fail: the reverse name is right, but does not lead back."""
    name = fqdn(look)
    message = say(
        "The reverse DNS (PTR) record of {address} is {name}, but {name} does not resolve to {address}.",
        address=address,
        name=name,
    )
    remedy = enter((record(name, kind, address),))
    if other := _better(look, address):
        remedy = _send_from(look, other)
    elif look.told_by("dns.address") and _is_told(look, kind, forward):
        text = say("Correct the {kind} records of {name} first: see dns.address.", kind=kind, name=name)
        remedy = Remedy(text, place="dns")
    return finding(Status.FAIL, message, name, kind, expected=(address,), found=forward, remedy=remedy)


def _is_told(look: Look, kind: str, forward: tuple[str, ...]) -> bool:
    """Say whether dns.address fails for the same cause: no A record, or one that leads elsewhere."""
    own = public(look, VERSIONS[kind])
    return bool(own) and ((kind == "A" and not forward) or any(one not in own for one in forward))


def _better(look: Look, address: str) -> str | None:
    """Return another address of the host that the name leads to, if mail is sent from this one, which it does not.

    It has to be one of the same uplink, or of none: another provider's would be dropped on this way.
    """
    kind, version = kind_of(address), addresses.version(address)
    named = addresses_of(settled_or_none(look, fqdn(look), kind))
    if address in named or address != _sender(look, version):
        return None
    links = look.host.links.or_(())
    uplinks = {link.name for link in links if address in addresses.host_addresses((link,), version)}
    near = [link for link in links if link.name in uplinks or link.name.startswith(("lo", "dummy"))]
    own = addresses.host_addresses(near, version)
    return next((one for one in own if one in named and addresses.is_public(one)), None)


def _send_from(look: Look, address: str) -> Remedy:
    """Let mailcow's mail leave with an address of the host that has the right names."""
    variable = source_variable(addresses.version(address))
    path = look.plan.conf_path
    text = say(
        "Set {variable}={address} in {path}. Mail is then sent from the address of the mail host's name.",
        variable=variable,
        address=address,
        path=path,
    )
    where = shlex.quote(path)
    commands = (
        f"sed -i '/^#\\?{variable}=/d' {where}",
        f"printf '\\n%s\\n' {variable}={address} >> {where}",
    )
    lines = (Setting(variable, address),)
    when: When = "now" if look.plan.conf_present else "cloned"
    return Remedy(text, commands, place="mailcow.conf", when=when, settings=lines)


def good_reverse(look: Look, address: str, pointer: str, names: tuple[str, ...]) -> Finding:
    """Pass; warn where the address has further reverse names that do not lead back: a receiver may look at any."""
    name, kind = fqdn(look), kind_of(address)
    others = [other for other in names if other != name]
    answers = {other: settled_or_none(look, other, kind) for other in others}
    loose = [other for other, answer in answers.items() if answer and address not in addresses_of(answer)]
    found = [f"{one}." for one in names]
    expected = (f"{name}.",)
    if loose:
        message = say(
            "{address} has other PTR records besides {name}. These do not resolve back to it: {loose}.",
            address=address,
            name=name,
            loose=some(loose),
        )
        text = say("Keep {name} as the only PTR record of {address}.", name=name, address=address)
        remedy = Remedy(text, place="provider", removes=those(pointer, "PTR", (f"{one}." for one in loose)))
        return finding(Status.WARN, message, pointer, "PTR", expected=expected, found=found, remedy=remedy)
    message = say(
        "The reverse DNS (PTR) record of {address} is {name}, which resolves back to it.", address=address, name=name
    )
    if others:
        message = paragraph(message, say("The address also has these PTR records: {names}.", names=some(others)))
    return finding(Status.PASS, message, pointer, "PTR", expected=expected, found=found)
