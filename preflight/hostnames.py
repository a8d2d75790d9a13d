"""Rules for host names: what mailcow's installer and the DNS accept, and names that the world cannot look up. Pure."""

from __future__ import annotations

import ipaddress
import re

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

# Ends of names that no public name server answers for (RFC 6761, 6762, 7686, 8375; ICANN's reserved names).
_NEVER = ("localhost", "invalid", "onion")
_PRIVATE = ("local", "internal", "home.arpa", "lan", "home", "corp", "alt")


def fault(hostname: str, fqdn: str) -> str | None:
    """Say in a sentence why a name cannot be a mail host's; None where it can. `fqdn` is its normalised form."""
    if hostname.strip().endswith("."):
        return f"{hostname} ends with a dot, and mailcow's installer refuses such a name."
    try:
        ipaddress.ip_address(fqdn)
    except ValueError:
        pass
    else:
        return f"{hostname} is an address, not a name."
    labels = fqdn.split(".")
    wrong = next((label for label in labels if not _LABEL.fullmatch(label)), None)
    if wrong == "":
        return f"{hostname} has an empty label."
    if wrong is not None:
        what = "an underscore" if "_" in wrong else "a label that is no host name's"
        return f"{hostname} has {what} ({wrong[:63]}): a label is 1 to 63 letters, digits and inner hyphens."
    if len(fqdn) > 253:
        return f"{hostname[:40]}… is {len(fqdn)} characters long, and 253 are the most."
    if len(labels) == 1:
        return f"{hostname} is one label: mailcow's installer wants a fully qualified name such as mail.example.org."
    if labels[-1].isdigit():
        return f"{hostname} ends in digits alone, which no top-level domain does."
    ending = _ending(fqdn, _NEVER)
    return f"{hostname} ends in .{ending}, a name that no name server may answer for." if ending else None


def doubt(fqdn: str) -> str | None:
    """Say in a sentence why a correct name is a poor choice; None where it is a good one."""
    if fqdn.count(".") == 1:
        return f"{fqdn} is a bare domain: mailcow's installer asks back, as a mail host has a name below its domain."
    ending = _ending(fqdn, _PRIVATE)
    if ending:
        return f"{fqdn} ends in .{ending}: nobody outside can look it up, and no public authority certifies it."
    return None


def remark(hostname: str, fqdn: str) -> str:
    """Say how the name differs from its normalised form, with a space before it; '' where it does not."""
    if not hostname.isascii():
        return f" It was given as {hostname} and is written {fqdn} in the DNS; give mailcow that form."
    if hostname != hostname.lower():
        return f" It was given as {hostname}; capitals make no difference."
    return ""


def askable(fqdn: str) -> bool:
    """Say whether the DNS can be asked for a name at all (it may be, without being a good host name)."""
    return fqdn.isascii() and len(fqdn) <= 253 and all(0 < len(label) <= 63 for label in fqdn.split("."))


def bare(name: str) -> str:
    """Return a name as it is compared: lower case, without a trailing dot."""
    return name.rstrip(".").lower()


def _ending(fqdn: str, endings: tuple[str, ...]) -> str | None:
    return next((ending for ending in endings if fqdn.endswith(f".{ending}")), None)
