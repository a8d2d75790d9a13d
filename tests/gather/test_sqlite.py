"""SQLite's file format, held against SQLite itself; and files that are no sound database."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preflight.gather.packages.sqlite import MAGIC, Damaged, Database

KEYS = ("a", "b", "nginx", "exim4", "é", "x" * 3000, "")


def make(path: Path, rows: list[tuple[str, int | None, bytes]], page: int = 4096, journal: str = "delete") -> None:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as held:
        held.execute(f"PRAGMA page_size={page}")
        held.execute(f"PRAGMA journal_mode={journal}")
        held.execute("CREATE TABLE 'T' (n INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT, number INTEGER, blob BLOB)")
        held.execute("CREATE INDEX 'T_key' ON 'T'(key ASC)")
        held.executemany("INSERT INTO T (key, number, blob) VALUES (?, ?, ?)", rows)
        held.commit()


@contextmanager
def opened(path: Path) -> Iterator[Database]:
    handle = os.open(path, os.O_RDONLY)
    try:
        yield Database(handle)
    finally:
        os.close(handle)


def rows(count: int, seed: int) -> list[tuple[str, int | None, bytes]]:
    chosen = random.Random(seed)
    sizes = (0, 1, 100, 400, 490, 3990, 4062, 4096, 9000, 70_000)
    numbers = (None, 0, 1, -1, 127, -129, 1 << 15, 1 << 23, -(1 << 31), 1 << 40, -(1 << 62))
    return [
        (
            chosen.choice(KEYS) if chosen.random() < 0.1 else f"k{chosen.randrange(10 * count)}",
            chosen.choice(numbers),
            chosen.randbytes(chosen.choice(sizes[: 4 if chosen.random() < 0.9 else None])),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("page", [512, 1024, 4096, 65536])
@pytest.mark.parametrize("count", [0, 1, 30, 3000])
def test_every_row_is_found_by_its_number_and_by_its_text(tmp_path: Path, page: int, count: int) -> None:
    made = rows(count, page + count)
    make(tmp_path / "db", made, page, "wal" if page == 4096 else "delete")
    with opened(tmp_path / "db") as held:
        table, index = held.roots["T"], held.roots["T_key"]
        chosen = random.Random(1).sample(range(count), min(count, 60))
        for number in chosen:
            assert held.row(table, number + 1) == (None, made[number][0].encode(), *made[number][1:])
        assert held.row(table, 0) is None
        assert held.row(table, count + 1) is None
        for key in {*KEYS, "missing", "k", *(made[number][0] for number in chosen)}:
            numbers = [number for number, row in enumerate(made, 1) if row[0] == key]
            assert sorted(held.find(index, key.encode())) == numbers[:200]


DAMAGE = st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4)), min_size=1, max_size=30)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DAMAGE, st.sampled_from([512, 4096]), st.floats(0.1, 1))
def test_a_damaged_database_is_an_error_or_a_wrong_answer_soon(
    tmp_path: Path, damage: list[tuple[float, bytes]], page: int, kept: float
) -> None:
    whole = tmp_path / f"db{page}"
    if not whole.exists():
        make(whole, rows(400, 5), page)
    data = bytearray(whole.read_bytes())
    for place, new in damage:
        at = int(place * (len(data) - len(new)))
        data[at : at + len(new)] = new
    (tmp_path / "bad").write_bytes(data[: int(len(data) * kept)])
    try:
        with opened(tmp_path / "bad") as held:
            for root in held.roots.values():
                for number in (1, 100, 399):
                    answer(held.row, root, number)
                for key in (b"a", b"nginx", b"k77"):
                    answer(held.find, root, key)
    except Damaged:
        pass


def answer(ask: Any, *words: object) -> None:
    with suppress(Damaged):
        ask(*words)


@pytest.mark.parametrize("data", [b"", b"SQLite format 3", MAGIC + bytes(84), b"\0" * 5000, MAGIC + b"\xff" * 9000])
def test_what_is_no_database(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "db").write_bytes(data)
    with pytest.raises(Damaged), opened(tmp_path / "db"):
        pass


def test_an_index_that_leads_in_circles_comes_to_an_end(tmp_path: Path) -> None:
    make(tmp_path / "db", [("a", 1, b"")] * 3000, 512)
    data = bytearray((tmp_path / "db").read_bytes())
    with opened(tmp_path / "db") as held:
        root = held.roots["T_key"]
    at = (root - 1) * 512
    count = int.from_bytes(data[at + 3 : at + 5], "big")
    assert data[at] == 2
    for cell in range(count):  # every page to the left is this page
        place = at + int.from_bytes(data[at + 12 + 2 * cell :][:2], "big")
        data[place : place + 4] = root.to_bytes(4, "big")
    (tmp_path / "db").write_bytes(data)
    with opened(tmp_path / "db") as held, pytest.raises(Damaged):
        held.find(root, b"a")
