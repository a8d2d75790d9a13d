"""Elements of ipsets as the kernel dumps them: by the thousands, so where they are alike, by columns.

The kernel writes an address without the flag NLA_F_NET_BYTEORDER, and refuses to take it back like that.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator

from preflight.packets.nlmsg import MASK, attributes, text

ORDERED = 0x4000  # NLA_F_NET_BYTEORDER
_IP, _IP_TO, _CIDR, _BITMASK, _NAME, _IP2, _CIDR2, _IP2_TO = 1, 2, 3, 12, 18, 20, 21, 22
_ADDRESSES = {_IP, _IP_TO, _IP2, _IP2_TO, _BITMASK}  # each holds one attribute: IPv4 (1) or IPv6 (2)
# Prefixes that halve the Internet stand for all of it (ipset stores 0.0.0.0/0 as two): they single nobody out.
WIDE = 1


def ordered(data: bytes) -> bytes:
    """Set the flag on all addresses among the attributes of one set or element."""
    changed = bytearray(data)
    for at, kind, _ in _walk(data, 0, len(data)):
        if kind in _ADDRESSES:
            _flag(changed, at + 4)
    return bytes(changed)


def ordered_all(data: bytes) -> tuple[bytes, int]:
    """Set the flag on all addresses of a chunk of elements; return it and how many elements it has."""
    changed = bytearray(data)
    stride = uniform(data)
    if stride:
        count = len(data) // stride
        for at, kind, _ in _walk(data, 4, stride):
            if kind in _ADDRESSES:
                _flag(changed, at + 4)
                for place in (at + 6, at + 7):
                    changed[place::stride] = changed[place : place + 1] * count
        return bytes(changed), count
    count = 0
    for start, _, end in _walk(data, 0, len(data)):
        count += 1
        for at, kind, _ in _walk(data, start + 4, end):
            if kind in _ADDRESSES:
                _flag(changed, at + 4)
    return bytes(changed), count


def _flag(data: bytearray, at: int) -> None:
    if at + 4 <= len(data):
        struct.pack_into("=H", data, at + 2, struct.unpack_from("=H", data, at + 2)[0] | ORDERED)


def _walk(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield where each attribute starts, its type, and where it ends. Stops where a length is wrong."""
    while at + 4 <= end:
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4 or at + length > end:
            return
        yield at, kind & MASK, at + length
        at += length + 3 & ~3


def uniform(data: bytes) -> int:
    """Return the length of the elements of a chunk where all have the same attributes of the same lengths; else 0."""
    if len(data) < 4:
        return 0
    stride = struct.unpack_from("=H", data)[0] + 3 & ~3
    if stride < 4 or len(data) % stride:
        return 0
    count = len(data) // stride
    heads = [0]
    for at, kind, _ in _walk(data, 4, stride):
        heads += [at, at + 4] if kind in _ADDRESSES else [at]
    alike = (data[at::stride] == data[at : at + 1] * count for head in heads for at in range(head, head + 4))
    return stride if all(alike) else 0


def names(chunk: bytes) -> Iterator[str]:
    """Yield the names of the sets that the elements of a list are."""
    for _, element in attributes(chunk):
        for kind, value in attributes(element):
            if kind & MASK == _NAME:
                yield text(value)


class Networks:
    """Networks of elements, by their family and length."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], set[int]] = {}

    def add(self, chunk: bytes, netmask: int | None) -> None:
        """Add the addresses of a chunk; without a length of its own, one is as long as `netmask`, else alone."""
        stride = uniform(chunk)
        if stride:
            self._add(chunk, stride, netmask)
            return
        for start, _, end in _walk(chunk, 0, len(chunk)):
            self._add(chunk[start:end], end - start, netmask)

    def _add(self, chunk: bytes, stride: int, netmask: int | None) -> None:
        fields = {kind: at for at, kind, _ in _walk(chunk, 4, stride)}
        for kind, length in ((_IP, _CIDR), (_IP2, _CIDR2)):
            place = fields.get(kind, stride) + 8
            size = struct.unpack_from("=H", chunk, place - 4)[0] - 4 if place <= stride else 0
            if size not in (4, 16) or place + size > stride:
                continue
            row = struct.Struct(f">{place}x{size}s{stride - place - size}x")
            addresses = (int.from_bytes(raw, "big") for (raw,) in row.iter_unpack(chunk))
            if length in fields:
                for number, prefix in zip(addresses, chunk[fields[length] + 4 :: stride], strict=True):
                    self.put(number, 8 * size, prefix)
            else:
                prefix = 8 * size if netmask is None else min(netmask, 8 * size)
                self._of(8 * size, prefix).update(number >> 8 * size - prefix for number in addresses)

    def put(self, number: int, bits: int, prefix: int) -> None:
        """Add a network by its address as a number; one that stands for the whole Internet singles nobody out."""
        if WIDE < prefix <= bits:
            self._of(bits, prefix).add(number >> bits - prefix)

    def _of(self, bits: int, prefix: int) -> set[int]:
        return self._held.setdefault((bits, prefix), set())

    def hold(self, address: str) -> bool:
        """Say whether an address is in one of them."""
        parsed = ipaddress.ip_address(address)
        number, bits = int(parsed), parsed.max_prefixlen
        return any(number >> bits - length in held for (size, length), held in self._held.items() if size == bits)
