"""Connections that are tried: against servers on loopback, good ones and hostile ones."""

from __future__ import annotations

import socket
import struct
import threading
import time
from itertools import count
from pathlib import Path

import pytest

from preflight.facts import View
from preflight.facts.outgoing import Attempt, Goal, Protocol, Speech
from preflight.gather.access.roots import Roots
from preflight.gather.outgoing import connection, outgoing
from preflight.gather.outgoing.connection import Aim, Bounds
from preflight.gather.outgoing.trying import attempt
from tests.gather import nameserver
from tests.gather.partners import Partner, answerer, listener, says

VIEW = View(container=False, root="/", live=True, network=True, privileged=None)
NATIVE = Roots("/", VIEW, anchor="self")


def bounds(seconds: float = 10.0) -> Bounds:
    return Bounds(time.monotonic() + seconds, threading.Event())


def tried(partner: Partner, speech: Speech = "", protocol: Protocol = "tcp", seconds: float = 10.0) -> Attempt:
    """Try one connection to a server."""
    aim = Aim(Goal("server.example", partner.port, protocol, speech), partner.address)
    return attempt([aim], bounds(seconds))[aim]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have little patience, so that silence costs a test no time."""
    for name in ("OPENING", "TALKING", "DATAGRAM"):
        monkeypatch.setattr(connection, name, 0.6)
    monkeypatch.setattr(connection, "AGAIN", 0.2)


# --- TCP -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_connection_is_enough_where_nothing_is_known_of_the_server(address: str) -> None:
    with listener(says(), address) as server:
        found = tried(server)
    assert (found.address, found.outcome, found.error) == (address, "reached", "")


def test_nobody_listens() -> None:
    with listener(says()) as server:
        pass
    found = tried(server)
    assert (found.outcome, found.error, found.by) == ("refused", "ECONNREFUSED", "")


HTTP = b"HTTP/1.1 301 Moved\r\nServer: x\r\nLocation: "


@pytest.mark.parametrize(
    ("speech", "said", "outcome", "shown"),
    [
        pytest.param("rsync", b"@RSYNCD: 31.0\n", "reached", "", id="rsync"),
        pytest.param("rsync", b"220 smtp ready\r\n", "foreign", "220 smtp ready", id="another-greeting"),
        pytest.param("rsync", b"\x1b[2J\x00\xff", "foreign", "?[2J??", id="control-characters"),
        pytest.param("http", HTTP + b"https://server.example/\r\n\r\n", "reached", "", id="same-host"),
        pytest.param("http", HTTP + b"https://www.server.example/\r\n\r\n", "reached", "", id="same-domain"),
        pytest.param("http", HTTP + b"/login\r\n\r\n", "reached", "", id="same-server"),
        pytest.param("http", HTTP + b"http://portal.test/?u=1\r\n\r\n", "foreign", HTTP.decode()[:18], id="portal"),
        pytest.param("http", HTTP + b"http://[broken\r\n\r\n", "foreign", HTTP.decode()[:18], id="no-address"),
        pytest.param("http", b"HTTP/1.1 511 Log in\r\n\r\n", "foreign", "HTTP/1.1 511 Log in", id="511"),
        pytest.param("http", b"@RSYNCD: 31.0\n", "foreign", "@RSYNCD: 31.0", id="not-http"),
        pytest.param("root", b"HTTP/1.1 400 Bad Request\r\n\r\n", "foreign", "HTTP/1.1 400 Bad Request", id="not-dns"),
    ],
)
def test_who_answers(speech: Speech, said: bytes, outcome: str, shown: str) -> None:
    with listener(says(said)) as server:
        found = tried(server, speech)
    assert (found.outcome, found.said) == (outcome, shown)


def test_a_greeting_may_come_in_pieces() -> None:
    def slowly(peer: socket.socket) -> None:
        for byte in (b"@RSY", b"NCD", b": 31.0\n"):
            peer.sendall(byte)
            time.sleep(0.05)

    with listener(slowly) as server:
        assert tried(server, "rsync").outcome == "reached"


@pytest.mark.parametrize("speech", ["rsync", "http", "tls", "root"])
@pytest.mark.parametrize("leaves", [False, True], ids=["silent", "leaves"])
def test_a_server_that_says_nothing_is_not_known(speech: Speech, leaves: bool) -> None:
    with listener(says() if not leaves else lambda peer: None) as server:
        assert tried(server, speech).outcome == "mute"


@pytest.mark.parametrize("line", [b"HTTP/1.1 200 OK\r\nX: " + b"y" * 4096, b"HTTP/1.1 200 OK\r\n" * 200])
def test_what_never_ends_is_not_read_to_its_end(line: bytes) -> None:
    rounds = count()

    def endless(peer: socket.socket) -> None:
        for _ in rounds:
            peer.sendall(line)

    with listener(endless) as server:
        assert tried(server, "http").outcome in ("reached", "foreign")
    assert next(rounds) * len(line) < 64 << 20


def test_another_protocol_in_place_of_tls() -> None:
    with listener(says(b"220 mail.example ESMTP\r\n")) as server:
        found = tried(server, "tls")
    assert (found.outcome, found.error) == ("foreign", "WRONG_VERSION_NUMBER")


# --- UDP -----------------------------------------------------------------------------------------------------


def root_answer(question: bytes, flags: int) -> bytes:
    return question[:2] + struct.pack(">H", flags) + question[4:]


@pytest.mark.parametrize(
    ("speech", "flags", "outcome"),
    [("root", 0x8400, "reached"), ("root", 0x8180, "foreign"), ("dns", 0x8185, "reached"), ("dns", 0x0100, "foreign")],
    ids=["authority", "a-resolver-in-between", "refused-by-a-resolver", "an-echo"],
)
def test_dns(speech: Speech, flags: int, outcome: str) -> None:
    with answerer(lambda question: root_answer(question, flags)) as server:
        assert tried(server, speech, "udp").outcome == outcome


def test_a_datagram_is_sent_again() -> None:
    heard: list[bytes] = []

    def second(question: bytes) -> bytes | None:
        heard.append(question)
        return b"x" if len(heard) > 1 else None

    with answerer(second) as server:
        assert tried(server, "fuzzy", "udp").outcome == "reached"
    assert [len(one) for one in heard] == [76, 76]


def test_silence_over_udp_is_no_pass() -> None:
    with answerer(lambda _: None) as server:
        assert tried(server, "", "udp").outcome == "silent"


def test_a_closed_port_over_udp() -> None:
    with answerer(lambda _: None) as server:
        pass
    found = tried(server, "", "udp")
    assert (found.outcome, found.error) == ("refused", "ECONNREFUSED")


# --- bounds --------------------------------------------------------------------------------------------------


def test_the_deadline_of_the_run_is_told_apart_from_silence() -> None:
    with answerer(lambda _: None) as server:
        assert tried(server, "", "udp", seconds=0.2).outcome == "late"


def test_many_at_once_take_as_long_as_one() -> None:
    with answerer(lambda _: None) as server:
        goals = [Goal(f"{n}.example", server.port, "udp") for n in range(40)]
        began = time.monotonic()
        made = attempt([Aim(goal, "127.0.0.1") for goal in goals], bounds())
    assert {one.outcome for one in made.values()} == {"silent"}
    assert len(made) == 40
    assert time.monotonic() - began < 10  # one after another they would take 24 s


def test_a_run_that_is_ended_leaves_at_once() -> None:
    stop = threading.Event()
    stop.set()
    with answerer(lambda _: None) as server:
        assert attempt([Aim(Goal("a.example", server.port, "udp"), "127.0.0.1")], Bounds(1e9, stop)) == {}


# --- names ---------------------------------------------------------------------------------------------------


def looked(goals: tuple[Goal, ...], *resolvers: str) -> outgoing.Outgoing:
    deadline = time.monotonic() + 10
    return outgoing.outgoing(NATIVE, goals, resolvers, {}, deadline, threading.Event()).get()


def test_names_are_asked_for_once() -> None:
    zone = nameserver.zone("a.example. A 127.0.0.1", "a.example. AAAA ::1")
    with nameserver.serve(zone) as server, listener(says()) as partner:
        place = f"127.0.0.1:{server.server[1]}"
        goals = tuple(Goal("a.example", port) for port in (partner.port, partner.port + 1, 1))
        found = looked(goals, place)
    assert sorted(server.asked) == [("a.example.", "A", "udp"), ("a.example.", "AAAA", "udp")]
    assert found.servers == (place,)
    outcomes = {one.address: one.outcome for one in found.trials[0].attempts}
    assert (outcomes["127.0.0.1"], set(outcomes)) == ("reached", {"127.0.0.1", "::1"})


@pytest.mark.parametrize(
    ("records", "names"),
    [
        pytest.param((), "NXDOMAIN", id="no-such-name"),
        pytest.param(("a.example. TXT x",), "NODATA", id="no-address"),
        pytest.param(("a.example. A 0.0.0.0", "a.example. AAAA ::"), "blocked", id="filtered"),
    ],
)
def test_a_name_without_an_address(records: tuple[str, ...], names: str) -> None:
    with nameserver.serve(nameserver.zone(*records)) as server:
        (trial,) = looked((Goal("a.example", 443),), f"127.0.0.1:{server.server[1]}").trials
    assert (trial.names, trial.attempts) == (names, ())


def test_a_server_that_refuses() -> None:
    with nameserver.serve(lambda query, _: [nameserver.reply(query, rcode="REFUSED").to_wire()]) as server:
        (trial,) = looked((Goal("a.example", 443),), f"127.0.0.1:{server.server[1]}").trials
    assert trial.names == "failed"


def test_an_address_is_asked_of_nobody() -> None:
    with nameserver.serve(nameserver.zone()) as server, listener(says()) as partner:
        found = looked((Goal("127.0.0.1", partner.port),), f"127.0.0.1:{server.server[1]}")
    assert server.asked == []
    assert [one.outcome for one in found.trials[0].attempts] == ["reached"]
    assert found.trials[0].names == ""


@pytest.mark.parametrize(
    ("view", "cause"), [({"live": False}, "copy"), ({"network": False}, "network"), ({"network": None}, "network")]
)
def test_another_machines_network_is_not_tried(view: dict[str, bool | None], cause: str) -> None:
    given = {"container": False, "root": "/", "live": True, "network": True, "privileged": None, **view}
    roots = Roots("/", View(**given), anchor="self")  # type: ignore[arg-type]  # what a test gives is a view's
    found = outgoing.outgoing(roots, (Goal("127.0.0.1", 1),), (), {}, time.monotonic() + 5, threading.Event())
    assert found.missing is not None
    assert (found.missing.kind, found.missing.cause) == ("unknown", cause)


def test_proxies_of_the_hosts_shells(tmp_path: Path) -> None:
    """In our container, our own environment says nothing about the host's shells."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/environment").write_text('export https_proxy="http://a:b@proxy.example:3128"\nPATH=/bin\nx\n')
    environ = {"HTTP_PROXY": "http://own.example:8080"}
    for container, own in ((True, {}), (False, {"HTTP_PROXY": "http://own.example:8080"})):
        view = View(container=container, root=str(tmp_path), live=True, network=True, privileged=None)
        found = outgoing.shell_proxies(Roots(str(tmp_path), view, anchor="self"), environ)
        assert found == {"HTTPS_PROXY": "http://proxy.example:3128"} | own
