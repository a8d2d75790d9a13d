"""The line that is copied from one machine to the other: `mail.example.org/AYx…`, a word without anything to quote.

Before the slash is where to go, behind it what has to be known there: version, key, end, addresses, ports, and sums
over both. One wrong character is told, whichever it is.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import struct
from collections.abc import Iterable

from msgspec import Struct

from preflight.mailcow.layout import SHAPE
from preflight.net.addresses import parse_address, unmapped
from preflight.net.hostnames import ascii_name, askable
from preflight.reach.protocol import KEY
from preflight.text.sentences import say

VERSION = 1
MOST_ADDRESSES, MOST_PORTS = 8, 40
LONGEST = 1000  # characters
_FOUR, _SIX, _LOCAL = 1, 2, 4
_SUM = struct.Struct(">I")


class Port(Struct, frozen=True, order=True):
    """A port that is kept up: on the host, and inside its container; for which IP versions, or for the host alone."""

    port: int
    inside: int
    four: bool = True
    six: bool = True
    local: bool = False

    def serves(self, address: str) -> bool:
        """Say whether it is published for the IP version of an address."""
        return self.six if ":" in address else self.four


USUAL = tuple(
    Port(one.port, one.inside or one.port, local=one.kind == "local", six=one.kind != "local") for one in SHAPE
)


class Line(Struct, frozen=True, kw_only=True):
    """What is told from one end to the other. `host`: a name or an address; `until`: seconds of the Unix clock."""

    host: str
    key: bytes
    until: int
    addresses: tuple[str, ...] = ()
    ports: tuple[Port, ...] = USUAL

    @property
    def token(self) -> str:
        """Return what stands behind the slash."""
        body = bytes([VERSION]) + self.key + struct.pack(">IH", self.until, _crc16(self.host))
        body += bytes([len(self.addresses)])
        for address in map(ipaddress.ip_address, self.addresses):
            body += bytes([address.version]) + address.packed
        if self.ports != USUAL:
            body += bytes([len(self.ports)]) + b"".join(map(_packed, self.ports))
        return base64.urlsafe_b64encode(body + _SUM.pack(binascii.crc32(body))).decode().rstrip("=")

    def __str__(self) -> str:
        return f"{self.host}/{self.token}"


def make(host: str, addresses: Iterable[str], key: bytes, until: float, ports: Iterable[Port] = USUAL) -> Line:
    """Make a line for a host of that name, or without one; of very many addresses and ports the first."""
    known = tuple(dict.fromkeys(addresses))[:MOST_ADDRESSES]
    return Line(
        host=_host(host) or (known[0] if known else "host.invalid"),
        key=key,
        until=int(until),
        addresses=known,
        ports=tuple(ports)[:MOST_PORTS],
    )


def read(text: str, token: str | None = None) -> Line:
    """Read a line, or a host with the token that stands behind the slash. Raise `ValueError` with a sentence."""
    text = text.strip()
    host, slash, behind = text.partition("/")
    if len(text) > LONGEST or len(token or "") > LONGEST:
        raise ValueError(say("The line is too long."))
    if bool(slash) == (token is not None):
        raise ValueError(
            say("Copy the whole line that `preflight check --rehearse --hold` prints, or give HOST and --token TOKEN.")
        )
    place = _host(host)
    if place is None:
        raise ValueError(say("{host} is neither a host name nor an address.", host=repr(host[:60])))
    found, crc = _unpacked(behind if token is None else token.strip())
    if token is None and crc != _crc16(place):
        raise ValueError(say("The line was copied with a mistake before its slash: {host}.", host=repr(host[:60])))
    return Line(host=place, key=found.key, until=found.until, addresses=found.addresses, ports=found.ports)


def _host(text: str) -> str | None:
    """Return a host as it is asked for; None: it can be none."""
    address = parse_address(text)
    if address is not None:
        return str(address) if not getattr(address, "scope_id", None) else None
    name = ascii_name(text)
    return name if askable(name) and not re.search(r"[^a-z0-9.-]|(^|\.)[0-9]+$", name) else None


def _crc16(host: str) -> int:
    return binascii.crc_hqx(host.encode(), 0xFFFF)


def _packed(port: Port) -> bytes:
    return struct.pack(">HHB", port.port, port.inside, port.four * _FOUR | port.six * _SIX | port.local * _LOCAL)


class _Reader:
    """Bytes that are taken from the front; raises `ValueError` where there are none left."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, count: int) -> bytes:
        """Take so many."""
        if len(self.data) < count:
            raise ValueError
        taken, self.data = self.data[:count], self.data[count:]
        return taken


def _unpacked(token: str) -> tuple[Line, int]:
    """Read a token; return it as a line without a host, and the sum of its host. Raise `ValueError` with a sentence."""
    wrong = say("The token is incomplete or was copied with a mistake. Copy it again.")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", token, re.ASCII):
        raise ValueError(wrong)
    try:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        raise ValueError(wrong) from None
    body, told = data[: -_SUM.size], data[-_SUM.size :]
    canonical = base64.urlsafe_b64encode(data).decode().rstrip("=") == token
    if not canonical or len(told) < _SUM.size or _SUM.pack(binascii.crc32(body)) != told:
        raise ValueError(wrong)
    if body[:1] != bytes([VERSION]):
        raise ValueError(
            say("The line is from another version of mailcow preflight. Use the same version on both machines.")
        )
    try:
        return _parts(_Reader(body[1:]))
    except ValueError:
        raise ValueError(wrong) from None


def _parts(reader: _Reader) -> tuple[Line, int]:
    key = reader.take(KEY)
    until, crc = struct.unpack(">IH", reader.take(6))
    addresses = tuple(_address(reader) for _ in range(_count(reader, MOST_ADDRESSES)))
    ports = USUAL
    if reader.data:
        ports = tuple(_port(reader.take(5)) for _ in range(_count(reader, MOST_PORTS)))
    if reader.data or not ports:
        raise ValueError
    return Line(host="", key=key, until=until, addresses=addresses, ports=ports), crc


def _count(reader: _Reader, most: int) -> int:
    count = reader.take(1)[0]
    if count > most:
        raise ValueError
    return count


def _address(reader: _Reader) -> str:
    size = {4: 4, 6: 16}.get(reader.take(1)[0])
    if size is None:
        raise ValueError
    address = ipaddress.ip_address(reader.take(size))
    if address.is_unspecified or address.is_multicast or unmapped(address) != address:
        raise ValueError
    return str(address)


def _port(raw: bytes) -> Port:
    port, inside, flags = struct.unpack(">HHB", raw)
    if not port or not inside or flags > 7:
        raise ValueError
    return Port(port, inside, bool(flags & _FOUR), bool(flags & _SIX), bool(flags & _LOCAL))
