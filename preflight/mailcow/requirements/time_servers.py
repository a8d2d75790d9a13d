"""Who is asked for the time where nobody names a server: data beside its source and date."""

from __future__ import annotations

import datetime
import os
import tomllib

import msgspec
from msgspec import Struct

from preflight.mailcow.requirements import FOLDER


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
    with open(os.path.join(FOLDER, "time.toml"), "rb") as file:
        return msgspec.convert(tomllib.load(file), TimeSources)
