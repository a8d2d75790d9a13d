"""TLSA records of mail servers: which of them a sender can use (RFC 6698; for mail RFC 7672, 3.1)."""

from __future__ import annotations

from typing import Literal

from preflight.facts.records import Tlsa

USAGES = (2, 3)  # DANE-TA, DANE-EE; senders of mail make nothing of 0 and 1 (RFC 7672, 3.1.3)
SELECTORS = (0, 1)  # the certificate, its public key
FULL = 0
DIGESTS = {1: 32, 2: 64}  # bytes of SHA-256, SHA-512 by matching type (RFC 6698, 2.1.3)

Fault = Literal["usage", "selector", "matching", "length", "empty"]


def owner(host: str) -> str:
    """Return the name that has the records of a host's mail server: always of port 25, whatever mailcow publishes."""
    return f"_25._tcp.{host}"


def size(record: Tlsa) -> int:
    """Return how many bytes of data a record has."""
    return len(record.data) // 2


def fault(record: Tlsa) -> Fault | None:
    """Say why senders pass over a record; None where they can use it."""
    if record.usage not in USAGES:
        return "usage"
    if record.selector not in SELECTORS:
        return "selector"
    if record.matching != FULL and record.matching not in DIGESTS:
        return "matching"
    if not record.data:
        return "empty"
    return "length" if record.matching in DIGESTS and size(record) != DIGESTS[record.matching] else None
