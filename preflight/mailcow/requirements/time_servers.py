"""Who is asked for the time where nobody names a server: data beside its source and date."""

from __future__ import annotations

import datetime

from msgspec import Struct

from preflight.mailcow.requirements.tables import table


class NamedServer(Struct, frozen=True, forbid_unknown_fields=True):
    """A server, and the page on which its operator, or mailcow, names it."""

    name: str
    source: str


class TimeSources(Struct, frozen=True, forbid_unknown_fields=True):
    """Time servers, and web servers whose Date is the last resort."""

    read: datetime.date
    servers: tuple[NamedServer, ...]
    web: tuple[NamedServer, ...]

    @property
    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names of both."""
        return tuple(one.name for one in self.servers), tuple(one.name for one in self.web)


def defaults() -> TimeSources:
    """Return those of `time.toml`."""
    return table("time.toml", TimeSources)
