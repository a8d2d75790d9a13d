"""The line that is copied: short, whole, and with every mistake told."""

from __future__ import annotations

import base64
import binascii
import random
import string

import pytest

from preflight.reach import line, trying
from preflight.reach.line import USUAL, Port

KEY = bytes(range(16))
WHOLE = line.make("mail.example.org", ("198.51.100.7", "2001:db8:7::7"), KEY, 1_800_000_000)
MOVED = line.make("", ("198.51.100.7",), KEY, 1_800_000_000, (Port(2525, 25), Port(8443, 8443, six=False), *USUAL[10:]))


@pytest.mark.parametrize("given", [WHOLE, MOVED, line.make("", ("2001:db8::1",), KEY, 0)])
def test_it_is_one_word_and_read_as_it_was_made(given: line.Line) -> None:
    text = str(given)
    assert set(text) <= set(string.ascii_letters + string.digits + "-_./:")
    assert line.read(f"  {text}\n") == given


def test_it_is_short_where_all_is_as_usual() -> None:
    assert len(str(WHOLE)) < 100
    assert WHOLE.ports == USUAL


def test_usual_ports_are_mailcows_and_the_databases_are_for_the_host_alone() -> None:
    assert {port.port for port in USUAL if not port.local} == {25, 465, 587, 143, 993, 110, 995, 4190, 80, 443}
    assert {(port.port, port.inside) for port in USUAL if port.local} == {(13306, 3306), (7654, 6379), (19991, 12345)}


@pytest.mark.parametrize("given", [WHOLE, MOVED])
def test_every_wrong_character_is_told(given: line.Line) -> None:
    text = str(given)
    for number, right in enumerate(text):
        for wrong in string.ascii_lowercase + string.ascii_uppercase + string.digits + "-_./:=+ ":
            if wrong == right or (number < text.index("/") and wrong.lower() == right):
                continue  # names are the same in capitals
            with pytest.raises(ValueError, match=r"\.$"):
                line.read(text[:number] + wrong + text[number + 1 :])


@pytest.mark.parametrize("given", [WHOLE, MOVED])
def test_a_character_too_few_or_too_many_or_swapped_is_told(given: line.Line) -> None:
    text = str(given)
    for number in range(len(text)):
        swapped = text[:number] + text[number + 1 : number + 2] + text[number] + text[number + 2 :]
        doubled = text[:number] + text[number] + text[number:]
        for wrong in {text[:number] + text[number + 1 :], swapped, doubled, text[:number]} - {text}:
            with pytest.raises(ValueError, match=r"\.$"):
                line.read(wrong)


def test_a_host_with_its_token_may_be_another_name_of_it() -> None:
    assert line.read("mx.example.org", WHOLE.token).host == "mx.example.org"
    assert line.read("198.51.100.7", WHOLE.token).key == KEY


@pytest.mark.parametrize(
    ("host", "token"),
    [("mail.example.org", None), (str(WHOLE), WHOLE.token), ("", WHOLE.token), ("a b", WHOLE.token),
     ("mail.example.org", ""), ("-" * 300, WHOLE.token), ("fe80::1%eth0", WHOLE.token), ("x" * 2000, None)],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_in_a_sentence(host: str, token: str | None) -> None:
    with pytest.raises(ValueError, match=r"\.$") as error:
        line.read(host, token)
    assert len(str(error.value)) < 200


def sealed(body: bytes) -> str:
    data = body + binascii.crc32(body).to_bytes(4, "big")
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_a_line_that_somebody_else_made_brings_nothing_but_a_line_or_a_sentence() -> None:
    dice = random.Random(15)
    seen = set()
    for _ in range(20_000):
        body = bytes([1]) + dice.randbytes(22) + bytes([dice.randrange(4)]) + dice.randbytes(dice.randrange(60))
        try:
            made = line.read("mail.example.org", sealed(body))
        except ValueError as error:
            seen.add(str(error))
        else:
            assert len(made.addresses) <= line.MOST_ADDRESSES
            assert 0 < len(made.ports) <= line.MOST_PORTS
            assert all(0 < port.port < 65536 for port in made.ports)
    assert len(seen) == 1


def test_another_version_is_told_as_such() -> None:
    with pytest.raises(ValueError, match="another version"):
        line.read("mail.example.org", sealed(bytes([2]) + bytes(40)))


def test_of_too_many_the_first_are_told() -> None:
    many = line.make(
        "m.example.org", [f"198.51.100.{n}" for n in range(1, 50)], KEY, 9, [Port(n, n) for n in range(1, 99)]
    )
    assert line.read(str(many)) == many
    assert (len(many.addresses), len(many.ports)) == (8, 40)


@pytest.mark.parametrize("name", ["", "bad_name", "a b", "x" * 300])
def test_without_a_name_that_one_can_ask_for_the_first_address_is_the_host(name: str) -> None:
    assert line.make(name, ("198.51.100.7",), KEY, 9).host == "198.51.100.7"


def test_many_addresses_of_a_name_leave_room_for_the_hosts_own() -> None:
    resolved = tuple(f"192.0.2.{number}" for number in range(1, 30))
    own = tuple(f"198.51.100.{number}" for number in range(1, 9))
    found = trying.targets(line.make("mail.example.org", own, KEY, 2_000_000_000), resolved)
    assert found[:8] == own
    assert set(found) - set(own) <= set(resolved)
    assert len(found) > 8
