"""`ip rule`s, which say whose packets take which table of routes: read them, and make them again."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from preflight.packets import nlmsg as nl
from preflight.twin.links import tolerant
from preflight.twin.wire import Refused, Wire

NEWRULE, DELRULE, GETRULE = 32, 33, 34  # RTM_…
_INVERT = 2  # FIB_RULE_INVERT


def read(wire: Wire, family: int) -> list[tuple[int, bytes]]:
    """Return the rules of a family with it, as the kernel takes them again; raise `OSError`."""
    return [
        (family, _again(one.body)) for one in wire.dump(GETRULE, bytes([family]) + bytes(11)) if len(one.body) >= 12
    ]


def _again(body: bytes) -> bytes:
    return body[:8] + nl.u32(struct.unpack_from("=I", body, 8)[0] & _INVERT) + body[12:]


def make(wire: Wire, wanted: Iterable[tuple[int, bytes]]) -> set[int]:
    """Make the rules of both families those; return the families of which the kernel refuses one; raise `OSError`."""
    failed: set[int] = set()
    wanted = list(wanted)
    for family in {family for family, _ in wanted}:
        there = read(wire, family)
        own = [one for one in wanted if one[0] == family]
        changes = [(NEWRULE, one, nl.CREATE) for one in own if one not in there]
        changes += [(DELRULE, one, 0) for one in there if one not in own]
        for kind, (_, body), flags in changes:
            try:
                tolerant(wire, kind, body, flags)
            except Refused:
                failed.add(family)
    return failed
