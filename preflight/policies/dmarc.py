"""DMARC records (RFC 9989): what one asks for, and which one counts for a domain, by a walk up the tree of names.

RFC 9989 obsoletes RFC 7489; a record that was valid by that is valid by this.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from msgspec import Struct

from preflight.facts import Answer
from preflight.facts.records import Txt
from preflight.net.hostnames import bare
from preflight.policies import tags

POLICIES = ("none", "quarantine", "reject")
REMOVED = ("pct", "rf", "ri")  # of RFC 7489, which RFC 9989 does not know any more
LABELS = 8  # names with as many go on with seven labels (RFC 9989, 4.10)
_VERSION = re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)")
_NEAR = re.compile(
    r"\s*(?:v\s*=\s*)?DMARC\s*1|.*;\s*v\s*=\s*DMARC1|\s*p\s*=\s*(?:none|quarantine|reject)", re.IGNORECASE | re.DOTALL
)
_ADDRESS = re.compile(r"mailto:([^@\s!,;]+)@([^@\s!,;/?]+)(?:![0-9]+[kmgt]?)?(?:\?.*)?", re.IGNORECASE)
_CHOICES = {"adkim": ("r", "s"), "aspf": ("r", "s"), "t": ("y", "n"), "psd": ("y", "n", "u")}

Question = tuple[str, str]


class Policy(Struct, frozen=True):
    """A record. `asked`: none, quarantine or reject; '' where it asks for nothing, as `p` is missing or wrong.

    `wrong`: tags whose value nobody understands. `report_hosts`: domains of the addresses that take reports.
    """

    text: str
    asked: str
    below: str  # of subdomains
    testing: bool
    public: Literal["", "y", "n", "u"]  # psd: whether the name is one below which everybody registers
    wrong: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    report_hosts: tuple[str, ...] = ()
    reports: bool = False  # at least one address takes aggregate reports


class Found(Struct, frozen=True):
    """The record that counts for a domain, and the domain that has it. `own`: what stands at the domain's own name."""

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


def texts(answer: Answer | None) -> tuple[str, ...]:
    """Return the DMARC records among an answer's texts; more than one count as none."""
    return tuple(record.text for record in answer.of(Txt) if _VERSION.match(record.text)) if answer else ()


def near(answer: Answer | None) -> tuple[str, ...]:
    """Return the texts that were meant to be DMARC records, and are none."""
    found = [record.text for record in answer.of(Txt)] if answer else []
    return tuple(text for text in found if not _VERSION.match(text) and _NEAR.match(text))


def parse(text: str) -> Policy:
    """Read a record; unknown tags are ignored, and so are values that nobody understands."""
    given = tags.read(text)
    words = {name: given.get(name, "").lower() for name in ("p", "sp", "np", *_CHOICES)}
    wrong: list[str] = [name for name in ("p", "sp", "np") if name in given and words[name] not in POLICIES]
    faulty = bool(wrong) or "p" not in given
    wrong += [name for name, choices in _CHOICES.items() if name in given and words[name] not in choices]
    hosts = dict.fromkeys(host for name in ("rua", "ruf") for host in _hosts(given.get(name, "")))
    reports = any(_hosts(given.get("rua", "")))
    asked = words["p"] if not faulty else "none" if reports else ""
    psd: Literal["", "y", "n", "u"] = words["psd"] if "psd" not in wrong else ""  # type: ignore[assignment]
    return Policy(
        text, asked, words["sp"] if not faulty and words["sp"] else asked, words["t"] == "y", psd,
        tuple(wrong), tuple(name for name in REMOVED if name in given), tuple(hosts), reports,
    )  # fmt: skip


def corrected(text: str) -> str:
    """Return a text as the record that it was meant to be; where no policy can be made out it asks for none."""
    plain = re.sub(r"(?i)\bDMARC\s*1\b[\s,]*(?!;)", "DMARC1; ", text, count=1)
    given = {name: value for name, value in tags.read(plain).items() if name not in ("v", *REMOVED)}
    for name in ("p", "sp", "np"):
        if name in given and given[name].lower() not in POLICIES:
            del given[name]
    policy = given.pop("p", "none").lower()
    return tags.write({"v": "DMARC1", "p": policy, **{name: given[name] for name in given if given[name]}})


def discover(known: Callable[[str, str], Answer | None], domain: str) -> Found | None:
    """Return the record that counts for a domain: its own, else that of the organization, else of the suffix."""
    found: list[Found] = []
    for name in names(domain):
        answer = known(owner(name), "TXT")
        if len(own := texts(answer)) != 1:
            continue
        one = Found(name, parse(own[0]))
        if name == domain:
            return one
        found.append(one)
        if one.policy.public in ("y", "n"):
            break
    if found and found[-1].policy.public == "y" and len(found) > 1:
        return _below(found[:-1], domain, found[-1])
    return found[-1] if found else None


def _below(found: list[Found], domain: str, suffix: Found) -> Found:
    """Return the record of the organization, one label below a public suffix; the suffix's where it has none."""
    count = suffix.at.count(".") + 2
    organization = ".".join(domain.split(".")[-count:])
    return next((one for one in found if one.at == organization), suffix)


def strangers(found: Found) -> tuple[str, ...]:
    """Return the hosts of other organizations that are to take reports, as far as names tell."""
    own = found.at
    hosts = found.policy.report_hosts
    return tuple(
        host for host in hosts if host != own and not host.endswith(f".{own}") and not own.endswith(f".{host}")
    )


def questions(known: Callable[[str, str], Answer | None], domain: str, most: int) -> Iterator[Question]:
    """Yield what is to be asked: the domain's own record, those above only if it has none, then others' consent."""
    yield owner(domain), "TXT"
    answer = known(owner(domain), "TXT")
    if answer is None:
        return
    if len(texts(answer)) != 1:
        yield from ((owner(name), "TXT") for name in names(domain)[1:])
    found = discover(known, domain)
    if found:
        yield from ((grant(found.at, host), "TXT") for host in strangers(found)[:most])


def consents(answer: Answer) -> bool:
    """Say whether an answer's records let reports come."""
    return any(re.match(r"v\s*=\s*DMARC1", record.text) for record in answer.of(Txt))


def _hosts(value: str) -> Iterable[str]:
    found = (_ADDRESS.fullmatch(one.strip()) for one in value.split(","))
    return [bare(match[2]) for match in found if match]
