"""Rules for host names: what mailcow's installer and the DNS accept, and names that the world cannot look up."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from preflight.net.addresses import parse_address
from preflight.text.sentences import say

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

# Ends of names that no public name server answers for (RFC 6761, 6762, 7686, 8375; ICANN's reserved names).
_NEVER = ("localhost", "invalid", "onion")
_PRIVATE = ("local", "internal", "home.arpa", "lan", "home", "corp", "alt")
ENDINGS = frozenset({*_NEVER, *_PRIVATE})

# Domains that documents and tests have instead of one's own (RFC 2606, 6761), and what people write in their place.
_EXAMPLES = ("example.com", "example.net", "example.org")
_EXAMPLE_ENDINGS = ("example", "test", "tld")
_OWN = frozenset({"domain", "mydomain", "my-domain", "your-domain", "yourdomain", "your-company", "yourcompany"})


@functools.cache
def _suffixes() -> PublicSuffixList:
    # Reading the list takes 40 ms, which only those pay who need it.
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


def registrable(name: str) -> str | None:
    """Return the part of a name (A-labels) that one can register: one label below a public suffix; None: it is one."""
    try:
        found: str | None = _suffixes().privatesuffix(name)
    except (ValueError, UnicodeError):
        return None
    return found


def is_top(label: str) -> bool:
    """Say whether a top-level domain is one that exists, by Mozilla's list."""
    return _suffixes().publicsuffix(label, accept_unknown=False) is not None


def mail_domain(fqdn: str) -> str:
    """Return the domain that a mail host is for, where nobody names one: its parent, but nothing that all share."""
    parent = fqdn.partition(".")[2]
    return parent if "." in parent and askable(parent) and registrable(parent) else fqdn


def placeholder(name: str) -> bool:
    """Say whether a name is one of the documents' examples, to be replaced by one's own."""
    labels = name.split(".")
    return (
        ".".join(labels[-2:]) in _EXAMPLES or labels[-1] in _EXAMPLE_ENDINGS or (len(labels) > 1 and labels[-2] in _OWN)
    )


def ascii_name(name: str) -> str:
    """Return a host name in lower case and A-labels (IDNA 2008), without a trailing dot; as it is if it has none."""
    lowered = name.strip().rstrip(".").lower()
    if lowered.isascii():
        return lowered
    import idna

    try:
        return idna.encode(name.strip(), uts46=True).decode("ascii").rstrip(".").lower()
    except (idna.IDNAError, UnicodeError):
        return lowered


def domain_fault(given: str) -> str | None:
    """Say in a sentence why a text cannot be a mail domain's name; None where it can."""
    name = ascii_name(given)
    return fault(name if name.isascii() else given.rstrip("."), name)


def fault(hostname: str, fqdn: str) -> str | None:
    """Say in a sentence why a name cannot be a mail host's; None where it can. `fqdn` is its normalised form."""
    if hostname.strip().endswith("."):
        return say("{hostname} ends with a dot. mailcow's installer refuses such a name.", hostname=hostname)
    if parse_address(fqdn) is not None:
        return say("{hostname} is an address, not a name.", hostname=hostname)
    labels = fqdn.split(".")
    wrong = next((label for label in labels if not _LABEL.fullmatch(label)), None)
    if wrong is not None:
        return _wrong_label(hostname, wrong)
    strange = next((label for label in labels if not _is_alabel(label)), None)
    if strange is not None:
        return say(
            "{hostname} has a label that is not valid in internationalised names ({label}).",
            hostname=hostname,
            label=strange,
        )
    if len(fqdn) > 253:
        return say(
            "{hostname} is {count} characters long. The maximum is 253.",
            hostname=f"{hostname[:40]}…",
            count=len(fqdn),
        )
    if len(labels) == 1:
        return say(
            "{hostname} is a single label. mailcow's installer wants a fully qualified name such as mail.example.org.",
            hostname=hostname,
        )
    if labels[-1].isdigit():
        return say("{hostname} ends in a label of digits only. No top-level domain does.", hostname=hostname)
    ending = _ending(fqdn, _NEVER)
    if not ending:
        return None
    return say(
        "{hostname} ends in .{ending}, a reserved name that the DNS never resolves.", hostname=hostname, ending=ending
    )


def _is_alabel(label: str) -> bool:
    """Say whether a label is what it looks like: those that begin with xn-- stand for letters of IDNA 2008."""
    if not label.startswith("xn--"):
        return True
    import idna

    try:
        idna.ulabel(label)
    except (idna.IDNAError, UnicodeError):
        return False
    return True


def _wrong_label(hostname: str, label: str) -> str:
    if not label:
        return say("{hostname} has an empty label.", hostname=hostname)
    if not label.isascii():
        return say(
            "{hostname} has a label with characters that are not allowed in internationalised host names ({label}).",
            hostname=hostname,
            label=label[:63],
        )
    if "_" in label:
        return say(
            "{hostname} has an underscore ({label}). A label has 1 to 63 letters, digits and hyphens, and no hyphen "
            "at either end.",
            hostname=hostname,
            label=label[:63],
        )
    return say(
        "{hostname} has an invalid label ({label}). A label has 1 to 63 letters, digits and hyphens, and no hyphen at "
        "either end.",
        hostname=hostname,
        label=label[:63],
    )


def doubt(fqdn: str) -> str | None:
    """Say in a sentence why a correct name is a poor choice; None where it is a good one."""
    if fqdn.count(".") == 1:
        return say(
            "{fqdn} is a bare domain. mailcow's installer will ask for confirmation, because a mail host has a name "
            "below its domain.",
            fqdn=fqdn,
        )
    ending = _ending(fqdn, _PRIVATE)
    if ending:
        return say(
            "{fqdn} ends in .{ending}. Nobody outside can look it up, and no public certificate "
            "authority issues a certificate for it.",
            fqdn=fqdn,
            ending=ending,
        )
    return None


def remark(hostname: str, fqdn: str) -> str | None:
    """Say in a sentence how the name differs from its normalised form; None where it does not."""
    if not hostname.isascii():
        return say(
            "It was given as {hostname} and is written {fqdn} in the DNS. Give mailcow that form.",
            hostname=hostname,
            fqdn=fqdn,
        )
    if hostname != hostname.lower():
        return say("It was given as {hostname}. Capital letters make no difference.", hostname=hostname)
    return None


def askable(fqdn: str) -> bool:
    """Say whether the DNS can be asked for a name at all (it may be, without being a good host name)."""
    return fqdn.isascii() and len(fqdn) <= 253 and all(0 < len(label) <= 63 for label in fqdn.split("."))


def bare(name: str) -> str:
    """Return a name as it is compared: lower case, without a trailing dot."""
    return name.rstrip(".").lower()


def _ending(fqdn: str, endings: tuple[str, ...]) -> str | None:
    return next((ending for ending in endings if fqdn.endswith(f".{ending}")), None)
