"""Look something up in a SQLite database, by the file format that sqlite.org documents: no more than rpm's needs.

The library itself follows links as its own process sees them, so that it opens nothing below /proc/1/root; it makes
files beside a database that is written to, and with its module it would be a thirtieth of the image.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_left
from collections.abc import Iterator

from msgspec import Struct

MAGIC = b"SQLite format 3\0"
VISITS = 20_000  # to pages: a lookup takes some four
BYTES = 64 << 20  # read at most
DEPTH = 20
PAYLOAD = 32 << 20  # bytes of a row: rpm's largest, with all the names of a package's files, are some MB
ROWS = 200  # with the same key
_INTERIOR_INDEX, _INTERIOR_TABLE, _LEAF_INDEX, _LEAF_TABLE = 2, 5, 10, 13

Value = int | bytes | None  # a text is its bytes; a number with a fraction None


class Damaged(Exception):
    """The file is no such database, or not a sound one."""


class _Page(Struct, frozen=True):
    data: bytes
    kind: int
    cells: tuple[int, ...]  # where they begin
    last: int  # the page to the right of all of them, of an interior one


class Database:
    """A database at an open file. All that is read from it may raise `Damaged`, or OSError."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._left, self._visits = BYTES, VISITS
        self._known: dict[int, _Page] = {}
        head = os.pread(handle, 100, 0)
        if len(head) < 100 or not head.startswith(MAGIC) or head[56:60] != b"\0\0\0\1":  # UTF-8
            raise Damaged("not a SQLite database in UTF-8")
        self._size = int.from_bytes(head[16:18], "big")
        self._size = 65536 if self._size == 1 else self._size
        self._usable = self._size - head[20]
        if self._size < 512 or self._size & (self._size - 1) or self._usable < 480:
            raise Damaged("its pages have no size that there is")
        self.roots = dict(self._schema())  # first pages, by the names of tables and indexes

    def row(self, root: int, number: int) -> tuple[Value, ...] | None:
        """Return a table's row; None: there is none with this number."""
        for _ in range(DEPTH):
            page = self._page(root)
            at = bisect_left(page.cells, number, key=lambda cell: self._number(page, cell))
            if page.kind == _LEAF_TABLE:
                if at == len(page.cells) or self._number(page, page.cells[at]) != number:
                    return None
                size, start = _varint(page.data, page.cells[at])
                _, start = _varint(page.data, start)
                return _record(self._payload(page.data, start, size, self._usable - 35))
            if page.kind != _INTERIOR_TABLE:
                break
            root = _left(page, at)
        raise Damaged("a table is none")

    def find(self, root: int, key: bytes) -> list[int]:
        """Return the numbers of the rows with a text, from an index on it."""
        found: list[int] = []
        self._search(root, key, found, DEPTH)
        return found

    def _search(self, root: int, key: bytes, found: list[int], depth: int) -> None:
        page = self._page(root)
        if page.kind not in (_INTERIOR_INDEX, _LEAF_INDEX) or not depth:
            raise Damaged("an index is none")
        inner = page.kind == _INTERIOR_INDEX
        at = bisect_left(page.cells, key, key=lambda cell: _text(self._entry(page, cell)[0]))
        while len(found) < ROWS:
            if inner:
                self._search(_left(page, at), key, found, depth - 1)
            entry = self._entry(page, page.cells[at]) if at < len(page.cells) else ()
            if not entry or _text(entry[0]) != key:
                return
            if not isinstance(entry[-1], int):
                raise Damaged("an entry of an index leads to no row")
            found.append(entry[-1])
            at += 1

    def _schema(self) -> Iterator[tuple[str, int]]:
        for page in self._leaves(1, DEPTH):
            for cell in page.cells:
                size, start = _varint(page.data, cell)
                _, start = _varint(page.data, start)
                row = _record(self._payload(page.data, start, size, self._usable - 35))
                if len(row) > 3 and row[0] in (b"table", b"index") and isinstance(row[3], int):
                    yield _text(row[1]).decode("utf-8", "replace"), row[3]

    def _leaves(self, root: int, depth: int) -> Iterator[_Page]:
        page = self._page(root)
        if page.kind == _LEAF_TABLE:
            yield page
        elif page.kind == _INTERIOR_TABLE and depth:
            for at in range(len(page.cells) + 1):
                yield from self._leaves(_left(page, at), depth - 1)
        else:
            raise Damaged("a table is none")

    def _number(self, page: _Page, cell: int) -> int:
        if page.kind == _INTERIOR_TABLE:
            return _varint(page.data, cell + 4)[0]
        return _varint(page.data, _varint(page.data, cell)[1])[0]

    def _entry(self, page: _Page, cell: int) -> tuple[Value, ...]:
        size, start = _varint(page.data, cell + 4 if page.kind == _INTERIOR_INDEX else cell)
        entry = _record(self._payload(page.data, start, size, (self._usable - 12) * 64 // 255 - 23))
        if not entry:
            raise Damaged("an entry of an index is empty")
        return entry

    def _page(self, number: int) -> _Page:
        self._visits -= 1
        if self._visits < 0:
            raise Damaged("it leads in circles, or is too large")
        page = self._known.get(number)
        if page is None:
            data = self._read(number)
            at = 100 if number == 1 else 0
            kind, _, count, _, _, last = struct.unpack_from(">BHHHBI", data, at)
            inner = kind in (_INTERIOR_INDEX, _INTERIOR_TABLE)
            try:
                cells = struct.unpack_from(f">{count}H", data, at + (12 if inner else 8))
            except struct.error:
                raise Damaged("a page has more cells than fit") from None
            page = self._known[number] = _Page(data, kind, cells, last if inner else 0)
        return page

    def _read(self, number: int) -> bytes:
        self._left -= self._size
        data = os.pread(self._handle, self._size, (number - 1) * self._size) if 0 < number < 1 << 31 else b""
        if self._left < 0 or len(data) < self._size:
            raise Damaged("a page is missing")
        return data

    def _payload(self, data: bytes, start: int, size: int, most: int) -> bytes:
        """Return what belongs to a cell: so much on its own page, the rest on a chain of others."""
        if size > PAYLOAD:
            raise Damaged("a row is too large")
        if size <= most:
            return data[start : start + size]
        least = (self._usable - 12) * 32 // 255 - 23
        here = least + (size - least) % (self._usable - 4)
        here = here if here <= most else least
        parts, left = [data[start : start + here]], size - here
        page = int.from_bytes(data[start + here : start + here + 4], "big")
        while left > 0:
            more = self._read(page)
            page = int.from_bytes(more[:4], "big")
            parts.append(more[4 : min(self._usable, 4 + left)])
            left -= len(parts[-1])
        return b"".join(parts)


def _left(page: _Page, at: int) -> int:
    """Return the page to the left of a cell, to the right of the last one."""
    return int.from_bytes(page.data[page.cells[at] : page.cells[at] + 4], "big") if at < len(page.cells) else page.last


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of one to nine bytes; return it and where it ends."""
    value = 0
    try:
        for end in range(at, at + 8):
            value = value << 7 | data[end] & 0x7F
            if data[end] < 0x80:
                return value, end + 1
        value = value << 8 | data[at + 8]
    except IndexError:
        raise Damaged("a number goes on beyond its page") from None
    return value - (1 << 64) if value >> 63 else value, at + 9


_SIZES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)


def _record(payload: bytes) -> tuple[Value, ...]:
    """Read a row's values: their kinds come first, then all of them."""
    end, at = _varint(payload, 0)
    start, values = end, list[Value]()
    while at < end:
        kind, at = _varint(payload, at)
        size = (kind - 12) // 2 if kind >= 12 else _SIZES[max(kind, 0)]
        raw = payload[start : start + size]
        if len(raw) != size:
            raise Damaged("a value goes on beyond its row")
        start += size
        whole = int.from_bytes(raw, "big", signed=True) if 0 < kind < 7 else kind - 8 if kind in (8, 9) else None
        values.append(raw if kind >= 12 else whole)
    return tuple(values)


def _text(value: Value) -> bytes:
    return value if isinstance(value, bytes) else b""
