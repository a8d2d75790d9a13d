"""DKIM keys: what their records say. Nothing is missing before mailcow has made a key."""

from __future__ import annotations

from preflight.checks import Look
from preflight.checks.dns.names import finding, of_registered, settled
from preflight.facts.records import Txt
from preflight.policies.dkim import Key, is_key, owner, parse
from preflight.report.model import Finding, Remedy, Status
from preflight.text.sentences import paragraph, say

LEAST, USUAL, MOST = 1024, 2048, 4096  # bits of RSA keys that receivers take (RFC 8301), and that they should have


def judge(look: Look, domain: str) -> Finding:
    """Judge a domain's DKIM record."""
    of_registered(look, domain)
    name = owner(look.host.asked.selector, domain)
    texts = [record.text for record in settled(look, name, "TXT").of(Txt)]
    keys = [text for text in texts if is_key(text)]
    values = {"name": name, "domain": domain}
    if not keys:
        message = say("{name} has no DKIM key yet. mailcow creates the key when {domain} is added.", **values)
        return finding(Status.PASS, message, name, "TXT", found=texts)
    if len(keys) > 1:
        message = say("{name} has several DKIM records, and receivers may use any of them.", **values)
        remedy = Remedy(say("Keep the record that mailcow shows, and remove the others."), place="dns", when="last")
        return finding(Status.WARN, message, name, "TXT", found=texts, remedy=remedy)
    key = parse(keys[0])
    if fault := _fault(key, values):
        text = say("Once mailcow runs, replace the record of {name} with the one that mailcow shows.", **values)
        return finding(Status.WARN, fault, name, "TXT", found=texts, remedy=Remedy(text, place="dns", when="last"))
    return finding(Status.PASS, _good(key, values), name, "TXT", found=texts)


def _fault(key: Key, values: dict[str, str]) -> str | None:
    """Say why receivers take no signature by a key; None where they do."""
    match key.fault:
        case "revoked":
            return say("The DKIM key of {name} is revoked: p= is empty.", **values)
        case "no-key":
            return say("The DKIM record of {name} has no key: p= is missing.", **values)
        case "base64" | "key":
            return say("The DKIM key of {name} is damaged and cannot be read.", **values)
        case "syntax":
            return say("The DKIM record of {name} is not a valid list of tags. Receivers ignore it.", **values)
        case "version":
            return say("The DKIM record of {name} does not begin with v=DKIM1.", **values)
        case "kind":
            return say(
                "The DKIM key of {name} has the type {kind}, which receivers do not support.", kind=key.kind, **values
            )
        case "hash":
            return say("The DKIM record of {name} does not allow sha256, so receivers accept no signatures.", **values)
        case "service":
            return say("The DKIM key of {name} is not for mail: s= lists other services.", **values)
        case _ if key.kind == "rsa" and key.bits < LEAST:
            return say("The DKIM key of {name} has only {bits} bits. Receivers ignore it.", bits=key.bits, **values)
        case _:
            return None


def _good(key: Key, values: dict[str, str]) -> str:
    if key.kind == "ed25519":
        message = say("{name} has a DKIM key (Ed25519).", **values)
        message = paragraph(message, say("Many receivers support only RSA keys."))
    else:
        message = say("{name} has a DKIM key (RSA, {bits} bits).", bits=key.bits, **values)
        if key.bits < USUAL:
            message = paragraph(message, say("Today, the usual key size is {usual} bits.", usual=USUAL))
        elif key.bits > MOST:
            message = paragraph(message, say("Receivers may reject keys of more than {most} bits.", most=MOST))
    if key.testing:
        message = paragraph(message, say("It is marked as a test (t=y): receivers may ignore its signatures."))
    return message
