"""The programs in a rehearsal's containers, on loopback: stand-ins that answer who knows them, and who asks them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from preflight.probes.rehearsal import ask
from preflight.probes.stand_in import LINE, healthy

TOKEN = "0123456789abcdef" * 2
NAME = "postfix-mailcow"


def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def stand_in(**environment: str) -> Iterator[int]:
    """Run a stand-in; give its port once it listens."""
    port = free()
    values = {"PREFLIGHT_TOKEN": TOKEN, "PREFLIGHT_ASKED": "1", **environment}
    command = (sys.executable, "-m", "preflight.probes.stand_in", NAME, str(port))
    with subprocess.Popen(command, env={**os.environ, **values}) as process:
        try:
            until = time.monotonic() + 20
            while time.monotonic() < until:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
                    break
                time.sleep(0.02)
            yield port
        finally:
            process.kill()


@contextmanager
def other(speak: Callable[[socket.socket], object]) -> Iterator[int]:
    """Listen on a port as somebody else does."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection = server.accept()[0]
                    with connection, suppress(OSError):
                        speak(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])


def heard(port: int, said: bytes, seconds: float = 5.0) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.settimeout(seconds)
        connection.sendall(said)
        with suppress(ConnectionResetError):
            return connection.recv(1000)
    return b""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with stand_in() as made:
        yield made


# --- the stand-in --------------------------------------------------------------------------------------------


def test_who_says_the_token_gets_the_banner(port: int) -> None:
    assert heard(port, f"{TOKEN}\r\n".encode()).split()[:4] == [
        b"mailcow-preflight", TOKEN.encode(), NAME.encode(), str(port).encode(),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "said", [b"EHLO x\r\n", TOKEN[:-1].encode() + b"0\n", b"\n", b"x" * 4000, f" {TOKEN}\n".encode(), b"\xff\0\n"]
)
def test_nobody_else_gets_a_byte(port: int, said: bytes) -> None:
    assert heard(port, said) == b""


def test_without_a_token_nobody_gets_anything() -> None:
    with stand_in(PREFLIGHT_TOKEN="") as port:
        assert heard(port, b"\n") == b""


def test_who_says_nothing_holds_up_nobody(port: int) -> None:
    silent = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(20)]
    try:
        assert heard(port, f"{TOKEN}\n".encode()).startswith(b"mailcow-preflight")
    finally:
        for one in silent:
            one.close()


def test_a_token_may_come_in_pieces_and_a_line_has_an_end(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.settimeout(5)
        connection.sendall(TOKEN[:7].encode())
        time.sleep(0.1)
        connection.sendall(TOKEN[7:].encode() + b"\r\nmore")
        assert connection.recv(100).startswith(b"mailcow-preflight")
    assert heard(port, b"x" * LINE + TOKEN.encode() + b"\n") == b""


def test_its_own_health_check_knows_the_token(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFLIGHT_TOKEN", TOKEN)
    assert healthy(port)
    monkeypatch.setenv("PREFLIGHT_TOKEN", "another")
    assert not healthy(port)


def test_it_ends_by_itself() -> None:
    """Where nobody lives to remove it."""
    environment = {**os.environ, "PREFLIGHT_SECONDS": "1"}
    command = (sys.executable, "-m", "preflight.probes.stand_in", NAME)
    assert subprocess.run(command, env=environment, timeout=20, check=False).returncode == 0


# --- who asks ------------------------------------------------------------------------------------------------


def asked(*ports: int, seconds: float = 0.1) -> list[dict[str, object]]:
    places = [["127.0.0.1", port] for port in ports]
    rows = json.loads(ask.main({"token": TOKEN, "seconds": seconds, "ports": places, "exits": []}))
    return list(rows)


def test_a_stand_in_is_known_by_its_token(port: int) -> None:
    (row,) = asked(port)
    assert (row["answer"], row["name"], row["inside"], row["peer"]) == ("answered", NAME, str(port), "127.0.0.1")


def test_one_that_is_still_starting_is_waited_for() -> None:
    late = free()

    def serve() -> None:
        time.sleep(0.5)
        with socket.create_server(("127.0.0.1", late)) as server:
            connection = server.accept()[0]
            with connection:
                connection.recv(100)
                connection.sendall(f"mailcow-preflight {TOKEN} {NAME} 25 127.0.0.1\r\n".encode())

    threading.Thread(target=serve, daemon=True).start()
    (row,) = asked(late, seconds=20)
    assert row["answer"] == "answered"


SAYINGS: dict[str, tuple[Callable[[socket.socket], object], str]] = {
    "another mail server": (lambda one: one.sendall(b"220 mail.example.net ESMTP\r\n"), "other"),
    "a wrong token": (lambda one: one.sendall(f"mailcow-preflight {'0' * 32} {NAME} 25 ::1\r\n".encode()), "other"),
    "our token in other words": (lambda one: one.sendall(f"echo {TOKEN}\r\n".encode()), "other"),
    "an echo": (lambda one: one.sendall(one.recv(100)), "other"),
    "one who hangs up": (lambda one: one.recv(100), "closed"),
    "endless words": (lambda one: one.sendall(b"x" * 5000), "other"),
}


@pytest.mark.parametrize("who", SAYINGS)
def test_who_else_may_be_there(who: str) -> None:
    speak, answer = SAYINGS[who]
    with other(speak) as there:
        (row,) = asked(there)
    assert row["answer"] == answer
    assert len(str(row.get("said", ""))) <= ask.SAID


def test_nobody_and_one_who_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "SPEAK", 0.3)
    with other(lambda one: time.sleep(2)) as mute:
        rows = asked(free(), mute)
    assert [row["answer"] for row in rows] == ["refused", "mute"]


def test_no_connection_stays_on_the_port() -> None:
    """A port in TIME_WAIT would be a finding of the next look at this host."""
    with stand_in() as port:
        asked(port)
        time.sleep(0.2)
        states = []
        for table in ("tcp", "tcp6"):
            with open(f"/proc/net/{table}") as file:
                rows = [line.split() for line in file]
            states += [row[3] for row in rows if row[1].endswith(f":{port:04X}")]
    assert states == ["0A"]  # it listens


def test_ways_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        exits = [["127.0.0.1", server.getsockname()[1]], ["127.0.0.1", free()], ["255.255.255.255", 1]]
        rows = json.loads(ask.main({"token": TOKEN, "seconds": 0, "ports": [], "exits": exits}))
    assert [row["way"] for row in rows] == ["reached", "refused", "unsent"]
    assert rows[2]["error"]
