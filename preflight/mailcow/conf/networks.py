"""Mailcow's own networks, and whether it has IPv6."""

from __future__ import annotations

import ipaddress
import re

from msgspec.structs import replace

from preflight.mailcow.conf.problems import Meaning, Values
from preflight.mailcow.layout import IPV4_NETWORK, IPV6_NETWORK
from preflight.net.addresses import parse_mapped

_LONGEST = 120  # prefix of an IPv6 network that has addresses for all of mailcow's containers


def ipv4_network(values: Values) -> Meaning[str]:
    """Read IPV4_NETWORK, the three octets that mailcow completes to a /24."""
    default = f"{IPV4_NETWORK}.0/24"
    value = values.text("IPV4_NETWORK")
    if not value:
        references = values.reference("IPV4_NETWORK", IPV4_NETWORK)
        return Meaning(default, tuple(replace(problem, network=default) for problem in references))
    try:
        return Meaning(str(ipaddress.IPv4Network(f"{value}.0/24")))
    except ValueError:
        octets = re.match(r"(\d{1,3}\.\d{1,3}\.\d{1,3})(?:\.|/|$)", value, re.ASCII)
        better = octets[1] if octets and parse_mapped(f"{octets[1]}.0") else IPV4_NETWORK
        problem = values.problem("IPV4_NETWORK", "not-three-octets", f"IPV4_NETWORK={better}")
        return Meaning(default, (replace(problem, network=f"{better}.0/24"),))


def octets(network: str) -> str:
    """Write a /24 as IPV4_NETWORK takes it."""
    return network.removesuffix(".0/24")


def ipv6_network(values: Values) -> Meaning[str]:
    """Read IPV6_NETWORK, a whole network with its length."""
    value = values.text("IPV6_NETWORK")
    if not value:
        return Meaning(IPV6_NETWORK, values.reference("IPV6_NETWORK", IPV6_NETWORK))
    try:
        network = ipaddress.IPv6Network(value)
    except ValueError:
        network = None
    if network is None or "/" not in value or network.prefixlen > _LONGEST:
        better = f"IPV6_NETWORK={_whole(value)}"
        return Meaning(IPV6_NETWORK, (values.problem("IPV6_NETWORK", "not-a-network", better),))
    return Meaning(str(network))


def _whole(value: str) -> str:
    """Make a network of what was meant as one, mailcow's own where that cannot be told."""
    try:
        network = ipaddress.IPv6Interface(value if "/" in value else f"{value}/64").network
    except ValueError:
        return IPV6_NETWORK
    return str(network) if network.prefixlen <= _LONGEST else IPV6_NETWORK


def ipv6(values: Values) -> Meaning[bool]:
    """Read ENABLE_IPV6, a boolean as Compose reads one; mailcow's web server only knows `false`."""
    value = values.text("ENABLE_IPV6").lower()
    if value in ("n", "no", "off"):
        problem = values.problem(
            "ENABLE_IPV6", "no-for-compose-only", "ENABLE_IPV6=false", fatal=False, written=value
        )  # fmt: skip
        return Meaning(False, (problem,))
    if value not in ("", "true", "y", "yes", "on", "false"):
        better = "false" if value in ("0", "f") else "true"
        return Meaning(True, (values.problem("ENABLE_IPV6", "not-a-boolean", f"ENABLE_IPV6={better}"),))
    return Meaning(value != "false", values.reference("ENABLE_IPV6", "true"))
