"""A stage that is not as the host: what of it is told, of which family, and what is given to a bridge to come."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_interface
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from preflight.twin import stage, stage_making
from preflight.twin.links import Address, Link
from preflight.twin.routes import UNICAST, Route, Routing, Way
from preflight.twin.stage import Stage
from preflight.twin.stage_making import Made
from preflight.twin.stage_plan import Plan, Side
from preflight.twin.surroundings import Surroundings
from preflight.twin.sysctls import Sysctls
from preflight.twin.uplinks import Uplink
from preflight.twin.wire import Refused
from tests.twin.hosts import REQUEST

IP4, IP6 = int(socket.AF_INET), int(socket.AF_INET6)
LO, ETH0, LAN = Link(index=1, name="lo"), Link(index=2, name="eth0", up=True), Link(index=3, name="lan0")
BRIDGE = Link(index=7, name="br-mailcow", up=True, conf6=(0,) * 26 + (1,))
SIDES = {
    4: Side(
        version=4, host="203.0.113.5", interface="eth0", sources=("84.0.0.1",), neighbour="203.0.113.128",
        targets=("91.0.0.1",), containers={"unbound-mailcow": "172.22.1.254"},
    ),
    6: Side(
        version=6, host="2001:db8:1::5", interface="eth0", sources=("2a02::1",), neighbour="", targets=("2600::1",),
        containers={"unbound-mailcow": "fd4d::254"},
    ),
}  # fmt: skip
WAYS = {
    4: Way(2, IP4, bytes((203, 0, 113, 1)), bytes((203, 0, 113, 5))),
    6: Way(2, IP6, ip_address("fe80::1").packed, ip_address("2001:db8:1::5").packed),
}


def raw(text: str) -> bytes:
    return ip_address(text).packed


def route(to: str, prefix: int) -> Route:
    return Route(IP6 if ":" in to else IP4, UNICAST, 254, raw(to), prefix, (), 0, b"")


def made(*, around: Surroundings | None = None, bridge: Link = BRIDGE, present: bool = False, **changed: Any) -> Made:
    """Return what has been made for a host, without a namespace."""
    found = Made.__new__(Made)
    found.request = replace(REQUEST, present=present, **{"subnet6": "fd4d::/64", **changed})
    found.around = around or Surroundings(links=(LO, ETH0, LAN, bridge), ways=WAYS, sysctls=Sysctls({}))
    inner = {4: (ip_interface("172.22.1.1/24"),), 6: (ip_interface("fd4d::1/64"),)}
    found.plan = Plan(sides=dict(SIDES), absent={}, uplinks=[Uplink(ETH0)], bridge=bridge, others=[], inner=inner)
    found.unmade = []
    found.twin = cast("Any", Here())
    found.world = found.inner = found.twin
    return found


class Here:
    """A namespace that is where one is."""

    @contextmanager
    def entered(self) -> Iterator[None]:
        yield


@contextmanager
def wired(_: object) -> Iterator[str]:
    yield "wire"


@pytest.fixture(autouse=True)
def _no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody talk with a kernel."""
    monkeypatch.setattr(stage, "wired", wired)
    monkeypatch.setattr(stage, "Wire", lambda _: wired(None))
    monkeypatch.setattr(stage.sysctls, "unwritten", lambda *_: {4: [], 6: [], 0: []})
    monkeypatch.setattr(stage.rules, "make", lambda *_: set())
    monkeypatch.setattr(stage.routes, "way", lambda *_: WAYS[4])


# --- what is not as on the host ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unmade", "told"),
    [
        (route("0.0.0.0", 0), {4}), (route("84.0.0.0", 8), {4}), (route("91.0.0.1", 32), {4}),
        (route("203.0.113.128", 32), {4}), (route("203.0.113.5", 32), {4}), (route("172.22.1.0", 24), {4}),
        (route("10.0.0.0", 8), set()), (route("::", 0), {6}), (route("2a02::", 16), {6}), (route("fd4d::", 64), {6}),
        (route("2001:db9::", 32), set()),
    ],
)  # fmt: skip
def test_a_route_that_is_missing_leaves_the_families_in_doubt_whose_packets_may_take_it(
    unmade: Route, told: set[int]
) -> None:
    built = Stage(one := made())
    one.unmade = [unmade]
    assert {version for version in (4, 6) if built.unwritten(version)} == told
    assert all(built.unwritten(version) == ("ip route",) for version in told)


def test_sysctls_of_both_families_count_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {4: ["net.ipv4.ip_forward"], 6: ["net.ipv6.bindv6only"], 0: ["net.bridge.bridge-nf-call-iptables"]}
    asked: list[Any] = []
    monkeypatch.setattr(stage.sysctls, "unwritten", lambda *words: asked.append(words) or found)
    built = Stage(made())
    assert built.unwritten(4) == (found[0][0], found[4][0])
    assert built.unwritten(6) == (found[0][0], found[6][0])
    # Of interfaces that packets do not pass it does not matter.
    assert set(asked[0][2]) == {1, 2, 7}


def test_where_every_address_is_singled_out_nobody_is_anybody() -> None:
    built = Stage(made())
    built.sides[6] = replace(SIDES[6], ordinary=False)
    assert (built.unwritten(4), built.unwritten(6)) == ((), ("no address that no rule singles out",))


@pytest.mark.parametrize(
    ("kind", "inside", "told"),
    [
        ("vrf", ETH0, ("vrf",)), ("vrf", BRIDGE, ("vrf",)), ("vrf", LAN, ()), ("bridge", ETH0, ()),
        ("bond", BRIDGE, ()),
    ],
)  # fmt: skip
def test_a_routing_domain_of_its_own_leaves_all_in_doubt_that_pass_it(
    kind: str, inside: Link, told: tuple[str, ...]
) -> None:
    domain = Link(index=9, name="blue", kind=kind, up=True)
    links = tuple(replace(one, master=9) if one is inside else one for one in (LO, ETH0, LAN, BRIDGE))
    built = Stage(made(around=Surroundings(links=(*links, domain), ways=WAYS, sysctls=Sysctls({}))))
    assert (built.unwritten(4), built.unwritten(6)) == (told, told)


@pytest.mark.parametrize(
    ("refused", "told"),
    [(set(), {4: (), 6: ()}), ({IP4}, {4: ("ip rule",), 6: ()}), ({IP6, IP4}, {4: ("ip rule",), 6: ("ip rule",)})],
)
def test_rules_that_are_refused_leave_their_family_in_doubt(
    monkeypatch: pytest.MonkeyPatch, refused: set[int], told: dict[int, tuple[str, ...]]
) -> None:
    monkeypatch.setattr(stage.rules, "make", lambda wire, wanted: refused)
    built = Stage(made())
    built.load_rules()
    assert {version: built.unwritten(version) for version in (4, 6)} == told


@pytest.mark.parametrize(
    ("ways", "denied", "told"),
    [
        ({"": WAYS[4]}, False, ()),
        ({"": Way(3, 0, b"", b"")}, False, ("ip route",)),  # by another interface
        ({}, False, ("ip route",)),
        ({raw("203.0.113.5").hex(): WAYS[4]}, False, ()),  # only from the host's address
        ({}, True, ()),  # on the host there is none either
    ],
    ids=["as on the host", "elsewhere", "none", "by its source", "denied"],
)
def test_a_way_that_is_another_than_the_host_s_leaves_the_family_in_doubt(
    monkeypatch: pytest.MonkeyPatch, ways: dict[str, Way], denied: bool, told: tuple[str, ...]
) -> None:
    monkeypatch.setattr(stage.routes, "way", lambda wire, target, source=b"": ways.get(source.hex()))
    one = made(around=Surroundings(
        links=(LO, ETH0), ways={4: replace(WAYS[4], denied=denied)}, sysctls=Sysctls({}), routing=Routing()
    ))  # fmt: skip
    one.plan.sides.pop(6)
    built = Stage(one)
    built.load_rules()
    assert built.unwritten(4) == told


@pytest.mark.parametrize(
    ("way", "router"),
    [
        (WAYS[4], "203.0.113.1"), (replace(WAYS[4], gateway=b""), ""),
        (Way(2, IP6, raw("fe80::1"), raw("203.0.113.5")), ""),  # of the other family
    ],
)  # fmt: skip
def test_the_host_s_router(way: Way, router: str) -> None:
    built = Stage(made(around=Surroundings(links=(LO, ETH0), ways={4: way, 6: WAYS[6]}, sysctls=Sysctls({}))))
    assert (built.router(4), built.router(6)) == (router, "fe80::1")


# --- the control ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("leads", "failing", "led", "absent"),
    [
        (True, [0], None, set()),
        (True, [1, 0], 0, set()),  # once it is led there, it passes
        (False, [0], 0, set()),  # not tried at all before it is led
        (True, [1, 1], 0, {4}),
        (False, [1], 0, {4}),
        (True, [1], errno.EPERM, {4}),  # it cannot be led
    ],
)
def test_a_family_fails_the_control_that_is_not_reached_though_it_is_led(
    monkeypatch: pytest.MonkeyPatch, leads: bool, failing: list[int], led: int | None, absent: set[int]
) -> None:
    monkeypatch.setattr(stage.routes, "way", lambda *_: WAYS[4] if leads else None)
    monkeypatch.setattr(stage.control, "failing", lambda calls: calls[: failing.pop(0)])

    @contextmanager
    def leading(wire: object, host: Way, side: Side) -> Iterator[None]:
        assert (host, side.version) == (WAYS[4], 4)
        if led:
            raise Refused(led, "")
        yield

    monkeypatch.setattr(stage.control, "led", leading)
    one = made()
    one.plan.sides.pop(6)
    assert Stage(one).control() == absent
    assert failing == []


def test_the_control_calls_the_host_from_outside_and_each_container_from_the_host() -> None:
    built = Stage(made())
    assert [(call.source, call.target) for call in built._calls(SIDES[4])] == [
        ("84.0.0.1", "203.0.113.5"), ("203.0.113.128", "203.0.113.5"), ("", "172.22.1.254"),
    ]  # fmt: skip
    assert [call.source for call in built._calls(SIDES[6])] == ["2a02::1", ""]


# --- a bridge to come -------------------------------------------------------------------------------------------------


def own(text: str, index: int = 7) -> Address:
    family = IP6 if ":" in text else IP4
    return Address(family, index, raw(text), 64 if ":" in text else 24)


@pytest.mark.parametrize(
    ("addresses", "up", "present", "fresh"),
    [
        ((), True, False, {"172.22.1.1", "fd4d::1", "fe80::1"}),
        ((own("172.22.1.1"),), True, False, {"fd4d::1", "fe80::1"}),
        ((own("fe80::2"),), True, False, {"172.22.1.1", "fd4d::1"}),
        ((own("172.22.1.1"), own("fd4d::1")), True, False, set()),
        # A bridge that is down has addresses without routes: the engine sets it up.
        ((own("172.22.1.1"), own("fd4d::1")), False, False, {"172.22.1.1", "fd4d::1", "fe80::1"}),
        # Where mailcow runs, that is how it is.
        ((own("172.22.1.1"), own("fd4d::1")), False, True, set()),
        ((own("172.22.1.1", 3),), True, False, {"172.22.1.1", "fd4d::1", "fe80::1"}),  # on another interface
    ],
)
def test_what_a_bridge_has_not_yet(addresses: tuple[Address, ...], up: bool, present: bool, fresh: set[str]) -> None:
    around = Surroundings(links=(LO, ETH0, BRIDGE), ways=WAYS, sysctls=Sysctls({}), addresses=addresses)
    one = made(around=around, bridge=replace(BRIDGE, up=up), present=present)
    assert {str(ip_address(address.local)) for address in one._fresh()} == fresh


def test_without_ipv6_on_the_host_a_bridge_has_ipv4_alone() -> None:
    one = made()
    one.plan.sides.pop(6)
    assert [address.family for address in one._fresh()] == [IP4]


def test_ipv6_is_on_where_the_engine_gives_the_bridge_an_address() -> None:
    assert made().devices()[7].conf6[26] == 0
    around = Surroundings(links=(LO, ETH0, BRIDGE), ways=WAYS, sysctls=Sysctls({}), addresses=(own("fd4d::1"),))
    assert made(around=around).devices()[7].conf6[26] == 1


def test_a_bridge_that_is_not_there_has_what_is_new() -> None:
    lo = replace(LO, conf4=(9,) * 33, conf6=(9,) * 27)
    sysctls_ = Sysctls({"ipv4/conf/default/rp_filter": "2"})
    one = made(around=Surroundings(links=(lo, ETH0, LAN), ways=WAYS, sysctls=sysctls_))
    assert one.devices()[7].conf4[7] == 2
    assert set(one.devices()) == {1, 2, 3, 7}
    assert set(one.devices(judged=True)) == {1, 2, 7}


# --- the world --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subnet6", "networks", "led"),
    [
        ("2a01:4f8:1:2::/64", {("2001:db8:1::", 64)}, True),
        ("fd4d::/64", set(), False),  # nobody leads that anywhere
        ("2a01:4f8:1:2::/64", {("2a01:4f8:1::", 48)}, False),  # routers ask for each address there
        ("", set(), False),
    ],
)
def test_answers_come_back_to_networks_that_are_led_to_the_host(
    monkeypatch: pytest.MonkeyPatch, subnet6: str, networks: set[tuple[str, int]], led: bool
) -> None:
    added: list[tuple[object, ...]] = []
    monkeypatch.setattr(stage_making.routes, "add", lambda *words, **more: added.append((*words, more)))
    one = made(subnet6=subnet6)
    one.plan.uplinks = [Uplink(LAN), Uplink(ETH0, networks={(raw(text), prefix) for text, prefix in networks})]
    one._lead_back(cast("Any", "world"), SIDES[6])
    expected = ("world", raw("2a01:4f8:1:2::"), 64, 1_000_001, {"gateway": raw("2001:db8:1::5")})
    assert added == ([expected] if led else [])


def test_what_the_host_sends_to_without_a_gateway() -> None:
    assert made()._beside(SIDES[4]) == ("203.0.113.128",)
    assert made()._beside(SIDES[6]) == ()
    direct = Surroundings(links=(), ways={4: replace(WAYS[4], gateway=b"")}, sysctls=Sysctls({}))
    assert made(around=direct)._beside(SIDES[4]) == ("203.0.113.128", "84.0.0.1", "91.0.0.1")


@pytest.mark.parametrize(
    ("needed", "asked"), [([1, 1], [1, 1]), ([3, 1], [3, 1]), ([1, 3], [1, 3])], ids=["at once", "first", "second"]
)
def test_workers_of_the_kernel_are_waited_for(
    monkeypatch: pytest.MonkeyPatch, needed: list[int], asked: list[int]
) -> None:
    assert _awaited(monkeypatch, needed)[0] == asked


def test_workers_of_the_kernel_are_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the time is over, the others are asked once more."""
    asked, seconds = _awaited(monkeypatch, [1000, 1000])
    assert (asked[0] > 2, asked[1]) == (True, 1)
    assert seconds < 2 * stage_making._SECONDS


def _awaited(monkeypatch: pytest.MonkeyPatch, needed: list[int]) -> tuple[list[int], float]:
    """Wait for two conditions that are met after so many questions; return how often each was asked, and how long."""
    clock = [0.0]
    monkeypatch.setattr(stage_making.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(stage_making.time, "sleep", lambda _: clock.__setitem__(0, clock[0] + 0.1))
    asked = [0, 0]

    def condition(place: int) -> Callable[[], bool]:
        def met() -> bool:
            asked[place] += 1
            return asked[place] >= needed[place]

        return met

    stage_making._await(map(condition, range(2)))
    return asked, clock[0]


def test_a_stage_that_cannot_be_made_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []

    class Failing:
        def __init__(self, *_: object) -> None:
            self.held = SimpleNamespace(close=lambda: closed.append(True))

        def make(self) -> None:
            raise Refused(errno.ENOMEM, "")

    monkeypatch.setattr(stage, "Made", Failing)
    monkeypatch.setattr(stage.stage_plan, "plan", lambda *_: None)
    with pytest.raises(Refused):
        stage.build(REQUEST, Surroundings(links=(), ways={}, sysctls=Sysctls({})), lambda _: True)
    assert closed == [True]
