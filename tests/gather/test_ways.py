"""Which way the kernel would send packets to the Internet: captured answers, and this machine against `ip`."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import View, Way
from preflight.gather.access.roots import Roots
from preflight.gather.network import ways

VIEW = View(container=False, root="/", live=True, network=True, privileged=None)
NATIVE = Roots("/", VIEW, anchor="self")
NAMES = {2: "eth0", 7: "wg0"}


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def answer(kind: int, table: int, *attributes: bytes) -> bytes:
    return struct.pack("=BBBBBBBBI", 2, 32, 0, 0, table, 0, 0, kind, 0) + b"".join(attributes)


INDEX, SOURCE = attribute(4, struct.pack("=i", 2)), attribute(7, bytes([192, 0, 2, 7]))


def test_answers() -> None:
    assert ways.read_way(answer(1, 254, attribute(5, bytes([192, 0, 2, 1])), INDEX, SOURCE), "1.1.1.1", NAMES) == Way(
        destination="1.1.1.1", interface="eth0", gateway="192.0.2.1", source="192.0.2.7", table=254
    )
    # A tunnel in a table of its own (the rtmsg has room for one byte), with an MTU in the route's metrics.
    tunnel = answer(
        1, 252, attribute(4, struct.pack("=i", 7)), attribute(15, struct.pack("=I", 51820)),
        attribute(8, attribute(2, struct.pack("=I", 1280))),
    )  # fmt: skip
    assert ways.read_way(tunnel, "1.1.1.1", NAMES) == Way(destination="1.1.1.1", interface="wg0", mtu=1280, table=51820)
    # The gateway of a route for IPv4 may be an IPv6 address: RTA_VIA, with the family before it.
    via = attribute(18, struct.pack("=H", 10) + bytes.fromhex("fe80" + "00" * 13 + "01"))
    assert ways.read_way(answer(1, 254, INDEX, via), "1.1.1.1", NAMES).gateway == "fe80::1"


@pytest.mark.parametrize(("kind", "error"), [(6, "EINVAL"), (7, "EHOSTUNREACH"), (8, "EACCES"), (5, "EBADMSG")])
def test_refusals(kind: int, error: str) -> None:
    assert ways.read_way(answer(kind, 254, INDEX), "1.1.1.1", NAMES) == Way(destination="1.1.1.1", error=error)


@given(st.binary(max_size=200))
def test_no_answer_breaks_it(data: bytes) -> None:
    assert ways.read_way(data, "1.1.1.1", NAMES).destination == "1.1.1.1"


def test_in_another_network_nothing_is_asked() -> None:
    view = msgspec.structs.replace(VIEW, network=False, container=True)
    fact = ways.ways(Roots("/", view, anchor="self"))
    assert fact.missing is not None
    assert "--network=host" in fact.missing.help


@pytest.mark.skipif(not shutil.which("ip"), reason="no ip here")
def test_it_agrees_with_ip() -> None:
    for way in ways.ways(NATIVE).get():
        run = subprocess.run(["ip", "-j", "route", "get", way.destination], capture_output=True, text=True, check=False)
        if run.returncode:
            assert way.error
            continue
        (row,) = json.loads(run.stdout)
        assert (way.interface, way.gateway, way.source) == (row["dev"], row.get("gateway", ""), row["prefsrc"])
