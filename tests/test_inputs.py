"""Files that users name, read with bounds; and what is said while names are written in another way."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.report.documents import encode, read_facts, read_report
from preflight.report.model import Remedy
from preflight.text import sentences
from preflight.text.inputs import DEPTH, InputError, check_depth, named, read_file
from preflight.text.sentences import noted, paragraph, phrase, say, skipped_because, told, unknown_because, writing
from tests.build import host
from tests.render import reports

LIMIT = 2 << 20


# --- files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, LIMIT - 1, LIMIT])
def test_a_file_is_read_up_to_its_limit(size: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    assert read_file(path, LIMIT) == b"x" * size


def test_a_larger_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * (LIMIT + 1))
    with pytest.raises(InputError, match=r"file: larger than 2 MiB$"):
        read_file(path, LIMIT)


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    assert read_file(tmp_path / "link") == b"x"


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """Nobody waits for the other end of a pipe."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken").symlink_to("nothing")
    said = {}
    for name in ("pipe", "circle", "folder", "broken", "folder/none", "a\0b"):
        with pytest.raises(InputError) as caught:
            read_file(tmp_path / name)
        said[name] = str(caught.value).removeprefix(f"{tmp_path / name}: ")
    assert said == {
        "pipe": "not a regular file", "circle": "Too many levels of symbolic links", "folder": "a directory",
        "broken": "No such file or directory", "folder/none": "No such file or directory", "a\0b": "not a path",
    }  # fmt: skip


def test_a_file_that_breaks_while_it_is_read_is_refused() -> None:
    with pytest.raises(InputError, match=r"^/proc/self/mem: Input/output error$"):
        read_file(Path("/proc/self/mem"))


def test_no_name_is_none() -> None:
    assert named("x/y") == Path("x/y")
    with pytest.raises(InputError, match="not the name of a file"):
        named("")


def test_no_handle_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 9)
    before = len(os.listdir("/proc/self/fd"))
    for name, limit in (("file", 9), ("file", 1), (".", 9)):
        try:
            read_file(tmp_path / name, limit)
        except InputError:
            continue
    assert len(os.listdir("/proc/self/fd")) == before


# --- how deep a document nests ---------------------------------------------------------------------------------

NESTED = st.recursive(
    st.none() | st.text(max_size=8) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('{}[]"\\x', max_size=4), inner, max_size=3),
    max_leaves=12,
)


def depth_of(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@given(NESTED, st.integers(0, DEPTH + 2))
def test_a_document_is_refused_where_it_is_too_deep_and_only_there(value: Any, levels: int) -> None:
    for _ in range(levels):
        value = [value]
    data = json.dumps(value).encode()
    if depth_of(value) <= DEPTH:
        check_depth(data, Path("x"))
    else:
        with pytest.raises(InputError, match=rf"^x: nested deeper than {DEPTH} at byte [0-9]+$"):
            check_depth(data, Path("x"))


# --- reports and facts of other versions -----------------------------------------------------------------------


def saved(folder: Path, document: object) -> Path:
    path = folder / "document.json"
    path.write_text(json.dumps(document))
    return path


def test_a_report_of_an_older_version_lacks_what_came_later(tmp_path: Path) -> None:
    """Where and when a remedy is done, its files and records, another program's words: additions of the same schema."""
    remedy = Remedy("Fix it.", ("fix",), place="dns", when="last")
    now = reports.report(reports.result("a.one", "fail", detail="said", remedy=remedy))
    document = json.loads(encode(now))
    (result,) = document["results"]
    result.pop("detail")
    for name in ("place", "when", "files", "records"):
        result["remedy"].pop(name)
    (read,) = read_report(saved(tmp_path, document)).results
    assert read.detail is None
    assert read.remedy == Remedy("Fix it.", ("fix",))


def test_what_a_newer_version_adds_is_passed_over(tmp_path: Path) -> None:
    now = reports.failing()
    document = json.loads(encode(now))
    document["added"] = {"any": ["thing"]}
    for row in document["results"]:
        row["added"] = 1
        row["evidence"]["added"] = [1]
    read = read_report(saved(tmp_path, document))
    assert [(r.check, r.subject, r.status, r.message) for r in read.results] == [
        (r.check, r.subject, r.status, r.message) for r in now.results
    ]
    facts = json.loads(encode(host(name="vm1")))
    facts |= {"added": {"source": "x", "value": 1}}
    facts["name"]["added"] = True
    assert read_facts(saved(tmp_path, facts)) == host(name="vm1")


@pytest.mark.parametrize(
    "started",
    ["2026-11-23T01:23:45", "2026-11-23T01:23:45+00:00", "2026-11-23 01:23:45Z", "2026-1-2T01:23:45Z", "", "now",
     "２０２６-11-23T01:23:45Z", "2026-11-23T01:23:45Z\n", "2026-02-30T01:23:45Z", "2026-11-23T24:00:00Z"],
)  # fmt: skip
def test_a_time_is_written_in_one_way(started: str, tmp_path: Path) -> None:
    for document, read in ((host(), read_facts), (reports.ready(), read_report)):
        with pytest.raises(InputError, match=r"time data|unconverted|day is out of range") as caught:
            read(saved(tmp_path, json.loads(encode(document)) | {"started": started}))
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("number", [1 << 64, -(1 << 64), 10**30])
def test_numbers_that_nobody_can_reckon_with_are_refused_with_their_place(number: int, tmp_path: Path) -> None:
    facts = json.loads(encode(host()))
    facts["sysctls"] = {"source": "x", "value": {"vm.overcommit_memory": number}}
    with pytest.raises(InputError) as caught:
        read_facts(saved(tmp_path, facts))
    assert "$.sysctls" in str(caught.value)


def test_the_largest_number_is_read(tmp_path: Path) -> None:
    facts = json.loads(encode(host()))
    facts["sysctls"] = {"source": "x", "value": {"vm.overcommit_memory": (1 << 64) - 1}}
    assert read_facts(saved(tmp_path, facts)).sysctls.get() == {"vm.overcommit_memory": (1 << 64) - 1}


# --- sentences -------------------------------------------------------------------------------------------------


def test_values_are_put_in_once_and_never_read_as_templates() -> None:
    assert say("{who} has {count}.", who="{count} {0}", count=3) == "{count} {0} has 3."
    assert phrase("{a}", a="{b}") == "{b}"
    assert noted("{who} is here.") == told("{who} is here.") == "{who} is here."


def test_texts_in_places_are_written_as_is_wanted_and_numbers_as_they_are() -> None:
    with writing(lambda text: f"<{text}>"):
        assert say("{who}: {count}, {size}, {all}.", who="x", count=3, size=1.5, all=["a"]) == "<x>: 3, 1.5, <['a']>."
        assert phrase("{who}", who="x") == "<x>"
        assert paragraph("a", say("b")) == "a b"
    assert say("{who}", who="x") == "x"


def test_ways_of_writing_end_with_their_block_whatever_happens() -> None:
    def broken() -> None:
        with writing(str.upper):
            with writing(lambda text: text * 2):
                assert say("{x}", x="a") == "aa"
            assert say("{x}", x="a") == "A"
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        broken()
    assert say("{x}", x="a") == "a"


def test_a_paragraph_is_what_was_said() -> None:
    assert paragraph(None, "", "A.", "", "B.", None) == "A. B."
    assert paragraph() == paragraph(None) == ""
    assert unknown_because("It is late.") == "This could not be determined. It is late."
    assert skipped_because("") == "This was not checked."


def test_a_translation_comes_in_before_anything_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "translated", lambda text: {"{n} of {all}.": "Von {all} {n}."}.get(text, text))
    assert say("{n} of {all}.", n=1, all=2) == "Von 2 1."
    assert told("{n} of {all}.") == "Von {all} {n}."
    assert phrase("{n} of {all}.", n=1, all=2) == "1 of 2."


def test_reading_a_file_waits_for_no_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    refused: list[str] = []

    def read() -> None:
        try:
            read_file(tmp_path / "pipe")
        except InputError as error:
            refused.append(str(error))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(60)
    assert len(refused) == 1
