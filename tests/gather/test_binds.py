"""Bind attempts: what they say for each kind of socket that may be there, and where they are not made at all."""

from __future__ import annotations

import socket
import struct

import msgspec
import pytest

from preflight.facts import Missing
from preflight.gather.access.roots import Roots
from preflight.gather.sockets.binds import attempt, binds
from tests.gather.ends import NATIVE, VIEW, connected, has_ipv6, needs_ipv6, opened, port_of


def outcomes(port: int, address: str = "") -> dict[str, str]:
    fact = binds(NATIVE, ((address, port),))
    assert {entry.port for entry in fact.get()} == {port}
    return {entry.address: entry.outcome for entry in fact.get()}


USED, FREE = "EADDRINUSE", "free"


@needs_ipv6
@pytest.mark.parametrize(
    ("address", "options", "ipv4", "ipv6"),
    [
        ("127.0.0.1", {}, USED, FREE),
        ("127.0.0.2", {}, USED, FREE),
        ("0.0.0.0", {}, USED, FREE),
        ("::1", {}, FREE, USED),
        ("::", {"v6only": False}, USED, USED),
        ("::", {"v6only": True}, FREE, USED),
        ("127.0.0.1", {"listen": False, "reuse": False}, USED, FREE),
        ("127.0.0.1", {"listen": False, "reuse": True}, FREE, FREE),
        ("::1", {"listen": False, "reuse": False}, FREE, USED),
    ],
)
def test_each_kind_of_socket(address: str, options: dict[str, bool], ipv4: str, ipv6: str) -> None:
    with opened(address, **options) as made:
        port = port_of(made)
        assert outcomes(port) == {"0.0.0.0": ipv4, "::": ipv6}
        # The attempt agrees with what a service would meet that goes on to listen.
        for place, expected in (("0.0.0.0", ipv4), ("::", ipv6)):
            assert engine_publishes(place, port) == (expected == FREE)
    assert outcomes(port) == {"0.0.0.0": FREE, "::": FREE}


def engine_publishes(address: str, port: int) -> bool:
    """Bind and listen as the engine does."""
    try:
        with opened(address, port, v6only=True if ":" in address else None):
            return True
    except OSError:
        return False


def test_a_listener_on_one_address_leaves_the_others() -> None:
    with opened("127.0.0.1") as made:
        assert outcomes(port_of(made), "127.0.0.1") == {"127.0.0.1": USED}
        assert outcomes(port_of(made), "127.0.0.2") == {"127.0.0.2": FREE}


def test_a_client_with_that_local_port() -> None:
    with connected(reuse=False) as (client, _):
        assert outcomes(port_of(client))["0.0.0.0"] == USED
    with connected(reuse=True) as (client, _):
        assert outcomes(port_of(client))["0.0.0.0"] == FREE


@pytest.mark.parametrize(("reuse", "expected"), [(False, USED), (True, FREE)])
def test_time_wait(reuse: bool, expected: str) -> None:
    with connected(reuse=reuse) as (client, end):
        port = port_of(client)
        client.close()
        end.close()
    assert attempt("0.0.0.0", port) == expected


def test_a_reset_connection_leaves_nothing() -> None:
    with connected(reuse=False) as (client, end):
        port = port_of(client)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        end.close()
    assert attempt("0.0.0.0", port) == FREE


def test_an_address_that_is_not_here() -> None:
    assert attempt("198.51.100.77", 40000) == "EADDRNOTAVAIL"
    if has_ipv6():
        assert attempt("2001:db8::77", 40000) == "EADDRNOTAVAIL"


def test_a_kernel_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def refusing(family: int, kind: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(family, kind)

    monkeypatch.setattr("preflight.gather.sockets.binds.socket.socket", refusing)
    assert outcomes(0) == {"0.0.0.0": FREE, "::": "EAFNOSUPPORT"}


def test_what_the_kernel_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(socket.socket):
        def bind(self, address: object) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("preflight.gather.sockets.binds.socket.socket", Refusing)
    assert set(outcomes(25).values()) == {"EACCES"}


def test_what_makes_no_sense_is_no_exception() -> None:
    assert attempt("127.0.0.1", 70000) == "EINVAL"


def test_each_address_is_tried_once() -> None:
    fact = binds(NATIVE, (("127.0.0.1", 0), ("127.0.0.1", 0)))
    assert len(fact.get()) == 1


@pytest.mark.parametrize(
    ("change", "why", "help_"),
    [
        ({"live": False, "network": False}, None, ""),
        ({"container": True, "network": False}, None, "--network=host"),
        ({"network": False}, None, "on that host itself"),
        ({"container": True, "network": None}, "Add --pid=host to docker run.", "--pid=host"),
        ({"container": True, "network": None}, None, "--network=host"),
    ],
)
def test_elsewhere_nothing_is_tried(
    change: dict[str, bool], why: str | None, help_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "preflight.gather.sockets.binds.attempt", lambda *_: pytest.fail("a port of this machine was tried")
    )
    missing = Missing("unknown", "Out of reach.", why) if why else None
    fact = binds(Roots("/", msgspec.structs.replace(VIEW, **change), why=missing), (("", 25),))
    assert fact.missing is not None
    assert fact.missing.kind == "unknown"
    assert help_ in fact.missing.help
