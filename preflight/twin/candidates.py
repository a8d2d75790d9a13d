"""Addresses of the Internet that a packet may come from, and of a network that nobody has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Interface, IPv6Interface, ip_address

# First octets of address space that the five registries have given to their members, next to each other from different
# ones: what a country list or a list of one continent names is soon left behind. None of them holds documentation,
# private or shared ranges, or networks that some treat as private.
_FIRST4 = (
    84, 73, 121, 189, 105, 91, 66, 210, 200, 41, 193, 24, 60, 177, 197, 212, 208, 114, 186, 154, 62, 96, 175, 181, 196,
    77, 71, 218, 191, 102, 176, 50, 1, 179, 31, 107, 202, 201, 46, 99, 27, 187, 5, 174, 111, 190, 95, 68, 220, 217, 75,
    42, 80, 204, 124, 109, 184, 58, 37, 64, 118, 213, 70, 36, 178, 97, 183, 2, 108, 103, 82, 65, 222, 188, 76, 14, 93,
    69, 125, 151, 98, 61, 89, 74, 115, 195, 67, 180, 78, 173, 112, 85, 207, 59, 87, 205, 119, 145, 206, 223, 83, 72,
    113, 90, 209, 116, 94, 63, 219, 79, 104, 117, 88, 216, 123, 81, 199, 106, 92, 23, 120, 185, 40, 110, 194, 47, 101,
)  # fmt: skip
_FIRST6 = (
    "2a02", "2600", "2400", "2804", "2c0f", "2a01", "2607", "2408", "2806", "2c0e", "2a00", "2604", "2406", "2800",
    "2a03", "2601", "2404", "2803", "2a06", "2605", "2409", "2a10", "2620", "240e", "2801", "2a0c", "2606", "2401",
    "2a04", "2602", "2405", "2a09", "2610", "2402", "2a05", "2603", "2407", "2a0e", "2630", "240b",
)  # fmt: skip
ROUNDS = 3
NEIGHBOURS = 64  # that are looked at


def public(version: int) -> Iterator[str]:
    """Yield addresses of public unicast space, always the same ones, no two of neighbouring networks."""
    for turn in range(ROUNDS):
        if version == 4:
            for first in _FIRST4:
                second, third = (first * 37 + turn * 83) % 190 + 20, (first * 91 + turn * 29) % 220 + 10
                yield f"{first}.{second}.{third}.{first % 180 + 21}"
        else:
            for place, block in enumerate(_FIRST6):
                second, third = 0x1A0 + place * 37 + turn * 0x211, place + 1
                yield str(ip_address(f"{block}:{second:x}:{third:x}::{place + 0x25:x}"))


def neighbour(own: IPv4Interface | IPv6Interface, taken: set[bytes], ordinary: Callable[[str], bool]) -> str:
    """Return an address of a host's own network that nobody is known to have; '' where there is no room for one.

    One that rules do not single out, if there is one among the first: a rule about the whole network is meant, though.
    """
    network = own.network
    room = network.num_addresses - 2  # neither the network's address nor its last
    first = ""
    for turn in range(min(NEIGHBOURS, max(0, room))):
        address = network.network_address + (network.num_addresses // 2 + turn - 1) % room + 1
        if address != own.ip and address.packed not in taken:
            if ordinary(str(address)):
                return str(address)
            first = first or str(address)
    return first
