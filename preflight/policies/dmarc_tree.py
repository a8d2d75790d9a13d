"""Which DMARC record counts for a domain, by a walk up its names (RFC 9989, 4.10), and who takes its reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from msgspec import Struct

from preflight.facts import Answer
from preflight.facts.records import Txt
from preflight.policies import tags
from preflight.policies.dmarc import Policy, hosts, is_record, parse, texts

LABELS = 8  # names with as many go on with seven labels (RFC 9989, 4.10)
SETTLED = ("NOERROR", "NXDOMAIN")

Known = Callable[[str, str], Answer | None]
Question = tuple[str, str]


class Found(Struct, frozen=True):
    """A record, and the domain that has it."""

    at: str
    policy: Policy


def names(domain: str) -> tuple[str, ...]:
    """Return the domains whose records are asked for, from the domain itself up to its top-level domain."""
    labels = domain.split(".")
    start = min(len(labels) - 1, LABELS - 1)
    return (domain, *(".".join(labels[-count:]) for count in range(start, 0, -1)))


def owner(domain: str) -> str:
    """Return the name that has a domain's record."""
    return f"_dmarc.{domain}"


def grant(domain: str, host: str) -> str:
    """Return the name by which a host agrees to take a domain's reports (RFC 9990, 4)."""
    return f"{domain}._report._dmarc.{host}"


def discover(known: Known, domain: str) -> Found | None:
    """Return the record that counts for a domain: its own, else that of the organization, else of the suffix."""
    found = list(_walk(known, names(domain)[:1])) or list(_walk(known, names(domain)[1:]))
    if len(found) > 1 and found[-1].policy.public == "y":
        organization = _below(found[-1].at, domain)
        return next((one for one in found if one.at == organization), found[-1])
    return found[-1] if found else None


def reached(known: Known, domain: str) -> Iterator[str]:
    """Yield the domains that a walk comes to: none is above a record that says where the organization ends."""
    for name in names(domain):
        yield name
        if any(one.policy.public in ("y", "n") for one in _walk(known, (name,))):
            return


def organization(known: Known, domain: str) -> str | None:
    """Return the organization's domain (RFC 9989, 4.10.2), None where an answer is lacking."""
    reach = tuple(reached(known, domain))
    answers = [known(owner(name), "TXT") for name in reach]
    if not all(answer and answer.rcode in SETTLED for answer in answers):
        return None
    found = list(_walk(known, reach))
    if not found:
        return domain
    last = found[-1]
    return _below(last.at, domain) if last.policy.public == "y" and last.at != domain else last.at


def _walk(known: Known, domains: tuple[str, ...]) -> Iterator[Found]:
    """Yield the records on the way up; of several at one name, none counts."""
    for name in domains:
        own = texts(known(owner(name), "TXT"))
        if len(own) != 1:
            continue
        policy = parse(own[0])
        yield Found(name, policy)
        if policy.public in ("y", "n"):
            return


def _below(suffix: str, domain: str) -> str:
    """Return the name one label below a suffix, of which a domain is a part."""
    return ".".join(domain.split(".")[-suffix.count(".") - 2 :])


def strangers(known: Known, found: Found) -> tuple[str, ...]:
    """Return the hosts of other organizations that are to take reports.

    Names without two labels in common are of two organizations. Of others a walk tells; without its answers they are
    taken as one.
    """
    return tuple(host for host in found.policy.report_hosts if _is_stranger(known, found.at, host))


def _is_stranger(known: Known, own: str, host: str) -> bool:
    if host == own:
        return False
    if not _related(own, host):
        return True
    both = organization(known, own), organization(known, host)
    return None not in both and both[0] != both[1]


def _related(own: str, host: str) -> bool:
    return own.split(".")[-2:] == host.split(".")[-2:]


def refusing(known: Known, found: Found) -> list[str]:
    """Return the hosts of other organizations that certainly do not agree to take reports."""
    answers = {host: known(grant(found.at, host), "TXT") for host in strangers(known, found)}
    return [host for host, one in answers.items() if one and one.rcode in SETTLED and not consents(one, host)]


def consents(answer: Answer, host: str) -> bool:
    """Say whether an answer's records let reports come; one that sends them on to another host does not."""
    agreed = [record.text for record in answer.of(Txt) if is_record(record.text)]
    return bool(agreed) and all(other == host for text in agreed for other in hosts(tags.read(text).get("rua", "")))


def questions(known: Known, domain: str, most: int) -> Iterator[Question]:
    """Yield what is to be asked: the domain's own record, those above only if it has none, then others' consent.

    most: hosts whose consent is asked for. Of hosts that may be the organization's own, two walks are asked for.
    """
    yield owner(domain), "TXT"
    answer = known(owner(domain), "TXT")
    if answer is None:
        return
    if len(texts(answer)) != 1:
        yield from ((owner(name), "TXT") for name in names(domain)[1:])
    if found := discover(known, domain):
        yield from ((owner(name), "TXT") for name in islice(_whose(found), 2 * LABELS))
        yield from ((grant(found.at, host), "TXT") for host in strangers(known, found)[:most])


def _whose(found: Found) -> Iterator[str]:
    """Yield the domains whose records tell whether hosts are of the organization."""
    related = [host for host in found.policy.report_hosts if host != found.at and _related(found.at, host)]
    yield from dict.fromkeys(name for one in (found.at, *related) if related for name in names(one))
