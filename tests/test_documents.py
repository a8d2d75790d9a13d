"""Facts files and other inputs: read, or refused with one line that names the file and the place."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from preflight import requirements
from preflight.bounded import InputError, check_depth, read_file
from preflight.documents import read_facts, schema, write_json
from tests.build import host


def test_facts_come_back_as_they_were(tmp_path: Path) -> None:
    made = host(name="mx", started="2026-01-02T03:04:05Z")
    path = tmp_path / "facts.json"
    path.write_text(write_json(made))
    assert read_facts(path) == made


def damaged(**changes: object) -> bytes:
    document = json.loads(write_json(host()))
    for key, value in changes.items():
        if value is None:
            del document[key]
        else:
            document[key] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"[]", "object"),
        (b"\xff\xfe", "malformed"),
        (damaged(schema=2), "schema 2"),
        (damaged(schema="1"), "schema"),
        (damaged(memory=None), "memory"),
        (damaged(memory=7), "$.memory"),
        (damaged(memory={"source": "x"}), "$.memory"),
        (damaged(started="yesterday"), "yesterday"),
        (b"[" * 100_000, "nested deeper than 64"),
        (b'{"schema": 1, "a": ' + b'{"b": ' * 65 + b"1" + b"}" * 66, "nested deeper than 64"),
    ],
)
def test_a_broken_facts_file_is_refused_with_its_name_and_the_place(tmp_path: Path, data: bytes, word: str) -> None:
    path = tmp_path / "facts.json"
    path.write_bytes(data)
    with pytest.raises(InputError) as raised:
        read_facts(path)
    assert str(path) in str(raised.value)
    assert word.lower() in str(raised.value).lower()
    assert "\n" not in str(raised.value)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "big").write_bytes(b" " * 2000)
    for path, word in (
        (tmp_path / "none", "No such file"),
        (tmp_path, "directory"),
        (tmp_path / "fifo", "regular"),
        (Path("/dev/zero"), "regular"),
        (tmp_path / "big", "larger"),
    ):
        with pytest.raises(InputError, match=word):
            read_file(path, limit=1000)


def test_brackets_in_strings_do_not_nest() -> None:
    check_depth(b'{"a": "' + b"[" * 100 + b'\\"' + b"[" * 100 + b'"}', Path("x"))


@pytest.mark.parametrize("name", ["report", "facts"])
def test_the_schema_says_which_draft_it_is_of(name: str) -> None:
    made = schema(name)
    assert made["$schema"].endswith("2020-12/schema")
    assert "$defs" in made


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "name"),
        ("name = ", "Invalid value"),
        ('name = "x"\nsurprise = 1', "surprise"),
        ("a = " + "[" * 2000, "mine"),
    ],
)
def test_a_broken_requirements_file_is_refused(text: str, word: str) -> None:
    with pytest.raises(requirements.RequirementsError, match=word) as raised:
        requirements.parse(text, "mine.toml")
    assert str(raised.value).startswith("mine.toml: ")
    assert "\n" not in str(raised.value)
