"""Sockets on the wanted ports, from captured tables and from sockets opened here, and their owners."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import Missing, View
from preflight.gather import processes, sockets
from preflight.gather.roots import Roots
from preflight.gather.sockets import Row, address, few, parse, read_bound, walk
from tests.gather.test_binds import NATIVE, VIEW, connected, needs_ipv6, opened, port_of

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
    assert parse(TCP.encode(), (25, 80)) == [
        Row(4, "127.0.0.1", 25, "listening", 4242),
        Row(4, "192.0.2.2", 25, "time-wait", 0),
    ]
    assert parse(TCP6.encode(), (443,)) == [
        Row(6, "::", 443, "listening", 4245),
        Row(6, "127.0.0.1", 443, "established", 4246),
    ]
    assert parse(TCP.encode(), ()) == []


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
    for row in parse(table, (25, 0x1234)):
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
    read_bound(answer)


def test_a_captured_answer() -> None:
    answer = bytes([2, 7, 0, 0]) + (25).to_bytes(2, "big") + bytes(2) + bytes([127, 0, 0, 1]) + bytes(56)
    answer += struct.pack("=I", 77)
    assert read_bound(answer) == Row(4, "127.0.0.1", 25, "bound", 77)
    assert read_bound(bytes([2, 1]) + answer[2:]) is None


# --- owners --------------------------------------------------------------------------------------------------


def tree(root: Path, *pids: int, **owners: int) -> Roots:
    """Make a procfs with these processes; `owners` name the inode that one of them has open: pid7=4242."""
    for pid in pids:
        (root / f"proc/{pid}/fd").mkdir(parents=True)
        (root / f"proc/{pid}/fd/0").symlink_to("/dev/null")
    for name, inode in owners.items():
        (root / f"proc/{name.removeprefix('pid')}/fd/{inode}").symlink_to(f"socket:[{inode}]")
    (root / "proc/sys").mkdir()
    return Roots(str(root), VIEW, anchor="1")


def test_the_owner_with_the_lowest_pid(tmp_path: Path) -> None:
    roots = tree(tmp_path, 1, 9, 12, 100, pid100=4242, pid12=4242, pid9=1)
    assert walk(roots, {4242}) == ({4242: 12}, "")


def test_without_wanted_inodes_nobody_is_looked_at() -> None:
    assert walk(Roots(None, VIEW), set()) == ({}, "")


def test_no_owner_where_all_can_be_seen_means_the_kernel(tmp_path: Path) -> None:
    assert walk(tree(tmp_path, 1, 2), {4242}) == ({}, "")


def test_hidden_processes_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, why = walk(tree(tmp_path, 7, 8, pid7=1), {1, 2})  # hidepid: not even PID 1 is shown
    assert found == {1: 7}
    assert "hidden" in why
    assert walk(Roots(str(tmp_path), VIEW), {1}) == ({1: 7}, "")  # all are found: nothing is missing
    (tmp_path / "proc/1/fd").mkdir(parents=True)
    real = os.listdir

    def refusing(path: str) -> list[str]:
        if path.endswith("/proc/8/fd"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("preflight.gather.sockets.os.listdir", refusing)
    inside = Roots(str(tmp_path), msgspec.structs.replace(VIEW, container=True))
    found, why = walk(inside, {1, 2})
    assert found == {1: 7}
    assert "Add --privileged to docker run." in why


def test_the_walk_ends_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preflight.gather.sockets.SECONDS", -1.0)
    assert "longer than" in walk(tree(tmp_path, 1, 2, pid2=5), {5})[1]


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


@little
def test_the_host_as_its_anchor_sees_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "bound", lambda _: [])
    roots = tree(tmp_path, 1, 50, pid1=4242, pid50=4245)
    (tmp_path / "proc/1/net").mkdir()
    (tmp_path / "proc/1/net/tcp").write_text(TCP)
    (tmp_path / "proc/1/net/tcp6").write_text(TCP6)
    people = {1: Somebody(1, "systemd", unit="init.scope"), 50: Somebody(50, "nginx", "www", "nginx.service")}
    people[50] = dataclasses.replace(people[50], binary="/usr/sbin/nginx")
    (tmp_path / "var/lib/dpkg/info").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/info/nginx.list").write_text("/.\n/usr/sbin/nginx\n")
    monkeypatch.setattr(processes, "describe", lambda _, pid: people[pid])
    unit = tmp_path / "etc/systemd/system/exim4.socket"
    unit.parent.mkdir(parents=True)
    unit.write_text("[Socket]\nListenStream=127.0.0.1:25\n")
    found = sockets.sockets(roots, (25, 443)).get()
    assert found.owners
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
    monkeypatch.setattr(processes, "describe", lambda *_: None)  # it has gone meanwhile
    (row,) = sockets.sockets(roots, (25,)).get().holders
    assert (row.pid, row.process) == (1, None)


def test_a_copy_has_no_sockets(tmp_path: Path) -> None:
    (tmp_path / "proc/1/net").mkdir(parents=True)
    (tmp_path / "proc/1/net/tcp").write_text(TCP)
    view = View(container=False, root=str(tmp_path), live=False, network=False, privileged=None)
    assert not sockets.sockets(Roots(str(tmp_path), view), (25,)).known


def test_out_of_reach_names_the_flag() -> None:
    why = Missing("unknown", "out of reach", "Add --pid=host to docker run.")
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
        assert seen(port_of(made)) == [(where, "listening", os.getpid())]
        (holder,) = sockets.sockets(NATIVE, (port_of(made),)).get().holders
        assert holder.process
        assert holder.command


def test_a_dual_stack_client_is_seen_as_ipv4() -> None:
    with connected(reuse=True) as (client, _):
        assert seen(port_of(client)) == [("127.0.0.1", "established", os.getpid())]


def test_bound_without_listening() -> None:
    release = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
    with opened("127.0.0.1", listen=False, reuse=False) as made:
        expected = [("127.0.0.1", "bound", os.getpid())] if release >= (6, 8) else []
        assert seen(port_of(made)) == expected


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
