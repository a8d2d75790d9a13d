"""The stand-in as a process: silent to everybody who proves nothing, whether he is slow, many, or talks first."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from preflight.reach import protocol
from preflight.reach.gate import AT_ONCE_EACH, BURST_EACH
from preflight.reach.protocol import Hello

KEY = bytes(range(16))
CODE = "import sys; from preflight.probes.stand_in import main; sys.exit(main(sys.argv[1:]))"


def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def port() -> Iterator[int]:
    number = free()
    told = {"PREFLIGHT_ASKED": "1", "PREFLIGHT_TOKEN": "near", "PREFLIGHT_REACH": KEY.hex(), "PREFLIGHT_SECONDS": "60"}
    with subprocess.Popen(
        [sys.executable, "-I", "-c", CODE, "postfix-mailcow", str(number)],
        env=os.environ | told,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            for _ in range(200):
                with contextlib.suppress(OSError), connect(number):
                    break
                time.sleep(0.05)
            yield number
        finally:
            process.kill()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 20)


def heard(connection: socket.socket) -> bytes:
    """Return all that is said until the end; a connection that is torn down is an end, too."""
    said = b""
    with contextlib.suppress(ConnectionError):
        while more := connection.recv(500):
            said += more
    return said


def ask(port: int, key: bytes = KEY) -> protocol.Arrived | None:
    question = Hello(port, protocol.nonce())
    with connect(port) as connection:
        connection.sendall(protocol.hello(key, port, question.nonce))
        return protocol.understood(KEY, question, heard(connection).rstrip(b"\r\n"))


def test_who_knows_the_line_is_answered(port: int) -> None:
    found = ask(port)
    assert found is not None
    assert (found.service, found.inside, found.peer) == ("postfix-mailcow", port, "127.0.0.1")


def test_the_token_of_the_rehearsal_opens_it_as_before(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(b"near\r\n")
        assert heard(connection) == f"mailcow-preflight near postfix-mailcow {port} 127.0.0.1\r\n".encode()


@pytest.mark.parametrize(
    "said", [b"\n", b"EHLO example.org\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" * 200, b"x" * 5000]
)
def test_nobody_else_gets_a_byte(port: int, said: bytes) -> None:
    with connect(port) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(said)
        assert heard(connection) == b""
    assert ask(port, bytes(16)) is None


def test_who_says_his_line_byte_by_byte_has_a_few_seconds_and_no_more(port: int) -> None:
    began = time.monotonic()
    over = threading.Event()
    with connect(port) as connection:

        def drip() -> None:
            with contextlib.suppress(OSError):
                while not over.wait(0.5):
                    connection.sendall(b"m")

        threading.Thread(target=drip, daemon=True).start()
        assert heard(connection) == b""
        over.set()
    assert 3 < time.monotonic() - began < 15


def test_a_flood_is_turned_away_and_then_there_is_room_again(port: int) -> None:
    several = [connect(port) for _ in range(int(BURST_EACH) + 20)]
    turned_away = 0
    for connection in several:
        connection.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            turned_away += heard(connection) == b""
    assert turned_away >= len(several) - AT_ONCE_EACH
    for connection in several:
        connection.close()
    time.sleep(1.5)
    assert ask(port) is not None
