"""What the two ends say: nobody gets a word without proof, and an answer is for one question alone."""

from __future__ import annotations

import random

import pytest

from preflight.reach import protocol
from preflight.reach.hearing import ROWS, Hearing, Row, rows
from preflight.reach.protocol import Arrived, Hello

KEY, WRONG = bytes(range(16)), bytes(16)
PEER, OWN = "203.0.113.9", "172.22.1.253"


def ear(key: bytes = KEY) -> tuple[Hearing, list[str]]:
    written: list[str] = []
    return Hearing(key, "postfix-mailcow", written.append), written


def asked(port: int = 25, key: bytes = KEY) -> tuple[Hello, bytes]:
    fresh = protocol.nonce()
    return Hello(port, fresh), protocol.hello(key, port, fresh).rstrip(b"\r\n")


def test_both_ends_understand_each_other() -> None:
    hearing, written = ear()
    question, line = asked(2525)
    answer = hearing.reply(line, 25, f"::ffff:{PEER}", OWN)
    found = protocol.understood(KEY, question, answer.rstrip(b"\r\n"))
    assert found is not None
    assert (found.service, found.inside, found.peer, found.own) == ("postfix-mailcow", 25, PEER, OWN)
    assert max(len(line), len(answer)) < protocol.LINE
    assert written == [f"mailcow-reach arrived 2525 {PEER}\n"]


def test_one_who_knows_another_key_gets_nothing_and_is_written_down() -> None:
    hearing, written = ear()
    assert hearing.reply(asked(key=WRONG)[1], 25, PEER, OWN) == b""
    assert written == [f"mailcow-reach stranger 25 {PEER}\n"]


def test_a_question_that_was_heard_before_gets_nothing() -> None:
    hearing, written = ear()
    line = asked()[1]
    assert hearing.reply(line, 25, PEER, OWN)
    assert hearing.reply(line, 25, "192.0.2.66", OWN) == b""
    assert written[1].startswith("mailcow-reach stranger")


def test_an_answer_is_worth_nothing_for_another_question() -> None:
    question, line = asked()
    answer = ear()[0].reply(line, 25, PEER, OWN).rstrip(b"\r\n")
    assert protocol.understood(KEY, question, answer)
    assert protocol.understood(KEY, Hello(25, protocol.nonce()), answer) is None
    assert protocol.understood(KEY, Hello(26, question.nonce), answer) is None
    assert protocol.understood(WRONG, question, answer) is None


def test_an_impostor_who_says_the_question_back_is_none_of_us() -> None:
    question, line = asked()
    assert protocol.understood(KEY, question, line) is None


@pytest.mark.parametrize("which", ["question", "answer"])
def test_no_changed_byte_gets_through(which: str) -> None:
    question, line = asked()
    answer = ear()[0].reply(line, 25, PEER, OWN).rstrip(b"\r\n")
    whole = line if which == "question" else answer
    dice = random.Random(1)
    for number in range(len(whole)):
        changed = bytearray(whole)
        changed[number] ^= 1 << dice.randrange(8)
        if which == "question":
            assert ear()[0].reply(bytes(changed), 25, PEER, OWN) == b""
        else:
            assert protocol.understood(KEY, question, bytes(changed)) is None


def test_noise_gets_nothing() -> None:
    hearing, dice = ear()[0], random.Random(2)
    for _ in range(5000):
        noise = dice.choice([b"", b"mailcow-reach 1 25 ", b"mailcow-reach 1 "]) + dice.randbytes(dice.randrange(200))
        assert hearing.reply(noise, 25, PEER, OWN) == b""
        assert protocol.understood(KEY, Hello(25, "0" * 32), noise) is None


@pytest.mark.parametrize("key", [b"", b"short"])
def test_a_key_that_is_none_opens_nothing(key: bytes) -> None:
    assert ear(key)[0].reply(asked(key=key)[1], 25, PEER, OWN) == b""


def test_no_end_says_the_key() -> None:
    question, line = asked()
    answer = ear()[0].reply(line, 25, PEER, OWN)
    assert KEY.hex().encode() not in line + answer
    assert question.nonce.encode() not in answer


def test_what_is_written_down_is_bounded_and_leaves_room_for_who_knows_the_line() -> None:
    hearing, written = ear()
    for _ in range(ROWS * 2):
        hearing.reply(b"", 25, "192.0.2.66", OWN)
    assert len(written) == ROWS // 2
    hearing.reply(asked()[1], 25, PEER, OWN)
    assert written[-1] == f"mailcow-reach arrived 25 {PEER}\n"


def test_the_host_itself_is_not_written_down() -> None:
    hearing, written = ear()
    hearing.reply(b"GET / HTTP/1.0", 25, "127.0.0.1", OWN)
    hearing.reply(b"", 25, "::1", OWN)
    assert written == []


def test_rows_are_read_again_and_everything_else_is_left_out() -> None:
    printed = b"mailcow-reach arrived 25 203.0.113.9\nTraceback\nmailcow-reach stranger 80 2001:db8::1\r\n\xff\xfe\n"
    printed += b"mailcow-reach arrived 25 " + b"1" * 300 + b"\n"
    assert rows(printed) == [Row("arrived", 25, "203.0.113.9"), Row("stranger", 80, "2001:db8::1")]


def test_two_ends_on_one_kernel_know_it_and_others_learn_nothing() -> None:
    assert protocol.kernel(KEY, "boot\n") == protocol.kernel(KEY, "boot")
    assert protocol.kernel(KEY, "boot") != protocol.kernel(WRONG, "boot")
    found = Arrived("a", 1, PEER, OWN, protocol.kernel(KEY, "boot"))
    assert "boot" not in found.kernel
