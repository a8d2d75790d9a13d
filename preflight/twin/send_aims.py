"""Whence and where to packets of the twin are sent, and where each should arrive."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Literal, Protocol

from msgspec import Struct

from preflight.twin.request import Port
from preflight.twin.send_verdicts import Spot

Transport = Literal["tcp", "udp"]
# What mailcow sends out, and the container that does.
EXITS: dict[tuple[Transport, int], str] = {
    ("tcp", 25): "postfix-mailcow",
    ("tcp", 80): "acme-mailcow",
    ("tcp", 443): "acme-mailcow",
    ("tcp", 53): "unbound-mailcow",
    ("udp", 53): "unbound-mailcow",
}


class Side(Protocol):
    """What is needed of a family's side of the stage."""

    @property
    def version(self) -> int: ...
    @property
    def host(self) -> str: ...
    @property
    def sources(self) -> tuple[str, ...]: ...
    @property
    def neighbour(self) -> str: ...
    @property
    def targets(self) -> tuple[str, ...]: ...
    @property
    def containers(self) -> Mapping[str, str]: ...


class Aim(Struct, frozen=True):
    """A packet that opens a connection, and where it should arrive. `source` '': as the kernel chooses."""

    protocol: Transport
    source: str
    target: str
    port: int
    wanted: Spot


def arriving(side: Side, port: Port, source: str) -> Aim:
    """Return a packet from an address of the world to a port of the host."""
    return Aim("tcp", source, address_of(side, port), port.port, Spot("inner", container_of(side, port), port.inside))


def leaving(side: Side, protocol: Transport, port: int, target: str) -> Aim:
    """Return a packet from mailcow's containers to a server of the world."""
    return Aim(protocol, sender_of(side, protocol, port), target, port, Spot("world", target, port))


def through(side: Side, port: Port) -> Aim:
    """Return a packet of docker-proxy from the twin itself to the container behind a port."""
    container = container_of(side, port)
    return Aim("tcp", "", container, port.inside, Spot("inner", container, port.inside))


def sender_of(side: Side, protocol: Transport, port: int) -> str:
    """Return the address of the container that sends to a port of others; without its own, that of any."""
    return side.containers.get(EXITS.get((protocol, port), "")) or next(iter(side.containers.values()))


def container_of(side: Side, port: Port) -> str:
    """Return the address of a port's container: without one of the family, docker-proxy goes to its IPv4 address."""
    own = side.containers.get(port.service) or (port.container4 if side.version == 4 else port.container6)
    return own or port.container4


def address_of(side: Side, port: Port) -> str:
    """Return where to send for a port; '' where it is published for the other family, or for the host alone."""
    if not port.address:
        return side.host
    address = ip_address(port.address)
    if address.version != side.version or address.is_loopback:
        return ""
    return side.host if address.is_unspecified else str(address)
