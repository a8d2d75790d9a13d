"""An engine's address as docker takes it, read without connecting to anything."""

from __future__ import annotations

import re

NETWORK = ("tcp", "http", "https")
OTHERS = ("unix", "ssh", "npipe", "fd")
_PLACE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[\w.-]*)(?::(?P<port>[0-9]{1,5}))?(?:/\S*)?", re.ASCII)


def address(text: str) -> str:
    """Return an engine's address with its scheme; raise `ValueError` where docker would not take it either.

    A path is a socket. Without a scheme HOST:PORT is an address, as for docker; a name alone is more likely a slip.
    """
    if text.startswith("/"):
        return f"unix://{text}"
    scheme, found, rest = text.partition("://")
    if not found:
        scheme, rest = "tcp", text
    if scheme in NETWORK:
        place = _PLACE.fullmatch(rest)
        whole = place is not None and (found or (place["host"] and place["port"]))
        good = bool(whole) and place is not None and 0 < int(place["port"] or 1) < 1 << 16
    else:
        good = scheme in OTHERS and bool(rest or scheme == "fd")
    if not good:
        raise ValueError(
            f"{text[:60]!r} is not the address of an engine, such as unix:///var/run/docker.sock or tcp://HOST:PORT."
        )
    return f"{scheme}://{rest}"
