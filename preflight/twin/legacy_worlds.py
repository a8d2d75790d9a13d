"""What rules of ip_tables become in a world of the twin: sets by their indices there, nothing that acts outside of it.

Worlds: `as-is`; `met`, where conditions that hang on rate, chance, time or a program always hold; `without` such rules.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct

from preflight.twin import ipsets
from preflight.twin.legacy_blob import ACCEPT, DROP, Blob, Part, Row, entry, layout, parts, standard

World = Literal["as-is", "met", "without"]
# Targets after which the next rule is gone on to, whatever happened. Some act outside of the network namespace (LED,
# IDLETIMER, AUDIT, LOG by a sysctl), and none of them decides anything.
HARMLESS = frozenset((
    "LOG", "NFLOG", "ULOG", "AUDIT", "LED", "IDLETIMER", "TRACE", "CHECKSUM", "SECMARK", "CONNSECMARK",
))  # fmt: skip
_RECENT_SET, _BYPASS = 2, 1


def _always(_: bytes) -> bool:
    return True


def _asks_recent(data: bytes) -> bool:
    """Say whether a match `recent` asks: one that only notes an address (--set) holds for every packet."""
    return len(data) < 10 or data[8] != _RECENT_SET or bool(data[9])


def _asks_program(data: bytes) -> bool:
    """Say whether a match `bpf` is a program of eBPF, which may remember: with a path or number, not as bytes."""
    return len(data) > 512 and struct.unpack_from("=H", data)[0] != 0


# By the match's name; what each hangs on.
_MATCHES: dict[str, tuple[str, Callable[[bytes], bool]]] = {
    "limit": ("limit", _always),
    "hashlimit": ("hashlimit", _always),
    "rateest": ("rateest", _always),
    "statistic": ("statistic", _always),
    "recent": ("recent", _asks_recent),
    "time": ("time", _always),
    "quota": ("quota", _always),
    "quota2": ("quota", _always),
    "nfacct": ("quota", _always),
    "connlimit": ("connlimit", _always),
    "connbytes": ("connbytes", _always),
    "cpu": ("cpu", _always),
    "osf": ("osf", _always),
    "socket": ("socket", _always),  # of the host's own sockets the twin has none
    "bpf": ("bpf", _asks_program),
    # Of xtables-addons: a variable that a program sets, and what counts or draws lots.
    "condition": ("condition", _always),
    "psd": ("psd", _always),
    "lscan": ("lscan", _always),
    "fuzzy": ("fuzzy", _always),
}


# Of struct xt_physdev_info, behind four names of 16 bytes; XT_PHYSDEV_OP_BRIDGED, …_IN | …_ISIN
_INVERTED, _OPERATIONS = 64, 65
_BRIDGED, _CAME_IN = 0x04, 0x01 | 0x08


class Change(Struct, frozen=True):
    """What becomes of a rule: its entry, None where it stays as it is; what cannot be copied, and why."""

    entry: bytes | None = None
    what: str = ""
    error: str = ""


def hangs_on(match: Part) -> str:
    """Return what a match hangs on that no packet says; '' = nothing."""
    found = _MATCHES.get(match.name)
    return found[0] if found and found[1](match.data) else ""


def of_a_port(match: Part) -> bool:
    """Say whether a match asks by which port of a bridge a packet came in: the twin's interfaces are no ports of any.

    By which port it leaves, and whether it is bridged, is asked in vain of what is routed, here as on the host.
    """
    data = match.data
    if match.name != "physdev" or len(data) <= _OPERATIONS:
        return match.name == "physdev"
    asked = data[_OPERATIONS]
    in_vain = asked & _BRIDGED and not data[_INVERTED] & _BRIDGED
    return bool(asked & _CAME_IN and not in_vain)


def conditions(row: Row, matches: list[Part], target: Part, programs: frozenset[int]) -> frozenset[str]:
    """Return what a rule hangs on that no packet says; nothing where the rule decides nothing.

    `programs`: the numbers of the queues that a program of the host reads.
    """
    if target.name in HARMLESS or (not target.name and row.verdict == row.end):
        return frozenset()
    found = {word for match in matches if (word := hangs_on(match))}
    if target.name == "NFQUEUE" and programs.intersection(_queues(target)):
        found.add("queue")
    return frozenset(found)


def _queues(target: Part) -> range:
    """Return the numbers of the queues that a target NFQUEUE gives packets to."""
    if len(target.data) < 4:
        return range(0)
    first, count = struct.unpack_from("=HH", target.data)
    return range(first, first + max(count, 1) if target.revision else first + 1)


def bypasses(target: Part) -> bool:
    """Say whether packets pass a target NFQUEUE where no program reads its queue."""
    return (
        target.revision >= 2 and len(target.data) >= 6 and bool(struct.unpack_from("=H", target.data, 4)[0] & _BYPASS)
    )


def counting(blob: Blob, row: Row, matches: list[Part] | None = None) -> bytes:
    """Return an entry that only counts the packets for the header, and the matches, of a rule."""
    return entry(blob, row, matches or [], standard(row.end))


def change(
    blob: Blob, row: Row, sets: Mapping[int, int], world: World, programs: frozenset[int] = frozenset()
) -> Change:
    """Return what a rule becomes. `sets`: the indices of the sets that are copied, by those of the host."""
    if not row.target and row.data == row.at + layout(blob.version).matches:
        return _SAME  # no extension at all
    matches, target = parts(blob, row)
    hanging = conditions(row, matches, target, programs)
    if world == "without" and hanging:
        return Change(counting(blob, row))
    kept, missing = _kept(matches, sets, met=world == "met" and bool(hanging))
    raw, unknown = _target(row, target, sets, judged=world == "met" and "queue" in hanging)
    if missing or unknown:
        return Change(counting(blob, row, kept), missing or unknown, "ENOENT")
    if raw == target.raw and kept == matches:
        return _SAME
    return Change(entry(blob, row, kept, raw))


_SAME = Change()


def _kept(matches: list[Part], sets: Mapping[int, int], *, met: bool) -> tuple[list[Part], str]:
    """Return the matches that a rule keeps, and which one cannot be copied."""
    kept, missing = [], ""
    for match in matches:
        # What nfacct counts for is of the host's namespace; without it the rule is as if its quota were used up.
        if match.name == "nfacct" or (met and hangs_on(match)):
            continue
        if of_a_port(match):
            missing = match.name
            continue
        if match.name != "set":
            kept.append(match)
            continue
        try:
            kept.append(match.having(ipsets.translate_xt(match.data, match.revision, sets)))
        except KeyError:
            missing = "set"
    return kept, missing


def _target(row: Row, target: Part, sets: Mapping[int, int], *, judged: bool) -> tuple[bytes, str]:
    """Return the target that a rule gets, and its name where it cannot be copied."""
    if target.name in HARMLESS:
        return standard(row.end), ""
    if judged:  # by a program, otherwise than the kernel alone does
        return standard(DROP if bypasses(target) else ACCEPT), ""
    if target.name == "SET":
        try:
            return target.having(ipsets.translate_xt(target.data, target.revision, sets, target=True)).raw, ""
        except KeyError:
            return standard(row.end), "SET"
    if target.name == "CT" and target.revision and len(target.data) >= 60:
        # How long connections are kept: a policy of the host's namespace, looked for by its name.
        return target.having(target.data[:28] + bytes(32) + target.data[60:]).raw, ""
    return target.raw, ""


def sets(blob: Blob) -> frozenset[int]:
    """Return the indices of the sets that a table refers to; raise `OSError` (EBADMSG)."""
    found: set[int] = set()
    for row in blob.rows:
        if row.target == "ERROR" or (not row.target and row.data == row.at + layout(blob.version).matches):
            continue
        matches, target = parts(blob, row)
        for match in matches:
            if match.name == "set":
                found |= ipsets.referred(match.data, match.revision)
        if target.name == "SET":
            found |= ipsets.referred(target.data, target.revision, target=True)
    return frozenset(found)
