"""Macros of SPF: names made of the address and the sender (RFC 7208, 7)."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import quote

from msgspec import Struct

from preflight.policies.spf.syntax import MACRO

NAME = 253  # characters of a name at most; labels are left out from the left (7.3)
_PIECE = re.compile(rf"{MACRO.pattern}|%[%_-]", re.IGNORECASE)
_ESCAPES = {"%%": "%", "%_": " ", "%-": "%20"}


class Mail(Struct, frozen=True):
    """What is judged: the address that a message comes from, its sender (`local@domain`), and the name in HELO."""

    address: str
    sender: str
    helo: str

    @property
    def local(self) -> str:
        """Return the sender's part before the @."""
        return self.sender.rpartition("@")[0] or "postmaster"

    @property
    def origin(self) -> str:
        """Return the sender's domain."""
        return self.sender.rpartition("@")[2]


def expand(text: str, mail: Mail, domain: str, validated: str = "unknown") -> str:
    """Return the name that a domain-spec stands for; `domain` is the record's own, `validated` is `%{p}`."""
    nibbles = _dotted(mail.address)
    values = {
        "s": f"{mail.local}@{mail.origin}", "l": mail.local, "o": mail.origin, "d": domain, "i": nibbles,
        "p": validated, "v": "ip6" if ":" in mail.address else "in-addr", "h": mail.helo,
    }  # fmt: skip

    def value(match: re.Match[str]) -> str:
        if match[0] in _ESCAPES:
            return _ESCAPES[match[0]]
        return _transformed(values[match[1].lower()], match)

    return _shortened(_PIECE.sub(value, text))


def _transformed(value: str, match: re.Match[str]) -> str:
    letter, digits, reverse, delimiters = match.groups()
    parts = re.split(f"[{re.escape(delimiters or '.')}]", value)
    if reverse:
        parts.reverse()
    made = ".".join(parts[-int(digits) :] if digits else parts)
    return quote(made, safe="-._~") if letter.isupper() else made


def _dotted(address: str) -> str:
    parsed = ipaddress.ip_address(address)
    return ".".join(parsed.exploded.replace(":", "")) if parsed.version == 6 else address


def _shortened(name: str) -> str:
    name = name.rstrip(".")
    while len(name) > NAME and "." in name:
        name = name.partition(".")[2]
    return name


def uses(text: str, letter: str) -> bool:
    """Say whether a domain-spec has a macro with this letter."""
    return any(match[1].lower() == letter for match in MACRO.finditer(text))
