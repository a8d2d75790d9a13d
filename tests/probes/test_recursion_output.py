"""What the program of the resolver's way prints, and what is read of it, whoever wrote it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import Asking
from preflight.probes.recursion import packets
from preflight.probes.recursion.probe import ROWS, parse

QUERY = {"address": "198.41.0.4", "protocol": "udp", "question": "zone", "outcome": "answered"}
PING = {"target": "1.1.1.1", "outcome": "silent", "sent": 3}


def printed(**given: Any) -> bytes:
    return json.dumps({"queries": [QUERY], "pings": [PING], **given}).encode()


def test_what_the_program_prints() -> None:
    found = parse(printed())
    assert (found.error, found.queries[0].address, found.pings[0].target) == ("", "198.41.0.4", "1.1.1.1")


@pytest.mark.parametrize(
    "said",
    [
        b"", b"Traceback (most recent call last):", b"[]", b"\xff\xfe", b"[" * 5000, printed()[:-20],
        printed(queries=[{**QUERY, "outcome": "splendid"}]), printed(queries=[{**QUERY, "size": "big"}]),
        printed(queries=[{**QUERY, "protocol": "sctp"}]), printed(pings=[PING] * (ROWS + 1)),
        printed(error="I was never asked"), printed(spared="modules"),
    ],
)  # fmt: skip
def test_what_is_not_the_programs_is_no_answer(said: bytes) -> None:
    found = parse(said)
    assert found.error
    assert (found.queries, found.pings) == ((), ())
    assert len(found.error) < 300


def test_texts_are_cut_and_addresses_are_addresses() -> None:
    found = parse(printed(queries=[{**QUERY, "address": "<script>", "text": "x" * 5000, "error": "E" * 5000}]))
    (query,) = found.queries
    assert (query.address, len(query.text), len(query.error)) == ("", 80, 40)


@given(st.binary(max_size=300))
def test_no_packet_harms_the_reader(said: bytes) -> None:
    asked = packets.question(7, "com", packets.DNSKEY)
    for packet in (said, asked[:2] + b"\x84\0" + said):
        found = packets.answer(packet, asked)
        assert found is None or found["size"] == len(packet)
    assert packets.echoed(4, said, 7) in (True, False)


@given(st.binary(max_size=300))
def test_no_output_harms_the_reader(said: bytes) -> None:
    assert isinstance(parse(said), Asking)


def test_an_answer_to_another_question_is_none() -> None:
    asked = packets.question(7, "", packets.SOA)
    answer = packets.question(8, "", packets.SOA)
    assert packets.answer(answer[:2] + b"\x84\0" + answer[4:], asked) is None
    assert packets.answer(asked, asked) is None  # an echo of the question
