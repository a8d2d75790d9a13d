"""Who may issue certificates for a name: CAA records (RFC 8659), with the accounts and methods of RFC 8657.

They are read as Let's Encrypt reads them (boulder's va/caa.go, 2026-11), which is stricter than the RFC in one thing:
it compares its name letter for letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from preflight.facts.records import Caa

AUTHORITY = "letsencrypt.org"  # Let's Encrypt's name for itself: https://letsencrypt.org/docs/caa/, 2026-11
KNOWN = ("issue", "issuewild", "iodef", "issuemail")  # tags that Let's Encrypt knows, whether it acts on them or not
CRITICAL = 128 | 1  # RFC 8659 has the first; Let's Encrypt takes the second for it, as many people write it
_BLANK = " \t"
_TAG = re.compile(r"[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*")
_VALUE = re.compile(r"[\x21-\x3a\x3c-\x7e]*")
_METHOD = re.compile(r"[A-Za-z0-9-]+")

# Why a set of records lets the authority issue nothing, from the nearest miss to the farthest.
Refusal = Literal["critical", "account", "method", "malformed", "case", "others", "nobody"]
_NEAREST: tuple[Refusal, ...] = ("account", "method", "malformed", "case", "others", "nobody")


class Property(Struct, frozen=True):
    """The value of an issue property; `sound` False: nobody can read it, so it lets nobody issue anything."""

    authority: str
    parameters: tuple[tuple[str, str], ...] = ()
    sound: bool = True

    def values(self, tag: str) -> tuple[str, ...]:
        """Return the values of a parameter, each time that it is given."""
        return tuple(value for name, value in self.parameters if name == tag)


def climb(name: str) -> tuple[str, ...]:
    """Return the names whose records are looked for, from a name up to its top-level domain."""
    labels = name.split(".")
    return tuple(".".join(labels[start:]) for start in range(len(labels)))


def parse(value: str) -> Property:
    """Read the value of an issue property (RFC 8659, 4.2)."""
    authority, *rest = (part.strip(_BLANK) for part in value.split(";"))
    if rest in ([], [""]):
        return Property(authority)
    pairs = [tuple(word.strip(_BLANK) for word in part.partition("=")) for part in rest]
    sound = all(_TAG.fullmatch(tag) and equals and _VALUE.fullmatch(text) for tag, equals, text in pairs)
    return Property(authority, tuple((tag, text) for tag, _, text in pairs), sound)


def issuing(records: Iterable[Caa]) -> tuple[Property, ...]:
    """Return the properties that decide about names without a wildcard; those with one have issuewild."""
    return tuple(parse(record.value) for record in records if record.tag.lower() == "issue")


def unknown_critical(records: Iterable[Caa]) -> tuple[Caa, ...]:
    """Return the records that forbid everything to an authority which does not know them."""
    return tuple(record for record in records if record.flags & CRITICAL and record.tag.lower() not in KNOWN)


def refusal(records: tuple[Caa, ...], method: str) -> Refusal | None:
    """Say why Let's Encrypt issues nothing by a validation method and for an account that does not exist yet.

    None: it does, as where no record says who may.
    """
    if unknown_critical(records):
        return "critical"
    misses = {_miss(one, method) for one in issuing(records)}
    if not misses or None in misses:
        return None
    return next(one for one in _NEAREST if one in misses)


def _miss(one: Property, method: str) -> Refusal | None:
    if one.authority != AUTHORITY:
        same = one.authority.lower().rstrip(".") == AUTHORITY
        return "case" if same else "others" if one.authority else "nobody"
    methods = one.values("validationmethods")
    if not one.sound or len(methods) > 1 or len(one.values("accounturi")) > 1:
        return "malformed"
    if methods and not _allows(methods[0], method):
        return "method"
    return "account" if one.values("accounturi") else None


def _allows(listed: str, method: str) -> bool:
    words = listed.split(",")
    return method in words and all(map(_METHOD.fullmatch, words))
