"""Tables of ip_tables with whatever rules, as the kernel holds them."""

from __future__ import annotations

import struct
import sys

import pytest

from preflight.twin.legacy_blob import ACCEPT, DROP, Blob, parsed

little = pytest.mark.skipif(sys.byteorder != "little", reason="tables are written as a little-endian machine does")
HEADS = {4: 112, 6: 168}
OFFSETS = {4: 88, 6: 140}
PROTOCOL = {4: 80, 6: 128}
COUNTERS = {4: 96, 6: 152}


def part(name: str, data: bytes = b"", revision: int = 0) -> bytes:
    """Write a match or target, padded."""
    data += bytes(-len(data) % 8)
    return struct.pack("=H29sB", 32 + len(data), name.encode(), revision) + data


def standard(verdict: int) -> bytes:
    return part("", struct.pack("=i4x", verdict))


def entry(version: int, *parts: bytes, protocol: int = 0, packets: int = 0, inverted: int = 0) -> bytes:
    """Write an entry: its matches, and its target last."""
    size = HEADS[version]
    target = size + sum(map(len, parts[:-1]))
    head = bytearray(size)
    struct.pack_into("=H", head, PROTOCOL[version], protocol)
    head[PROTOCOL[version] + (3 if version == 4 else 4)] = inverted
    struct.pack_into("=HH", head, OFFSETS[version], target, target + len(parts[-1]))
    struct.pack_into("=QQ", head, COUNTERS[version], packets, 60 * packets)
    return bytes(head) + b"".join(parts)


def table(*rules: bytes, version: int = 4, policy: int = ACCEPT, packets: int = 0, name: str = "filter") -> Blob:
    """Write a table with rules in its chain INPUT alone, and take it apart."""
    last = entry(version, standard(policy), packets=packets)
    end = entry(version, part("ERROR", b"ERROR".ljust(32, b"\0")))
    places = (0xFFFFFFFF, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    ends = tuple(sum(map(len, rules)) if start == 0 else start for start in places)
    info = name.encode().ljust(32, b"\0") + struct.pack("=11I", 2, *places, *ends)
    return parsed(version, name, info, b"".join((*rules, last, end)))


def queue(revision: int, *numbers: int) -> bytes:
    """Write a target NFQUEUE: its first queue, how many, and its flags."""
    return part("NFQUEUE", struct.pack(f"={len(numbers)}H", *numbers), revision)


DROPS, REJECTS = standard(DROP), part("REJECT", bytes(8))
LIMIT, TCP_, SET = part("limit", bytes(40)), part("tcp", bytes(12)), part("set", struct.pack("=HBB4x", 2, 1, 1), 1)
