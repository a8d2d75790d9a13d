"""One world: whose packets are sent through it, from where, and why those of a family are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from preflight.facts.twin import Family
from preflight.twin import worlds
from preflight.twin.copies import Copies
from preflight.twin.derive import Underivable
from preflight.twin.policies import Policy
from preflight.twin.request import Port, Request
from preflight.twin.send_verdicts import Outcome
from preflight.twin.stage import Side
from preflight.twin.surroundings import Surroundings
from preflight.twin.worlds import Host, Played, published, sources_of

SMTP, IMAPS, WEB = (Port("", number, "x", number, "172.22.1.9") for number in (25, 993, 443))
REQUEST = Request(ports=(SMTP, IMAPS), bridge="br-mailcow", subnet4="172.22.1.0/24", present=True)
WITH6 = replace(REQUEST, subnet6="fd4d::/64")
SOURCES4 = ("84.0.0.1", "85.0.0.1", "86.0.0.1", "87.0.0.1", "88.0.0.1", "89.0.0.1", "90.0.0.1")
SIDES = {
    version: Side(
        version=version, host=host, interface="eth0", sources=sources, neighbour=neighbour, targets=("91.0.0.1",),
        containers={},
    )
    for version, host, sources, neighbour in (
        (4, "203.0.113.5", SOURCES4, "203.0.113.128"), (6, "2001:db8::5", ("2a02::1", "2600::1"), ""),
    )
}  # fmt: skip
FROM_ALL = Policy((bytes(4), 0), (bytes((203, 0, 113, 0)), 24))
FROM_FEW = Policy((bytes((10, 0, 0, 0)), 8), (bytes(4), 0))
DELIVERED, DROPPED = Outcome(verdict="delivered"), Outcome(verdict="dropped")


class Stage:
    """A stage that does what it is told, and notes in which order it is asked."""

    def __init__(self, failing: frozenset[int] = frozenset(), unwritten: dict[int, tuple[str, ...]] | None = None):
        self.sides, self.absent = dict(SIDES), dict[int, str]()
        self._failing, self._unwritten = failing, unwritten or {}
        self.asked: list[str] = []

    def control(self) -> frozenset[int]:
        self.asked.append("control")
        return self._failing

    def load_rules(self) -> None:
        self.asked.append("rules")

    def unwritten(self, version: int) -> tuple[str, ...]:
        return self._unwritten.get(version, ())


Play = Callable[..., Played]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Return a function that plays a world of which everything is made up: what arrives, and what gets out."""

    def played(
        stage: Stage, request: Request = REQUEST, *, blind: str = "", bridged: bool = False, asking: bool = False,
        held: tuple[Policy, ...] = (), early: bool = False, swapped: bool = False,
        lost: Sequence[tuple[Port, str]] = (), left_out: Sequence[Port] = (),
    ) -> Played:  # fmt: skip
        def load(rules: object, of: Stage, world: str, *, swapped: bool) -> Any:
            of.asked.append(f"load {world} {swapped}")
            return SimpleNamespace(blind=blind)

        def arrivals(
            of: Stage, side: Side, ports: Sequence[Port], own: Callable[[Port], Sequence[str]], proxies: bool
        ) -> dict[tuple[Port, str], Outcome]:
            assert proxies is request.userland_proxy
            return {
                (port, one): DROPPED if (port, one) in lost else DELIVERED
                for port in ports if port not in left_out
                for one in own(port)
            }  # fmt: skip

        monkeypatch.setattr(worlds, "build", lambda request, around, ordinary: stage)
        monkeypatch.setattr(worlds.copies, "load", load)
        monkeypatch.setattr(worlds.send, "arrivals", arrivals)
        monkeypatch.setattr(worlds.send, "exits", lambda of, side: {("tcp", 25): DELIVERED, ("udp", 53): DROPPED})
        rules = SimpleNamespace(
            bridged=lambda: bridged, asking=lambda bridge: asking and bridge == "br-mailcow",
            ordinary=Copies().ordinary, policies=held, early=lambda names: early and names == ("eth0", "br-mailcow"),
        )  # fmt: skip
        around = SimpleNamespace(below=lambda *names: names)
        host = Host(request, cast("Surroundings", around), cast("Copies", rules))
        return worlds.play(host, "met", swapped=True) if swapped else worlds.play(host, "met")

    return played


def blind(version: int, doubt: str, detail: str = "") -> Family:
    side = SIDES[version]
    return Family(
        version=version,  # type: ignore[arg-type]  # 4 or 6
        state="blind", doubt=doubt, detail=detail, interface="eth0", address=side.host,  # type: ignore[arg-type]  # its words
    )  # fmt: skip


@pytest.mark.parametrize("swapped", [False, True])
def test_the_stage_is_tried_before_there_are_rules_and_routing_rules_come_last(play: Play, swapped: bool) -> None:
    stage = Stage()
    found = play(stage, swapped=swapped)
    assert stage.asked == ["control", f"load met {swapped}", "rules"]
    assert found.doubts == {}
    assert [side.version for side in found.sides] == [4, 6]


@pytest.mark.parametrize(
    ("given", "doubts"),
    [
        ({"stage": {"failing": frozenset({4})}}, {4: ("control", "")}),
        ({"stage": {"failing": frozenset({4, 6})}, "blind": "ENOENT"}, {4: ("control", ""), 6: ("control", "")}),
        ({"stage": {}, "blind": "EPERM"}, {4: ("rules", "EPERM"), 6: ("rules", "EPERM")}),
        ({"stage": {}, "bridged": True}, {4: ("rules", "bridge"), 6: ("rules", "bridge")}),
        ({"stage": {}, "held": (FROM_ALL,)}, {4: ("rules", "xfrm")}),
        ({"stage": {}, "held": (FROM_FEW,)}, {}),
        ({"stage": {}, "early": True}, {4: ("rules", "ingress"), 6: ("rules", "ingress")}),
        ({"stage": {}, "asking": True}, {4: ("rules", "arp"), 6: ("rules", "arp")}),
        ({"stage": {}, "asking": True, "request": WITH6}, {4: ("rules", "arp")}),
        (
            {"stage": {"unwritten": {6: ("net.ipv6.bindv6only", "ip route")}}},
            {6: ("sysctls", "net.ipv6.bindv6only ip route")},
        ),
        (
            {"stage": {"failing": frozenset({6}), "unwritten": {4: ("ip rule",)}}},
            {4: ("sysctls", "ip rule"), 6: ("control", "")},
        ),
    ],
    ids=[
        "control",
        "control first",
        "rules",
        "bridges",
        "xfrm",
        "xfrm of others",
        "below",
        "arp",
        "arp of both",
        "sysctls",
        "each for itself",
    ],
)
def test_a_family_that_cannot_be_judged_has_a_reason_and_no_packets(
    play: Play, given: dict[str, Any], doubts: dict[int, tuple[str, str]]
) -> None:
    found = play(Stage(**given.pop("stage")), **given)
    assert found.doubts == {version: blind(version, *why) for version, why in doubts.items()}
    sent = {version for version, _, _ in found.arrivals}
    assert sent == {version for version, _, _ in found.exits} == {4, 6} - doubts.keys()


def test_outcomes_are_those_of_the_port_and_of_where_it_came_from(play: Play) -> None:
    found = play(Stage(), lost=[(SMTP, "203.0.113.128"), (IMAPS, SOURCES4[4])])
    assert found.arrivals[4, SMTP, "internet"] == (DELIVERED,) * 3
    assert found.arrivals[4, SMTP, "neighbour"] == (DROPPED,)
    assert found.arrivals[4, IMAPS, "internet"] == (DELIVERED, DROPPED, DELIVERED)
    assert found.arrivals[4, IMAPS, "neighbour"] == (DELIVERED,)
    # IPv6 has no neighbour here, and only two addresses.
    assert found.arrivals[6, SMTP, "internet"] == (DELIVERED,) * 2
    assert (6, SMTP, "neighbour") not in found.arrivals
    assert found.exits == {
        (version, *what): outcome
        for version in (4, 6)
        for what, outcome in ((("tcp", 25), DELIVERED), (("udp", 53), DROPPED))
    }


def test_a_port_to_which_nothing_is_sent_has_no_outcome(play: Play) -> None:
    found = play(Stage(), left_out=[SMTP])
    assert {port for _, port, _ in found.arrivals} == {IMAPS}
    bound = replace(SMTP, address="203.0.113.5")
    found = play(Stage(), replace(REQUEST, ports=(bound, IMAPS)))
    assert {version for version, port, _ in found.arrivals if port == bound} == {4}


# --- what the engine would add ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needed", "failed", "doubts"),
    [
        ((), "", {}),
        ((("nft_ct",), ("xt_nat", "nf_nat")), "", {}),
        ((("nft_ct",), ("xt_x", "ipt_x"), ("xt_y",)), "", ("modules", "xt_x xt_y")),
        ((), "iptables: No chain", ("derivation", "iptables: No chain")),
        ((), "x" * 600, ("derivation", "x" * 500)),
        ((), Underivable("Docker ?"), ("derivation", "Docker ?")),
        ((), Underivable(""), ("derivation", "unknown")),
    ],
    ids=["done", "modules by another name", "no module", "it fails", "a long story", "not known", "without a word"],
)
def test_where_mailcow_is_not_there_the_engines_rules_are_added_or_nothing_is_judged(
    monkeypatch: pytest.MonkeyPatch, play: Play, needed: tuple[tuple[str, ...], ...], failed: str | Underivable,
    doubts: tuple[str, str] | dict[int, Family],
) -> None:  # fmt: skip
    applied: list[Request] = []

    def apply(request: Request, stage: object) -> str:
        applied.append(request)
        if isinstance(failed, Underivable):
            raise failed
        return failed

    monkeypatch.setattr(worlds.derive, "needs", lambda request: needed)
    monkeypatch.setattr(worlds.derive, "apply", apply)
    asked = replace(REQUEST, present=False, modules=("nft_ct", "nf_nat"))
    found = play(Stage(), asked)
    expected = {version: blind(version, *doubts) for version in (4, 6)} if doubts else {}
    assert found.doubts == expected
    assert bool(found.arrivals) is bool(found.exits) is not expected
    # A module that is not there would be loaded by the engine's rules.
    assert applied == ([] if doubts and doubts[0] == "modules" else [asked])  # type: ignore[index]  # no dict


def test_a_family_that_is_in_doubt_already_keeps_its_reason(monkeypatch: pytest.MonkeyPatch, play: Play) -> None:
    monkeypatch.setattr(worlds.derive, "needs", lambda request: ())
    monkeypatch.setattr(worlds.derive, "apply", lambda request, stage: "fails")
    found = play(Stage(frozenset({6})), replace(REQUEST, present=False))
    assert found.doubts == {4: blind(4, "derivation", "fails"), 6: blind(6, "control")}


@pytest.mark.parametrize(("present", "failing"), [(True, frozenset()), (False, frozenset({4, 6}))])
def test_nothing_is_added_where_it_is_there_or_nobody_is_judged(
    monkeypatch: pytest.MonkeyPatch, play: Play, present: bool, failing: frozenset[int]
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("rules would be added")

    monkeypatch.setattr(worlds.derive, "apply", refuse)
    assert play(Stage(failing), replace(REQUEST, present=present)).doubts.keys() == failing


# --- which addresses, which ports -------------------------------------------------------------------------------------


def test_each_port_has_addresses_of_its_own() -> None:
    request = replace(REQUEST, ports=(SMTP, IMAPS, WEB))
    tried = [sources_of(request, SIDES[4], port) for port in request.ports]
    assert tried[:2] == [SOURCES4[:3], SOURCES4[3:6]]
    assert tried[2] == (SOURCES4[6], *SOURCES4[:2])  # where they run out, the first ones again
    assert sources_of(request, SIDES[6], SMTP) == ("2a02::1", "2600::1")
    assert sources_of(request, replace(SIDES[4], sources=("84.0.0.1",)), WEB) == ("84.0.0.1",)


@pytest.mark.parametrize(
    ("address", "subnet6", "proxy", "versions"),
    [
        ("", "", True, {4, 6}),  # docker-proxy takes IPv6 to an IPv4 network
        ("", "", False, {4}),
        ("", "fd4d::/64", False, {4, 6}),
        ("0.0.0.0", "fd4d::/64", True, {4}),
        ("203.0.113.5", "", True, {4}),
        ("::", "", True, {6}),
        ("2001:db8::5", "", False, set()),
        ("2001:db8::5", "fd4d::/64", False, {6}),
    ],
)
def test_for_which_families_a_port_is_published(address: str, subnet6: str, proxy: bool, versions: set[int]) -> None:
    request = replace(REQUEST, subnet6=subnet6, userland_proxy=proxy)
    port = replace(SMTP, address=address)
    assert {version for version in (4, 6) if published(request, port, version)} == versions
