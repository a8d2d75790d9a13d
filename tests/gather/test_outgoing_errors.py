"""What the kernel says of a connection that came to nothing."""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct

import pytest

from preflight.gather.outgoing import errors
from preflight.gather.outgoing.errors import Report

ROUTER4 = struct.pack("=HH4s8x", socket.AF_INET, 0, ipaddress.ip_address("198.51.100.1").packed)
ROUTER6 = struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, ipaddress.ip_address("2001:db8::1").packed, 0)


def extended(code: int, origin: int, kind: int, what: int, offender: bytes = b"") -> bytes:
    return struct.pack("=IBBBBII", code, origin, kind, what, 0, 0, 0) + offender


@pytest.mark.parametrize(
    ("raw", "told", "outcome"),
    [
        pytest.param(
            extended(errno.EHOSTUNREACH, 2, 3, 13, ROUTER4),
            Report(errno.EHOSTUNREACH, "198.51.100.1", True), "prohibited", id="administratively",
        ),
        pytest.param(
            extended(errno.ENETUNREACH, 2, 3, 9, ROUTER4),
            Report(errno.ENETUNREACH, "198.51.100.1", True), "prohibited", id="network-prohibited",
        ),
        pytest.param(
            extended(errno.EACCES, 3, 1, 1, ROUTER6),
            Report(errno.EACCES, "2001:db8::1", True), "prohibited", id="administratively-v6",
        ),
        pytest.param(
            extended(errno.EHOSTUNREACH, 2, 3, 1, ROUTER4),
            Report(errno.EHOSTUNREACH, "198.51.100.1", False), "unreachable", id="host-unreachable",
        ),
        pytest.param(
            extended(errno.ENETUNREACH, 3, 1, 0, ROUTER6),
            Report(errno.ENETUNREACH, "2001:db8::1", False), "unreachable", id="no-route-of-a-router",
        ),
        pytest.param(
            extended(errno.ECONNREFUSED, 2, 3, 3, ROUTER4),
            Report(errno.ECONNREFUSED, "198.51.100.1", False), "refused", id="port-unreachable",
        ),
        pytest.param(
            extended(errno.EHOSTUNREACH, 2, 11, 13, ROUTER4),
            Report(errno.EHOSTUNREACH, "198.51.100.1", False), "unreachable", id="time-exceeded",
        ),
        pytest.param(
            extended(errno.ECONNREFUSED, 2, 3, 3), Report(errno.ECONNREFUSED, "", False), "refused", id="no-sender"
        ),
    ],
)  # fmt: skip
def test_messages_in_place_of_an_answer(raw: bytes, told: Report, outcome: str) -> None:
    assert errors.read_report(raw) == told
    assert errors.outcome(told.error, told) == outcome


@pytest.mark.parametrize("raw", [b"", extended(0, 2, 3, 3)[:15], extended(errno.EHOSTUNREACH, 1, 0, 0)])
def test_the_hosts_own_word_is_no_message(raw: bytes) -> None:
    assert errors.read_report(raw) is None


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (errno.ECONNREFUSED, "refused"),
        (errno.ETIMEDOUT, "filtered"),
        (errno.EACCES, "prohibited"),
        (errno.EPERM, "prohibited"),
        (errno.ENETUNREACH, "unsent"),
        (errno.EAFNOSUPPORT, "unsent"),
        (errno.EHOSTUNREACH, "unreachable"),
        (errno.ECONNRESET, "unreachable"),
    ],
)
def test_errors_without_a_message(code: int, outcome: str) -> None:
    assert errors.outcome(code, None) == outcome


def test_names_of_errors() -> None:
    assert (errors.name(errno.EACCES), errors.name(0), errors.name(99999)) == ("EACCES", "EIO", "EIO")
