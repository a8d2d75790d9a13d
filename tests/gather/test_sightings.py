"""Services that tell an address: good ones, strange ones, slow ones."""

from __future__ import annotations

import socket
import time

import pytest

from preflight.facts import AddressService, Sighting, View
from preflight.gather.access.roots import Roots
from preflight.gather.outgoing import sightings
from tests.gather import nameserver
from tests.gather.partners import Manner, listener, says

NATIVE = Roots("/", View(container=False, root="/", live=True, network=True, privileged=None), anchor="self")


def answers(body: bytes, status: bytes = b"200 OK", more: bytes = b"") -> Manner:
    def manner(peer: socket.socket) -> None:
        request = peer.recv(4096)
        assert request.startswith(b"GET /ip?x=1 HTTP/1.1\r\n")
        assert b"Connection: close" in request
        peer.sendall(b"HTTP/1.1 " + status + b"\r\n" + more + b"\r\n" + body)

    return manner


def told(manner: Manner, version: int = 4, seconds: float = 10.0) -> Sighting:
    with listener(manner) as server:
        service = AddressService(f"http://127.0.0.1:{server.port}/ip?x=1", version)
        (found,) = sightings.sightings(NATIVE, (service,), ("127.0.0.1:9",), time.monotonic() + seconds).get()
    return found


@pytest.mark.parametrize(
    ("manner", "outcome", "address"),
    [
        pytest.param(answers(b"203.0.113.7\n"), "seen", "203.0.113.7", id="an-address"),
        pytest.param(answers(b"c\r\n203.0.113.7\n\r\n0\r\n\r\n", more=b"Transfer-Encoding: chunked\r\n"), "seen",
                     "203.0.113.7", id="in-chunks"),
        pytest.param(answers(b"2001:db8::7"), "strange", "", id="of-the-other-version"),
        pytest.param(answers(b"<html>log in</html>"), "strange", "", id="a-page"),
        pytest.param(answers(b"203.0.113.7", b"511 Log in"), "strange", "", id="another-status"),
        pytest.param(answers(b""), "strange", "", id="nothing"),
        pytest.param(answers(b"203.0.113.7" + b" " * 100_000), "strange", "", id="too-long"),
        pytest.param(answers(b"\xff\x00\x1b[2J"), "strange", "", id="binary"),
        pytest.param(lambda peer: peer.sendall(b"220 mail ESMTP\r\n"), "failed", "", id="no-http"),
        pytest.param(lambda peer: None, "failed", "", id="gone"),
    ],
)  # fmt: skip
def test_what_a_service_says(manner: Manner, outcome: str, address: str) -> None:
    found = told(manner)
    assert (found.outcome, found.address) == (outcome, address)


def test_one_that_never_ends_costs_the_deadline_at_most() -> None:
    def endless(peer: socket.socket) -> None:
        for _ in range(100):
            peer.sendall(b"HTTP/1.1 200 OK\r\n" if _ == 0 else b"X: y\r\n")
            time.sleep(0.05)

    began = time.monotonic()
    assert told(endless, seconds=0.8).outcome == "failed"
    assert time.monotonic() - began < 10


def test_an_address_is_asked_over_its_own_version_alone() -> None:
    assert told(answers(b"203.0.113.7"), version=6).outcome == "failed"


def test_names_are_asked_of_the_given_server() -> None:
    zone = nameserver.zone("ip.example. A 127.0.0.1")
    with nameserver.serve(zone) as server, listener(answers(b"203.0.113.7")) as page:
        service = AddressService(f"http://ip.example:{page.port}/ip?x=1", 4)
        place = f"127.0.0.1:{server.server[1]}"
        (found,) = sightings.sightings(NATIVE, (service,), (place,), time.monotonic() + 10).get()
    assert found == Sighting(service, "seen", "203.0.113.7")
    assert [name for name, _, _ in server.asked] == ["ip.example."]


def test_without_an_authority_nobody_is_believed() -> None:
    with listener(says(b"HTTP/1.1 200 OK\r\n\r\n203.0.113.7")) as server:
        service = AddressService(f"https://127.0.0.1:{server.port}/ip?x=1", 4)
        (found,) = sightings.sightings(NATIVE, (service,), (), time.monotonic() + 10).get()
    assert found.outcome == "failed"


def test_another_machines_network_is_not_asked() -> None:
    view = View(container=True, root="/", live=True, network=False, privileged=None)
    found = sightings.sightings(Roots("/", view, anchor="self"), (), (), time.monotonic() + 5)
    assert found.missing is not None
    assert found.missing.cause == "network"
