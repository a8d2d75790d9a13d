"""The services that tell this host by which address the world sees it."""

from __future__ import annotations

import datetime

from msgspec import Struct

from preflight.facts.sightings import AddressService
from preflight.mailcow.requirements.tables import table
from preflight.text.sentences import say


class Table(Struct, frozen=True, forbid_unknown_fields=True):
    """All services, with where they are from and the day they were looked up."""

    source: str
    read: datetime.date
    services: tuple[AddressService, ...]


def documented() -> Table:
    """Return the services that are asked unless the user names others."""
    return table("addresses.toml", Table)


def services(texts: tuple[str, ...]) -> tuple[AddressService, ...]:
    """Return the services that a user names, over both IP versions, else the documented ones."""
    if not texts:
        return documented().services
    urls = dict.fromkeys(map(service, texts))
    return tuple(AddressService(url, version) for url in urls for version in (4, 6))


def service(text: str) -> str:
    """Read the URL of a service; raise `ValueError` with a sentence for the user."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        fine = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not parts.username
    except ValueError:
        fine = False
    if not fine or not text.isascii() or not text.isprintable() or " " in text or len(text) > 500:
        form = "https://ip.example.org/"
        raise ValueError(say("{text} is not the URL of a service: write {form}.", text=repr(text[:80]), form=form))
    return text
