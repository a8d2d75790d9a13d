"""Whom mailcow's resolver asks, and whom its health check pings: the documents' table, or what the user names."""

from __future__ import annotations

import datetime

from msgspec import Struct

from preflight.mailcow.requirements.tables import table
from preflight.net.addresses import parse_address
from preflight.text.sentences import say

TABLE = "recursion.toml"


class NameServer(Struct, frozen=True, forbid_unknown_fields=True):
    """An authoritative server, and the zone that it is asked for ('' = the root)."""

    name: str
    zone: str
    addresses: tuple[str, ...]


class Pings(Struct, frozen=True, forbid_unknown_fields=True):
    """The addresses that mailcow's health check pings, and how many of them may be silent."""

    source: str
    addresses: tuple[str, ...]
    tolerated: int


class Table(Struct, frozen=True, forbid_unknown_fields=True):
    """All of them, with the page and the day it was read. `canaries`: addresses where nobody is."""

    source: str
    read: datetime.date
    canaries: tuple[str, ...]
    servers: tuple[NameServer, ...]
    pings: Pings


def documented() -> Table:
    """Return the documents' table."""
    return table(TABLE, Table)


def target(text: str) -> str:
    """Read an address to be pinged; raise `ValueError` with a sentence for the user."""
    address = parse_address(text)
    if address is None or address.is_multicast or address.is_unspecified:
        raise ValueError(say("{text} is not an address to ping: write 198.51.100.53.", text=repr(text[:80])))
    return str(address)
