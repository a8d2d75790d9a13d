"""A record's data as dnspython has read it, made a record of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from preflight.facts.records import A, Aaaa, Caa, Cname, Ds, Mx, Ns, Other, Ptr, Record, Soa, Srv, Tlsa, Txt
from preflight.net.addresses import usual


def record(kind: str, data: Any) -> Record:
    """Return the record; `kind` is its type's name, `data` dnspython's rdata of that type."""
    made = _KINDS.get(kind)
    return made(data) if made else Other(data.to_text())


def _name(name: Any) -> str:
    """Write a name: with escapes it has up to 1020 characters."""
    written: str = name.to_text().lower()
    return written


def _bytes(data: bytes) -> str:
    return data.decode("latin-1")


def _soa(data: Any) -> Soa:
    numbers = (data.serial, data.refresh, data.retry, data.expire, data.minimum)
    return Soa(_name(data.mname), _name(data.rname), *numbers)


_KINDS: dict[str, Callable[[Any], Record]] = {
    "A": lambda data: A(data.address),
    "AAAA": lambda data: Aaaa(usual(data.address) or data.address),
    "MX": lambda data: Mx(data.preference, _name(data.exchange)),
    "TXT": lambda data: Txt(tuple(map(_bytes, data.strings))),
    "PTR": lambda data: Ptr(_name(data.target)),
    "CNAME": lambda data: Cname(_name(data.target)),
    "NS": lambda data: Ns(_name(data.target)),
    "SOA": _soa,
    "CAA": lambda data: Caa(data.flags, _bytes(data.tag), _bytes(data.value)),
    "TLSA": lambda data: Tlsa(data.usage, data.selector, data.mtype, data.cert.hex()),
    "SRV": lambda data: Srv(data.priority, data.weight, data.port, _name(data.target)),
    "DS": lambda data: Ds(data.key_tag, int(data.algorithm), int(data.digest_type), data.digest.hex()),
}
