"""Which addresses the world may know this host by: given by the user, else those of its interfaces. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from preflight.facts import Asked, Link

# `ipaddress.is_global` is not asked: it leaves out the documentation ranges, which stand for public addresses in
# laboratories, and knows nothing of who routes what. These are the ranges that nobody routes across the Internet.
_NOT_PUBLIC = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3",
    )
)  # fmt: skip
_PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")

# Bridges of container engines, Kubernetes and virtual machines, and the ends of their virtual cables: addresses there
# are for those, not for the world.
_CONTAINERS = re.compile(
    r"docker0|docker_gwbridge|br-mailcow|br-[0-9a-f]{12}|veth.*|cni[0-9]+|cni-podman[0-9]+|podman[0-9]+|nerdctl[0-9]+"
    r"|virbr[0-9]+|lxcbr[0-9]+|lxdbr[0-9]+|incusbr[0-9]+|flannel.*|cali[0-9a-f]{11}|cilium_.*|kube-bridge|kube-ipvs0"
)


def usual(text: str) -> str | None:
    """Return an address in its usual form, without a scope; None where it is none."""
    try:
        return str(ipaddress.ip_address(text.strip().partition("%")[0]))
    except ValueError:
        return None


def reverse_name(address: str) -> str:
    """Return the name below which an address (in its usual form) has its PTR record."""
    return ipaddress.ip_address(address).reverse_pointer


def of_version(addresses: Iterable[str], version: int) -> tuple[str, ...]:
    """Return the addresses of IP version 4 or 6, in their usual form, each once; what is no address is left out."""
    known = (usual(address) for address in addresses)
    return tuple(dict.fromkeys(a for a in known if a and ipaddress.ip_address(a).version == version))


def is_public(address: str) -> bool:
    """Say whether an address (in its usual form) is one that the Internet routes."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return parsed in _PUBLIC_IPV6
    return not any(parsed in network for network in _NOT_PUBLIC)


def is_inner(link: Link) -> bool:
    """Say whether only the host's own containers and virtual machines come in by an interface."""
    return link.inner or _CONTAINERS.fullmatch(link.name) is not None


def own(links: Iterable[Link], version: int) -> tuple[str, ...]:
    """Return the host's own addresses of global scope, private ones too, without those of containers' bridges."""
    found = (
        address.address
        for link in links
        if link.up is not False and not is_inner(link)
        for address in link.addresses
        if address.scope == "global"
    )
    return of_version(found, version)


def public(asked: Asked, links: Iterable[Link], version: int) -> tuple[str, ...]:
    """Return the public addresses of one IP version: those given (believed as they are), else the host's own."""
    given = of_version(asked.public_ips, version)
    return given or tuple(filter(is_public, own(links, version)))
