"""What is asked of the kernel by netlink, and what its answers are worth: split, refused, late, damaged."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from preflight.facts import Address, Link, Route, RoutingRule, View, Way
from preflight.gather.access.roots import Roots
from preflight.gather.network import netlink, rules, ways
from preflight.packets.routing import INTERNET
from preflight.packets.tables import STANDARD
from tests.gather.kernel import attribute

VIEW = View(container=False, root="/", live=True, network=True, privileged=None)
NATIVE = Roots("/", VIEW, anchor="self")
DONE, ERROR, ROW = 3, 2, 24
INTERRUPTED = 0x10


def message(kind: int, payload: bytes = b"", flags: int = 0) -> bytes:
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, 1, 0) + payload + bytes(-len(payload) % 4)


class Kernel:
    """Stands for a netlink socket: gives datagrams one after the other, and keeps what it is sent."""

    def __init__(self, *datagrams: bytes) -> None:
        self.datagrams = list(datagrams)
        self.sent: list[bytes] = []
        self.closed = False

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def settimeout(self, seconds: float) -> None:
        assert seconds == netlink.SECONDS

    def bind(self, place: tuple[int, int]) -> None:
        assert place == (0, 0)

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def recv(self, _size: int) -> bytes:
        if not self.datagrams:
            raise TimeoutError("timed out")
        return self.datagrams.pop(0)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that has a kernel answer with these datagrams."""

    def answer(*datagrams: bytes) -> Kernel:
        made = Kernel(*datagrams)
        monkeypatch.setattr(netlink, "socket", SimpleNamespace(**{**vars(socket), "socket": lambda *_: made}))
        return made

    return answer


def test_answers_come_in_several_datagrams_and_end_where_the_kernel_says(kernel: Any) -> None:
    made = kernel(
        message(ROW, b"one.") + message(ROW, b"two"), message(ROW, b"six.") + message(DONE) + message(ROW, b"x")
    )
    assert list(netlink.dump(netlink.ROUTE, 26, b"what")) == [b"one.", b"two", b"six."]
    assert made.closed
    [sent] = made.sent
    assert struct.unpack_from("=IHHII", sent) == (20, 26, 0x301, 1, 0)
    assert sent[16:] == b"what"


@pytest.mark.parametrize(
    ("payload", "code"), [(struct.pack("=i", -errno.EPERM), errno.EPERM), (b"", 0), (struct.pack("=i", 0), 0)]
)
def test_a_refusal_is_an_error_with_the_kernels_number(kernel: Any, payload: bytes, code: int) -> None:
    for asked in (lambda: list(netlink.dump(0, 18, b"")), lambda: netlink.ask(0, 18, b"")):
        kernel(message(ERROR, payload))
        with pytest.raises(OSError, match="refused by netlink") as raised:
            asked()
        assert (raised.value.errno or 0) == code


def test_what_came_before_a_refusal_is_not_the_answer(kernel: Any) -> None:
    made = kernel(message(ROW, b"one.") + message(ERROR, struct.pack("=i", -errno.EBUSY)))
    with pytest.raises(OSError, match="refused"):
        netlink.dump(0, 18, b"")
    assert made.closed


@pytest.mark.parametrize(
    "changed",
    [message(ROW, b"one.", INTERRUPTED) + message(DONE), message(ROW, b"one.") + message(DONE, b"", INTERRUPTED)],
    ids=["a row says so", "its end says so"],
)
def test_a_table_that_changes_while_it_is_read_is_read_again(kernel: Any, changed: bytes) -> None:
    made = kernel(changed, changed, message(ROW, b"one.") + message(ROW, b"two.") + message(DONE))
    assert netlink.dump(0, 18, b"") == [b"one.", b"two."]
    assert len(made.sent) == 3
    made = kernel(*[changed] * 9)
    with pytest.raises(OSError, match="Interrupted") as raised:
        netlink.dump(0, 18, b"")
    assert raised.value.errno == errno.EINTR
    assert len(made.sent) == netlink.TRIES


def test_a_kernel_that_does_not_end_its_answer_is_late(kernel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel(message(ROW, b"one."))
    with pytest.raises(TimeoutError):
        list(netlink.dump(0, 18, b""))
    clock = iter([0.0, netlink.SECONDS, netlink.SECONDS + 0.1])
    monkeypatch.setattr(netlink, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    made = kernel(*[message(ROW, b"one.")] * 9)
    with pytest.raises(TimeoutError, match="too long"):
        list(netlink.dump(0, 18, b""))
    assert len(made.datagrams) == 7


def test_more_answers_than_there_are_routes_in_the_world_are_refused(
    kernel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(netlink, "MESSAGES", 2)
    kernel(message(ROW) * 2 + message(ROW))
    with pytest.raises(OSError, match="more than 2"):
        list(netlink.dump(0, 18, b""))


def test_one_answer_is_one_message(kernel: Any) -> None:
    made = kernel(message(ROW, b"one.") + message(ROW, b"two."))
    assert netlink.ask(netlink.ROUTE, 26, b"q") == b"one."
    assert struct.unpack_from("=IHH", made.sent[0]) == (17, 26, 1)
    kernel(b"")
    with pytest.raises(OSError, match=r".") as raised:
        netlink.ask(netlink.ROUTE, 26, b"q")
    assert raised.value.errno == errno.EIO


# --- links ------------------------------------------------------------------------------------------------------------


def link(index: int, name: str, kind: str = "", master: int = 0, *, flags: int = 1, mtu: bytes = b"") -> bytes:
    parts = attribute(3, name.encode() + b"\0") + attribute(4, mtu or struct.pack("=I", 1500))
    if kind:
        parts += attribute(18, attribute(1, kind.encode() + b"\0"))
    if master:
        parts += attribute(10, struct.pack("=I", master))
    return struct.pack("=BBHiII", 0, 0, 1, index, flags, 0) + parts


def address(index: int, raw: bytes, prefix: int = 24, scope: int = 0, flags: int = 0, local: bytes = b"") -> bytes:
    head = struct.pack("=BBBBI", 2 if len(raw) == 4 else 10, prefix, flags, scope, index)
    return head + attribute(1, raw) + (attribute(2, local) if local else b"")


@pytest.fixture
def dumps(monkeypatch: pytest.MonkeyPatch) -> dict[int, Any]:
    """Return what dumps answer, by their kind; for routes and rules by their family."""
    said: dict[int, Any] = {}

    def dump(_protocol: int, kind: int, request: bytes) -> Iterator[bytes]:
        found = said.get(kind, [])
        found = found.get(request[0], []) if isinstance(found, dict) else found
        if isinstance(found, OSError):
            raise found
        return iter(found)

    monkeypatch.setattr(netlink, "dump", dump)
    return said


def test_links_have_their_addresses_in_the_order_of_their_numbers(dumps: dict[int, Any]) -> None:
    dumps[netlink.GETLINK] = [link(3, "eth0", flags=0), link(1, "lo", mtu=b"\0"), b"short"]
    dumps[netlink.GETADDR] = [
        address(3, bytes([192, 0, 2, 7])), address(3, bytes([10, 9, 9, 9]), 32, local=bytes([10, 0, 0, 1])),
        address(1, bytes([127, 0, 0, 1]), 8, 254), address(3, bytes([192, 0, 2, 8]), 24, 200, 1),
        address(3, bytes(3)), address(3, bytes([1, 1, 1, 1]), 33), b"short", address(9, bytes([9, 9, 9, 9])),
    ]  # fmt: skip
    assert netlink.links() == (
        Link("lo", None, True, (Address("127.0.0.1", 8, "host"),)),
        Link("eth0", 1500, False, (
            Address("192.0.2.7", 24, "global"), Address("10.0.0.1", 32, "global"),
            Address("192.0.2.8", 24, "site", secondary=True),
        )),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ports", "inner"),
    [([], False), (["veth"], True), (["veth", "veth"], True), (["veth", ""], False), ([""], False), (["tun"], False)],
)
def test_a_bridge_of_containers_alone_is_an_inner_one(dumps: dict[int, Any], ports: list[str], inner: bool) -> None:
    rows = [link(7, "br0", "bridge")] + [link(20 + at, f"p{at}", kind, 7) for at, kind in enumerate(ports)]
    dumps[netlink.GETLINK] = [*rows, link(40, "bond0", "bond"), link(41, "veth9", "veth", 40)]
    found = {one.name: one.inner for one in netlink.links()}
    assert found["br0"] is inner
    assert found["bond0"] is False


# --- routes -----------------------------------------------------------------------------------------------------------


def route(raw: bytes = b"", length: int = 0, kind: int = 1, flags: int = 0, table: int = 254, *more: bytes) -> bytes:
    head = struct.pack("=BBBBBBBBI", 2, length, 0, 0, table, 0, 0, kind, flags)
    return head + (attribute(1, raw) if raw else b"") + b"".join(more)


def host(value: int) -> bytes:
    return struct.pack("=i", value)


OUT, VIA = attribute(4, struct.pack("=i", 3)), attribute(5, bytes([192, 0, 2, 1]))
NAMES = {3: "eth0", 4: "eth1"}


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (route(b"", 0, 1, 0, 254, OUT, VIA), Route("0.0.0.0/0", "eth0", "192.0.2.1", 0)),
        (route(b"", 0, 1, 0, 252, OUT, attribute(15, struct.pack("=I", 51820))),
         Route("0.0.0.0/0", "eth0", "", 0, 51820)),
        (route(bytes([10, 0, 0, 0]), 8, 1, 0, 254, attribute(6, struct.pack("=I", 99)), attribute(4, host(77))),
         Route("10.0.0.0/8", "", "", 99)),
        (route(bytes([10, 0, 0, 0]), 8, 6), Route("10.0.0.0/8", "*", "", 0, 254, "blackhole")),
        (route(bytes([10, 0, 0, 0]), 8, 9), Route("10.0.0.0/8", "*", "", 0, 254, "throw")),
        (route(bytes([10, 0, 0, 0]), 8, 2, 0, 255, OUT), Route("10.0.0.0/8", "eth0", "", 0, 255, "local")),
        (route(bytes([127, 0, 0, 0]), 8, 2, 0, 255, OUT), None), (route(bytes([10, 0, 0, 1]), 32, 2), None),
        (route(b"", 0, 3), None), (route(b"", 0, 1, 0x200), None), (route(b"", 0, 1, 1), None),
        (route(bytes(3), 8), None), (route(bytes(4), 33), None), (b"", None),
        (route(b"", 0, 1, 0, 254, attribute(9, struct.pack("=HBBi", 16, 0, 0, 4) + VIA)),
         Route("0.0.0.0/0", "eth1", "192.0.2.1", 0)),
        (route(b"", 0, 1, 0, 254, attribute(9, b"short")), Route("0.0.0.0/0", "", "", 0)),
        (route(b"", 0, 1, 0, 254, OUT, attribute(18, struct.pack("=H", 10) + bytes.fromhex("fe80" + "00" * 13 + "01"))),
         Route("0.0.0.0/0", "eth0", "fe80::1", 0)),
    ],
)  # fmt: skip
def test_routes_that_count(payload: bytes, found: Route | None) -> None:
    assert netlink.read_route(payload, NAMES) == found


def test_a_kernel_without_ipv6_has_no_routes_of_it(dumps: dict[int, Any]) -> None:
    dumps[netlink.GETLINK] = [link(3, "eth0")]
    four = {socket.AF_INET: [route(b"", 0, 1, 0, 254, OUT)]}
    dumps[netlink.GETROUTE] = {**four, socket.AF_INET6: OSError(errno.EAFNOSUPPORT, "no")}
    assert netlink.routes() == (Route("0.0.0.0/0", "eth0", "", 0),)
    dumps[netlink.GETROUTE] = {socket.AF_INET: OSError(errno.EPERM, "no")}
    with pytest.raises(OSError, match="no"):
        netlink.routes()


@pytest.mark.parametrize("error", [OSError(errno.EINTR, "changed"), TimeoutError("late")], ids=["changed", "late"])
def test_routes_that_were_not_read_to_their_end_are_not_taken_for_none(dumps: dict[int, Any], error: OSError) -> None:
    dumps[netlink.GETLINK] = [link(3, "eth0")]
    dumps[netlink.GETROUTE] = {socket.AF_INET: [route(b"", 0, 1, 0, 254, OUT)], socket.AF_INET6: error}
    with pytest.raises(OSError, match=str(error.args[-1])):
        netlink.routes()


# --- rules ------------------------------------------------------------------------------------------------------------


def rule(*parts: bytes, family: int = 2, action: int = 1, tos: int = 0, flags: int = 0, to: int = 0) -> bytes:
    return struct.pack("=BBBBBBBBI", family, to, 0, tos, 254, 0, 0, action, flags) + b"".join(parts)


@pytest.mark.parametrize(
    ("payload", "changed"),
    [
        (rule(), {}), (rule(family=10), {"version": 6}), (rule(flags=2), {"inverted": True}),
        (rule(tos=8), {"others": ("tos",)}),
        (rule(attribute(24, b"x"), attribute(20, b"y")), {"others": ("uidrange", "dport")}),
        (rule(attribute(3, b"eth0\0"), attribute(17, b"wg0\0")), {"incoming": "eth0", "outgoing": "wg0"}),
        (rule(attribute(1, bytes([10, 0, 0, 0])), to=8), {"destination": "10.0.0.0/8"}),
        (rule(attribute(1, bytes([10, 0, 0, 0])), to=99), {}), (rule(attribute(1, b"odd"), to=8), {}),
        (rule(attribute(10, struct.pack("=I", 7))), {"mark": 7, "mask": 0xFFFFFFFF}),
        (rule(attribute(10, struct.pack("=I", 7)), attribute(16, struct.pack("=I", 15))), {"mark": 7, "mask": 15}),
        (rule(attribute(14, struct.pack("=I", 0xFFFFFFFF))), {}), (rule(attribute(14, bytes(4))), {"suppress": 0}),
        (rule(attribute(4, struct.pack("=I", 99)), action=2), {"action": "goto", "goto": 99}),
        (rule(action=8), {"action": "prohibit"}), (rule(attribute(15, struct.pack("=I", 51820))), {"table": 51820}),
    ],
)  # fmt: skip
def test_what_a_rule_says(payload: bytes, changed: dict[str, Any]) -> None:
    given: dict[str, Any] = {"version": 4, "priority": 0, "action": "table", "table": 254}
    assert rules.read_rule(payload) == RoutingRule(**{**given, **changed})


@pytest.mark.parametrize("payload", [b"", rule(family=7), rule(action=0), rule(action=99)])
def test_what_is_no_rule_that_is_known(payload: bytes) -> None:
    assert rules.read_rule(payload) is None


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.EAFNOSUPPORT])
def test_without_policy_routing_a_family_has_the_rules_of_all_hosts(dumps: dict[int, Any], code: int) -> None:
    dumps[rules.GETRULE] = {socket.AF_INET: [rule()], socket.AF_INET6: OSError(code, "no")}
    assert [one.version for one in rules.rules(NATIVE).get()] == [4, 6, 6]
    dumps[rules.GETRULE] = {socket.AF_INET: OSError(code, "no"), socket.AF_INET6: OSError(code, "no")}
    assert rules.rules(NATIVE).get() == STANDARD


def test_a_kernel_that_refuses_its_rules_is_asked_by_its_tables(
    dumps: dict[int, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    dumps[rules.GETRULE] = OSError(errno.EPERM, "no")
    monkeypatch.setattr(Roots, "text", lambda _self, _path, _limit: "Main:\n")
    fact = rules.rules(NATIVE)
    assert (fact.get(), fact.source) == (STANDARD, NATIVE.process_file("net/fib_trie"))
    other = "Main:\nId 51820:\n  |-- 10.0.0.0\n     /8 universe UNICAST\n"
    monkeypatch.setattr(Roots, "text", lambda _self, _path, _limit: other)
    missing = rules.rules(NATIVE).missing
    assert missing is not None
    assert missing.cause == "network"


@pytest.mark.parametrize(
    ("trie", "found"),
    [
        ("Id 7:\n |-- 10.0.0.0\n   /8 universe UNICAST\n   /9 universe BLACKHOLE\n",
         [("10.0.0.0/8", "", "unicast"), ("10.0.0.0/9", "*", "blackhole")]),
        ("Id 7:\n |-- 10.0.0.1\n   /8 universe UNICAST\n", []),  # no network
        ("Id 4294967296:\n |-- 10.0.0.0\n   /8 universe UNICAST\n", []),
        ("Main:\n |-- 10.0.0.0\n   /8 universe UNICAST\nLocal:\n", []),
        ("Id 7:\n |-- 10.0.0.0\n   /8 universe LOCAL\n", []),
    ],
)  # fmt: skip
def test_tables_beside_those_of_all_hosts(trie: str, found: list[tuple[str, str, str]]) -> None:
    assert [(one.destination, one.interface, one.kind) for one in rules.other_tables(trie)] == found


# --- the way out ------------------------------------------------------------------------------------------------------


def test_each_address_is_asked_for_and_a_refusal_is_an_answer(
    dumps: dict[int, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(_protocol: int, _kind: int, request: bytes) -> bytes:
        if request[0] == socket.AF_INET6:
            raise OSError(errno.ENETUNREACH, "no")
        return route(b"", 0, 1, 0, 254, OUT, VIA)

    dumps[netlink.GETLINK] = [link(3, "eth0")]
    monkeypatch.setattr(netlink, "ask", ask)
    found = ways.ways(NATIVE).get()
    assert [way.destination for way in found] == list(INTERNET)
    assert {(way.interface, way.error) for way in found if "." in way.destination} == {("eth0", "")}
    assert {(way.interface, way.error) for way in found if ":" in way.destination} == {("", "ENETUNREACH")}


@pytest.mark.parametrize(
    ("error", "words"), [(TimeoutError("late"), "EIO"), (TimeoutError(110, "Timed out"), "Timed out")]
)
def test_a_kernel_that_is_late_said_nothing(
    dumps: dict[int, Any], monkeypatch: pytest.MonkeyPatch, error: OSError, words: str
) -> None:
    def ask(*_: object) -> bytes:
        raise error

    monkeypatch.setattr(netlink, "ask", ask)
    missing = ways.ways(NATIVE).missing
    assert missing is not None
    assert (missing.reason, missing.detail) == ("The kernel did not report which route a packet would take.", words)


def test_an_error_without_a_name_is_one_of_input() -> None:
    assert ways.read_way(b"", "1.1.1.1", {}) == Way(destination="1.1.1.1", error="EBADMSG")
    assert ways.question("1.1.1.1")[:2] == bytes([socket.AF_INET, 32])
    assert ways.question("::1")[:2] == bytes([socket.AF_INET6, 128])
