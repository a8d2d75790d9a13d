"""How mail servers greet: the operator's own, somebody else, hostile ones; and how one takes leave."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from preflight.facts.outgoing import Attempt, Goal
from preflight.gather.outgoing import connection, speeches
from preflight.gather.outgoing.connection import Aim, Bounds
from preflight.gather.outgoing.greetings import greeted
from preflight.gather.outgoing.trying import attempt
from tests.gather.partners import Manner, listener, says

DOMAINS = ("google.com", "gmx.net")


@pytest.mark.parametrize(
    ("said", "judged"),
    [
        pytest.param(b"220 mx.google.com ESMTP abc - gsmtp\r\n", "own", id="own"),
        pytest.param(b"220 MX.Google.COM ESMTP\n", "own", id="capitals-and-a-bare-line-feed"),
        pytest.param(b"220-gmx.net (mxgmx1) Nemesis\r\n220 ready\r\n", "own", id="several-lines"),
        pytest.param(b"220-gmx.net (mxgmx1) Nemesis\r\n", None, id="more-to-come"),
        pytest.param(b"220 mx.goo", None, id="half-a-line"),
        pytest.param(b"", None, id="nothing-yet"),
        pytest.param(b"22", None, id="two-digits"),
        pytest.param(b"554-gmx.net (mxgmx2) No\r\n554 blocked\r\n", "unwelcome", id="refused"),
        pytest.param(b"421 mx.google.com too many\r\n", "unwelcome", id="not-now"),
        pytest.param(b"554 5.7.1 no mail from 203.0.113.7\r\n", "unwelcome", id="refused-without-a-name"),
        pytest.param(b"554 filter.isp.example no mail\r\n", "foreign", id="refused-by-another"),
        pytest.param(b"220 filter.isp.example ESMTP\r\n", "foreign", id="another-name"),
        pytest.param(b"220 notgoogle.com ESMTP\r\n", "foreign", id="a-name-that-ends-alike"),
        pytest.param(b"220 google.com.evil.example\r\n", "foreign", id="a-name-that-begins-alike"),
        pytest.param(b"220\r\n", "foreign", id="no-name"),
        pytest.param(b"220 ***************************\r\n", "foreign", id="asterisks"),
        pytest.param(b"220 ****google.com****2***\r\n", "foreign", id="asterisks-around-a-name"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n", "foreign", id="http"),
        pytest.param(b"HTTP", "foreign", id="not-even-a-line"),
        pytest.param(b"\x16\x03\x01\x02\x00", "foreign", id="tls"),
        pytest.param(b"220 " + b"a" * 600, "foreign", id="a-line-without-an-end"),
        pytest.param(b"354 go on google.com\r\n", "foreign", id="another-code"),
    ],
)
def test_greetings(said: bytes, judged: str | None) -> None:
    assert greeted(said, DOMAINS) == judged


def test_where_no_domain_is_known_any_name_will_do() -> None:
    assert greeted(b"220 x ESMTP\r\n", ()) == "own"
    assert greeted(b"220 ********\r\n", ()) == "foreign"


# --- on loopback ---------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have little patience, so that silence costs a test no time."""
    monkeypatch.setattr(speeches, "GREETING", 0.6)
    monkeypatch.setattr(connection, "PARTING", 0.4)


def tried(manner: Manner) -> Attempt:
    with listener(manner) as server:
        aim = Aim(Goal("mx.google.com", server.port, speech="smtp", domains=DOMAINS), "127.0.0.1")
        return attempt([aim], Bounds(time.monotonic() + 20, threading.Event()))[aim]


def test_one_says_nothing_but_goodbye_and_waits_for_the_answer() -> None:
    heard: list[bytes] = []

    def manner(peer: socket.socket) -> None:
        time.sleep(0.1)
        peer.sendall(b"220 mx.google.com ESMTP\r\n")
        heard.append(peer.recv(4096))
        peer.sendall(b"221 closing\r\n")
        heard.append(peer.recv(4096))

    found = tried(manner)
    assert (found.outcome, found.said) == ("reached", "220 mx.google.com ESMTP")
    assert heard == [b"QUIT\r\n", b""]


@pytest.mark.parametrize(
    "manner",
    [
        pytest.param(says(b"220 mx.google.com\r\n"), id="silent"),
        pytest.param(says(b"220 mx.google.com\r\n", wait=False), id="gone"),
    ],
)
def test_who_does_not_answer_the_goodbye_has_greeted_all_the_same(manner: Manner) -> None:
    assert tried(manner).outcome == "reached"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        pytest.param(b"220 \x1b]0;title\x07 isp.example\r\n", "220 ?]0;title? isp.example", id="control-characters"),
        pytest.param(b"\0\xff\xfe" * 50, "?" * 120, id="binary"),
        pytest.param(b"220 " + b"*" * 300 + b"\r\n", "220 " + "*" * 116, id="asterisks"),
    ],
)
def test_hostile_greetings_are_shown_without_harm(said: bytes, shown: str) -> None:
    found = tried(says(said))
    assert (found.outcome, found.said) == ("foreign", shown)


def test_a_greeting_without_an_end() -> None:
    def endless(peer: socket.socket) -> None:
        while True:
            peer.sendall(b"220-mx.google.com still more\r\n" * 100)

    assert tried(endless).outcome == "foreign"


@pytest.mark.parametrize("manner", [says(), says(b"220-mx.google.com\r\n"), says(wait=False)])
def test_no_greeting(manner: Manner) -> None:
    assert tried(manner).outcome == "mute"
