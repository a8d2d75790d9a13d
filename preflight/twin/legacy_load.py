"""Put a table of ip_tables in place in the twin, and find which of its rules the kernel refuses there."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from preflight.facts.twin import Uncopied
from preflight.twin import legacy_blob as tables
from preflight.twin.legacy_blob import Blob, Part, Row, apart, parts
from preflight.twin.legacy_worlds import World, change, conditions, counting

TRIES, SECONDS = 300, 1.0  # of a search for what is refused
FEW = 8  # rules of the same kind that are tried one by one
# Not for a rule's sake: no right, no memory, no such table.
_WHOLE = {errno.EPERM, errno.ENOMEM, errno.ENOPROTOOPT, errno.EAGAIN}


class Refusal(Struct, frozen=True):
    """A rule that could not be copied: for which of its matches or targets, and the name of the error."""

    version: int
    table: str
    chain: str
    number: int
    what: str
    error: str

    def told(self) -> Uncopied:
        """Return it as a fact."""
        return Uncopied("ip_tables", self.table, self.chain, what=self.what, error=self.error)


class Loaded(Struct):
    """A table's copy. `blob`: the host's; `placed`: what was put in its place, row by row the same rules.

    `blind`: why there is no copy. `conditions`: of the host's rules, by row, what they hang on.
    """

    blob: Blob
    placed: Blob
    refused: dict[int, Refusal] = field(default_factory=dict)  # by row
    conditions: dict[int, frozenset[str]] = field(default_factory=dict)
    blind: str = ""


def load(blob: Blob, sets: Mapping[int, int], world: World = "as-is", programs: frozenset[int] = frozenset()) -> Loaded:
    """Put a copy of the host's table in place, in the namespace that the process is in.

    `sets`: the indices of copied ipsets by the host's; `programs`: the numbers of queues that a program of the host
    reads. A rule that the kernel refuses is replaced by one that counts the packets that would have met it.
    """
    loaded = Loaded(blob, blob)
    try:
        changed = _changes(loaded, sets, world, programs)
        _place(loaded, changed)
    except OSError as failure:
        loaded.blind = _word(failure)
    return loaded


def _changes(loaded: Loaded, sets: Mapping[int, int], world: World, programs: frozenset[int]) -> dict[int, bytes]:
    blob, changed = loaded.blob, {}
    for index, row in enumerate(blob.rows):
        if not row.number or _plain(blob, row):
            continue
        loaded.conditions |= _conditions(index, row, blob, programs)
        found = change(blob, row, sets, world, programs)
        if found.entry is not None:
            changed[index] = found.entry
        if found.what:
            loaded.refused[index] = _refusal(blob, row, found.what, found.error)
    return changed


def _conditions(index: int, row: Row, blob: Blob, programs: frozenset[int]) -> dict[int, frozenset[str]]:
    words = conditions(row, *parts(blob, row), programs)
    return {index: words} if words else {}


def _plain(blob: Blob, row: Row) -> bool:
    """Say whether a rule has no extension that the kernel could refuse."""
    return not row.target and row.data == row.at + tables.layout(blob.version).matches


def _place(loaded: Loaded, changed: dict[int, bytes]) -> None:
    placed = tables.rebuilt(loaded.blob, changed)
    try:
        tables.replace(placed)
    except OSError as failure:
        if failure.errno in _WHOLE:
            raise
        placed = _Search(loaded, changed).placed()
    loaded.placed = placed


class _Search:
    """Find the rules for which a table is refused, by trying it with only some of them."""

    def __init__(self, loaded: Loaded, changed: dict[int, bytes]) -> None:
        self._loaded, self._changed = loaded, changed
        self._tries, self._until = TRIES, time.monotonic() + SECONDS
        self._reasons: dict[tuple[object, ...], tuple[str, frozenset[int]]] = {}
        blob = loaded.blob
        rules = [(index, row) for index, row in enumerate(blob.rows) if row.number]
        self._kinds = {
            index: self._kind(index) for index, row in rules if index not in loaded.refused and not _plain(blob, row)
        }
        # A table for trials is as small as can be, but its chains are reached from where they were.
        self._bare = {index: b"" if row.target or row.verdict < 0 else _jump(blob, row) for index, row in rules}

    def _kind(self, index: int) -> tuple[object, ...]:
        matches, target = self._parts(index)
        return (*((match.name, match.revision) for match in matches), target.name, target.revision)

    def placed(self) -> Blob:
        """Put the table in place without the rules that are refused, and note these; raise `OSError`."""
        self._try({})  # if even that is refused, no rule is the reason
        bad: dict[int, str] = {}
        for group in self._groups():
            bad |= self._bad(group)
        for index, why in bad.items():
            self._replace(index, why)
        try:
            return self._whole()
        except OSError:
            blob = self._loaded.blob
            self._changed |= {index: counting(blob, blob.rows[index]) for index in bad}
            return self._whole()

    def _groups(self) -> Iterable[list[int]]:
        groups: dict[tuple[object, ...], list[int]] = {}
        for index, kind in self._kinds.items():
            groups.setdefault(kind, []).append(index)
        return groups.values()

    def _try(self, entries: Mapping[int, bytes]) -> None:
        """Put a bare table in place with these entries; raise `OSError`."""
        tables.replace(tables.rebuilt(self._loaded.blob, {**self._bare, **entries}))

    def _whole(self) -> Blob:
        placed = tables.rebuilt(self._loaded.blob, self._changed)
        tables.replace(placed)
        return placed

    def _entry(self, index: int) -> bytes:
        blob = self._loaded.blob
        return self._changed.get(index) or blob.data[blob.rows[index].at : blob.rows[index].end]

    def _parts(self, index: int) -> tuple[list[Part], Part]:
        """Return a rule's parts as they are in this world: its sets are those of the twin."""
        return apart(self._loaded.blob.version, self._entry(index))

    def _bad(self, rows: list[int]) -> dict[int, str]:
        """Return which of some rules of one kind are refused, and the names of the errors."""
        self._tries -= 1
        if self._tries < 0 or time.monotonic() > self._until:
            return dict.fromkeys(rows, "ETIME")
        try:
            self._try({index: self._entry(index) for index in rows})
        except OSError as failure:
            if failure.errno in _WHOLE:
                raise
            if len(rows) == 1:
                return {rows[0]: _word(failure)}
            if len(rows) > FEW and all(self._refuses(rows[at]) for at in (0, len(rows) // 2, -1)):
                return dict.fromkeys(rows, _word(failure))
            half = len(rows) // 2
            return self._bad(rows[:half]) | self._bad(rows[half:])
        return {}

    def _refuses(self, row: int) -> bool:
        return bool(self._bad([row]))

    def _replace(self, index: int, why: str) -> None:
        """Replace a rule by one that counts, with as many of its matches as the kernel takes, and note it."""
        blob, row = self._loaded.blob, self._loaded.blob.rows[index]
        kind = self._kinds.pop(index)
        if kind not in self._reasons:
            self._reasons[kind] = self._reason(index)
        what, dropped = self._reasons[kind]
        kept = [match for place, match in enumerate(self._parts(index)[0]) if place not in dropped]
        self._changed[index] = counting(blob, row, kept)
        self._loaded.refused[index] = _refusal(blob, row, what, why)

    def _reason(self, index: int) -> tuple[str, frozenset[int]]:
        """Return for which of its parts a rule is refused, and which of its matches must go with it."""
        blob, row = self._loaded.blob, self._loaded.blob.rows[index]
        matches, target = self._parts(index)
        if self._takes(index, counting(blob, row, matches)):
            return target.name, frozenset()
        for place, match in enumerate(matches):
            if self._takes(index, counting(blob, row, matches[:place] + matches[place + 1 :])):
                return match.name, frozenset({place})
        return target.name or ", ".join(match.name for match in matches), frozenset(range(len(matches)))

    def _takes(self, index: int, entry: bytes) -> bool:
        self._tries -= 1
        if self._tries < 0 or time.monotonic() > self._until:
            return False
        try:
            self._try({index: entry})
        except OSError:
            return False
        return True


def _jump(blob: Blob, row: Row) -> bytes:
    return tables.entry(blob, row, [], tables.standard(row.verdict))


def _refusal(blob: Blob, row: Row, what: str, why: str) -> Refusal:
    return Refusal(blob.version, blob.table, row.chain, row.number, what, why)


def _word(failure: OSError) -> str:
    return errno.errorcode.get(failure.errno or 0, os.strerror(failure.errno or 0))
