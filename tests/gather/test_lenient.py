"""Records that are wrong in themselves arrive as they are, over the wire, and cost no other record."""

from __future__ import annotations

import time

import dns.message
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest

from preflight.facts import Answer, Answers
from preflight.facts.records import Caa, Tlsa
from preflight.gather.names import exchange, resolver
from preflight.gather.names.resolver import ask
from tests.gather.nameserver import serve

NAME = "_25._tcp.mail.example.org"


def answered(kind: str, *data: bytes) -> Answer:
    """Ask a server that has these bytes as records of a type."""
    sort = dns.rdatatype.from_text(kind)

    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        answer = dns.message.make_response(query, recursion_available=True)
        for one in data:
            rdata = dns.rdata.GenericRdata(dns.rdataclass.IN, sort, one)
            answer.answer.append(dns.rrset.from_rdata(f"{NAME}.", 300, rdata))
        return [answer.to_wire()]

    with serve(script) as state:
        return ask((state.server,), [(NAME, kind)], time.monotonic() + 5)[Answers.key(NAME, kind)]


def test_a_tlsa_digest_of_another_length() -> None:
    answer = answered("TLSA", bytes.fromhex("030101abcd"), bytes([9, 9, 2]), bytes([3, 1, 1]) + bytes(32))
    assert answer.records == (Tlsa(3, 1, 1, "00" * 32), Tlsa(3, 1, 1, "abcd"), Tlsa(9, 9, 2, ""))


def test_caa_tags_and_values_of_any_bytes() -> None:
    answer = answered("CAA", b"\x80\x06is-sue;", b"\x00\x05issue\xe4\x00", b"\x00\x00x")
    assert answer.records == (Caa(0, "", "x"), Caa(0, "issue", "\xe4\x00"), Caa(128, "is-sue", ";"))


@pytest.mark.parametrize(("kind", "cut"), [("TLSA", b"\x03\x01"), ("CAA", b"\x00\x09issue"), ("CAA", b"")])
def test_a_record_that_is_cut_off_is_no_answer(monkeypatch: pytest.MonkeyPatch, kind: str, cut: bytes) -> None:
    monkeypatch.setattr(exchange, "TRY", 0.1)
    monkeypatch.setattr(resolver, "LIFETIME", 0.3)
    answer = answered(kind, cut)
    assert answer.rcode in ("timeout", "error")
    assert answer.records == ()
