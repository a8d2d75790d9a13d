"""Addresses that stand in for others: of the same kind, and in one network where the real ones are.

A pseudonym shares with another exactly as many leading bits as the real addresses share, so that every question about
networks has the same answer. Once all addresses have been seen (`settle`), pseudonyms of one kind and beginning have
the order of the real ones too, and with it every question about ranges. They tell as good as nothing else. What is
everybody's (loopback, mailcow's own networks, public name servers) stands for itself.
"""

from __future__ import annotations

import ipaddress

from preflight.mailcow.layout import IPV4_NETWORK, IPV6_NETWORK
from preflight.net.addresses import IpAddress, IpNetwork, is_public
from preflight.redact.vocabulary import listed

_OWN: tuple[IpNetwork, ...] = (
    ipaddress.IPv4Network("127.0.0.0/8"),
    ipaddress.IPv4Network(f"{IPV4_NETWORK}.0/24"),
    ipaddress.IPv6Network(IPV6_NETWORK),
)
# Kinds of addresses that stay what they are, and what the first pseudonym of each looks like.
_KINDS: tuple[tuple[IpNetwork, int], ...] = tuple(
    (ipaddress.ip_network(network), int(ipaddress.ip_address(first)))
    for network, first in (
        ("0.0.0.0/8", "0.200.100.1"), ("10.0.0.0/8", "10.200.100.1"), ("100.64.0.0/10", "100.100.100.1"),
        ("169.254.0.0/16", "169.254.100.1"), ("172.16.0.0/12", "172.29.100.1"), ("192.168.0.0/16", "192.168.100.1"),
        ("198.18.0.0/15", "198.18.100.1"), ("224.0.0.0/4", "239.200.100.1"), ("240.0.0.0/4", "240.200.100.1"),
        ("fe80::/10", "fe80::1:1"), ("fc00::/7", "fd00:abcd::1:1"), ("ff00::/8", "ff0e:abcd::1:1"),
    )
)  # fmt: skip
# The rest is public, or of no kind: its leading bits are handed out one after another.
# Where a kind is a part of what begins with one number, that number stays.
_PARTS = {int(kind.network_address) >> 24 for kind, _ in _KINDS if kind.version == 4 and kind.prefixlen > 8}
# The others, and IPv6's first 16 bits on the Internet and elsewhere, in the order in which they are handed out: as many
# as there are, so that no two have one.
_POOLS: dict[str, tuple[int, ...]] = {
    "octets": tuple(n for n in (*range(20, 224), *range(1, 20)) if n not in (10, 127) and n not in _PARTS),
    "internet": (*range(0x2400, 0x4000), *range(0x2000, 0x2400)),
    "elsewhere": (*range(0x5400, 0xFC00), *range(0x4000, 0x5400), *range(0x2000), *range(0xFC00, 0x10000)),
}
_EVERYWHERE = 3  # networks that are this short are halves of everything


class Twins:
    """Pseudonyms for addresses and networks, made as they are asked for."""

    def __init__(self) -> None:
        # By version: a one and the leading bits behind it, and whether the next bit is changed.
        self._flips: dict[int, dict[int, int]] = {4: {}, 6: {}}
        self._pinned: dict[int, dict[int, int]] = {4: {}, 6: {}}
        # By version and fork: which ways addresses go there.
        self._ways: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
        self._made: dict[IpAddress, IpAddress] = {}
        self._heads: dict[str, dict[int, int]] = {name: {} for name in _POOLS}  # leading bits: number
        for kind, _ in _KINDS:
            if kind.version == 4 and kind.prefixlen > 8:
                self._walk(kind.network_address, 8, int(kind.network_address), kind.prefixlen)
        for own in _OWN[1:]:
            found = _kind(own.network_address)
            self._walk(own.network_address, found[0].prefixlen if found else 0, int(own.network_address), own.prefixlen)
        self._pinned = {version: dict(flips) for version, flips in self._flips.items()}

    def settle(self) -> None:
        """Begin anew, in the order of all addresses that were asked for until now."""
        self._made.clear()
        self._heads = {name: {bits: n for n, bits in enumerate(sorted(given))} for name, given in self._heads.items()}
        for version, pinned in self._pinned.items():
            both = {fork: 0 for fork, ways in self._ways[version].items() if len(ways) > 1}
            self._flips[version] = both | pinned

    def address(self, real: IpAddress) -> IpAddress:
        """Return the pseudonym of an address."""
        if isinstance(real, ipaddress.IPv6Address) and real.ipv4_mapped:
            return ipaddress.IPv6Address(f"::ffff:{self.address(real.ipv4_mapped)}")
        if real not in self._made:
            self._made[real] = real if is_everybodys(real) else self._pseudonym(real, real.max_prefixlen)
        return self._made[real]

    def network(self, real: IpNetwork) -> IpNetwork:
        """Return the pseudonym of a network."""
        if everybodys(real):
            return real
        made = self._pseudonym(real.network_address, real.prefixlen)
        return type(real)((int(made), real.prefixlen), strict=False)

    def _pseudonym(self, real: IpAddress, length: int) -> IpAddress:
        kind = _kind(real)
        if kind is not None:
            return self._walk(real, kind[0].prefixlen, kind[1], length)
        head = 8 if real.version == 4 else 16
        return self._walk(real, head, self._first(real, head), length)

    def _first(self, real: IpAddress, head: int) -> int:
        """Return what the first public address with these leading bits becomes."""
        bits = int(real) >> (real.max_prefixlen - head)
        if real.version == 4 and bits in _PARTS:
            return bits << 24 | 0x00C86401
        name = "octets" if real.version == 4 else "internet" if is_public(str(real)) else "elsewhere"
        given = self._heads[name]
        made = _POOLS[name][given.setdefault(bits, len(given))]
        return made << 24 | 0x00C86401 if real.version == 4 else made << 112 | 0xABCD << 96 | 0x10001

    def _walk(self, real: IpAddress, kept: int, pattern: int, length: int) -> IpAddress:
        """Map bit by bit below the leading ones: the first address to come by a fork takes the pattern's way."""
        width, bits, flips = real.max_prefixlen, int(real), self._flips[real.version]
        ways = self._ways[real.version]
        made = pattern >> (width - kept) << (width - kept) if kept else 0
        for depth in range(kept, length):
            rest = width - depth - 1
            bit = (bits >> rest) & 1
            fork = (1 << depth) | (bits >> (rest + 1))
            ways.setdefault(fork, set()).add(bit)
            flip = flips.setdefault(fork, bit ^ ((pattern >> rest) & 1))
            made |= (bit ^ flip) << rest
        return type(real)(made)


def is_everybodys(real: IpAddress) -> bool:
    """Say whether an address is everybody's."""
    return str(real) in listed("addresses") or any(real.version == own.version and real in own for own in _OWN)


def everybodys(real: IpNetwork) -> bool:
    """Say whether a network is everybody's."""
    link_local = real.network_address.is_link_local and real.version == 6 and real.prefixlen <= 64
    own = any(real.version == own.version and _within(real, own) for own in _OWN)
    short = real.prefixlen < (8 if real.version == 4 else 16) and any(
        real.version == kind.version and kind.network_address in real for kind, _ in _KINDS
    )
    return real.prefixlen <= _EVERYWHERE or short or link_local or own


def _within(real: IpNetwork, own: IpNetwork) -> bool:
    return real.network_address in own and real.prefixlen >= own.prefixlen


def _kind(real: IpAddress) -> tuple[IpNetwork, int] | None:
    return next((kind for kind in _KINDS if real.version == kind[0].version and real in kind[0]), None)
