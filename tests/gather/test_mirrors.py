"""The service that tells whether a list's public servers answer this host's network."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

import pytest

from preflight.facts import Fact, Mirrors
from preflight.gather.outgoing import mirrors
from tests.gather import nameserver
from tests.gather.partners import listener, says
from tests.gather.test_sightings import NATIVE


def told(head: bytes, zone: str = "asn.example. A 127.0.0.1") -> tuple[Fact[Mirrors], list[str]]:
    """Have it answer with this head, found by this zone; return what was understood and the names asked for."""
    answer = b"HTTP/1.1 " + head + b"\r\nContent-Length: 2\r\n\r\nok"
    with nameserver.serve(nameserver.zone(zone)) as server, listener(says(answer)) as page:
        place = f"127.0.0.1:{server.server[1]}"
        url = f"http://asn.example:{page.port}/"
        found = mirrors.mirrors(NATIVE, url, (place,), time.monotonic() + 10)
    return found, [name for name, _, _ in server.asked]


@pytest.mark.parametrize(
    ("head", "outcome"),
    [
        (b"200 OK", "open"),
        (b"503 Service Unavailable", "closed"),
        (b"429 Too Many Requests", "busy"),
        (b"302 Found", "strange"),
        (b"404 Not Found", "strange"),
        (b"what is this", "failed"),
    ],
)
def test_the_status_is_the_answer(head: bytes, outcome: str) -> None:
    found, asked = told(head)
    assert found.get().outcome == outcome
    assert set(asked) == {"asn.example."}


def test_without_an_address_it_failed() -> None:
    found, _ = told(b"200 OK", "other.example. A 127.0.0.1")
    assert found.get().outcome == "failed"


def test_an_address_where_nobody_answers_is_not_the_end() -> None:
    found, _ = told(b"503 No", "asn.example. A 127.0.0.1\nasn.example. AAAA ::1")
    assert found.get().outcome == "closed"


def test_without_name_servers_it_failed() -> None:
    found = mirrors.mirrors(NATIVE, "http://asn.example/", ("127.0.0.1:9",), time.monotonic() + 3)
    assert found.get().outcome == "failed"


def test_an_answer_byte_by_byte_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def drips(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        with suppress(OSError):
            while not over.wait(0.02):
                connection.sendall(b"a")

    monkeypatch.setattr(mirrors, "SECONDS", 0.5)
    with nameserver.serve(nameserver.zone("asn.example. A 127.0.0.1")) as server, listener(drips) as page:
        url = f"http://asn.example:{page.port}/"
        timer = threading.Timer(20, over.set)  # so that a failure is no test that hangs
        timer.start()
        found = mirrors.mirrors(NATIVE, url, (f"127.0.0.1:{server.server[1]}",), time.monotonic() + 30)
        early = not over.is_set()
        over.set()
        timer.cancel()
    assert (found.get().outcome, early) == ("failed", True)
