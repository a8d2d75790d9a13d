"""Records of the DNS: each type as numbers and names, written as a zone file does, and read from older facts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dns.rdata
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import Answer, Answers, MissingFact
from preflight.facts.records import A, Aaaa, Caa, Cname, Ds, Mx, Ns, Other, Ptr, Record, Soa, Srv, Tlsa, Txt
from preflight.gather.names.rdata import record
from preflight.report import older_answers
from preflight.report.documents import encode, read_facts
from preflight.text.inputs import InputError
from tests.build import host

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    ("kind", "line", "made"),
    [
        ("A", "192.0.2.1", A("192.0.2.1")),
        ("AAAA", "2001:db8::1", Aaaa("2001:db8::1")),
        ("MX", "10 mail.example.org.", Mx(10, "mail.example.org.")),
        ("TXT", '"v=spf1 a" " -all"', Txt(("v=spf1 a", " -all"))),
        ("PTR", "mail.example.org.", Ptr("mail.example.org.")),
        ("CNAME", "mail.example.org.", Cname("mail.example.org.")),
        ("NS", "ns.example.org.", Ns("ns.example.org.")),
        (
            "SOA",
            "ns.example.org. post.example.org. 7 1 2 3 4",
            Soa("ns.example.org.", "post.example.org.", 7, 1, 2, 3, 4),
        ),
        ("CAA", '0 issue "ca.example; a=\\"b\\""', Caa(0, "issue", 'ca.example; a="b"')),
        ("TLSA", f"3 1 1 {DIGEST}", Tlsa(3, 1, 1, DIGEST)),
        ("SRV", "0 1 993 mail.example.org.", Srv(0, 1, 993, "mail.example.org.")),
        ("DS", f"7 8 2 {DIGEST}", Ds(7, 8, 2, DIGEST)),
        ("HINFO", '"a" "b"', Other('"a" "b"')),
    ],
)
def test_every_type_is_read_and_written_as_a_zone_file_has_it(kind: str, line: str, made: Record) -> None:
    assert record(kind, dns.rdata.from_text("IN", kind, line)) == made
    assert str(made) == line
    answer = Answer("x.", kind, "NOERROR", (made,))
    assert msgspec.json.decode(msgspec.json.encode(answer), type=Answer) == answer


@given(st.lists(st.binary(min_size=1, max_size=255), min_size=1, max_size=5))
def test_texts_lose_no_byte(strings: list[bytes]) -> None:
    from dns.rdtypes.ANY.TXT import TXT

    made = record("TXT", TXT(1, 16, strings))
    assert isinstance(made, Txt)
    assert [one.encode("latin-1") for one in made.strings] == strings
    assert dns.rdata.from_text("IN", "TXT", str(made)) == TXT(1, 16, strings)


@pytest.mark.parametrize("name", ["mail.example.org", "MAIL.example.org.", "Mail.Example.ORG"])
def test_an_answer_is_found_whatever_the_names_form(name: str) -> None:
    answer = Answer("mail.example.org.", "A", "NOERROR")
    answers = Answers({"mail.example.org. A": answer})
    assert answers.of(name, "A") is answers.get(name, "A") is answer
    assert answers.get(name, "AAAA") is None
    with pytest.raises(MissingFact, match=r"The DNS was not queried for \S+ AAAA\."):
        answers.of(name, "AAAA")


# --- facts of older versions


def older(path: Path, answers: Any) -> Path:
    """Write facts as version 0 had them, whose records were lines."""
    document = json.loads(encode(host())) | {"answers": {"source": "DNS", "value": answers, "missing": None}}
    path.write_text(json.dumps(document))
    return path


def row(kind: str, *records: str, **more: str) -> dict[str, object]:
    return {"name": "x.", "type": kind, "rcode": "NOERROR", "records": list(records), **more}


def test_lines_of_older_facts_are_read_as_records(tmp_path: Path) -> None:
    rows = {
        "Mail.example.org. A": row("A", "192.0.2.1"),
        "mail.example.org. AAAA": row("AAAA", "2001:db8::1"),
        "example.org. MX": row("MX", "0 .", "10 mail.example.org."),
        "odd.example.org. MX": row("MX", "nonsense"),
        "1.2.0.192.in-addr.arpa. PTR": row("PTR", "mail.example.org."),
    }
    found = read_facts(older(tmp_path / "facts.json", rows)).answers.get()
    assert found.of("mail.example.org", "A").records == (A("192.0.2.1"),)
    assert found.of("mail.example.org", "AAAA").records == (Aaaa("2001:db8::1"),)
    assert found.of("example.org", "MX").records == (Mx(0, "."), Mx(10, "mail.example.org."))
    assert found.of("odd.example.org", "MX").records == (Other("nonsense"),)
    assert found.of("1.2.0.192.in-addr.arpa", "PTR").records == (Ptr("mail.example.org."),)


@pytest.mark.parametrize(
    ("detail", "broken"),
    [
        ("the CNAME records lead in a circle", "circle"),
        ("there are more than 8 CNAME records in a row", "long"),
        ("", ""),
    ],
)
def test_a_sentence_on_aliases_in_older_facts_becomes_a_cause(tmp_path: Path, detail: str, broken: str) -> None:
    rows = {"a.example. A": row("A", alias="b.example.", detail=detail)}
    assert read_facts(older(tmp_path / "facts.json", rows)).answers.get().of("a.example", "A").broken == broken


def test_no_answers_of_older_facts_are_none(tmp_path: Path) -> None:
    assert read_facts(older(tmp_path / "facts.json", {})).answers.get() == Answers()


@pytest.mark.parametrize(
    "answers",
    [
        7, [], "x", {"a.": 7}, {"a. A": row("A") | {"records": 7}}, {"a. A": row("A") | {"records": [7]}},
        {"a. A": {}}, {"given": 7}, {"given": {"a. A": row("A", "192.0.2.1")}},
    ],
)  # fmt: skip
def test_answers_of_another_shape_are_refused_with_their_place(tmp_path: Path, answers: Any) -> None:
    with pytest.raises(InputError, match=r"no facts document: .*\$\.answers"):
        read_facts(older(tmp_path / "facts.json", answers))


@given(st.sampled_from(["A", "AAAA", "MX", "PTR", "TXT", ""]), st.text(max_size=40))
def test_any_line_is_some_record(kind: str, line: str) -> None:
    made = older_answers.record(kind, line)
    assert msgspec.json.decode(msgspec.json.encode(made), type=Record) == made
