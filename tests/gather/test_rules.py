"""The rules of the policy routing: captured, and the kernel's own answers in network namespaces of these tests."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import random
import shutil
import struct
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import Engine, Fact, Host, Route, RoutingRule, View
from preflight.gather.access.roots import Roots
from preflight.gather.network import rules
from preflight.packets.routing import INTERNET, sent_from, way_out
from preflight.packets.tables import STANDARD, Packet, lookup
from preflight.report.model import Result, Status
from tests.build import host, look, measured, run
from tests.gather.kernel import TRIE, attribute

VIEW = View(container=False, root="/", live=True, network=True, privileged=None)


def rule(action: int, table: int, *attributes: bytes, flags: int = 0, lengths: tuple[int, int] = (0, 0)) -> bytes:
    head = struct.pack("=BBBBBBBBI", 2, lengths[0], lengths[1], 0, table, 0, 0, action, flags)
    return head + b"".join(attributes)


def number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


NOT_SUPPRESSED = number(14, 0xFFFFFFFF)


def test_captured_rules() -> None:
    read = rules.read_rule
    assert read(rule(1, 254, number(6, 32766), number(15, 254), NOT_SUPPRESSED)) == RoutingRule(
        version=4, priority=32766, action="table", table=254
    )
    # wg-quick: not from all fwmark 0xca6c lookup 51820; from all lookup main suppress_prefixlength 0
    marked = rule(
        1, 252, number(6, 32765), number(15, 51820), number(10, 51820), number(16, 0xFFFFFFFF), NOT_SUPPRESSED, flags=2
    )
    assert read(marked) == RoutingRule(
        version=4, priority=32765, action="table", table=51820, mark=51820, mask=0xFFFFFFFF, inverted=True
    )
    assert read(rule(1, 254, number(6, 32764), number(14, 0))) == RoutingRule(
        version=4, priority=32764, action="table", table=254, suppress=0
    )
    selective = rule(
        7, 0, number(6, 9), attribute(2, bytes([10, 0, 0, 0])), attribute(1, bytes([192, 0, 2, 0])),
        attribute(3, b"eth0\0"), attribute(17, b"wg0\0"), attribute(20, bytes(8)), attribute(22, b"\6"),
        lengths=(24, 8),
    )  # fmt: skip
    assert read(selective) == RoutingRule(
        version=4, priority=9, action="unreachable", source="10.0.0.0/8", destination="192.0.2.0/24",
        incoming="eth0", outgoing="wg0", others=("uidrange", "ipproto"),
    )  # fmt: skip
    assert read(rule(2, 0, number(6, 5), number(4, 100))) == RoutingRule(version=4, priority=5, action="goto", goto=100)
    assert read(rule(99, 0)) is None
    assert read(b"") is None


@given(st.binary(max_size=200))
def test_no_answer_of_the_kernel_breaks_it(data: bytes) -> None:
    rules.read_rule(data)


OTHER = (
    TRIE
    + """\
Id 52:
  +-- 0.0.0.0/0 3 0 4
     |-- 0.0.0.0
        /0 universe UNICAST
     |-- 172.16.0.0
        /12 universe UNICAST
        /16 universe THROW
"""
)


def test_tables_that_procfs_shows() -> None:
    assert rules.other_tables(TRIE) == ()
    assert rules.other_tables(OTHER) == (
        Route("0.0.0.0/0", "", "", 0, 52),
        Route("172.16.0.0/12", "", "", 0, 52),
        Route("172.16.0.0/16", "*", "", 0, 52, "throw"),
    )


@given(st.text(max_size=300) | st.text(alphabet="0123456789./|- \nIdMainUNICAST:", max_size=400))
def test_no_table_breaks_it(text: str) -> None:
    rules.other_tables(text)
    rules.other_tables("Id 7:\n" + text)


def test_without_the_kernels_word_other_tables_prove_that_there_is_more(tmp_path: Path) -> None:
    view = View(container=False, root=str(tmp_path), live=False, network=False, privileged=None)
    roots = Roots(str(tmp_path), view)
    assert not rules.rules(roots).known
    there = tmp_path / "proc/1/net/fib_trie"
    there.parent.mkdir(parents=True)
    there.write_text(TRIE)
    assert rules.rules(roots).get() == STANDARD
    there.write_text(OTHER)
    missing = rules.rules(roots).missing
    assert missing is not None
    assert missing.help == "Run the check on that host itself."


def test_rules_of_this_machine() -> None:
    found = rules.rules(Roots("/", VIEW, anchor="self")).get()
    assert {4, 6} >= {entry.version for entry in found}
    assert [entry.priority for entry in found if entry.version == 4] == sorted(
        entry.priority for entry in found if entry.version == 4
    )


# --- against the kernel's own answers ------------------------------------------------------------------------

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("ip"), reason="makes network namespaces: needs root and ip"
)
GATHER = """
import sys, msgspec
from preflight.facts import View
from preflight.gather.access.roots import Roots
from preflight.gather.network import network, rules, ways
roots = Roots("/", View(container=False, root="/", live=True, network=True, privileged=None), anchor="self")
parts = {"ipv6": network.ipv6, "links": network.links, "routes": network.routes}
parts.update(rules=rules.rules, ways=ways.ways)
sys.stdout.buffer.write(msgspec.json.encode({name: part(roots) for name, part in parts.items()}))
"""


ENGINE = Engine(version="28.5.2", api_version="1.51")


class Space:
    """A network namespace of a test's own."""

    def __init__(self, name: str) -> None:
        self.name = name

    def ip(self, words: str) -> None:
        subprocess.run(["ip", "-n", self.name, *words.split()], check=True, capture_output=True)

    def host(self) -> Host:
        """Gather what the checks read of its network."""
        ran = subprocess.run(
            ["ip", "netns", "exec", self.name, sys.executable, "-c", GATHER], check=True, capture_output=True
        )
        parts = msgspec.json.decode(ran.stdout)
        return host(**{
            name: msgspec.convert(part, _TYPES[name])
            for name, part in parts.items()
        })  # fmt: skip


_TYPES = {field.name: field.type for field in msgspec.structs.fields(Host)}


@pytest.fixture
def space() -> Iterator[Space]:
    name = f"preflight-{uuid.uuid4().hex[:10]}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    made = Space(name)
    try:
        made.ip("link set lo up")
        for link, address in (("eth0", "198.51.100.7/24"), ("eth1", "203.0.113.9/24"), ("wg0", "10.1.1.2/24")):
            made.ip(f"link add {link} type veth peer name far-{link}")
            made.ip(f"link set far-{link} up")
            made.ip(f"address add {address} dev {link}")
            made.ip(f"link set {link} up")
        made.ip("link set wg0 mtu 1420")
        made.ip("route add default via 198.51.100.1")
        yield made
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            subprocess.run(["ip", "netns", "del", name], check=True)


def out(given_: Host) -> tuple[str, str | None]:
    """Return the way out, and where mail is sent from; the kernel's word and that of its tables have to agree."""
    way = way_out(given_, 4)
    without = way_out(msgspec.structs.replace(given_, ways=Fact.unknown("", "Not asked.")), 4)
    assert (way.interface if way else "") == (without.interface if without else "")
    return way.interface if way else "", sent_from(given_, 4)


@needs_root
@pytest.mark.parametrize(
    ("words", "interface", "source"),
    [
        ((), "eth0", "198.51.100.7"),
        # wg-quick
        (("route add default dev wg0 table 51820", "rule add not fwmark 51820 table 51820",
          "rule add table main suppress_prefixlength 0"), "wg0", "10.1.1.2"),
        # Tailscale: its table has no default route, until an exit node is chosen
        (("rule add fwmark 0x80000/0xff0000 lookup main priority 5210", "route add 100.100.100.100 dev wg0 table 52",
          "rule add lookup 52 priority 5270"), "eth0", "198.51.100.7"),
        (("rule add fwmark 0x80000/0xff0000 lookup main priority 5210", "route add default dev wg0 table 52",
          "rule add lookup 52 priority 5270"), "wg0", "10.1.1.2"),
        # OpenVPN: two halves
        (("route add 0.0.0.0/1 dev wg0", "route add 128.0.0.0/1 dev wg0"), "wg0", "10.1.1.2"),
        # A second uplink with a table for its own address
        (("route add default via 203.0.113.1 table 100", "rule add from 203.0.113.9 lookup 100"),
         "eth0", "198.51.100.7"),
        # One for mailcow's network alone, by source or by bridge
        (("route add default via 203.0.113.1 table 100", "rule add from 172.22.1.0/24 lookup 100"),
         "eth1", "203.0.113.9"),
        (("route add default via 203.0.113.1 table 100", "rule add iif br-mailcow lookup 100"),
         "eth1", "203.0.113.9"),
        # Metrics, refusals, a rule that skips others
        (("route add default via 203.0.113.1 metric 50", "route del default via 198.51.100.1",
          "route add default via 198.51.100.1 metric 100"), "eth1", "203.0.113.9"),
        (("route add blackhole default table 9", "rule add to 10.0.0.0/8 lookup 9"), "eth0", "198.51.100.7"),
        (("route add throw default table 9", "rule add lookup 9"), "eth0", "198.51.100.7"),
        (("route add default dev wg0 table 9", "rule add priority 100 goto 300", "rule add priority 200 lookup 9",
          "rule add priority 300 lookup main"), "eth0", "198.51.100.7"),
        (("rule add prohibit priority 50",), "", None),
        (("route del default",), "", None),
    ],
)  # fmt: skip
def test_the_way_out_as_the_kernel_goes(
    words: tuple[str, ...], interface: str, source: str | None, space: Space
) -> None:
    for line in words:
        space.ip(line)
    given_ = space.host()
    if "172.22.1.0" in str(words) or "br-mailcow" in str(words):
        assert (getattr(way_out(given_, 4), "interface", ""), sent_from(given_, 4)) == (interface, source)
    else:
        assert out(given_) == (interface, source)


@needs_root
def test_lookups_are_the_kernels_own(space: Space) -> None:
    """Rules and routes at random: each address of the Internet takes the way that the kernel says."""
    dice = random.Random(6)
    links = ("dev eth0", "dev eth1", "dev wg0", "via 198.51.100.1", "via 203.0.113.1")
    for _ in range(8):
        for _ in range(6):
            kind = dice.choice(("", "", "", "blackhole", "unreachable", "throw"))
            net = dice.choice(("default", "0.0.0.0/1", "8.0.0.0/8", "9.9.9.0/24", "192.0.0.0/8", "1.1.1.1"))
            metric = dice.randrange(1, 2000)
            over = "" if kind else dice.choice(links)
            space.ip(f"route replace {kind} {net} {over} metric {metric} table {dice.choice((254, 7, 52))}")
        words = dice.choice(
            ("lookup 7", "lookup 52", "lookup main suppress_prefixlength 0", "not fwmark 5 lookup 7",
             "fwmark 5 lookup 52",
             "to 8.0.0.0/7 lookup 7", "not to 1.0.0.0/8 lookup 52", "from 10.0.0.0/8 lookup 7", "iif eth1 lookup 7",
             "iif lo lookup 52", "to 9.9.9.9 unreachable")
        )  # fmt: skip
        space.ip(f"rule add priority {dice.randrange(1, 30000)} {words}")
        given_ = space.host()
        held = [entry for entry in given_.rules.get() if entry.version == 4]
        for way in given_.ways.get():
            if ":" in way.destination:
                continue
            found = lookup(held, given_.routes.get(), Packet(ipaddress.ip_address(way.destination)))
            looked_up = "" if found is None or found.interface == "*" else found.interface
            assert looked_up == way.interface, (way, found)
    assert len(given_.ways.get()) == len(INTERNET)


CAPTURED = (
    # An exit node of Tailscale's, a VPN without suppress_prefixlength: every packet is theirs.
    ("route add default dev wg0 table 52", "rule add lookup 52 priority 5270"),
    ("route add 172.16.0.0/12 dev wg0 table 52", "rule add lookup 52 priority 5270"),
    ("rule add to 172.16.0.0/12 prohibit priority 90",),
)


@needs_root
@pytest.mark.parametrize("words", CAPTURED)
def test_what_takes_packets_away_from_mailcow_is_found_and_the_remedy_ends_it(
    words: tuple[str, ...], space: Space
) -> None:
    """The bridge is there in the end, and the kernel says whether it is reached."""
    for line in words:
        space.ip(line)

    def judged(conf: dict[str, str]) -> Result:
        given_ = space.host()
        facts = {"links": given_.links, "routes": given_.routes, "rules": given_.rules, "engine": ENGINE}
        (row,) = (r for r in run("network.subnet", look(conf=conf, **facts)) if r.subject == "IPv4")
        return row

    row = judged({})
    assert (row.status, row.remedy is not None) == (Status.FAIL, True)
    assert row.remedy is not None
    network, proposal = "172.22.1", row.evidence.proposal
    if proposal:
        network = proposal.removesuffix(".0/24")
        assert f"IPV4_NETWORK={network}" in row.remedy.commands[0]
    else:
        for command in row.remedy.commands:
            space.ip(command.removeprefix("ip "))
    assert judged({"IPV4_NETWORK": network}).status is Status.PASS
    space.ip("link add br-mailcow type veth peer name inside")
    space.ip(f"address add {network}.1/24 dev br-mailcow")
    for link in ("br-mailcow", "inside"):
        space.ip(f"link set {link} up")
    ran = subprocess.run(["ip", "-n", space.name, "route", "get", f"{network}.254"], capture_output=True, text=True)
    assert "dev br-mailcow" in ran.stdout


@needs_root
@pytest.mark.parametrize(
    "words",
    [
        ("route add default dev wg0 table 51820", "rule add not fwmark 51820 table 51820",
         "rule add table main suppress_prefixlength 0"),
        ("route add default via 203.0.113.1 table 100", "rule add from 203.0.113.9 lookup 100"),
        ("route add 100.64.0.0/10 dev wg0 table 52", "rule add lookup 52 priority 5270"),
        ("route add throw 172.16.0.0/12 table 52", "rule add lookup 52 priority 5270"),
        ("route add 172.22.0.0/16 dev wg0 table 9", "rule add fwmark 9 lookup 9"),
        ("rule add to 172.22.1.0/24 lookup main priority 90", "rule add lookup 52 priority 100",
         "route add default dev wg0 table 52"),
    ],
)  # fmt: skip
def test_rules_that_leave_mailcow_alone(words: tuple[str, ...], space: Space) -> None:
    for line in words:
        space.ip(line)
    given_ = space.host()
    facts = {"links": given_.links, "routes": given_.routes, "rules": given_.rules, "engine": ENGINE}
    (row,) = (r for r in run("network.subnet", look(conf={}, **facts)) if r.subject == "IPv4")
    assert (row.status, measured(row)["conflicts"]) == (Status.PASS, [])


ADVERTISE = """
import socket, struct, sys
number = socket.if_nametoindex(sys.argv[1])
with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as router:
    router.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    router.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, number)
    router.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ("ff02::1", 0, 0, number))
"""


def learned(space: Space) -> bool:
    return any(entry.learned for entry in space.host().routes.get())


def wait(what: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not (held := what()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return held


@needs_root
def test_an_advertised_default_route_is_dropped_when_the_host_forwards_and_the_remedy_keeps_it(space: Space) -> None:
    """The other end of the cable is the router; Docker's part is played by one sysctl."""
    router = f"{space.name}-r"
    subprocess.run(["ip", "netns", "add", router], check=True)
    try:
        space.ip(f"link add uplink type veth peer name far netns {router}")
        space.ip("link set uplink up")
        space.ip("address add 2001:db8::7/64 dev uplink nodad")
        subprocess.run(["ip", "-n", router, "link", "set", "far", "up"], check=True)

        def advertise() -> bool:
            # Until its own address is settled, the router cannot speak.
            subprocess.run(["ip", "netns", "exec", router, sys.executable, "-c", ADVERTISE, "far"], capture_output=True)
            return learned(space)

        def sysctl(name: str, value: int) -> None:
            words = ["ip", "netns", "exec", space.name, "sh", "-c", f"echo {value} > /proc/sys/net/ipv6/conf/{name}"]
            subprocess.run(words, check=True)

        def judged() -> Result:
            given_ = space.host()
            facts = {"links": given_.links, "routes": given_.routes, "ways": given_.ways, "ipv6": given_.ipv6}
            (row,) = run("network.ipv6", look(conf={}, **facts))
            return row

        assert wait(advertise)
        row = judged()
        assert (row.status, "router advertisements" in row.message) == (Status.WARN, True)
        sysctl("all/forwarding", 1)
        assert not learned(space)
        row = judged()
        assert row.remedy is not None
        assert "accept_ra" in row.remedy.commands[0]  # gone already: said, too
        sysctl("all/forwarding", 0)
        assert wait(advertise)
        sysctl("uplink/accept_ra", 2)
        assert judged().status is Status.PASS
        sysctl("all/forwarding", 1)
        assert learned(space)
        assert judged().status is Status.PASS
        # A program that reads advertisements itself enters what looks the same, and stays.
        space.ip("-6 route add default via fe80::9 dev eth1 proto ra metric 3000")
        assert [entry.interface for entry in space.host().routes.get() if entry.learned] == ["uplink"]
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            subprocess.run(["ip", "netns", "del", router], check=True)


@needs_root
def test_a_bridge_to_containers_is_told_from_one_with_a_cable(space: Space) -> None:
    try:
        space.ip("link add inside type bridge")
    except subprocess.CalledProcessError:
        pytest.skip("this kernel has no bridges")
    space.ip("link set eth1 master inside")  # a veth, as containers have
    assert [link.name for link in space.host().links.get() if link.inner] == ["inside"]
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("no /dev/net/tun here: in most containers there is none")
    space.ip("tuntap add mode tap name tap0")  # a tunnel to elsewhere, or a virtual machine
    space.ip("link set tap0 master inside")
    assert not [link.name for link in space.host().links.get() if link.inner]
