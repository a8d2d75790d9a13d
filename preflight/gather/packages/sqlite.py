"""Look something up in a SQLite database of the host, which may be anybody's work.

The library is given the bytes, never a path: it would follow links as its own process sees them, so that it opens
nothing below /proc/1/root, and make files beside a database that is written to.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

MAGIC = b"SQLite format 3\0"
SIZE = 128 << 20  # bytes of a database; rpm's has some 50 MB on a large server
PAYLOAD = 32 << 20  # bytes of a row: rpm's largest, with all the names of a package's files, are some MB
HEAP = SIZE + (64 << 20)  # bytes that the library may use, its copy of the database included
SECONDS = 2.0  # for all questions to a database
STEPS = 1000  # of the library's machine between two looks at the clock
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: PAYLOAD,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1 << 16,
    sqlite3.SQLITE_LIMIT_COLUMN: 100,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 20,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
}
# All that is known of the database is taken as a stranger's; what is sorted or joined stays in memory.
_GUARDS = ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON", "temp_store = MEMORY")
# Neither views nor virtual tables, whose code reads what it likes. The library writes the first words of these itself.
_STRANGE = """
    SELECT 1 FROM sqlite_master WHERE sql NOT NULL
    AND sql NOT LIKE 'CREATE TABLE %' AND sql NOT LIKE 'CREATE INDEX %' AND sql NOT LIKE 'CREATE UNIQUE INDEX %'
"""
_one_at_a_time = threading.Lock()  # the limit of memory is the whole library's


class Damaged(Exception):
    """The file is no such database, or not a sound one, or too large."""


@contextmanager
def opened(data: bytearray, tables: frozenset[str]) -> Iterator[sqlite3.Connection]:
    """Open a database for questions to these tables; texts come as bytes. Raises `Damaged`, also for what is inside.

    `data` is changed: a database with a write-ahead log is taken for one without.
    """
    if not data.startswith(MAGIC) or len(data) > SIZE:
        raise Damaged("not a SQLite database, or too large")
    data[18:20] = b"\1\1"  # else the library looks for the log, which a database in memory has not
    try:
        with _one_at_a_time, closing(sqlite3.connect(":memory:", isolation_level=None)) as held:
            _guard(held)
            held.deserialize(data)
            if held.execute(_STRANGE).fetchone():
                raise Damaged("it has more than tables and indexes")
            held.set_authorizer(lambda action, table, *rest: _allowed(tables, action, table, rest[-1]))
            yield held
    except (sqlite3.Error, MemoryError, OverflowError) as error:
        raise Damaged(str(error)) from None


def _guard(held: sqlite3.Connection) -> None:
    """Set all bounds, before the library sees the first byte."""
    until = time.monotonic() + SECONDS
    held.set_progress_handler(lambda: time.monotonic() > until, STEPS)
    held.text_factory = bytes
    for limit, number in _LIMITS.items():
        held.setlimit(limit, number)
    for guard in (*_GUARDS, f"hard_heap_limit = {HEAP}"):
        held.execute(f"PRAGMA {guard}")


def _allowed(tables: frozenset[str], action: int, table: str | None, within: str | None) -> int:
    """Allow to select from these tables alone: no function, no recursion, nothing from within a view or trigger."""
    reads = action == sqlite3.SQLITE_READ and table in tables
    allowed = within is None and (reads or action == sqlite3.SQLITE_SELECT)
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY
