"""CAA records: whether Let's Encrypt may issue mailcow's certificate, and whether mailcow asks it to."""

from __future__ import annotations

from preflight.checks import Look
from preflight.checks.dns.caa_sets import Relevant, cause, others, relevant
from preflight.checks.dns.names import enter, finding, fqdn, of_registered_host, record, some, undetermined
from preflight.facts import Missing, MissingFact
from preflight.net.hostnames import registrable
from preflight.policies.caa import AUTHORITY, Refusal, issuing, refusal, unknown_critical
from preflight.report.model import DnsRecord, Finding, Remedy, Status
from preflight.text.sentences import paragraph, say

VALUE = f'0 issue "{AUTHORITY}"'


def subjects(look: Look) -> tuple[str, ...]:
    """Return the host's name, and of the certificate's further names the first one for each other cause."""
    host = fqdn(look)
    if not is_unasked(look):
        found = {cause(look, name): name for name in reversed((host, *others(look)))}
        told = {("", ""), cause(look, host)}
        return (host, *(name for key, name in reversed(found.items()) if key not in told))
    return (host,)


def is_unasked(look: Look) -> bool:
    """Say whether mailcow asks Let's Encrypt for nothing, so that no record is looked at."""
    return look.plan.certificate.skipped or look.plan.certificate.elsewhere


def questions(name: str) -> tuple[tuple[str, str], ...]:
    """Return the questions for the records of a name and of those above it, which count where it has none."""
    labels = name.split(".")
    return tuple((".".join(labels[start:]), "CAA") for start in range(max(1, len(labels) - 1)))


def judge(look: Look, name: str) -> Finding:
    """Judge the records that count for a name of the certificate."""
    certificate = look.plan.certificate
    if certificate.skipped:
        raise _skip(say("SKIP_LETS_ENCRYPT is on, so mailcow requests no certificate."))
    if certificate.elsewhere:
        raise _skip(say("DIRECTORY_URL names a certificate authority other than Let's Encrypt."))
    of_registered_host(look)
    found = relevant(look, name)
    why = refusal(found.records, certificate.method)
    if why == "account" and look.plan.conf_present and not found.above:
        reason = say("The CAA records of {at} allow only one account. mailcow's account is not known.", at=found.at)
        help = say("Compare accounturi with mailcow's account in data/assets/ssl/acme.")
        raise undetermined(reason, help, place="dns")
    if why is None and not found.above:
        return _found(Status.PASS, _good(look, name, found), name, found)
    return _found(
        _status(look, name, found),
        _wrong(look, name, found, why),
        name,
        found,
        _remedy(name, found, why, certificate.method),
    )


def _skip(reason: str) -> MissingFact:
    return MissingFact(Missing("skip", reason), "mailcow.conf")


def _found(status: Status, message: str, name: str, found: Relevant, remedy: Remedy | None = None) -> Finding:
    texts = [str(one) for one in found.records]
    return finding(status, message, found.at or name, "CAA", expected=(VALUE,), found=texts, remedy=remedy)


def _good(look: Look, name: str, found: Relevant) -> str:
    same = [one for one in others(look) if cause(look, one) == cause(look, name)] if name == fqdn(look) else []
    names = some(dict.fromkeys((name, *same)))
    if not found.at:
        return say("No CAA record prevents Let's Encrypt from issuing a certificate for {names}.", names=names)
    return say(
        "The CAA records of {at} allow Let's Encrypt to issue a certificate for {names}.", at=found.at, names=names
    )


def _status(look: Look, name: str, found: Relevant) -> Status:
    """Fail where mailcow's own name gets no certificate: one that is asked for in vain takes all others with it."""
    alone = name != fqdn(look) and (found.above or look.plan.certificate.apart)
    return Status.WARN if alone else Status.FAIL


def _wrong(look: Look, name: str, found: Relevant, why: Refusal | None) -> str:
    """Say what keeps the name out of a certificate, and whom that concerns besides."""
    values = {"name": name, "above": found.above, "host": fqdn(look)}
    told = _refused(look, name, found, why) if why else ""
    if found.above and (not why or found.above != found.at):
        unasked = say(
            "mailcow requests no certificate for {name}, because the CAA records of {above} do not allow Let's "
            "Encrypt.",
            **values,
        )
        return paragraph(told, unasked)
    if _status(look, name, found) is Status.FAIL and name != fqdn(look):
        return paragraph(
            told, say("mailcow uses one certificate for all names, so {host} does not get one either.", **values)
        )
    return told


def _refused(look: Look, name: str, found: Relevant, why: Refusal) -> str:
    """Say why Let's Encrypt issues nothing."""
    properties = issuing(found.records)
    values = {"at": found.at, "name": name}
    match why:
        case "critical":
            tags = some(one.tag for one in unknown_critical(found.records))
            return say(
                "Let's Encrypt issues no certificate for {name}, because it does not know {tags}, which the CAA "
                "records of {at} mark as critical.",
                tags=tags,
                **values,
            )
        case "nobody":
            return say("The CAA records of {at} forbid all certificates for {name}.", **values)
        case "others":
            authorities = some(dict.fromkeys(one.authority for one in properties if one.authority))
            return say(
                "The CAA records of {at} allow only {authorities} to issue certificates for {name}, not Let's Encrypt.",
                authorities=authorities,
                **values,
            )
        case "case":
            written = some(one.authority for one in properties if one.authority.lower().rstrip(".") == AUTHORITY)
            return say(
                "The CAA records of {at} name {written}. Let's Encrypt accepts only the exact spelling {right}.",
                written=written,
                right=AUTHORITY,
                **values,
            )
        case "account":
            return say(
                "The CAA records of {at} allow only one Let's Encrypt account. mailcow will create a new account.",
                **values,
            )
        case "method":
            method = look.plan.certificate.method
            return say(
                "The CAA records of {at} do not allow the validation method that mailcow uses: {method}.",
                method=method,
                **values,
            )
        case _:
            return say("Let's Encrypt cannot read the CAA record of {at} that names it.", **values)


def _remedy(name: str, found: Relevant, why: Refusal | None, method: str) -> Remedy:
    """Let Let's Encrypt in beside those that are: where one record does, what the others say does no harm."""
    text = ""
    closed = why is not None
    if why == "critical":
        unknown = unknown_critical(found.records)
        text = say(
            "Remove {tags} from the CAA records of {at}, or clear the critical flag there.",
            tags=some(one.tag for one in unknown),
            at=found.at,
        )
        closed = refusal(tuple(one for one in found.records if one not in unknown), method) is not None
    elif why == "account":
        text = say("Once mailcow has its account, you can bind the new record to that account.")
    places = dict.fromkeys((*((found.at,) if closed else ()), *filter(None, (found.above,))))
    return enter(tuple(_entry(name, at) for at in places), text)


def _entry(name: str, at: str) -> DnsRecord:
    """Make the record; where nobody but a registry could enter it, it goes below."""
    return record(at if registrable(at) else registrable(name) or name, "CAA", VALUE)
