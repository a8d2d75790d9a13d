"""What stands for a secret inside the program (`zqhost1qz`) and outside of it (`<host-1>`), and the way between them.

Inside it has to pass for a label, a name or a directory, in capitals or not: so it is a word that nothing else is.
Outside it has to be seen by a person, and must not pass for a command's argument.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from preflight.net.addresses import IpAddress
from preflight.report.model import Report

MIXED = "names and placeholders cannot be compared."
BOTH = "both reports are redacted: a placeholder means the same in both only if no name on the host has changed."

KINDS = (
    "ipv4", "ipv6", "domain", "host", "container", "image", "user", "process", "unit", "package", "interface", "chain",
    "path", "zone", "text", "arguments",
)  # fmt: skip
PLACEHOLDER = re.compile(rf"<({'|'.join(KINDS)})-([0-9]{{1,9}})(-reversed>\.(?:in-addr|ip6)\.arpa|>)")
FILLER = "zqz"  # a further label of a domain, so that it has as many as the real one
BROKEN = "~"  # in a label that is none
_WIDE = "ü"  # in front of what is not ASCII
# A domain's further labels go with it; `xn--`, and what follows it, come of names that are not ASCII.
_INSIDE = re.compile(
    rf"(xn--|{_WIDE})?zq([a-z]+)([0-9]+)qz(?:{BROKEN}|(?(1)-[a-z0-9]{{1,20}}|(?!))|)((?:\\?\.{FILLER})*)", re.IGNORECASE
)
_CUT = re.compile(r"zq[a-z]{0,9}[0-9]{0,9}q?(?=…|$)", re.IGNORECASE)  # one that a check has cut short
_IPV4 = r"(?<![\w.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?!\w|\.[0-9])"
_IPV6 = r"(?:(?<![\w:.])|(?<=\bip6:))[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:(?:\.[0-9]{1,3}){3})?(?![\w:])"
_OCTETS = r"(?<![\w.])[0-9]{1,3}(?:\.[0-9]{1,3}){2}(?!\w|\.[0-9])"
_ADDRESS = re.compile(rf"(?P<base>{_IPV4}|{_IPV6})(?P<length>/[0-9]{{1,3}}(?![0-9]))?|{_OCTETS}")
POINTER = re.compile(r"(?:[0-9]{1,3}\.){4}in-addr\.arpa|(?:[0-9a-f]\.){32}ip6\.arpa", re.IGNORECASE)


def inside(kind: str, number: int) -> str:
    """Return the word that stands for a secret inside the program."""
    return f"zq{kind}{number}qz"


def wide(label: str) -> str:
    """Return a pseudonym's label as one that is not ASCII."""
    return _WIDE + label


def of_pointer(name: str) -> IpAddress | None:
    """Return the address whose reverse name this is."""
    name = name.lower().rstrip(".")
    try:
        if name.endswith(".in-addr.arpa"):
            return ipaddress.IPv4Address(".".join(reversed(name.removesuffix(".in-addr.arpa").split("."))))
        digits = name.removesuffix(".ip6.arpa").split(".")
        if name.endswith(".ip6.arpa") and len(digits) == 32 and all(len(digit) == 1 for digit in digits):
            return ipaddress.IPv6Address(int("".join(reversed(digits)), 16))
    except ValueError:
        pass
    return None


def redacted(report: Report) -> bool:
    """Say whether a report has placeholders among its values: they stand for names in one run alone."""
    values = ((row.subject, row.expected, row.found, row.evidence) for row in report.results)
    return any(PLACEHOLDER.search(text) for value in (report.host, *values) for text in texts(value))


class Unveiler:
    """Turns pseudonyms in a value into placeholders; `placeholders` has those of addresses and of three octets."""

    def __init__(self, placeholders: Mapping[str, str]) -> None:
        self._placeholders = placeholders

    def __call__(self, text: str) -> str:
        """Return a value with placeholders."""
        text = _CUT.sub("", _INSIDE.sub(_placeholder, text))
        if self._placeholders:
            text = POINTER.sub(self._reversed, text)
            text = _ADDRESS.sub(self._addressed, text)
        return text

    def _addressed(self, match: re.Match[str]) -> str:
        """Name a network as such, else the address in it, else the three octets, whose network has a 0 behind them."""
        base, length = match["base"] or match[0], match["length"] or ""
        octets = self._placeholders.get(base.removesuffix(".0"))
        named = self._placeholders.get(base) or (f"{octets}.0" if octets else base)
        return self._placeholders.get(match[0]) or named + length

    def _reversed(self, match: re.Match[str]) -> str:
        placeholder = self._placeholders.get(str(of_pointer(match[0])))
        zone = "in-addr" if match[0][-12:].lower() == "in-addr.arpa" else "ip6"
        return f"{placeholder[:-1]}-reversed>.{zone}.arpa" if placeholder else match[0]


def _placeholder(match: re.Match[str]) -> str:
    kind = match[2].lower()
    # What follows a name that is no domain is not its own.
    return f"<{kind}-{match[3]}>{'' if kind == 'domain' else match[4]}"


def veil(text: str, legend: Mapping[str, str]) -> str:
    """Return a text with what stands for secrets inside; `legend`: what a placeholder alone does not tell."""

    def pseudonym(match: re.Match[str]) -> str:
        placeholder = f"<{match[1]}-{match[2]}>"
        made = legend.get(placeholder, inside(match[1], int(match[2])))
        if match[3] == ">":
            return made
        try:
            return ipaddress.ip_address(made).reverse_pointer
        except ValueError:
            return made

    return PLACEHOLDER.sub(pseudonym, text)


def everywhere(value: Any, change: Callable[[str], str]) -> Any:
    """Return a document with every string in it changed, keys too; enumerations and structs stay what they are."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, msgspec.Struct):
        changed = {name: everywhere(getattr(value, name), change) for name in value.__struct_fields__}
        return type(value)(**changed)
    if isinstance(value, dict):
        return {everywhere(key, change): everywhere(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(everywhere(item, change) for item in value)
    return value


def texts(value: Any) -> Iterator[str]:
    """Yield every text in a document, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, msgspec.Struct):
        yield from (text for name in value.__struct_fields__ for text in texts(getattr(value, name)))
    elif isinstance(value, dict):
        yield from (text for pair in value.items() for item in pair for text in texts(item))
    elif isinstance(value, list | tuple):
        yield from (text for item in value for text in texts(item))
