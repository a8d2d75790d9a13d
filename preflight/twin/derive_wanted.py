"""What the engine is asked for by mailcow's network and its ports, as the kernel writes it."""

from __future__ import annotations

import ipaddress
import re
from typing import Literal

from preflight.text.versions import parse_version
from preflight.twin.derive_state import Underivable
from preflight.twin.request import Port, Request

OLDEST = (18, 3)  # before, DOCKER-ISOLATION was one chain
_NAME = re.compile(r"[\w.:@-]{1,15}", re.ASCII)


def engine_of(request: Request) -> tuple[int, ...]:
    """Read the engine's version; raise `Underivable`, also where the bridge has a name that none can have."""
    if not _NAME.fullmatch(request.bridge):
        raise Underivable(request.bridge)
    text = request.engine
    engine = parse_version(text)
    if engine is None or engine < OLDEST or engine[:3] == (28, 0, 0):
        # 28.0.0 put subnets into an ipset; five days later 28.0.1 did not.
        raise Underivable(f"Docker {text or '?'}")
    return engine


def concerned(request: Request, version: Literal[4, 6]) -> bool:
    """Say whether the engine has any rules of this version for the network."""
    return request.iptables if version == 4 else request.ip6tables and bool(request.subnet6)


def ports_of(request: Request, version: Literal[4, 6]) -> list[Port]:
    """Return the ports that the engine redirects by rules of this version: others are left to docker-proxy."""
    return [
        port
        for port in request.ports
        if (port.container4 if version == 4 else port.container6)
        and (not port.address or _address(port.address).version == version)
    ]


def address_of(port: Port) -> str:
    """Return the address of the host on which a port is published; '' is every one."""
    return "" if not port.address or _address(port.address).is_unspecified else port.address


def containers_of(request: Request, version: Literal[4, 6]) -> list[str]:
    """Return the containers that publish anything, each once, even if no port of theirs is of this version."""
    return list(
        dict.fromkeys(
            container_of(port, version)
            for port in request.ports
            if (port.container4 if version == 4 else port.container6)
        )
    )


def container_of(port: Port, version: Literal[4, 6]) -> str:
    """Return the address of a port's container, written as the kernel does."""
    return str(_address(port.container4 if version == 4 else port.container6))


def subnet_of(request: Request, version: Literal[4, 6]) -> str:
    """Return the network's range, written as the kernel does."""
    subnet = request.subnet4 if version == 4 else request.subnet6
    try:
        return str(ipaddress.ip_network(subnet, strict=False))
    except ValueError:
        raise Underivable(subnet) from None


def target(address: str, port: int) -> str:
    """Write an address with its port."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def loopback(port: Port, version: Literal[4, 6]) -> bool:
    """Say whether a port is published on a loopback address that could be reached from outside: of IPv6 none can."""
    return version == 4 and bool(port.address) and _address(port.address).is_loopback


def host_of(address: str) -> str:
    """Write an address as the range that it is."""
    return f"{address}/128" if ":" in address else f"{address}/32"


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise Underivable(text) from None
