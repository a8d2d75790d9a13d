"""TLSA records of the host: which of them senders can use, and that none can fit before mailcow runs."""

from __future__ import annotations

from preflight.checks import Look
from preflight.checks.dns.names import finding, fqdn, of_registered_host, settled, some
from preflight.facts.records import Tlsa
from preflight.policies.tlsa import DIGESTS, fault, size
from preflight.report.model import Finding, Remedy, Status
from preflight.text.sentences import paragraph, say


def judge(look: Look, name: str) -> Finding:
    """Judge the TLSA records of the mail host's port 25."""
    of_registered_host(look)
    answer = settled(look, name, "TLSA")
    found = answer.of(Tlsa)
    texts = [str(one) for one in found]
    if not found:
        message = say("{name} has no TLSA record. None is needed before mailcow has its certificate.", name=name)
        return finding(Status.PASS, message, name, "TLSA")
    usable = [one for one in found if fault(one) is None]
    remarks = [_fault(name, one) for one in found if fault(one) is not None]
    if not answer.authentic:
        remarks.append(say("Senders ignore the TLSA records of {name}: DNSSEC does not confirm them.", name=name))
    elif usable and not look.plan.conf_present:
        remarks.append(
            say(
                "The TLSA records of {name} were created before mailcow and will not match its certificate. Servers "
                "that follow DANE will then deliver no mail to {host}.",
                name=name,
                host=fqdn(look),
            )
        )
    if not remarks:
        message = say("Senders can use the TLSA records of {name}: {found}.", name=name, found=some(texts))
        message = paragraph(message, say("They are not compared with mailcow's key."))
        return finding(Status.PASS, message, name, "TLSA", found=texts)
    remedy = Remedy(_advice(name, signed=answer.authentic), place="dns", when="last")
    return finding(Status.WARN, paragraph(*remarks), name, "TLSA", found=texts, remedy=remedy)


def _advice(name: str, *, signed: bool) -> str:
    """Say what is to be entered once mailcow has a key: 3 1 1, as its own DNS check proposes."""
    replace = say(
        "Once mailcow runs, replace the TLSA records of {name} with the one that mailcow's DNS check shows: 3 1 1 and "
        "the SHA-256 digest of its key.",
        name=name,
    )
    if signed:
        return replace
    sign = say("Sign the zone with DNSSEC, or remove the records.")
    other = say("If the zone is signed, set a validating name server with --resolver.")
    return paragraph(sign, other, replace)


def _fault(name: str, record: Tlsa) -> str:
    values = {"name": name, "record": str(record)[:40]}
    match fault(record):
        case "usage":
            return say(
                "Senders ignore the TLSA record {record} of {name}: for mail, its usage must be 2 or 3.", **values
            )
        case "selector":
            return say("Senders ignore the TLSA record {record} of {name}: its selector is not 0 or 1.", **values)
        case "matching":
            return say(
                "Senders ignore the TLSA record {record} of {name}: its matching type is not 0, 1 or 2.", **values
            )
        case "empty":
            return say("Senders ignore the TLSA record {record} of {name}: it has no data.", **values)
        case _:
            return say(
                "Senders ignore the TLSA record {record} of {name}: its digest has {size} bytes, not {right}.",
                size=size(record), right=DIGESTS[record.matching], **values,
            )  # fmt: skip
