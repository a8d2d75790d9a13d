"""Facts files and other inputs: read, or refused with one line that names the file and the place."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest

from preflight.checks import catalogue
from preflight.mailcow import requirements
from preflight.report.documents import decode_report, encode, read_facts, read_report, schema
from preflight.report.evidence.host import SizeEvidence
from preflight.report.evidence.shapes import SHAPES
from preflight.report.model import Evidence, Remedy
from preflight.text.inputs import InputError, check_depth, read_file
from tests.build import host
from tests.documents import held, validator
from tests.render import reports


def test_facts_come_back_as_they_were(tmp_path: Path) -> None:
    made = host(name="mx", started="2026-01-02T03:04:05Z")
    path = tmp_path / "facts.json"
    path.write_text(encode(made))
    assert read_facts(path) == made


def damaged(**changes: object) -> bytes:
    document = json.loads(encode(host()))
    for key, value in changes.items():
        if value is None:
            del document[key]
        else:
            document[key] = value
    return json.dumps(document).encode()


def deep(levels: int) -> bytes:
    """Return facts that nest so deep within the document itself, below a name that nobody reads."""
    return encode(host()).encode().replace(b"{", b'{"more": ' + b'{"a": ' * levels + b"1" + b"}" * levels + b",", 1)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"[]", "object"),
        (b"\xff\xfe", "malformed"),
        (damaged(schema=2), "schema 2"),
        (damaged(schema="1"), "schema"),
        (damaged(asked=None), "asked"),
        (damaged(memory=7), "$.memory"),
        (damaged(memory={"source": "x"}), "$.memory"),
        (damaged(started="yesterday"), "yesterday"),
        (b"[" * 100_000, "nested deeper than 64 at byte 64"),
        (deep(64), "nested deeper than 64"),
        (deep(100_000), "nested deeper than 64"),
        (deep(63)[:-3], "truncated"),
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


def test_as_deep_as_is_allowed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_bytes(deep(63))
    assert read_facts(path) == host()


@pytest.mark.parametrize("end", [b'\\"', b'\\\\\\"', b"\\\\", b""])
def test_brackets_in_strings_do_not_nest(end: bytes) -> None:
    check_depth(b'{"a": "' + b"[" * 100 + end + b'", "b": ["' + b"{" * 100 + b'"]}', Path("x"))


@pytest.mark.parametrize("name", ["report", "facts"])
def test_the_schema_is_one_of_the_draft_that_it_names(name: str) -> None:
    assert schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert validator(name)


@pytest.mark.parametrize("name", ["report", "facts"])
def test_the_schema_is_the_same_whatever_python_makes_of_docstrings(name: str) -> None:
    """Python 3.13 takes their indentation away, older ones keep it."""
    described = [part["description"] for part in schema(name)["$defs"].values() if "description" in part]
    assert any("\n" in text for text in described)
    assert [text for text in described if "\n " in text or "\t" in text] == []


HEAD = ("schema", "version", "started", "seconds", "view", "asked")
FAILING = reports.result("dns.mx", "fail", remedy=Remedy("Mend it."))


@pytest.mark.parametrize(
    "change",
    [
        {"status": "failed"}, {"severity": "high"}, {"was": "fail"}, {"status": "ignored"}, {"remedy": None},
        {"status": "unknown"}, {"status": "skip", "reason": ""}, {"subject": 25}, {"seconds": -1}, {"docs": None},
        {"evidence": []}, {"check": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_result_that_the_contract_does_not_know_is_none_of_the_schema(change: dict[str, object]) -> None:
    document = json.loads(encode(reports.report(FAILING)))
    assert held("report", json.dumps(document))
    document["results"][0] |= change
    assert not validator("report").is_valid(document)


@pytest.mark.parametrize("key", ["text", "commands", "place", "when", "files", "records"])
def test_every_remedy_says_all_of_the_contract(key: str) -> None:
    document = json.loads(encode(reports.report(FAILING)))
    assert key in document["results"][0]["remedy"]
    del document["results"][0]["remedy"][key]
    assert not validator("report").is_valid(document)


HOLDER = reports.holder("exim4", "exim4.service", "127.0.0.1", 25)
PORT = json.loads(msgspec.json.encode(reports.port("SMTP_PORT", holders=(HOLDER,)).evidence))


@pytest.mark.parametrize(
    ("evidence", "sound"),
    [
        (PORT, True), (PORT | {"later": 1}, True), ({}, True), ({"source": "netlink"}, True),
        ({"source": "netlink", "more": 1}, False), (PORT | {"variables": "SMTP_PORT"}, False),
        (PORT | {"holder": {"pid": 812}}, False), ({"service": "postfix-mailcow"}, False),
    ],
)  # fmt: skip
def test_evidence_of_a_check_has_its_shape(evidence: dict[str, object], sound: bool) -> None:
    document = json.loads(encode(reports.report(reports.port("SMTP_PORT"))))
    document["results"][0]["evidence"] = evidence
    assert validator("report").is_valid(document) is sound
    read = decode_report(json.dumps(document)).results[0].evidence
    assert (type(read) is Evidence) is (not sound or not evidence)


@pytest.mark.parametrize("check", ["ports.free", "resources.swap", "future.check"])
def test_a_report_with_evidence_of_an_unknown_shape_is_read_all_the_same(tmp_path: Path, check: str) -> None:
    document = json.loads(encode(reports.report(FAILING)))
    document["results"][0] |= {"check": check, "evidence": {"bytes": "6 GiB", "service": ["a"], "holder": 7}}
    path = tmp_path / "old.json"
    path.write_text(json.dumps(document))
    [result] = read_report(path).results
    assert (result.check, result.evidence, result.message) == (check, Evidence(), FAILING.message)


def test_evidence_that_a_report_had_before_it_said_what_is_needed_is_read(tmp_path: Path) -> None:
    document = json.loads(encode(reports.report(reports.result("resources.swap"))))
    document["results"][0]["evidence"] = {"bytes": 7}
    path = tmp_path / "old.json"
    path.write_text(json.dumps(document))
    assert read_report(path).results[0].evidence == SizeEvidence(bytes=7, needed_bytes=None)


def test_the_checks_with_a_shape_are_those_of_the_catalogue() -> None:
    assert set(SHAPES) <= {check.id for check in catalogue()}


@pytest.mark.parametrize("name", ["report", "facts"])
def test_a_document_that_is_not_whole_is_none_of_the_schema(name: str) -> None:
    document = json.loads(encode(reports.report(FAILING) if name == "report" else host()))
    for key in document if name == "report" else HEAD:  # the parts of facts have come one by one
        assert not validator(name).is_valid({other: value for other, value in document.items() if other != key})
    for key, value in (("schema", 2), ("started", "yesterday"), ("seconds", "1")):
        assert not validator(name).is_valid(document | {key: value})


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
