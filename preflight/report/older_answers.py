"""Answers of the DNS in facts of older versions, whose records are lines in presentation form.

They asked for addresses, MX and PTR records only. What has another shape than theirs is left as it is, for the decoder
to refuse it with its place.
"""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct, to_builtins

from preflight.facts import Answers, Fact, Host
from preflight.facts.base import BEFORE
from preflight.facts.records import A, Aaaa, Mx, Other, Ptr, Record
from preflight.text.typed import convert, decode

_NAMED: dict[str, type[A] | type[Aaaa] | type[Ptr]] = {"A": A, "AAAA": Aaaa, "PTR": Ptr}


class _Open(Host, frozen=True, kw_only=True):
    """A host whose answers may have the shape of any version."""

    answers: Any = BEFORE


class _Part(Struct):
    answers: Fact[Answers] = BEFORE


def decoded(document: bytes) -> Host:
    """Return the host that a facts document holds, its answers in today's shape; raise msgspec's errors."""
    host = decode(document, _Open)
    part = {} if host.answers is BEFORE else {"answers": _typed(host.answers)}
    others = {name: getattr(host, name) for name in Host.__struct_fields__ if name != "answers"}
    return Host(**others, answers=convert(part, _Part).answers)


def _typed(fact: Any) -> Any:
    """Return the fact (as JSON's own types) as it would be written today."""
    match fact:
        case {"value": dict(rows)} if rows.keys() - set(Answers.__struct_encode_fields__):
            return fact | {"value": {"given": {_key(question): _answer(row) for question, row in rows.items()}}}
    return fact


def record(kind: str, line: str) -> Record:
    """Read a record of a type (A, AAAA, MX, PTR) from its presentation form; what cannot be read is `Other`."""
    if kind in _NAMED:
        return _NAMED[kind](line)
    preference, _, exchange = line.partition(" ")
    if kind == "MX" and exchange and re.fullmatch(r"[0-9]{1,5}", preference):
        return Mx(int(preference), exchange.lower())
    return Other(line)


def _key(question: str) -> str:
    name, _, kind = question.rpartition(" ")
    return Answers.key(name, kind)


def _answer(row: Any) -> Any:
    match row:
        case {"type": str(kind), "records": [*lines]} if all(isinstance(line, str) for line in lines):
            row = row | {"records": [to_builtins(record(kind, line)) for line in lines]}
    match row:
        case {"rcode": "NOERROR", "detail": str(detail)} if detail:
            row = row | {"broken": "circle" if "circle" in detail else "long", "detail": ""}
    return row
