"""What all generators draw from: ports, networks, engines."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.differential.cases import HOST, PUBLISHED, SERVICES, SUBNET4, SUBNET6, Case
from tests.differential.engines import ENGINES

PORTS = tuple(PUBLISHED)
# Networks that rules may name; no source or target of the truth lies in them.
NETWORKS = {
    4: (
        "45.0.0.0/8",
        "185.220.101.0/24",
        "203.0.113.7",
        "10.0.0.0/8",
        "192.168.0.0/16",
        "5.188.0.0/16",
        "91.240.118.0/24",
    ),
    6: ("2001:db8::/32", "2a0e:b107::/32", "fc00::/7", "2a03:2880::/29", "2001:67c:2e8::/48"),
}
LINK = {4: "198.51.100.0/24", 6: "2a01:4f8:1::/64"}
EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}


def mailcow(version: int) -> str:
    """Return mailcow's network."""
    return SUBNET4 if version == 4 else SUBNET6


def container(draw: Random, version: int) -> str:
    """Return a container's address."""
    return draw.choice(list(SERVICES.values()))[version == 6]


def some(draw: Random, most: int = 4) -> list[int]:
    """Return some of the ports, at times one that is not mailcow's."""
    return sorted(draw.sample((*PORTS, 22, 53, 8080), draw.randint(1, most)))


def target(draw: Random, version: int) -> str:
    """Return where a packet may go to: the host, a container, mailcow's network."""
    return draw.choice((HOST[version], container(draw, version), mailcow(version)))


def case(draw: Random, family: str, seed: int, **more: Any) -> Case:
    """Return a case with an engine of some sort."""
    six = draw.random() < 0.7
    fixed: dict[str, Any] = {
        "engine": draw.choice(ENGINES),
        "present": draw.random() < 0.5,
        "six": six,
        "ip6tables": six and draw.random() < 0.8,
        "proxy": draw.random() < 0.85,
        "bound": draw.random() < 0.12,
    }
    return Case(family=family, seed=seed, **{**fixed, **more})
