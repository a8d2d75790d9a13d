"""DMARC records (RFC 9989): which texts are one, and what it asks for.

RFC 9989 obsoletes RFC 7489; a record that was valid by that is valid by this.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from preflight.facts import Answer
from preflight.facts.records import Txt
from preflight.net.hostnames import bare
from preflight.policies import tags

POLICIES = ("none", "quarantine", "reject")
REMOVED = ("pct", "rf", "ri")  # of RFC 7489, which RFC 9989 does not know any more
# The value alone is case-sensitive (RFC 9989, 4.8).
_VERSION = re.compile(r"[vV][ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_NEAR = re.compile(
    r"\s*(?:v\s*=\s*)?DMARC\s*1|.*;\s*v\s*=\s*DMARC1|\s*p\s*=\s*(?:none|quarantine|reject)", re.IGNORECASE | re.DOTALL
)
_SIZE = r"(?:![0-9]+[kmgt]?)?"  # obsolete, and to be ignored
_ADDRESS = re.compile(rf"mailto:([^@\s!,;]+)@([^@\s!,;/?]+){_SIZE}(?:\?.*)?", re.IGNORECASE)
_OTHER = re.compile(rf"(?!mailto:)[a-z][a-z0-9+.-]*:[^\s!,;]+{_SIZE}", re.IGNORECASE)  # no receiver has to know it
_CHOICES = {"adkim": ("r", "s"), "aspf": ("r", "s"), "t": ("y", "n"), "psd": ("y", "n", "u")}


class Policy(Struct, frozen=True):
    """A record. `asked`: none, quarantine or reject; '' where it asks for nothing, as `p` is missing or wrong.

    `wrong`: tags whose value nobody understands. `repeated`: tags that are there twice, for which receivers may ignore
    the record. `report_hosts`: domains of the addresses that take reports.
    """

    text: str
    asked: str
    below: str  # of subdomains that exist; `np` is for others, and a mail domain exists
    testing: bool
    public: Literal["", "y", "n", "u"]  # psd: whether the name is one below which everybody registers
    wrong: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    report_hosts: tuple[str, ...] = ()


def is_record(text: str) -> bool:
    """Say whether a text is a DMARC record: its first tag names the version (RFC 9989, 4.7)."""
    return _VERSION.match(text) is not None


def texts(answer: Answer | None) -> tuple[str, ...]:
    """Return the DMARC records among an answer's texts; more than one count as none."""
    return tuple(record.text for record in answer.of(Txt) if is_record(record.text)) if answer else ()


def near(answer: Answer | None) -> tuple[str, ...]:
    """Return the texts that were meant to be DMARC records, and are none."""
    found = [record.text for record in answer.of(Txt)] if answer else []
    return tuple(text for text in found if not is_record(text) and _NEAR.match(text))


def parse(text: str) -> Policy:
    """Read a record; unknown tags are ignored, and so are values that nobody understands."""
    given = tags.read(text)
    words = {name: given.get(name, "").lower() for name in ("p", "sp", "np", *_CHOICES)}
    wrong: list[str] = [name for name in ("p", "sp", "np") if name in given and words[name] not in POLICIES]
    faulty = bool(wrong) or "p" not in given
    wrong += [name for name, choices in _CHOICES.items() if name in given and words[name] not in choices]
    wrong += ["fo"] if "ruf" in given and not _failures(given.get("fo", "0")) else []
    takers = dict.fromkeys(host for name in ("rua", "ruf") for host in hosts(given.get(name, "")))
    asked = words["p"] if not faulty else "none" if _reported(given) else ""
    psd: Literal["", "y", "n", "u"] = words["psd"] if "psd" not in wrong else ""  # type: ignore[assignment]  # one of its _CHOICES
    return Policy(
        text, asked, words["sp"] if not faulty and words["sp"] else asked, words["t"] == "y", psd,
        tuple(wrong), tuple(name for name in REMOVED if name in given), tags.repeated(text), tuple(takers),
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


def hosts(value: str) -> tuple[str, ...]:
    """Return the domains of the addresses in a list of report URIs; what is none, or no address, is left out."""
    found = (_ADDRESS.fullmatch(one.strip(tags.BLANKS)) for one in value.split(","))
    return tuple(host for match in found if match and (host := bare(match[2])))


def _reported(given: dict[str, str]) -> bool:
    """Say whether `rua` has a valid URI, whether or not receivers know its scheme (RFC 9989, 4.10.1)."""
    value = given.get("rua", "")
    return bool(hosts(value)) or any(_OTHER.fullmatch(one.strip(tags.BLANKS)) for one in value.split(","))


def _failures(value: str) -> bool:
    """Say whether `fo` is valid: each option once, and not both of those that exclude each other (RFC 9989, 4.7)."""
    options = [one.strip(tags.BLANKS).lower() for one in value.split(":")]
    return {*options} <= {*"01ds"} and len({*options}) == len(options) and not {*"01"} <= {*options}
