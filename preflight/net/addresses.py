"""Addresses: how they are read and written, and by which ones the world may know this host. Pure.

The usual form is the one in which `ipaddress` writes them; addresses among the facts have it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence

from preflight.facts import Asked, Link, Sighting

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

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


def parse_address(text: str) -> IpAddress | None:
    """Read an address as it stands, a scope included; None where it is none."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def version(text: str) -> int:
    """Return the IP version of an address or a network in its usual form."""
    return 6 if ":" in text else 4


def network(text: str) -> IpNetwork | None:
    """Read a network, or an address with a length; None: it is none."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def within(address: str, networks: Iterable[str]) -> bool:
    """Say whether an address is in one of these networks; what cannot be read is in none, and holds none."""
    parsed = parse_address(address)
    return parsed is not None and any(parsed in found for text in networks if (found := network(text)) is not None)


def parse_mapped(text: str) -> IpAddress | None:
    """Read an address as the engine does: one with a scope is none, and one that maps an IPv4 address is that."""
    address = parse_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        return None if address.scope_id else unmapped(address)
    return address


def usual(text: str) -> str | None:
    """Return an address in its usual form, without a scope; None where it is none."""
    address = parse_address(text.strip().partition("%")[0])
    return None if address is None else str(address)


def unmapped(address: IpAddress) -> IpAddress:
    """Return the IPv4 address that an IPv6 one maps, else the address itself."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_loopback(text: str) -> bool:
    """Say whether an address is reached from this host alone."""
    address = parse_address(text)
    return address is not None and unmapped(address).is_loopback


def overlap(one: str, other: str) -> bool:
    """Say whether two addresses to bind a port on exclude each other; '' is every one, '::' every one of IPv6."""
    if not one or not other:
        return True
    first, second = parse_address(one), parse_address(other)
    if first is None or second is None or first.version != second.version:
        return False
    return first == second or first.is_unspecified or second.is_unspecified


def bracketed(address: str | IpAddress) -> str:
    """Write an address as it stands before a port: IPv6 in brackets."""
    text = str(address)
    return f"[{text}]" if ":" in text else text


def unbracketed(text: str) -> str:
    """Return what stands between an address's brackets, or the text itself where it has none."""
    return text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text


def with_port(address: str, port: int, everywhere: str = "") -> str:
    """Write `ADDRESS:PORT`; what stands for the address that is none (every one) is `everywhere`."""
    return f"{bracketed(address) or everywhere}:{port}"


def split_port(text: str) -> tuple[IpAddress, int] | None:
    """Read `ADDRESS:PORT` with or without brackets, the address as the engine does; None: it is none."""
    match = re.fullmatch(r"(\[[^\]]*\]|[^\[\]]*):([0-9]{1,5})", text)
    address = parse_mapped(unbracketed(match[1])) if match else None
    return (address, int(match[2])) if match and address and 1 <= int(match[2]) <= 65535 else None


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


def host_addresses(links: Iterable[Link], version: int) -> tuple[str, ...]:
    """Return the host's own addresses of global scope, private ones too, without those of containers' bridges."""
    found = (
        address.address
        for link in links
        if link.up is not False and not is_inner(link)
        for address in link.addresses
        if address.scope == "global"
    )
    return of_version(found, version)


def public_host_addresses(links: Iterable[Link], version: int) -> tuple[str, ...]:
    """Return those of the host's own addresses that the Internet routes: whether it has public IPv6 is asked here."""
    return tuple(filter(is_public, host_addresses(links, version)))


def public(vouched: Iterable[str], links: Iterable[Link], version: int) -> tuple[str, ...]:
    """Return the public addresses of one IP version: those of `vouched_for`, else the host's own."""
    return of_version(vouched, version) or public_host_addresses(links, version)


def vouched_for(asked: Asked, links: Sequence[Link] | None, sightings: Iterable[Sighting]) -> tuple[str, ...]:
    """Return the addresses that are believed as they are: those given, and behind NAT those that the world sees.

    All services that answer have to see the same one, and two of them, unless the user named only one.
    """
    if links is None:  # whether it is behind NAT is not known
        return asked.public_ips
    seen = tuple(sightings)
    unknown = (version for version in (4, 6) if not public(asked.public_ips, links, version))
    return (*asked.public_ips, *(one for version in unknown for one in _agreed(seen, version)))


def _agreed(sightings: Iterable[Sighting], version: int) -> tuple[str, ...]:
    asked = [one for one in sightings if one.service.version == version]
    told = [one.address for one in asked if one.outcome == "seen"]
    enough = len(told) >= min(2, len(asked)) and len(set(told)) == 1
    return (told[0],) if enough and is_public(told[0]) else ()
