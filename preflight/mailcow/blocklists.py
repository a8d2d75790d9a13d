"""The DNS block lists that are asked about this host."""

from __future__ import annotations

import datetime
import re

from msgspec import Struct

from preflight.mailcow.requirements.tables import table
from preflight.net.hostnames import ascii_name, askable
from preflight.text.sentences import say

_REVERSED = 64  # characters that an IPv6 address takes before a list's name


class BlockList(Struct, frozen=True, forbid_unknown_fields=True):
    """A list: the zone that is asked, the page for whoever is on it, and where it is described."""

    zone: str
    page: str
    source: str


class MirrorService(Struct, frozen=True, forbid_unknown_fields=True):
    """Who tells whether a list answers the network (AS) that asks, and mailcow's page about it."""

    zone: str
    url: str
    page: str
    source: str


class Table(Struct, frozen=True, forbid_unknown_fields=True):
    """All lists, with where they are from and the day they were looked up."""

    source: str
    read: datetime.date
    lists: tuple[BlockList, ...]
    mirrors: MirrorService


def documented() -> Table:
    """Return the lists that are asked unless the user names others."""
    return table("blocklists.toml", Table)


def zones(given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the zones of the lists that are asked: those that a user names, else the documented ones."""
    return tuple(dict.fromkeys(map(zone, given))) or tuple(entry.zone for entry in documented().lists)


def zone(text: str) -> str:
    """Read the zone of a list; raise `ValueError` with a sentence for the user."""
    name = ascii_name(text.rstrip(".")) or ""
    if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+", name) or not askable(name) or len(name) + _REVERSED > 253:
        raise ValueError(
            say("{text} is not the zone of a block list: write {form}.", text=repr(text[:80]), form="zen.spamhaus.org")
        )
    return name
