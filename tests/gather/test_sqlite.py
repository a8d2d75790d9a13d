"""SQLite databases of others: what is asked is answered, and whatever they hold does no harm."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preflight.gather.packages import sqlite
from preflight.gather.packages.sqlite import MAGIC, Damaged, opened

TABLES = frozenset({"T"})
KEYS = ("a", "b", "nginx", "exim4", "é", "x" * 3000, "")


def made(
    path: Path, *statements: str, page: int = 4096, journal: str = "delete", rows: Iterable[tuple[object, object]] = ()
) -> Path:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as held:
        held.execute(f"PRAGMA page_size={page}")
        held.execute(f"PRAGMA journal_mode={journal}")
        for statement in statements:
            held.execute(statement)
        for row in rows:
            held.execute("INSERT INTO T VALUES (?, ?)", row)
        held.commit()
    return path


def ask(data: bytes, question: str, *words: object) -> list[tuple[object, ...]]:
    with opened(bytearray(data), TABLES) as held:
        return held.execute(question, words).fetchall()


PLAIN = ("CREATE TABLE T (key TEXT, blob)", "CREATE INDEX 'T_key' ON 'T'(key ASC)")


@pytest.mark.parametrize("page", [512, 4096, 65536])
@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_what_is_there_is_found(tmp_path: Path, page: int, journal: str) -> None:
    chosen = random.Random(page)
    rows = [(key, chosen.randbytes(chosen.choice([0, 1, 490, 4062, 70_000]))) for key in KEYS * 20]
    data = made(tmp_path / "db", *PLAIN, page=page, journal=journal, rows=rows).read_bytes()
    for key in (*KEYS, "missing"):
        got = ask(data, "SELECT blob FROM T WHERE key = CAST(? AS TEXT) ORDER BY rowid", key.encode())
        assert got == [(blob,) for name, blob in rows if name == key]
    assert sorted(tmp_path.iterdir()) == [tmp_path / "db"]


DAMAGE = st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4)), min_size=1, max_size=30)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DAMAGE, st.sampled_from([512, 4096]), st.floats(0.1, 1))
def test_a_damaged_database_is_an_error_or_a_wrong_answer(
    tmp_path: Path, damage: list[tuple[float, bytes]], page: int, kept: float
) -> None:
    whole = tmp_path / f"db{page}"
    if not whole.exists():
        made(whole, *PLAIN, page=page, rows=[(f"k{number % 100}", b"x" * number) for number in range(400)])
    data = bytearray(whole.read_bytes())
    for place, new in damage:
        at = int(place * (len(data) - len(new)))
        data[at : at + len(new)] = new
    for key in (b"a", b"k77"):
        with suppress(Damaged):
            ask(data[: int(len(data) * kept)], "SELECT blob FROM T WHERE key = CAST(? AS TEXT)", key)


@pytest.mark.parametrize("data", [b"", b"SQLite format 3", MAGIC + bytes(84), b"\0" * 5000, MAGIC + b"\xff" * 9000])
def test_what_is_no_database(data: bytes) -> None:
    with pytest.raises(Damaged):
        ask(data, "SELECT * FROM T")


def test_one_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = made(tmp_path / "db", *PLAIN).read_bytes()
    assert ask(data, "SELECT * FROM T") == []
    monkeypatch.setattr(sqlite, "SIZE", len(data) - 1)
    with pytest.raises(Damaged, match="large"):
        ask(data, "SELECT * FROM T")


ENDLESS = "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) SELECT x AS key, x AS blob FROM n"
STRANGE = {
    "an endless view": (f"CREATE VIEW T AS {ENDLESS}",),
    "a virtual table": ("CREATE TABLE T (key, blob)", "CREATE VIRTUAL TABLE more USING fts5(a)"),
    "a trigger": ("CREATE TABLE T (key, blob)", "CREATE TRIGGER t AFTER INSERT ON T BEGIN SELECT 1; END"),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_more_than_tables_and_indexes_is_refused(tmp_path: Path, kind: str) -> None:
    data = made(tmp_path / "db", *STRANGE[kind]).read_bytes()
    with pytest.raises(Damaged, match="more than tables"):
        ask(data, "SELECT * FROM T")


@pytest.mark.parametrize(
    "question",
    [
        "SELECT name FROM sqlite_master", "SELECT * FROM other", "SELECT load_extension('/lib/x.so')", ENDLESS,
        "SELECT zeroblob(1000000)", "ATTACH '/tmp/mailcow-preflight-test' AS more", "INSERT INTO T VALUES (1, 2)",
        "CREATE TEMP TABLE more (x)", "PRAGMA trusted_schema = ON", "PRAGMA temp_store_directory = '/tmp'",
        "VACUUM INTO '/tmp/mailcow-preflight-test'",
    ],
)  # fmt: skip
def test_nothing_but_a_look_at_the_named_tables_is_allowed(tmp_path: Path, question: str) -> None:
    data = made(tmp_path / "db", *PLAIN, "CREATE TABLE other (x)").read_bytes()
    with pytest.raises(Damaged):
        ask(data, question)
    assert not Path("/tmp/mailcow-preflight-test").exists()


def test_what_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A generated column is reckoned with at each look; its functions are harmless, and slow."""
    made(tmp_path / "db", *PLAIN, rows=[("a", number) for number in range(20_000)])
    with closing(sqlite3.connect(tmp_path / "db")) as held:
        held.execute("ALTER TABLE T ADD COLUMN slow AS (length(hex(printf('%.*c', 1000000 + blob, 'x'))))")
    data = (tmp_path / "db").read_bytes()
    monkeypatch.setattr(sqlite, "SECONDS", 0.2)
    monkeypatch.setattr(sqlite, "STEPS", 10)
    with pytest.raises(Damaged, match="interrupted"):
        ask(data, "SELECT blob FROM T WHERE slow = 1")


def test_a_row_has_its_bound(tmp_path: Path) -> None:
    for size in (sqlite.PAYLOAD - 100, sqlite.PAYLOAD + 1):
        data = made(tmp_path / "db", *PLAIN, rows=[("a", b"x" * size)]).read_bytes()
        if size < sqlite.PAYLOAD:
            assert len(ask(data, "SELECT blob FROM T")) == 1
        else:
            with pytest.raises(Damaged, match="too big"):
                ask(data, "SELECT blob FROM T")


def test_all_memory_has_its_bound(tmp_path: Path) -> None:
    """In a process of its own: the library never raises that bound again."""
    path = made(tmp_path / "db", *PLAIN, rows=[("a", b"x" * (4 << 20))])
    program = f"""
from pathlib import Path
from preflight.gather.packages import sqlite
sqlite.HEAP = 2 << 20
try:
    with sqlite.opened(bytearray(Path({str(path)!r}).read_bytes()), frozenset()):
        print("opened")
except sqlite.Damaged:
    print("refused")
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == "refused\n"
