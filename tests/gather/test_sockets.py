"""Sockets on the wanted ports, from captured tables and from sockets opened here, and their owners."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import shutil
import struct
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import Missing, View
from preflight.gather.access.roots import Roots
from preflight.gather.sockets import sockets
from preflight.gather.sockets.sockets import Row, address, clients, few, parse_table, read
from tests.gather.ends import NATIVE, VIEW, connected, needs_ipv6, opened, port_of
from tests.gather.holders import tree

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
NO_QUEUE = "00000000:00000000 00:00000000 00000000"
TCP = HEAD + (
    f"   0: 0100007F:0019 00000000:0000 0A {NO_QUEUE}     0        0 4242 1 ffff 100 0 0 10 0\n"
    f"   1: 00000000:0016 00000000:0000 0A {NO_QUEUE}     0        0 4243 1 ffff 100 0 0 10 0\n"
    "   2: 020200C0:0019 01020304:9C40 06 00000000:00000000 03:00000BB8 00000000     0        0 0 3 ffff\n"
    f"  10: 020200C0:C350 01020304:0019 01 {NO_QUEUE}  1000        0 4244 2 ffff 20 4 30 10 -1\n"
)
ANY, MAPPED = "0" * 32, "0000000000000000FFFF00000100007F"
TCP6 = HEAD + (
    f"   0: {ANY}:01BB {ANY}:0000 0A {NO_QUEUE}     0        0 4245 1 ffff 100 0 0 10 0\n"
    f"   1: {MAPPED}:01BB {MAPPED}:9C40 01 {NO_QUEUE}     0        0 4246 1 ffff 100 0 0 10 0\n"
)
little = pytest.mark.skipif(sys.byteorder != "little", reason="captured on a little-endian machine")


@little
def test_a_captured_table() -> None:
    assert parse_table(TCP.encode(), (25, 80)) == [
        Row(4, "127.0.0.1", 25, "listening", 4242),
        Row(4, "192.0.2.2", 25, "time-wait", 0),
    ]
    assert parse_table(TCP6.encode(), (443,)) == [
        Row(6, "::", 443, "listening", 4245),
        Row(6, "127.0.0.1", 443, "established", 4246, client="127.0.0.1", peer_port=40000),
    ]
    assert parse_table(TCP.encode(), ()) == []


@little
def test_connections_from_other_machines_are_counted() -> None:
    row = "   0: {}:03E1 {}:9C40 {} 00000000:00000000 00:00000000 00000000     0        0 7 1 ffff\n"
    mine, other, lo = "020200C0", "01020304", "0100007F"
    ends = ((mine, other, "01"), (mine, mine, "01"), (lo, lo, "01"), (mine, other, "06"), (mine, "05020304", "01"))
    table = HEAD + "".join(row.format(*end) for end in ends)
    assert clients(parse_table(table.encode(), (993,))) == {993: 2}
    assert clients(parse_table(TCP6.encode(), (443,))) == {}


@pytest.mark.parametrize(
    ("digits", "order", "text"),
    [
        ("0100007F", "little", "127.0.0.1"),
        ("7F000001", "big", "127.0.0.1"),
        ("B80D0120000000000000000001000000", "little", "2001:db8::1"),
        ("20010DB8000000000000000000000001", "big", "2001:db8::1"),
        ("0000000000000000FFFF00000100007F", "little", "127.0.0.1"),
        ("00000000000000000000FFFF7F000001", "big", "127.0.0.1"),
        ("00000000000000000000000000000000", "little", "::"),
    ],
)
def test_addresses_in_the_machines_byte_order(digits: str, order: str, text: str) -> None:
    assert address(digits, order) == text


@given(st.ip_addresses())
def test_any_address(value: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    words = struct.unpack(f">{len(value.packed) // 4}I", value.packed)
    digits = "".join(struct.pack("<I", word).hex().upper() for word in words)
    mapped = value.ipv4_mapped if isinstance(value, ipaddress.IPv6Address) else None
    assert address(digits, "little") == str(mapped or value)


@given(st.binary(max_size=300) | st.text(alphabet="0123456789ABCDEF: \n", max_size=300).map(str.encode))
def test_no_table_breaks_it(table: bytes) -> None:
    for row in parse_table(table, (25, 0x1234)):
        assert row.port in (25, 0x1234)


def test_connections_that_a_listener_has_taken_are_left_out() -> None:
    listener = Row(4, "0.0.0.0", 443, "listening", 1)
    taken = [Row(4, f"192.0.2.{number}", 443, "established", 100 + number) for number in range(200)]
    client = Row(6, "2001:db8::1", 443, "established", 2)
    assert few([*taken, listener, listener, client], (443, 25)) == [listener, client]
    assert len(few(taken, (443,))) == sockets.OTHERS
    many = [Row(4, f"127.0.{n >> 8}.{n & 255}", 443, "listening", n) for n in range(1000)]
    assert len(few(many, (443,))) == sockets.LISTENERS


def test_the_order_does_not_depend_on_the_tables() -> None:
    rows = [Row(6, "::1", 25, "listening", 2), Row(4, "127.0.0.1", 25, "listening", 1)]
    assert few(rows, (25,)) == few(rows[::-1], (25,)) == rows[::-1]


@given(st.binary(max_size=80))
def test_no_answer_of_the_kernel_breaks_it(answer: bytes) -> None:
    for more in (answer, bytes([10, 10]) + answer, bytes([2, 1]) + bytes(70) + answer):
        read(more)


def test_a_captured_answer() -> None:
    answer = bytes([2, 7, 0, 0]) + (25).to_bytes(2, "big") + bytes(2) + bytes([127, 0, 0, 1]) + bytes(56)
    answer += struct.pack("=I", 77)
    assert read(answer) == Row(4, "127.0.0.1", 25, "bound", 77)
    assert read(bytes([2, 6]) + answer[2:]) == Row(4, "127.0.0.1", 25, "time-wait", 77)
    assert read(bytes([3]) + answer[1:]) is None
    any6 = bytes([10, 10, 0, 0]) + (25).to_bytes(2, "big") + bytes(62) + struct.pack("=I", 77)
    for attribute, alone in ((b"", None), (b"\5\0\13\0\1\0\0\0", True), (b"\5\0\13\0\0\0\0\0", False)):
        assert read(any6 + attribute) == Row(6, "::", 25, "listening", 77, alone)


# --- with their owners -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Somebody:
    """Stands in for a process."""

    pid: int
    name: str
    user: str | None = "root"
    unit: str | None = None
    container: str | None = None
    command: tuple[str, ...] = ()
    parent: int | None = 1
    binary: str | None = None
    runtime: str | None = None


def refused(ports: tuple[int, ...]) -> NoReturn:
    raise PermissionError(1, "refused by netlink")


@little
def test_the_host_as_its_anchor_sees_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "ask", refused)
    roots = tree(tmp_path, 1, 50, pid1=4242, pid50=4245)
    (tmp_path / "proc/1/net").mkdir()
    (tmp_path / "proc/1/net/tcp").write_text(TCP)
    (tmp_path / "proc/1/net/tcp6").write_text(TCP6)
    people = {1: Somebody(1, "systemd", unit="init.scope"), 50: Somebody(50, "nginx", "www", "nginx.service")}
    people[50] = dataclasses.replace(people[50], binary="/usr/sbin/nginx")
    (tmp_path / "var/lib/dpkg/info").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/info/nginx.list").write_text("/.\n/usr/sbin/nginx\n")
    monkeypatch.setattr(sockets, "describe", lambda _, pid: people[pid])
    unit = tmp_path / "etc/systemd/system/exim4.socket"
    unit.parent.mkdir(parents=True)
    unit.write_text("[Socket]\nListenStream=127.0.0.1:25\n")
    found = sockets.sockets(roots, (25, 443)).get()
    assert (found.owners, found.bound) == (True, False)
    assert [(row.address, row.port, row.state, row.process, row.unit, row.user) for row in found.holders] == [
        ("127.0.0.1", 25, "listening", "systemd", "exim4.socket", "root"),
        ("::", 443, "listening", "nginx", "nginx.service", "www"),
    ]
    assert [row.package for row in found.holders] == [None, "nginx"]
    people[50] = dataclasses.replace(people[50], container="c" * 64)
    assert [row.package for row in sockets.sockets(roots, (443,)).get().holders] == [None]  # that is the image's
    (tmp_path / "proc/1/net/tcp6").unlink()  # a kernel without IPv6
    assert len(sockets.sockets(roots, (25, 443)).get().holders) == 1
    people.clear()
    monkeypatch.setattr(sockets, "describe", lambda *_: None)  # it has gone meanwhile
    (row,) = sockets.sockets(roots, (25,)).get().holders
    assert (row.pid, row.process) == (1, None)


def test_a_copy_has_no_sockets(tmp_path: Path) -> None:
    (tmp_path / "proc/1/net").mkdir(parents=True)
    (tmp_path / "proc/1/net/tcp").write_text(TCP)
    view = View(container=False, root=str(tmp_path), live=False, network=False, privileged=None)
    assert not sockets.sockets(Roots(str(tmp_path), view), (25,)).known


def test_out_of_reach_names_the_flag() -> None:
    why = Missing("unknown", "Out of reach.", "Add --pid=host to docker run.")
    fact = sockets.sockets(Roots(None, msgspec.structs.replace(VIEW, container=True, network=None), why=why), (25,))
    assert fact.missing == why


# --- sockets opened here -------------------------------------------------------------------------------------


def seen(port: int) -> list[tuple[str, str, int | None]]:
    found = sockets.sockets(NATIVE, (port,)).get()
    return [(row.address, row.state, row.pid) for row in found.holders]


@needs_ipv6
@pytest.mark.parametrize(
    ("where", "v6only"),
    [("127.0.0.1", None), ("127.0.0.2", None), ("0.0.0.0", None), ("::1", None), ("::", False), ("::", True)],
)
def test_a_listener_opened_here(where: str, v6only: bool | None) -> None:
    with opened(where, v6only=v6only) as made:
        # The kernel chose the port, on which another test's connection may still be in TIME_WAIT.
        assert [row for row in seen(port_of(made)) if row[1] != "time-wait"] == [(where, "listening", os.getpid())]
        holder = sockets.sockets(NATIVE, (port_of(made),)).get().holders[0]
        assert holder.process
        assert holder.command


def test_a_dual_stack_client_is_seen_as_ipv4() -> None:
    with connected(reuse=True) as (client, _):
        assert seen(port_of(client)) == [("127.0.0.1", "established", os.getpid())]
        tables = msgspec.structs.replace(NATIVE, view=msgspec.structs.replace(VIEW, network=False))
        for place in (NATIVE, tables):
            (row,) = sockets.sockets(place, (port_of(client),)).get().holders
            assert (row.peer, row.peer_port) == ("127.0.0.1", client.getpeername()[1])


def test_bound_without_listening() -> None:
    release = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
    with opened("127.0.0.1", listen=False, reuse=False) as made:
        shown = release >= (6, 8)
        assert seen(port_of(made)) == ([("127.0.0.1", "bound", os.getpid())] if shown else [])
        assert sockets.sockets(NATIVE, (port_of(made),)).get().bound is shown


@needs_ipv6
def test_the_kernel_and_its_tables_show_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every kind of socket, with the owners; the tables lack those that are only bound, and what V6ONLY says."""
    with ExitStack() as kept:
        made = [kept.enter_context(opened(place, v6only=alone)) for place, alone in KINDS]
        made += kept.enter_context(connected(reuse=True))
        closing = kept.enter_context(connected(reuse=False))
        ports = tuple(port_of(one) for one in (*made, *closing))
        for one in closing:
            one.close()
        asked = sockets.sockets(NATIVE, ports)
        monkeypatch.setattr(sockets, "ask", refused)
        read_ = sockets.sockets(NATIVE, ports)
    assert (asked.source, read_.source) == ("sock_diag(7)", "/proc/self/net/tcp")
    told = [msgspec.structs.replace(row, v6only=None) for row in asked.get().holders]
    assert told == list(read_.get().holders)
    assert [row.v6only for row in asked.get().holders if row.address == "::"] == [False, True]
    assert {row.state for row in told} == {"listening", "established", "time-wait"}


KINDS = (("127.0.0.1", None), ("0.0.0.0", None), ("::1", None), ("::", False), ("::", True))


def test_many_ports_are_asked_for_at_once() -> None:
    with ExitStack() as kept:
        made = [kept.enter_context(opened("127.0.0.1")) for _ in range(60)]
        ports = tuple(map(port_of, made))
        rows, _ = sockets.ask(ports[::2])
        assert {row.port for row in rows if row.state == "listening"} == set(ports[::2])
        assert sockets.ask(())[0] == []


def test_time_wait_is_the_kernels() -> None:
    with connected(reuse=False) as (client, end):
        port = port_of(client)
        client.close()
        end.close()
    assert [row[1:] for row in seen(port)] == [("time-wait", None)]


@pytest.mark.skipif(not shutil.which("ss"), reason="no ss here")
def test_it_agrees_with_ss() -> None:
    """Every listener that ss shows is found with the same address, and with the pid where ss sees one."""
    with opened("127.0.0.1"), opened("0.0.0.0"):
        shown = subprocess.run(["ss", "-Htlnp"], capture_output=True, text=True, check=True).stdout.splitlines()
        rows = [line.split() for line in shown]
        ports = tuple({int(row[3].rpartition(":")[2]) for row in rows})
        found = {
            (row.address, row.port): row.pid
            for row in sockets.sockets(NATIVE, ports).get().holders
            if row.state == "listening"
        }
    for row in rows:
        host, _, port = row[3].rpartition(":")
        plain = host.strip("[]").partition("%")[0].replace("*", "::")
        mapped = plain.removeprefix("::ffff:")
        if (mapped, int(port)) not in found:
            continue  # opened by another test after the tables were read
        if len(row) > 5 and found[mapped, int(port)] is not None:
            assert f"pid={found[mapped, int(port)]}," in " ".join(row[5:])
    mine = [row for row in rows if f"pid={os.getpid()}," in " ".join(row[5:])]
    assert len(mine) >= 2
    assert all((row[3].rpartition(":")[0], int(row[3].rpartition(":")[2])) in found for row in mine)


@pytest.mark.parametrize(
    ("text", "found"),
    [("", ()), ("\n", ()), ("80,1000-2000\n", ((80, 80), (1000, 2000))), ("32768-60999", ((32768, 60999),))],
)
def test_ranges_of_ports(text: str, found: tuple[tuple[int, int], ...]) -> None:
    assert sockets.ranges(text) == found


def test_the_ports_that_the_kernel_gives_out() -> None:
    found = sockets.sockets(NATIVE, (25,)).get()
    low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    assert found.fleeting == (int(low), int(high))
    other = Roots("/", msgspec.structs.replace(NATIVE.view, network=False), "1")
    assert sockets.sockets(other, (25,)).get().fleeting is None  # another network's
