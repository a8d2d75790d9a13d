"""Which rule of ip_tables stopped a packet in the twin: the one whose counter grew between two reads."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from preflight.facts.twin import Culprit
from preflight.gather.nat import matching
from preflight.twin import legacy_blob as tables
from preflight.twin.legacy_blob import DROP, QUEUE, Blob, Row, layout
from preflight.twin.legacy_load import Loaded, Refusal
from preflight.twin.legacy_worlds import bypasses

TCP = 6
MOST = 250_000  # comparisons, to find a chain's old rules among new ones
# Targets after which a packet is gone, the likeliest first.
_ENDS = ("DROP", "REJECT", "TARPIT", "DELUDE", "CHAOS", "STEAL", "NFQUEUE", "SYNPROXY", "TPROXY")
_TURNS = ("DNAT", "REDIRECT", "NETMAP")


class Counts(Struct, frozen=True):
    """The tables of one version in the twin, as they are now, each with what was loaded (None: it came later)."""

    tables: tuple[tuple[Blob, Loaded | None], ...]


class Grown(Struct, frozen=True):
    """An entry whose counter grew, by so many packets. `index`: its row among those loaded, None: it came later."""

    blob: Blob
    row: Row
    packets: int
    loaded: Loaded | None
    index: int | None


def counters(version: int, loaded: Iterable[Loaded], before: Counts | None = None) -> Counts:
    """Read all tables of the namespace that the process is in; raise `OSError`. With an earlier read it is faster."""
    known = {one.blob.table: one for one in loaded if one.blob.version == version}
    like = {blob.table: blob for blob, _ in before.tables} if before else {}
    found = []
    for table in tables.tables(version):
        one = known.get(table)
        found.append((tables.read(version, table, like.get(table) or (one.placed if one else None)), one))
    return Counts(tuple(found))


def grown(before: Counts | None, after: Counts) -> list[Grown]:
    """Return the entries whose counters grew (None: since they were loaded).

    Raise `OSError` (EAGAIN) where a table was changed between the two reads.
    """
    old = {blob.table: blob for blob, _ in before.tables} if before else {}
    found = []
    for blob, loaded in after.tables:
        was = old.get(blob.table)
        if was and was.rows != blob.rows:
            raise OSError(errno.EAGAIN, f"{blob.table}: changed between two reads")
        rows = [
            (row, more) for row in blob.rows if (more := _packets(blob, row) - (_packets(was, row) if was else 0)) > 0
        ]
        places = Places(loaded, blob) if rows and loaded else None
        found += [Grown(blob, row, more, loaded, places.of(row) if places else None) for row, more in rows]
    return found


def _packets(blob: Blob, row: Row) -> int:
    return int(struct.unpack_from("=Q", blob.data, row.at + layout(blob.version).counters)[0])


def culprit(before: Counts, after: Counts, protocol: int = TCP) -> Culprit | None:
    """Return the rule or policy that stopped a packet of this protocol between two reads; None: none did."""
    ends = [one for one in grown(before, after) if _ends(one)]
    best = min(ends, key=lambda one: _rank(one, protocol), default=None)
    return _told(best) if best else None


def _ends(one: Grown) -> bool:
    row = one.row
    if not row.target:
        return row.verdict in (DROP, QUEUE)
    if row.target == "NFQUEUE":
        return not bypasses(tables.parts(one.blob, row)[1])
    return row.target in _ENDS


def _rank(one: Grown, protocol: int) -> tuple[bool, bool, int, int, int]:
    """Order what may have stopped a packet: others pass too, such as those that ask for a neighbour's address."""
    asked = struct.unpack_from("=H", one.blob.data, one.row.at + layout(one.blob.version).protocol)[0]
    inverted = bool(one.blob.data[one.row.at + layout(one.blob.version).inverted] & 0x40)
    likely = _ENDS.index(one.row.target) if one.row.target else 0
    return (
        bool(asked) and (asked == protocol) is inverted,
        not asked,
        likely,
        -tables.order(one.blob.table),
        -one.packets,
    )


def diverted(before: Counts, after: Counts) -> list[Culprit]:
    """Return the rules that turned a packet to somewhere else between two reads."""
    return [_told(one, nat=True) for one in grown(before, after) if one.row.target in _TURNS]


def depends(before: Counts, after: Counts) -> frozenset[str]:
    """Return what the rules hang on that a packet met between two reads, best in the world `met`."""
    words = [
        one.loaded.conditions.get(one.index) for one in grown(before, after) if one.loaded and one.index is not None
    ]
    return frozenset(word for found in words if found for word in found)


def met(before: Counts | None, after: Counts) -> list[Refusal]:
    """Return the rules that could not be copied and lay on a packet's way, between two reads or (None) so far."""
    found = [one.loaded.refused.get(one.index) for one in grown(before, after) if one.loaded and one.index is not None]
    return [refusal for refusal in found if refusal]


def _told(one: Grown, *, nat: bool = False) -> Culprit:
    host = one.loaded.blob.rows[one.index] if one.loaded and one.index is not None else None
    policy = not one.row.number
    return Culprit(
        kind="nat" if nat else "policy" if policy else "rule",
        backend="ip_tables",
        family="ip" if one.blob.version == 4 else "ip6",
        table=one.blob.table,
        chain=one.row.chain,
        number=host.number if host and not policy else None,
        counter=_packets(one.loaded.blob, host) if one.loaded and host else None,
        predicted=host is None,
        to=_to(one) if nat else "",
    )


def _to(one: Grown) -> str:
    """Return the address that a rule of nat sends packets to; '' = one of this host, or not known."""
    part = tables.parts(one.blob, one.row)[1]
    place = matching.target(part.name, part.revision, part.data, one.blob.version)[1]
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return place.partition(":")[0] if one.blob.version == 4 else place if not place.startswith(":") else ""


class Places:
    """Which of the loaded rows the rows of a table are, to which the engine's program added some."""

    def __init__(self, loaded: Loaded, blob: Blob) -> None:
        self._placed, self._blob = loaded.placed, blob
        self._same = loaded.placed.rows == blob.rows
        self._indices = {row: index for index, row in enumerate(loaded.placed.rows)}
        self._chains: dict[str, dict[Row, Row]] = {}

    def of(self, row: Row) -> int | None:
        """Return the index of a row among those loaded."""
        if self._same:
            return self._indices[row]
        if row.chain not in self._chains:
            old, new = ([one for one in blob.rows if one.chain == row.chain] for blob in (self._placed, self._blob))
            keys = [_keys(self._placed, old), _keys(self._blob, new)]
            self._chains[row.chain] = {new[there]: old[here] for here, there in pairs(*keys)}
        found = self._chains[row.chain].get(row)
        return None if found is None else self._indices[found]


def _keys(blob: Blob, rows: Sequence[Row]) -> list[tuple[object, ...]]:
    """Return what each row says, wherever it stands: without its place, its counters and the kernel's notes."""
    where = layout(blob.version)
    names = {row.end: row.chain for row in blob.rows if row.target == "ERROR"}
    found: list[tuple[object, ...]] = []
    for row in rows:
        jump = "" if row.target or row.verdict in (row.end, 0) else names.get(row.verdict, str(row.verdict))
        head, matches = blob.data[row.at : row.at + where.offsets - 4], blob.data[row.at + where.matches : row.data]
        target = blob.data[row.data : row.end] if row.target else b""
        found.append((head, matches, row.target and target, jump, bool(row.number)))
    return found


def pairs(old: Sequence[object], new: Sequence[object]) -> Iterator[tuple[int, int]]:
    """Yield which of the old ones stands where among the new ones, in order, as many as can be."""
    first, last = 0, 0
    most = min(len(old), len(new))
    while first < most and old[first] == new[first]:
        yield first, first
        first += 1
    while last < most - first and old[-1 - last] == new[-1 - last]:
        yield len(old) - 1 - last, len(new) - 1 - last
        last += 1
    here, there = old[first : len(old) - last], new[first : len(new) - last]
    if 0 < len(here) * len(there) <= MOST:
        yield from ((first + one, first + other) for one, other in _common(here, there))


def _common(old: Sequence[object], new: Sequence[object]) -> Iterator[tuple[int, int]]:
    """Yield the places of a longest common subsequence."""
    longest = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for one in range(len(old) - 1, -1, -1):
        for other in range(len(new) - 1, -1, -1):
            same = old[one] == new[other]
            longest[one][other] = (
                longest[one + 1][other + 1] + 1 if same else max(longest[one + 1][other], longest[one][other + 1])
            )
    one = other = 0
    while one < len(old) and other < len(new):
        if old[one] == new[other]:
            yield one, other
            one, other = one + 1, other + 1
        elif longest[one + 1][other] >= longest[one][other + 1]:
            one += 1
        else:
            other += 1
