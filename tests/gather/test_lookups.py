"""What is asked for one mail host, in which rounds, and within which bounds."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import Answer, Fact
from preflight.gather.access.roots import Roots
from preflight.gather.names import resolver
from preflight.gather.names.lookups import QUESTIONS, first_questions, follow_ups, look_up
from preflight.gather.names.nameservers import shown
from tests.build import VIEW
from tests.gather.nameserver import Script, reply, serve, zone

NAME = "mail.example.org"
ADDRESS = "198.51.100.7"
POINTER = "7.100.51.198.in-addr.arpa"
ROOTS = Roots("/nowhere", VIEW)


def ask_all(script: Script, *domains: str) -> Fact[dict[str, Answer]]:
    with serve(script) as state:
        deadline = time.monotonic() + 8
        return look_up(ROOTS, NAME, domains or ("example.org",), (ADDRESS,), (shown(state.server),), deadline)


def test_answers_lead_to_further_questions() -> None:
    records = (
        f"{NAME}. A {ADDRESS}",
        f"{POINTER}. PTR {NAME}.",
        f"{POINTER}. PTR web.example.org.",
        f"example.org. MX 10 {NAME}.",
        "example.org. MX 20 backup.example.net.",
        "backup.example.net. CNAME host.example.net.",
        "host.example.net. A 203.0.113.9",
        "web.example.org. A 203.0.113.10",
        f"autodiscover.example.org. CNAME {NAME}.",
    )
    answers = ask_all(zone(*records)).get()
    assert set(answers) == {
        f"{NAME}. A", f"{NAME}. AAAA", f"{POINTER}. PTR", "example.org. MX",
        "autodiscover.example.org. A", "autodiscover.example.org. AAAA",
        "autoconfig.example.org. A", "autoconfig.example.org. AAAA",
        "backup.example.net. A", "backup.example.net. AAAA", "web.example.org. A", "web.example.org. AAAA",
    }  # fmt: skip
    assert answers["backup.example.net. A"].alias == "host.example.net."
    assert answers["autodiscover.example.org. A"].alias == f"{NAME}."
    assert answers["autoconfig.example.org. A"].rcode == "NXDOMAIN"
    assert answers["web.example.org. A"].records == ("203.0.113.10",)


def test_nothing_is_asked_without_a_name() -> None:
    fact = look_up(ROOTS, None, (), (), ("192.0.2.1",), 0.0)
    assert fact.missing
    assert (fact.missing.kind, fact.missing.reason) == ("skip", "No --hostname was given.")
    for name in ("a..b", "x" * 64 + ".org", "ä.example.org"):
        missing = look_up(ROOTS, name, (), (), ("192.0.2.1",), time.monotonic() + 5).missing
        assert missing
        assert missing.kind == "unknown"


def test_no_name_server_is_said(tmp_path: Path) -> None:
    missing = look_up(Roots(str(tmp_path), VIEW), NAME, (), (), (), time.monotonic() + 5).missing
    assert missing
    assert "resolv.conf" in missing.reason


def test_silence_everywhere_is_one_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "TRY", 0.1)
    monkeypatch.setattr(resolver, "LIFETIME", 0.3)
    missing = ask_all(lambda query, transport: []).missing
    assert missing
    assert missing.kind == "unknown"
    assert "did not answer any question" in missing.reason
    assert "127.0.0.1" in missing.reason


def test_a_refusal_is_an_answer() -> None:
    answers = ask_all(lambda query, transport: [reply(query, rcode="REFUSED").to_wire()]).get()
    assert {answer.rcode for answer in answers.values()} == {"REFUSED"}


def test_the_number_of_questions_is_bounded() -> None:
    domains = [f"d{n}.example.org" for n in range(12)]
    records = [f"{domain}. MX {n} t{n}.{domain}." for domain in domains for n in range(20)]
    answers = ask_all(zone(*records), *domains).get()
    assert len(answers) == QUESTIONS
    assert f"{NAME}. A" in answers


@given(st.lists(st.text(max_size=20), max_size=20), st.sampled_from(["MX", "PTR", "A"]))
def test_hostile_records_make_no_harm(records: list[str], kind: str) -> None:
    questions = follow_ups([Answer("x.", kind, "NOERROR", tuple(records))])
    assert len(questions) <= 16
    assert all(name and name != "." for name, _ in questions)


def test_a_null_mx_leads_nowhere() -> None:
    assert follow_ups([Answer("x.", "MX", "NOERROR", ("0 .",))]) == []


def test_what_is_no_address_has_no_reverse_name() -> None:
    assert first_questions(NAME, (), ("nonsense", "", "2001:db8::7%eth0", ADDRESS))[2:] == [
        ("7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "PTR"),
        (POINTER, "PTR"),
    ]
