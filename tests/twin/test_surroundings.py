"""What a host's rules are surrounded by: its ways to the Internet, and what packets meet that no rule tells of."""

from __future__ import annotations

import errno
import io
import socket
import struct
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any, cast

import pytest

from preflight.facts.twin import Unseen
from preflight.packets import nlmsg as nl
from preflight.packets.nlmsg import Message
from preflight.twin import surroundings
from preflight.twin.links import Address, Link
from preflight.twin.routes import LOCAL, MAIN, UNICAST, Hop, Route, Routing, Way
from preflight.twin.surroundings import PROBES, Surroundings
from preflight.twin.sysctls import Sysctls
from preflight.twin.wire import Refused, Wire

NOBODY = cast("Wire", None)
GETQDISC, GETFILTER = 38, 46  # RTM_GETQDISC, RTM_GETTFILTER
INGRESS, EGRESS = 0xFFFFFFF2, 0xFFFFFFF3


def raw(text: str) -> bytes:
    return ip_address(text).packed


def address(text: str, index: int = 2, scope: int = 0) -> Address:
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return Address(family, index, raw(text), 24, scope)


def route(*hops: Hop, table: int = MAIN, prefix: int = 0, kind: int = UNICAST, six: bool = False) -> Route:
    family, anywhere = (socket.AF_INET6, bytes(16)) if six else (socket.AF_INET, bytes(4))
    return Route(family, kind, table, anywhere, prefix, hops, 0, b"")


# --- what an interface is made of -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("eth0",), set()),
        (("bond0",), {"eth0", "eth1"}),
        (("vlan7",), {"bond0", "eth0", "eth1"}),
        (("br0",), {"vlan7", "bond0", "eth0", "eth1", "tap0"}),
        (("br0", "br-mailcow"), {"vlan7", "bond0", "eth0", "eth1", "tap0", "veth1"}),
        (("none",), set()),
    ],
)
def test_what_interfaces_are_made_of(names: tuple[str, ...], found: set[str]) -> None:
    links = (
        Link(index=2, name="eth0", master=4), Link(index=3, name="eth1", master=4), Link(index=4, name="bond0"),
        Link(index=5, name="vlan7", parent=4, master=6), Link(index=6, name="br0"),
        Link(index=7, name="tap0", master=6), Link(index=8, name="br-mailcow"), Link(index=9, name="veth1", master=8),
        Link(index=10, name="dummy0"),
    )  # fmt: skip
    assert Surroundings(links=links, ways={}, sysctls=Sysctls({})).below(*names) == found


# --- the way to the Internet ------------------------------------------------------------------------------------------


class Ways:
    """A kernel that knows ways by their target and source, and notes what it is asked."""

    def __init__(self, **ways: Way) -> None:
        self._ways = ways
        self.asked: list[tuple[bytes, bytes]] = []

    def way(self, wire: Wire, target: bytes, source: bytes = b"") -> Way | None:
        self.asked.append((target, source))
        return self._ways.get(source.hex() or "any")


PLAIN = Way(2, socket.AF_INET, raw("203.0.113.1"), raw("203.0.113.5"))
OWN = (
    address("169.254.0.1", scope=253), address("192.168.9.9", 3), address("203.0.113.5"), address("2001:db8::5"),
)  # fmt: skip


def test_the_first_way_that_leads_out_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Ways(any=PLAIN)
    monkeypatch.setattr(surroundings.routes, "way", kernel.way)
    assert surroundings._way(NOBODY, 4, OWN) == PLAIN
    assert kernel.asked == [(raw(PROBES[4][0]), b"")]


def test_where_only_an_own_address_leads_out_the_way_is_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """All lasting ones of the family are tried in their order, each for several places of the Internet."""
    by_rule = Way(2, socket.AF_INET, raw("203.0.113.1"), b"")
    kernel = Ways(**{raw("203.0.113.5").hex(): by_rule})
    monkeypatch.setattr(surroundings.routes, "way", kernel.way)
    assert surroundings._way(NOBODY, 4, OWN) == Way(2, socket.AF_INET, raw("203.0.113.1"), raw("203.0.113.5"))
    sources = [source for _, source in kernel.asked]
    assert sources == [b""] * 3 + [raw("192.168.9.9")] * 3 + [raw("203.0.113.5")]
    assert [target for target, _ in kernel.asked[:3]] == [raw(one) for one in PROBES[4]]


@pytest.mark.parametrize("version", [4, 6])
def test_the_loopback_interface_leads_nowhere(monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    kernel = Ways(any=Way(1, 0, b"", raw("127.0.0.1")))
    monkeypatch.setattr(surroundings.routes, "way", kernel.way)
    assert surroundings._way(NOBODY, version, ()) is None
    assert len(kernel.asked) == len(PROBES[version])


def test_only_some_of_many_addresses_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Ways()
    monkeypatch.setattr(surroundings.routes, "way", kernel.way)
    many = [address(f"203.0.113.{last}") for last in range(1, 250)]
    assert surroundings._way(NOBODY, 4, many) is None
    assert len({source for _, source in kernel.asked}) == 1 + surroundings.SOURCES


def test_a_kernel_without_the_family_has_no_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Way:
        raise Refused(errno.EAFNOSUPPORT, "")

    monkeypatch.setattr(surroundings.routes, "way", refuse)
    assert surroundings._way(NOBODY, 6, OWN) is None


GATE = (2, int(socket.AF_INET), raw("203.0.113.1"))
DENIED = Way(2, socket.AF_INET, raw("203.0.113.1"), raw("203.0.113.5"), denied=True)


@pytest.mark.parametrize(
    ("routes", "found"),
    [
        ([route(GATE)], DENIED),
        ([route((3, 0, b""), table=7), route(GATE)], DENIED),  # that of the main table first
        ([route((9, 0, b""), GATE)], DENIED),  # its first path has no address of the host's
        ([route((1, 0, b""), GATE)], DENIED),
        ([route((3, 0, b""), table=7)], Way(3, 0, b"", raw("192.168.9.9"), denied=True)),
        ([route(GATE, prefix=1)], None),
        ([route(GATE, kind=LOCAL)], None),
        ([route(GATE, six=True)], None),
        ([route((1, 0, b""))], None),
        ([route()], None),
        ([], None),
    ],
    ids=[
        "main", "main first", "another path", "not lo", "another table", "half of it", "no way on", "other family",
        "lo alone", "blackhole", "none",
    ],
)  # fmt: skip
def test_a_way_that_rules_deny_to_the_host_is_that_of_its_default_route(routes: list[Route], found: Way | None) -> None:
    own = (*OWN, address("127.0.0.1", index=1))
    assert surroundings._listed(Routing(tuple(routes)), 4, own) == found


def test_an_address_of_the_link_alone_is_no_source() -> None:
    own = (address("169.254.0.1", scope=253), address("fe80::5"))
    assert surroundings._listed(Routing((route(GATE),)), 4, own) is None


# --- what no rule tells of --------------------------------------------------------------------------------------------


def qdisc(index: int, kind: bytes) -> bytes:
    return struct.pack("=Bxxx iIII", 0, index, 0, 0, 0) + nl.attribute(1, kind + b"\0")


class Traffic:
    """A kernel with qdiscs, and filters at some of their hooks."""

    def __init__(self, qdiscs: Sequence[bytes] | None, filters: Sequence[tuple[int, int]] = ()) -> None:
        self._qdiscs, self._filters = qdiscs, filters
        self.asked: list[tuple[int, int]] = []

    def dump(self, kind: int, body: bytes) -> list[Message]:
        if kind == GETQDISC:
            if self._qdiscs is None:
                raise Refused(errno.EOPNOTSUPP, "")
            return [Message(36, one) for one in self._qdiscs]
        assert kind == GETFILTER
        family, index, handle, parent, info = struct.unpack("=B3xiIII", body)
        assert (family, handle, info) == (0, 0, 0)  # all of them
        self.asked.append((index, parent))
        if index == 4 and parent == EGRESS:
            raise Refused(errno.EINVAL, "")  # an ingress qdisc has no egress
        return [Message(44, b"")] if (index, parent) in self._filters else []


LINKS = (
    Link(index=1, name="lo"), Link(index=2, name="eth0", xdp=True), Link(index=3, name="eth\udcff"),
    Link(index=4, name="eth2"), Link(index=5, name="eth3"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("qdiscs", "filters", "programs", "told"),
    [
        (None, (), set(), []),
        ([], (), {4, 99}, ["eth2"]),
        ([qdisc(2, b"clsact"), qdisc(3, b"clsact")], [(2, INGRESS), (3, EGRESS)], set(), ["eth0", "eth\ufffd"]),
        ([qdisc(4, b"ingress")], [(4, INGRESS)], set(), ["eth2"]),
        ([qdisc(4, b"ingress")], [], set(), []),
        # Others shape what goes out, and a filter there chooses a class.
        ([qdisc(2, b"htb"), qdisc(3, b"fq_codel")], [(2, INGRESS), (3, EGRESS)], set(), []),
        ([b"", qdisc(2, b"clsact")[:19], qdisc(2, b"clsact")[:22]], [(2, INGRESS)], set(), []),
        ([qdisc(5, b"clsact")], [(5, INGRESS)], {3}, ["eth\ufffd", "eth3"]),
    ],
)
@pytest.mark.parametrize("balanced", [False, True])
def test_programs_that_packets_pass_are_named_by_their_interface(
    monkeypatch: pytest.MonkeyPatch, qdiscs: list[bytes] | None, filters: list[tuple[int, int]], programs: set[int],
    told: list[str], balanced: bool,
) -> None:  # fmt: skip
    kernel = Traffic(qdiscs, filters)
    monkeypatch.setattr(surroundings.programs, "attached", lambda indices: programs & {*indices, 99})
    monkeypatch.setattr(surroundings, "_balanced", lambda: balanced)
    found = list(surroundings._unseen(cast("Wire", kernel), LINKS))
    expected = [Unseen("xdp", "eth0"), *(Unseen("tc", name) for name in told)]
    assert found == expected + [Unseen("ipvs")] * balanced


HEADING = (
    "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port\n"
)


@pytest.mark.parametrize(
    ("text", "balanced"),
    [(HEADING, False), (HEADING + "TCP  CB007105:0019 wlc\n  -> AC1601FD:0019 Masq 1 0 0\n", True), ("", False),
     (None, False)],
)  # fmt: skip
def test_services_of_ipvs(monkeypatch: pytest.MonkeyPatch, text: str | None, balanced: bool) -> None:
    def opened(path: str, mode: str) -> Any:
        assert (path, mode) == ("/proc/self/net/ip_vs", "rb")
        if text is None:
            raise FileNotFoundError
        return io.BytesIO(text.encode())

    monkeypatch.setattr("builtins.open", opened)
    assert surroundings._balanced() is balanced


def test_interfaces_are_found_by_index_and_by_name() -> None:
    around = Surroundings(links=LINKS, ways={}, sysctls=Sysctls({}))
    assert around.link(2) is around.named("eth0") is LINKS[1]
    assert around.link(9) is around.named("eth9") is None


def test_a_way_that_the_kernel_says_is_not_looked_for_among_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, found in (("read", LINKS), ("addresses", OWN), ("neighbours", ())):
        monkeypatch.setattr(surroundings.links, name, lambda wire, found=found: found)
    six = Way(2, socket.AF_INET6, raw("fe80::1"), raw("2001:db8::5"), denied=True)
    monkeypatch.setattr(surroundings.routes, "read", lambda wire: Routing((route(GATE),)))
    monkeypatch.setattr(surroundings, "_way", lambda wire, version, own: PLAIN if version == 4 else None)
    listed: list[int] = []
    monkeypatch.setattr(surroundings, "_listed", lambda routing, version, own: listed.append(version) or six)
    monkeypatch.setattr(surroundings, "_unseen", lambda wire, found: iter([Unseen("ipvs")]))
    monkeypatch.setattr(surroundings.sysctls, "read", lambda: Sysctls({"a": "1"}))
    around = surroundings.read(NOBODY)
    assert (around.ways, listed) == ({4: PLAIN, 6: six}, [6])
    assert (around.links, around.addresses, around.unseen) == (LINKS, OWN, (Unseen("ipvs"),))
    monkeypatch.setattr(surroundings, "_listed", lambda *_: None)
    assert surroundings.read(NOBODY).ways == {4: PLAIN}
