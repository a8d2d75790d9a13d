"""The packet of NTP: what is sent, what is an answer, and what time it tells."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.gather.time.packet import KISSES, Refusal, Reply, between, read, request, unix
from preflight.gather.time.samples import STEP, Sample, best, sample
from tests.gather.timeserver import FORM, answer, ntp

NUMBER = 0x0123456789ABCDEF
ASKED = request(NUMBER)
DAY = 86_400


def told(**changes: Any) -> Reply | Refusal:
    return read(answer(ASKED, **changes), NUMBER)


def test_the_question_tells_nothing_of_this_host() -> None:
    first, *rest, transmit = FORM.unpack(ASKED)
    assert (first >> 6, first >> 3 & 7, first & 7) == (0, 4, 3)
    assert transmit == NUMBER
    assert not any(value.strip(b"\0") if isinstance(value, bytes) else value for value in rest)


def test_an_answer_is_read() -> None:
    reply = told(receive=ntp(1000.0), transmit=ntp(1000.5), reference=ntp(900.0), delay=0.5, dispersion=0.25)
    assert reply == Reply(ntp(1000.0), ntp(1000.5), 0.5, 2)


def test_what_follows_the_header_does_not_matter() -> None:
    packet = answer(ASKED)
    assert read(packet + bytes(20), NUMBER) == read(packet, NUMBER)


NOW = ntp(1_800_000_000.0)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"origin": NUMBER + 1}, Refusal("invalid", "origin")),
        ({"origin": 0}, Refusal("invalid", "origin")),
        ({"mode": 3}, Refusal("invalid", "mode")),
        ({"mode": 5}, Refusal("invalid", "mode")),
        ({"version": 2}, Refusal("invalid", "version")),
        ({"version": 5}, Refusal("invalid", "version")),
        ({"leap": 3}, Refusal("unsynchronized")),
        ({"stratum": 16}, Refusal("unsynchronized")),
        ({"stratum": 17}, Refusal("invalid", "stratum")),
        ({"stratum": 255}, Refusal("invalid", "stratum")),
        ({"transmit": 0}, Refusal("invalid", "times")),
        ({"receive": 0}, Refusal("invalid", "times")),
        ({"receive": NOW + 1, "transmit": NOW, "reference": NOW}, Refusal("invalid", "times")),
        ({"receive": NOW, "transmit": NOW, "reference": NOW + 1}, Refusal("invalid", "times")),
        ({"dispersion": 16.0}, Refusal("distant")),
        ({"dispersion": 1.0, "delay": 0.0}, Refusal("distant")),
        ({"dispersion": 0.0, "delay": 2.0}, Refusal("distant")),
        ({"stratum": 0, "identity": b"RATE"}, Refusal("kiss", kiss="RATE")),
        ({"stratum": 0, "identity": b"INIT", "leap": 3}, Refusal("kiss", kiss="INIT")),
        ({"stratum": 0, "identity": b"\xff\x00ab"}, Refusal("kiss")),
        ({"stratum": 0, "identity": b"RATE", "origin": 7}, Refusal("invalid", "origin")),
    ],
    ids=str,
)
def test_what_is_no_measurement(changes: dict[str, Any], refusal: Refusal) -> None:
    assert told(**changes) == refusal


@pytest.mark.parametrize(
    "changes",
    [{"version": 3}, {"leap": 1}, {"leap": 2}, {"stratum": 1}, {"stratum": 15}, {"reference": 0}, {"dispersion": 0.99}],
    ids=str,
)
def test_what_is_one_all_the_same(changes: dict[str, Any]) -> None:
    assert isinstance(told(**changes), Reply)


@pytest.mark.parametrize("size", [0, 1, 24, 47])
def test_a_packet_that_is_cut_off(size: int) -> None:
    refusal = read(answer(ASKED)[:size], NUMBER)
    assert refusal == Refusal("invalid", "short")


@given(st.binary(max_size=80), st.integers(1, (1 << 64) - 1))
def test_no_bytes_break_the_reader(data: bytes, number: int) -> None:
    assert isinstance(read(data, number), Reply | Refusal)
    assert isinstance(
        read(FORM.pack(0x24, 1, 0, 0, 0, 0, b"GPS\0", 0, number, 1, 1)[: len(data)], number), Reply | Refusal
    )


def test_a_packet_that_may_be_anybodys_does_not_end_the_waiting() -> None:
    assert [told(origin=1), told(mode=5)] == [Refusal("invalid", "origin"), Refusal("invalid", "mode")]
    assert [Refusal("invalid", fault).strange for fault in ("origin", "short", "mode", "version")] == [1, 1, 0, 0]


def test_after_which_kisses_a_server_is_left_alone() -> None:
    assert {code for code in KISSES if Refusal("kiss", kiss=code).final} == {"RATE", "DENY", "RSTD"}


# --- times -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.0, 1_800_000_000.25, 2_085_978_495.5, 2_085_978_497.0, 4_000_000_000.0])
def test_times_of_both_eras_are_read(seconds: float) -> None:
    """On 7 February 2036 the seconds of NTP begin again."""
    assert unix(ntp(seconds)) == pytest.approx(seconds, abs=1e-6)


def test_a_time_passes_from_one_era_to_the_next() -> None:
    end = (1 << 64) - (1 << 31)
    assert between(end, 1 << 31) == pytest.approx(1.0)
    assert between(1 << 31, end) == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("there", "spent", "back"), [(0.01, 0.0, 0.01), (0.3, 0.2, 0.1), (0.0, 0.0, 0.8), (1.5, 0.0, 0.0)], ids=str
)
@pytest.mark.parametrize("shift", [0.0, 61.25, -DAY, 20 * 365 * DAY])
def test_the_error_is_at_most_half_of_the_delay(shift: float, there: float, spent: float, back: float) -> None:
    began, sent = 1_800_000_000.0, 5000.0  # when the machine was started, and how long after that it asks
    received = sent + there + spent + back
    reply = Reply(ntp(began + shift + sent + there), ntp(began + shift + sent + there + spent), 0.0, 1)
    taken = sample(reply, sent, received)
    assert taken is not None
    assert taken.delay == pytest.approx(there + back, abs=1e-5)
    assert abs(taken.ahead - (began + shift)) <= taken.delay / 2 + 1e-5


def test_a_server_that_took_longer_than_the_whole_tells_nothing() -> None:
    assert sample(Reply(ntp(100.0), ntp(102.0), 0.0, 1), 50.0, 51.0) is None
    assert sample(Reply(ntp(100.0), ntp(101.0), 0.0, 1), 50.0, 51.0) is not None


def taken(ahead: float, delay: float) -> Sample:
    return Sample(ahead, delay, 0.0, 2)


def test_the_smallest_delay_is_the_best_sample() -> None:
    assert best([taken(10.4, 1.0), taken(10.0, 0.02), taken(9.9, 0.3)]) == taken(10.0, 0.02)


@pytest.mark.parametrize(
    ("samples", "jumps"),
    [
        ([taken(0.0, 0.02), taken(60.0, 0.02)], True),
        ([taken(0.0, 0.02), taken(0.0, 0.02), taken(0.01 + 0.01 + STEP + 0.001, 0.02)], True),
        ([taken(0.0, 0.02), taken(0.01 + 0.01 + STEP - 0.001, 0.02)], False),
        ([taken(0.0, 0.02), taken(0.9, 1.9)], False),  # its delay explains it
        ([taken(5.0, 0.5)], False),
    ],
    ids=str,
)
def test_a_server_whose_time_jumps_is_none(samples: list[Sample], jumps: bool) -> None:
    assert (best(samples) is None) is jumps
    assert (best(samples[::-1]) is None) is jumps
