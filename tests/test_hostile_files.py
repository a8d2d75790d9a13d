"""Hostile files by name: `--facts` and `--mailcow-conf` that are broken, endless or false, through the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preflight.facts import Asked, ConfFile, Memory
from preflight.facts.parts import PARTS
from preflight.gather.conf import mailcow_conf
from preflight.report.documents import encode
from preflight.text.inputs import FILE_BYTES
from tests.build import host
from tests.line import Line, Run
from tests.sockets import bound

RECORDED = Path(__file__).parent / "hosts" / "debian12-nested.json"
GOOD = encode(host(memory=Memory(1 << 33, 1 << 32, 1 << 31, 0), asked=Asked(offline=True, probe=False)))
DOCUMENT: dict[str, Any] = json.loads(GOOD)


def refused(run: Run) -> str:
    """Expect an input error: exit 2, nothing on standard output, one clean line on standard error."""
    assert (run.code, run.out) == (2, ""), run
    (said,) = run.err.split("\n")[:-1]
    assert said.startswith("preflight: ")
    assert len(said) <= 500
    assert said.isprintable()
    return said


# --- files that are none, of both options --------------------------------------------------------------------


def sparse(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


MADE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "o"),
    "a directory": (lambda path: path.mkdir(), "a directory"),
    "a FIFO": (os.mkfifo, "regular"),
    "a socket": (bound, ""),
    "a link to itself": (lambda path: path.symlink_to(path), "links"),
    "a link to /dev/zero": (lambda path: path.symlink_to("/dev/zero"), "regular"),
    "a link to nothing": (lambda path: path.symlink_to("nowhere"), ""),
    "one byte too many": (lambda path: sparse(path, FILE_BYTES + 1), "larger than 16 MiB"),
    "huge and sparse": (lambda path: sparse(path, 1 << 40), "larger than 16 MiB"),
    "zeros": (lambda path: sparse(path, 5000), ""),
}


@pytest.mark.parametrize("option", ["--facts", "--mailcow-conf"])
@pytest.mark.parametrize("kind", MADE)
def test_what_is_no_such_file_is_refused_at_once(kind: str, option: str, preflight: Line, tmp_path: Path) -> None:
    make, word = MADE[kind]
    make(tmp_path / "given")
    said = refused(preflight(option, str(tmp_path / "given"), "--quiet"))
    assert str(tmp_path / "given") in said
    assert word in said


@pytest.mark.parametrize("option", ["--facts", "--mailcow-conf"])
@pytest.mark.parametrize("path", ["", "a\nb\x1b[31m\u202e", "x" * 300, "y/" * 3000, "\udcff\udc80", "nul\0l"])
def test_a_path_that_is_hostile_itself_is_shown_and_not_obeyed(option: str, path: str, preflight: Line) -> None:
    refused(preflight(option, path, "--quiet"))


@pytest.mark.parametrize("option", ["--facts", "--mailcow-conf"])
def test_a_file_that_may_not_be_read_is_refused(
    option: str, preflight: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, opened = tmp_path / "given", os.open

    def guarded(path: Any, *rest: Any, **more: Any) -> int:
        if os.fspath(path) == str(closed):
            raise PermissionError(13, "Permission denied")
        return opened(path, *rest, **more)

    closed.write_text(GOOD)
    monkeypatch.setattr(os, "open", guarded)
    assert "Permission denied" in refused(preflight(option, str(closed), "--quiet"))


# --- facts ---------------------------------------------------------------------------------------------------


def changed(**parts: object) -> bytes:
    return json.dumps(DOCUMENT | parts).encode()


def replaced(old: str, new: str) -> bytes:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new).encode()


SCHEMA = '"schema": 1'
SECONDS = '"seconds": 0.5'
DOCUMENTS = {
    "two documents": GOOD.encode() * 2,
    "something behind": GOOD.encode() + b"x",
    "cut off": GOOD.encode()[: len(GOOD) // 2],
    "a byte-order mark": b"\xef\xbb\xbf" + GOOD.encode(),
    "UTF-16": GOOD.encode("utf-16"),
    "invalid UTF-8 in a name": GOOD.encode().replace(b'"version": "0"', b'"version": "\xff"'),
    "a lone surrogate": replaced('"version": "0"', '"version": "\\ud800"'),
    "a comment": b"// facts\n" + GOOD.encode(),
    "single quotes": GOOD.replace('"', "'").encode(),
    "a number": b"1",
    "a string": b'"facts"',
    "null": b"null",
    "many documents": b"{}" * 100_000,
    "only blanks": b" " * 1_000_000,
    "nested lists": changed(engine=json.loads("[" * 60 + "]" * 60)),
    "nested too deep": changed(engine=json.loads("[" * 64 + "]" * 64)),
    "deep as it can be": b'{"schema":' * 1_000_000,
    "no schema": json.dumps({key: value for key, value in DOCUMENT.items() if key != "schema"}).encode(),
    "schema 0": replaced(SCHEMA, '"schema": 0'),
    "schema 1.5": replaced(SCHEMA, '"schema": 1.5'),
    "schema true": replaced(SCHEMA, '"schema": true'),
    "schema beyond all numbers": replaced(SCHEMA, f'"schema": {"9" * 5000}'),
    "the schema twice": replaced(SCHEMA, '"schema": 1, "schema": 2'),
    "NaN": replaced(SECONDS, '"seconds": NaN'),
    "infinity": replaced(SECONDS, '"seconds": Infinity'),
    "a number beyond all floats": replaced(SECONDS, '"seconds": 1e999'),
    "an integer beyond 64 bits": replaced("8589934592", str(1 << 64)),
    "an integer beyond all floats": replaced("8589934592", "9" * 400),
    "a negative exponent of a size": replaced("8589934592", "1e-5"),
    "a part twice, the last one broken": replaced(SCHEMA, SCHEMA + ', "memory": 1'),
    "a value and a reason": changed(memory={"source": "x", "value": DOCUMENT["memory"]["value"],
                                            "missing": {"kind": "unknown", "reason": "x"}}),
    "neither value nor reason": changed(memory={"source": "x"}),
    "a reason of another kind": changed(memory={"source": "x", "missing": {"kind": "error", "reason": "x"}}),
    "a day that is none": changed(started="2026-02-30T00:00:00Z"),
    "a year that is none": changed(started="0000-01-01T00:00:00Z"),
    "a time without a zone": changed(started="2026-01-01T00:00:00"),
    "a date in short": changed(started="2026-1-1T00:00:00Z"),
    "a date in other digits": changed(started="\u0662026-01-01T00:00:00Z"),
    "a long time": changed(started="2026-01-01T00:00:00Z" + "x" * 100_000),
    "a report": json.dumps({"schema": 1, "tool": {"name": "x"}, "results": []}).encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
def test_facts_that_are_none_are_refused(name: str, preflight: Line, tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_bytes(DOCUMENTS[name])
    assert str(path) in refused(preflight("--facts", str(path)))


WRONG = (None, True, 7, -1.5, "x", [], [None], {}, {"source": 1}, {"source": "x", "value": "\0"}, {"value": 1})


HEAD = ("version", "started", "seconds", "view", "asked")  # each version has recorded them


@pytest.mark.parametrize("part", HEAD)
def test_facts_without_their_head_are_refused(part: str, preflight: Line, tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text(json.dumps({key: value for key, value in DOCUMENT.items() if key != part}))
    assert part in refused(preflight("--facts", str(path)))


def with_part(part: str, value: object) -> dict[str, Any]:
    """Return the document with another value of a part, which may stand in a group."""
    group, _, name = part.rpartition(".")
    return DOCUMENT | ({group: DOCUMENT[group] | {name: value}} if group else {name: value})


@pytest.mark.parametrize("part", [*HEAD, *PARTS])
def test_a_part_of_the_wrong_type_is_refused_by_its_name(part: str, preflight: Line, tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    right = {"version": (str,), "started": (), "seconds": (int, float), "name": (), "kernel": (), "machine": ()}
    for wrong in WRONG:
        fits = isinstance(wrong, right.get(part, ())) and not isinstance(wrong, bool)
        text = isinstance(wrong, dict) and wrong.get("value") == "\0" and part in ("name", "kernel", "machine")
        empty = isinstance(wrong, dict) and part == "asked"  # all of it has defaults
        path.write_text(json.dumps(with_part(part, wrong)))
        if not (fits or text or empty):
            said = refused(preflight("--facts", str(path)))
            assert part in said or "x" in said, wrong  # a time that is none is quoted


@pytest.mark.parametrize("part", ["healthcheck", "privileged", "limits"])
def test_a_probe_at_the_top_as_older_versions_wrote_it_is_held_to_its_type(
    part: str, preflight: Line, tmp_path: Path
) -> None:
    path = tmp_path / "facts.json"
    older = {key: value for key, value in DOCUMENT.items() if key != "probes"}
    for wrong in (7, "x", [], {}, {"source": 1}, {"source": "x", "value": {"started": "yes"}}):
        path.write_text(json.dumps(older | {part: wrong}))
        assert f"$.{part}" in refused(preflight("--facts", str(path)))


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield where something stands in a document."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*path, key))


def put(document: Any, path: tuple[str | int, ...], value: object) -> Any:
    if not path:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = put(copy[path[0]], path[1:], value)
    return copy


REAL = json.loads(RECORDED.read_text("utf-8"))
PLACES = [path for path in places(REAL) if "flags" not in path]
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=30), st.lists(st.text(max_size=5), max_size=3), st.dictionaries(st.text(max_size=5), st.none()),
    st.sampled_from([0, -1, 65536, 10**12, "", "\0", "::", "0.0.0.0/0", "999.1.1.1", "-", "a" * 5000, "\u202e", [[]]]),
)  # fmt: skip


@given(st.data())
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_facts_that_are_false_in_one_place_are_refused_or_judged_and_break_no_check(
    preflight: Line, tmp_path: Path, data: st.DataObject
) -> None:
    place, value = data.draw(st.sampled_from(PLACES)), data.draw(ODD)
    path = tmp_path / "facts.json"
    path.write_text(json.dumps(put(REAL, place, value)))
    run = preflight("--facts", str(path), "--format", data.draw(st.sampled_from(["json", "json", "markdown", "text"])))
    if run.code == 2:
        refused(run)
    else:
        assert (run.code in (0, 1, 3), run.err) == (True, ""), place
        assert "The check itself failed" not in " ".join(run.out.split()), place


# --- mailcow.conf --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"\0", "line 1"),
        (b"SMTP_PORT=25\n\n\0\n", "line 3"),
        (b"\x7fELF" + bytes(100), "line 1"),
        ("HTTP_PORT=80\n".encode("utf-16"), "line 1"),
        (b"#" * FILE_BYTES + b"\n", "larger"),
    ],
)
def test_a_mailcow_conf_that_is_none_is_refused_with_the_line(
    data: bytes, word: str, preflight: Line, tmp_path: Path
) -> None:
    path = tmp_path / "mailcow.conf"
    path.write_bytes(data)
    said = refused(preflight("--mailcow-conf", str(path), "--only", "ports.configuration", "--quiet"))
    assert str(path) in said
    assert word in said


@pytest.mark.parametrize(
    ("data", "statuses"),
    [
        (b"", {"pass"}),
        (b"\xff\xfe\xfd\n", {"fail", "pass", "warn"}),
        (b"HTTP_PORT=80\xff\n", {"fail"}),
        (b"HTTP_PORT=NaN\n", {"fail"}),
        (b"HTTP_PORT=" + b"9" * 100_000 + b"\n", {"fail"}),
        (b"HTTP_PORT=-80\nHTTPS_PORT=4e3\n", {"fail"}),
        (b"HTTP_PORT=80\nHTTP_PORT=81\n" * 1000, {"fail", "pass", "warn"}),
        (b'HTTP_PORT="80\n' * 1000, {"fail"}),
        (b"HTTP_PORT=" + b"${" * 50_000 + b"}" * 50_000 + b"\n", {"fail", "warn"}),
        (b"IPV4_NETWORK=" + b"1." * 100_000 + b"\n", {"fail"}),
        (b"=\n" * 500_000, {"fail", "pass", "warn"}),
        (b"SMTP_PORT=\x1b[31m25\n", {"fail"}),
        (b"A" * (FILE_BYTES - 1), {"fail", "pass", "warn"}),
    ],
    ids=lambda value: repr(value[:30]) if isinstance(value, bytes) else "",
)
def test_a_mailcow_conf_that_can_be_read_is_judged_whatever_stands_in_it(
    data: bytes, statuses: set[str], preflight: Line, tmp_path: Path
) -> None:
    path = tmp_path / "mailcow.conf"
    path.write_bytes(data)
    run = preflight("--mailcow-conf", str(path), "--only", "ports.configuration", "--quiet", "--format", "json")
    assert run.err == ""
    found = {row["status"] for row in json.loads(run.out)["results"]}
    assert found <= statuses
    assert run.code == (1 if "fail" in found else 0)
    shown = preflight("--mailcow-conf", str(path), "--only", "ports.configuration", "--quiet", "--format", "text")
    assert "\x1b" not in shown.out
    assert len(shown.out) < 100_000


def test_a_mailcow_conf_that_is_named_is_read_once(
    preflight: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was refused or taken before anything was looked at is what the checks judge."""
    (tmp_path / "mailcow.conf").write_text("SMTP_PORT=smtp\n")
    read: list[str] = []
    parse = mailcow_conf.parse

    def counted(text: bytes | str, path: str) -> ConfFile:
        read.append(path)
        return parse(text, path)

    monkeypatch.setattr(mailcow_conf, "parse", counted)
    run = preflight("--only", "ports.configuration", "--mailcow-conf", str(tmp_path / "mailcow.conf"), "--no-probe")
    assert "SMTP_PORT" in run.out
    assert read == [str(tmp_path / "mailcow.conf")]
