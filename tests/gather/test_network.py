"""Links, addresses, routes and IPv6: captured tables, copies, and this machine against `ip`."""

from __future__ import annotations

import ipaddress
import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from preflight.facts import Address, Ipv6, Link, Route, View
from preflight.gather.access.roots import Roots
from preflight.gather.network import netlink, network
from tests.gather.kernel import TRIE, attribute

VIEW = View(container=False, root="/", live=True, network=True, privileged=None)
NATIVE = Roots("/", VIEW, anchor="self")
TABLES_ALONE = Roots("/", msgspec.structs.replace(VIEW, network=False), anchor="self")
little = pytest.mark.skipif(sys.byteorder != "little", reason="captured on a little-endian machine")

ROUTE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
*\t000010AC\t00000000\t0201\t0\t0\t0\t0000F0FF\t0\t0\t0
broken\tline
"""
IPV6_ROUTE = """\
00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001       lo
fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 00000001 00000000 00000003     eth0
fd000000000000000000000000000002 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000002 00000000 80200001     eth0
ff000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000004 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
"""  # noqa: E501 - as the kernel writes it
IF_INET6 = """\
00000000000000000000000000000001 01 80 10 80       lo
fd000000000000000000000000000002 04 40 00 82     eth0
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
"""
DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  123  1 0 0 0 0 0 0  123  1 0 0 0 0 0 0
  eth0:  123  1 0 0 0 0 0 0  123  1 0 0 0 0 0 0
eth0:1:  123  1 0 0 0 0 0 0  123  1 0 0 0 0 0 0
"""  # noqa: E501 - as the kernel writes it


@little
def test_captured_ipv4_routes() -> None:
    assert network.ipv4_routes(ROUTE) == (
        Route("0.0.0.0/0", "eth0", "192.0.2.1", 100),
        Route("192.0.2.0/24", "eth0", "", 0),
        Route("172.16.0.0/12", "*", "", 0),
    )


def test_captured_ipv6_routes() -> None:
    assert network.ipv6_routes(IPV6_ROUTE) == (
        Route("fd00::/64", "eth0", "", 256),
        Route("::/0", "eth0", "fd00::1", 1024),
    )


def test_captured_addresses() -> None:
    routes = (Route("0.0.0.0/0", "eth0", "192.0.2.1", 0), Route("192.0.2.0/24", "eth0", "", 0))
    assert network.ipv4_addresses(TRIE, routes) == {
        "lo": [Address("127.0.0.1", 8, "host"), Address("127.0.0.2", 8, "host")],
        "eth0": [Address("192.0.2.2", 24, "global")],
        "": [Address("198.51.100.9", 32, "global")],
    }
    assert network.ipv6_addresses(IF_INET6) == [
        ("lo", Address("::1", 128, "host")),
        ("eth0", Address("fd00::2", 64, "global")),
        ("eth0", Address("fe80::fc:ff:fe00:1", 64, "link")),
    ]
    assert network.devices(DEV) == ["lo", "eth0", "eth0:1"]


TEXTS = st.text(max_size=200) | st.text(alphabet="0123456789abcdef:/ \t\n|-+.LOCALhost", max_size=300)


@given(TEXTS)
def test_no_table_breaks_it(text: str) -> None:
    routes = network.ipv4_routes("head\n" + text)
    network.ipv6_routes(text)
    network.ipv6_addresses(text)
    network.devices(text)
    network.ipv4_addresses(text, routes)


@given(st.binary(max_size=200))
@example(struct.pack("=BBBBBBBBI", 10, 129, 0, 0, 254, 4, 0, 1, 0))
@example(struct.pack("=BBBBBBBBI", 2, 33, 0, 0, 254, 4, 0, 1, 0))
@example(struct.pack("=BBBBI", 2, 33, 0, 0, 1) + struct.pack("=HH", 8, 1) + bytes(4))
def test_no_answer_of_the_kernel_breaks_it(data: bytes) -> None:
    netlink.read_link(data)
    if found := netlink.read_address(data):
        assert ipaddress.ip_interface(f"{found[1].address}/{found[1].prefix}")
    netlink.read_route(data, {})


def route(length: int, table: int, kind: int, flags: int = 0, **more: bytes) -> bytes:
    head = struct.pack("=BBBBBBBBI", 2, length, 0, 0, table, 4, 0, kind, flags)
    return head + b"".join(attribute(int(number[1:]), value) for number, value in more.items())


def test_answers_about_routes() -> None:
    names = {2: "eth0"}
    index, gateway, metric = struct.pack("=i", 2), bytes([192, 0, 2, 1]), struct.pack("=I", 7)
    net = bytes([10, 1, 0, 0])
    read = netlink.read_route
    assert read(route(16, 254, 1, a1=net, a4=index, a6=metric), names) == Route("10.1.0.0/16", "eth0", "", 7)
    assert read(route(0, 254, 1, a5=gateway, a4=index), names) == Route("0.0.0.0/0", "eth0", "192.0.2.1", 0)
    for kind, name in ((6, "blackhole"), (7, "unreachable"), (8, "prohibit"), (9, "throw")):
        assert read(route(16, 254, kind, a1=net), names) == Route("10.1.0.0/16", "*", "", 0, kind=name)
    hop = struct.pack("=HBBi", 16, 0, 0, 2) + attribute(5, gateway)
    assert read(route(16, 254, 1, a1=net, a9=hop), names) == Route("10.1.0.0/16", "eth0", "192.0.2.1", 0)
    other = route(16, 252, 1, a1=net, a4=index, a15=struct.pack("=I", 51820))
    assert read(other, names) == Route("10.1.0.0/16", "eth0", "", 0, 51820)
    assert read(route(32, 255, 2, a1=net, a4=index), names) is None  # an address of the host
    assert read(route(16, 255, 2, a1=net, a4=index), names) == Route("10.1.0.0/16", "eth0", "", 0, 255, "local")
    assert read(route(16, 254, 1, 1, a1=net, a4=index), names) is None  # over an interface that is down
    via = struct.pack("=H", 10) + bytes.fromhex("fe80" + "00" * 13 + "01")
    assert read(route(16, 254, 1, a1=net, a4=index, a18=via), names) == Route("10.1.0.0/16", "eth0", "fe80::1", 0)
    assert read(route(16, 254, 1, 0x200, a1=net, a4=index), names) is None  # a clone


def copy(root: Path, **files: str) -> Roots:
    for name, text in files.items():
        place = root / name.replace("__", "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return Roots(str(root), View(container=False, root=str(root), live=False, network=False, privileged=None))


@little
@pytest.mark.parametrize("where", ["proc__1__net", "proc__net"])
def test_what_a_copy_recorded_is_used(tmp_path: Path, where: str) -> None:
    roots = copy(tmp_path, **{
        f"{where}__route": ROUTE, f"{where}__fib_trie": TRIE, f"{where}__dev": DEV, f"{where}__if_inet6": IF_INET6,
        "sys__class__net__eth0__mtu": "1450\n", "sys__class__net__eth0__flags": "0x1003\n",
    })  # fmt: skip
    found = {link.name: link for link in network.links(roots).get()}
    assert found["eth0"] == Link("eth0", 1450, True, tuple(
        Address(*entry) for entry in (
            ("192.0.2.2", 24, "global"), ("fd00::2", 64, "global"), ("fe80::fc:ff:fe00:1", 64, "link"),
        )
    ))  # fmt: skip
    assert found["lo"].mtu is None
    assert network.routes(roots).get()[0] == Route("0.0.0.0/0", "eth0", "192.0.2.1", 100)
    assert network.ipv6(roots).get() == Ipv6(True, False, True)


def test_a_copy_without_tables_is_never_this_machine(tmp_path: Path) -> None:
    roots = copy(tmp_path, etc__hostname="x\n")
    for part in (network.links, network.routes, network.ipv6):
        fact = part(roots)
        assert fact.missing is not None
        assert "copy" in fact.missing.reason
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/net").symlink_to("/proc/self/net")
    assert not network.links(roots).known


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"proc__1__net__if_inet6": ""}, Ipv6(True, True, False)),
        (
            {"proc__1__net__if_inet6": "", "proc__sys__net__ipv6__conf__all__disable_ipv6": "0\n"},
            Ipv6(True, False, False),
        ),
        (
            {"proc__1__net__if_inet6": IF_INET6, "proc__sys__net__ipv6__conf__all__disable_ipv6": "1\n"},
            Ipv6(True, True, True),
        ),
        ({"proc__1__net__dev": DEV}, Ipv6(False, False, False)),
        ({"proc__cmdline": "quiet ipv6.disable=1 ro\n"}, Ipv6(False, False, False)),
    ],
)
def test_ipv6_of_a_copy(tmp_path: Path, files: dict[str, str], expected: Ipv6) -> None:
    assert network.ipv6(copy(tmp_path, **files)).get() == expected


def test_strange_names_of_interfaces_lead_nowhere(tmp_path: Path) -> None:
    roots = copy(tmp_path, proc__1__net__dev="\n\n ..: 1\na/b: 1\n", proc__1__net__route="", proc__1__net__fib_trie="")
    assert [link.mtu for link in network.links(roots).get()] == [None, None]


# --- this machine --------------------------------------------------------------------------------------------


def stable(links: tuple[Link, ...]) -> dict[str, Link]:
    return {
        link.name: msgspec.structs.replace(link, addresses=tuple(sorted(link.addresses, key=str))) for link in links
    }


def ip(*words: str) -> list[dict[str, object]]:
    run = subprocess.run(["ip", "-j", *words], capture_output=True, text=True, check=True)
    return json.loads(run.stdout or "[]")  # type: ignore[no-any-return]


def test_the_tables_and_the_kernel_agree() -> None:
    """Interfaces that other tests or containers make and remove meanwhile are left out."""
    asked, told = stable(network.links(NATIVE).get()), stable(network.links(TABLES_ALONE).get())
    assert asked["lo"] == told["lo"]
    assert network.links(NATIVE).source == "rtnetlink"
    assert {"127.0.0.1"} <= {entry.address for entry in told["lo"].addresses}


def test_ipv6_of_this_machine() -> None:
    assert network.ipv6(NATIVE).get().listenable == network.ipv6(TABLES_ALONE).get().listenable


@pytest.mark.skipif(not shutil.which("ip"), reason="no ip here")
def test_it_agrees_with_ip() -> None:
    for _ in range(3):  # containers of other tests come and go
        shown = ip("address")
        links = stable(network.links(NATIVE).get())
        routes = {(entry.destination, entry.interface, entry.gateway) for entry in network.routes(NATIVE).get()}
        listed = [(4, row) for row in ip("-4", "route")] + [(6, row) for row in ip("-6", "route")]
        if ip("address") == shown:
            break
    assert {str(row["ifname"]): row["mtu"] for row in shown} == {name: link.mtu for name, link in links.items()}
    for row in shown:
        held = {(entry["local"], entry["prefixlen"]) for entry in row["addr_info"]}  # type: ignore[attr-defined]
        assert held == {(entry.address, entry.prefix) for entry in links[str(row["ifname"])].addresses}
    everywhere = {4: "0.0.0.0/0", 6: "::/0"}
    for version, row in listed:
        destination = everywhere[version] if row["dst"] == "default" else str(ipaddress.ip_network(str(row["dst"])))
        if "nexthops" not in row and row.get("type", "unicast") == "unicast":
            assert (destination, row["dev"], row.get("gateway", "")) in routes
