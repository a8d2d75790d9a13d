"""Servers as users name them: a name or an address, with a port or without. Pure."""

from __future__ import annotations

import re

from preflight.net.addresses import parse_address, with_port
from preflight.net.hostnames import ascii_name, askable
from preflight.text.sentences import say

NTP = 123
Place = tuple[str, int]  # a name in A-labels or an address (a link-local one with its scope), port

_FORM = re.compile(r"\[(?P<v6>[^\]]+)\](?::(?P<port6>[0-9]{1,5}))?|(?P<host>[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?")


def place(text: str, port: int) -> Place:
    """Read `HOST`, `HOST:PORT`, `[v6addr]:PORT`; `port` is the default. Raise `ValueError` with a sentence."""
    address = parse_address(text)
    if address is not None:
        return str(address), port
    match = _FORM.fullmatch(text)
    host = _host(match["v6"], match["host"]) if match else None
    if match is None or host is None:
        raise ValueError(
            say("{text} is not a server: write HOST, HOST:PORT, ADDRESS:PORT or [IPV6]:PORT.", text=repr(text[:60]))
        )
    number = int(match["port6"] or match["port"] or port)
    if not 1 <= number <= 65535:
        raise ValueError(say("{text} has a port outside 1 to 65535.", text=repr(text[:60])))
    return host, number


def time_server(text: str) -> Place:
    """Read a time server; raise `ValueError` with a sentence."""
    return place(text, NTP)


def _host(v6: str | None, other: str | None) -> str | None:
    """Return what stands before the port, in its usual form; None: it can be no server's."""
    address = parse_address(v6 or other or "")
    if v6 is not None:
        return str(address) if address is not None and address.version == 6 else None
    if address is not None:
        return str(address)
    name = ascii_name(other or "")
    # A name whose last label is a number is an address that is written wrong.
    return name if askable(name) and not re.search(r"[\s_/@,]|(^|\.)[0-9]+$", name) else None


def shown(place: Place, port: int) -> str:
    """Write a server as users do: the port where it is not the default."""
    host, number = place
    return host if number == port else with_port(host, number)
