"""What is told of each port and each way out, and that nothing passes which was not tried: no kernel is asked here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from preflight.facts.twin import Chain, Culprit, Exit, Family, Journey, Step, Table, Uncopied, Unseen
from preflight.twin import play
from preflight.twin.blame import Case, Court
from preflight.twin.copies import Copies
from preflight.twin.request import Port, Request
from preflight.twin.send_neighbours import Discovery
from preflight.twin.send_verdicts import Outcome
from preflight.twin.stage import Side
from preflight.twin.surroundings import Surroundings
from preflight.twin.texts import Text
from preflight.twin.worlds import Host, Played

SMTP, IMAPS = Port("", 25, "postfix-mailcow", 2525, "172.22.1.253"), Port("192.0.2.1", 993, "x", 993, "172.22.1.250")
REQUEST = Request(
    ports=(SMTP, IMAPS), bridge="br-mailcow", subnet4="172.22.1.0/24", subnet6="fd4d::/64", root="/r", seconds=8.0
)
SIDES = {
    4: Side(
        version=4, host="203.0.113.5", interface="eth0", sources=("84.0.0.1", "85.0.0.1"), neighbour="203.0.113.128",
        targets=("91.0.0.1",), containers={"postfix-mailcow": "172.22.1.253"},
    ),
    6: Side(
        version=6, host="2001:db8::5", interface="eth0", sources=("2a02::1",), neighbour="2001:db8::9",
        targets=("2600::1",), containers={"postfix-mailcow": "fd4d::253"},
    ),
}  # fmt: skip
DELIVERED, DROPPED, REFUSED, PROXY, UNKNOWN, MIXED = (
    Outcome(verdict=verdict) for verdict in ("delivered", "dropped", "refused", "proxy", "unknown", "depends")
)  # fmt: skip
ELSEWHERE = Outcome(verdict="elsewhere", to="192.0.2.9")
STRANGER = Culprit(kind="nat", to="192.0.2.9")
RULE = Culprit(kind="rule", backend="nf_tables", family="inet", table="fw", chain="c", handle=4)
STEPS = (Step("forward", "inet fw", "c", "drop"),)
LEFT = (Uncopied("nf_tables", "inet fw", "c", 4, "geoip", "ENOENT"),)
TRIED = Case(DELIVERED)


class Followed:
    """A court that says what it is told to, and notes what it was asked."""

    def __init__(self, *cases: Case, usually: Case = TRIED) -> None:
        self._cases, self._usually = list(cases), usually
        self.asked: list[tuple[int, int, int]] = []  # version, kinds of packets that are meant, protocol
        self.closed = False

    def try_(self, version: int, meant: tuple[object, ...], send: Callable[[], object], protocol: int = 6) -> Case:
        self.asked.append((version, len(meant), protocol))
        send()
        return self._cases.pop(0) if self._cases else self._usually

    def close(self) -> None:
        self.closed = True


def world(
    *outcomes: Outcome, exit_: Outcome | None = DELIVERED, version: int = 4, neighbour: Outcome | None = None,
    uncopied: tuple[Uncopied, ...] = (), conditions: frozenset[str] = frozenset(),
) -> Played:  # fmt: skip
    """Return a world in which port 25 had these outcomes, and one way out."""
    stage = SimpleNamespace(
        sides={version: SIDES[version]}, absent={}, twin="twin", world="world", inner="inner",
        gateways={4: "172.22.1.1", 6: "fd4d::1"}, router=lambda version: f"router {version}", close=lambda: None,
    )  # fmt: skip
    loaded = SimpleNamespace(conditions=conditions, uncopied=lambda: uncopied)
    arrivals: dict[Any, tuple[Outcome, ...]] = {(version, SMTP, "internet"): outcomes} if outcomes else {}
    if neighbour:
        arrivals[version, SMTP, "neighbour"] = (neighbour,)
    exits: dict[Any, Outcome] = {} if exit_ is None else {(version, "udp", 53): exit_}
    return Played(cast("Any", stage), cast("Any", loaded), {}, arrivals, exits)


@pytest.fixture(autouse=True)
def _sending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let packets be followed without a network, and rules have a text."""
    monkeypatch.setattr(play.send, "knock", lambda *_: DELIVERED)
    monkeypatch.setattr(play.send, "call", lambda *_: DELIVERED)
    monkeypatch.setattr(play, "discovery", lambda *_: Discovery(True, True))
    monkeypatch.setattr(play, "discovery_inside", lambda *_: Discovery(True, True))
    monkeypatch.setattr(play, "rule", lambda culprit, root, until: Text(f"text of {culprit.handle} in {root}", None))


def table(
    *worlds: Played, court: Followed | None = None, swapped: Played | None = None, left: float = 100.0,
    request: Request = REQUEST,
) -> play.Table:  # fmt: skip
    """Return the table of these worlds; so many seconds are left."""
    host = Host(request, cast("Surroundings", None), cast("Copies", None))
    until = time.monotonic() + left
    return play.Table(host, list(worlds), swapped, cast("Court", court or Followed()), until)


def port25(of: play.Table, source: str = "internet") -> Journey:
    (journey,) = (
        one for told in of.arrivals() if told.port == 25 for one in told.journeys if one.source == source
    )  # fmt: skip
    return journey


def way_out(of: play.Table) -> Journey:
    (told,) = of.exits()
    assert (told.protocol, told.port) == ("udp", 53)
    return told.journey


# --- verdicts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcomes", "case", "verdict", "reason", "culprit"),
    [
        ((DELIVERED,) * 3, TRIED, "delivered", "", False),
        ((DELIVERED,) * 3, Case(DROPPED, RULE), "delivered", "", False),
        ((DROPPED,) * 3, Case(DROPPED, RULE), "dropped", "", True),
        ((DROPPED,) * 3, Case(DROPPED), "dropped", "", False),
        ((DROPPED,) * 3, Case(ELSEWHERE, STRANGER), "elsewhere", "", True),
        ((DROPPED,) * 3, Case(ELSEWHERE, RULE), "dropped", "", True),
        ((DROPPED,) * 3, Case(DROPPED, RULE, queue=True), "dropped", "queue", True),
        ((DELIVERED,) * 3, Case(DELIVERED, uncopied=True), "unknown", "uncopied", False),
        ((DROPPED,) * 3, Case(DROPPED, RULE, uncopied=True), "unknown", "uncopied", True),
        ((PROXY,) * 3, Case(PROXY, uncopied=True), "unknown", "uncopied", False),
        ((DELIVERED, DROPPED), Case(DELIVERED, uncopied=True), "unknown", "uncopied", False),
        ((DELIVERED, DROPPED), Case(DELIVERED), "depends", "sources", False),
        ((DELIVERED, DROPPED), Case(DROPPED, RULE, queue=True), "depends", "sources", True),
        ((UNKNOWN, DELIVERED), Case(UNKNOWN), "unknown", "", False),
        ((DELIVERED,) * 3, Case(None), "delivered", "", False),
    ],
)
def test_what_became_of_packets_and_of_the_one_that_was_followed(
    outcomes: tuple[Outcome, ...], case: Case, verdict: str, reason: str, culprit: bool
) -> None:
    told = port25(table(world(*outcomes), court=Followed(case)))
    assert (told.verdict, told.reason, told.culprit is not None) == (verdict, reason, culprit)


@pytest.mark.parametrize("followed", [True, False])
def test_rules_that_could_not_be_copied_leave_open_what_was_not_followed(followed: bool) -> None:
    """One of them may lie on its way: what arrives all the same is not known to, once time has run out."""
    court = Followed(Case(DELIVERED), usually=Case(DELIVERED))
    told = table(world(DELIVERED, uncopied=LEFT), court=court, left=3.0 if followed else 1.0)
    journeys = [port25(told), way_out(told)]
    wanted = ("delivered", "") if followed else ("unknown", "late")
    assert [(one.verdict, one.reason) for one in journeys] == [wanted] * 2
    assert len(court.asked) == (2 if followed else 0)


@pytest.mark.parametrize("outcome", [DELIVERED, DROPPED, PROXY])
def test_late_is_whatever_became_of_it(outcome: Outcome) -> None:
    told = port25(table(world(outcome, uncopied=LEFT), left=1.0))
    assert (told.verdict, told.reason, told.culprit, told.steps) == ("unknown", "late", None, ())


def test_without_uncopied_rules_what_is_not_followed_has_its_verdict_and_no_culprit() -> None:
    told = table(world(DROPPED), court=(court := Followed()), left=1.0)
    assert (port25(told).verdict, port25(told).reason, port25(told).culprit) == ("dropped", "", None)
    assert court.asked == []


@pytest.mark.parametrize(
    ("others", "verdict", "depends"),
    [
        ((world(DELIVERED), world(DELIVERED)), "delivered", ()),
        ((world(DROPPED), world(DELIVERED)), "depends", ("limit", "recent")),
        ((world(DELIVERED), world(DELIVERED, DROPPED)), "depends", ("limit", "recent")),
        ((world(), world(DELIVERED)), "unknown", ()),
        ((world(UNKNOWN), world(DELIVERED)), "unknown", ()),
    ],
    ids=["alike", "met", "without", "a world that could not be made", "a packet that could not be sent"],
)
def test_what_hangs_on_conditions_is_what_differs_between_worlds(
    others: tuple[Played, ...], verdict: str, depends: tuple[str, ...]
) -> None:
    first = world(DELIVERED, conditions=frozenset(("recent", "limit")))
    told = port25(table(first, *others))
    assert (told.verdict, told.depends, told.reason) == (verdict, depends, "")


@pytest.mark.parametrize(
    ("exits", "verdict", "depends"),
    [
        ((DELIVERED, DELIVERED), "delivered", ()),
        ((DELIVERED, DROPPED), "depends", ("limit",)),
        ((DELIVERED, None), "unknown", ()),
        ((MIXED, MIXED), "depends", ()),  # targets fare differently
        ((DROPPED, DROPPED), "dropped", ()),
    ],
)
def test_ways_out_have_to_agree_in_all_worlds(
    exits: tuple[Outcome | None, ...], verdict: str, depends: tuple[str, ...]
) -> None:
    first, *others = (world(DELIVERED, exit_=one, conditions=frozenset(("limit",))) for one in exits)
    told = way_out(table(first, *others, court=(court := Followed())))
    assert (told.verdict, told.depends) == (verdict, depends)
    assert court.asked == [(4, 1, 17)]


@pytest.mark.parametrize(
    ("first", "swapped", "verdict", "depends"),
    [
        (DELIVERED, DELIVERED, "delivered", ()),
        (DELIVERED, DROPPED, "depends", ("order",)),
        (DROPPED, DELIVERED, "depends", ("order",)),
        (DROPPED, REFUSED, "dropped", ()),
        (REFUSED, DROPPED, "refused", ()),
        (PROXY, DELIVERED, "depends", ("order",)),
        (DELIVERED, None, "depends", ("order",)),  # that world could not be made
        (UNKNOWN, DELIVERED, "unknown", ()),
    ],
)
def test_where_the_order_of_two_kinds_of_rules_is_not_known(
    first: Outcome, swapped: Outcome | None, verdict: str, depends: tuple[str, ...]
) -> None:
    other = world(*filter(None, (swapped,)), exit_=swapped)
    told = table(world(first, exit_=first), swapped=other)
    for journey in (port25(told), way_out(told)):
        assert (journey.verdict, journey.depends) == (verdict, depends)


def test_what_differs_by_its_source_anyhow_does_not_hang_on_the_order() -> None:
    told = port25(table(world(DELIVERED, DROPPED), swapped=world(DROPPED, DROPPED)))
    assert (told.verdict, told.depends, told.reason) == ("depends", (), "sources")


# --- who is asked for -------------------------------------------------------------------------------------------------


def test_each_source_of_a_port_is_followed_from_its_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(play.send, "knock", lambda stage, side, *more: asked.append(more) or DROPPED)
    told = table(world(DELIVERED, neighbour=DROPPED), request=replace(REQUEST, userland_proxy=False))
    (arrival,) = told.arrivals()
    assert (arrival.address, arrival.port) == ("", 25)
    assert [(one.source, one.verdict) for one in arrival.journeys] == [
        ("internet", "delivered"), ("neighbour", "dropped"),
    ]  # fmt: skip
    assert asked == [(SMTP, "84.0.0.1", False), (SMTP, "203.0.113.128", False)]


def test_a_port_without_outcomes_is_not_told() -> None:
    assert list(table(world()).arrivals()) == []


def header(source: int, target: int, flags: int) -> bytes:
    """Return a header of TCP."""
    return source.to_bytes(2, "big") + target.to_bytes(2, "big") + bytes(8) + bytes((0x50, flags)) + bytes(6)


def test_the_packet_that_is_followed_is_known_by_its_port_outside_and_inside() -> None:
    meant: list[Callable[[bytes], bool]] = []

    class Asked(Followed):
        def try_(self, version: int, sorts: tuple[Any, ...], send: Callable[[], object], protocol: int = 6) -> Case:
            meant.extend(sorts)
            return super().try_(version, sorts, send, protocol)

    told = table(world(DELIVERED), court=Asked())
    assert (port25(told).verdict, way_out(told).verdict) == ("delivered", "delivered")
    opening, answer, out = meant
    assert [opening(header(4000, port, 2)) for port in (25, 2525, 53)] == [True, True, False]
    assert [answer(header(port, 4000, 0x12)) for port in (25, 2525, 53)] == [True, True, False]
    assert [out(header(4000, port, 0)) for port in (53, 25)] == [True, False]


def test_ways_out_by_tcp_are_followed_by_what_opens_them_and_what_answers() -> None:
    one = world()
    one.exits = {(4, "tcp", 25): DELIVERED, (4, "tcp", 443): DROPPED}
    told = list(table(one, court=(court := Followed())).exits())
    assert [(of.protocol, of.port, of.journey.verdict) for of in told] == [
        ("tcp", 25, "delivered"), ("tcp", 443, "dropped"),
    ]  # fmt: skip
    assert court.asked == [(4, 2, 6)] * 2


def test_a_rule_s_text_is_asked_for_once_and_while_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Culprit] = []

    def text(culprit: Culprit, root: str, until: float) -> Text:
        asked.append(culprit)
        return Text("tcp dport 25 drop", 7)

    monkeypatch.setattr(play, "rule", text)
    court = Followed(usually=Case(DROPPED, replace(RULE, counter=3), STEPS))
    told = table(world(DROPPED, neighbour=DROPPED, exit_=DROPPED), court=court)
    found = [*(one for arrival in told.arrivals() for one in arrival.journeys), way_out(told)]
    assert [one.culprit for one in found] == [replace(RULE, rule="tcp dport 25 drop", counter=7)] * 3
    assert [one.steps for one in found] == [STEPS] * 3
    assert asked == [replace(RULE, counter=3)]


@pytest.mark.parametrize("left", [100.0, play.LAST / 2, -1.0])
def test_a_counter_that_the_text_does_not_have_is_the_kernel_s(left: float) -> None:
    of = table(world(DROPPED), left=left)
    found = of._told(replace(RULE, counter=3))
    assert (found.counter, found.rule) == (3, "text of 4 in /r" if left > play.LAST else "")


# --- neighbour discovery ----------------------------------------------------------------------------------------------


LOST = Case(DROPPED, RULE, STEPS)


@pytest.mark.parametrize(
    ("cases", "culprit"),
    [
        ((LOST,), replace(RULE, rule="text of 4 in /r")),
        ((Case(None), LOST), replace(RULE, rule="text of 4 in /r")),
        ((Case(DROPPED, replace(RULE, kind="policy", handle=None), STEPS),), "policy"),
        ((Case(DROPPED, Culprit(kind="route"), STEPS),), None),
        ((Case(DROPPED, None, STEPS),), None),
    ],
    ids=["outside", "on the bridge", "a policy", "what looks like no route", "nobody"],
)
def test_ipv6_without_neighbours_is_lost_whatever_packets_do(
    cases: tuple[Case, ...], culprit: Culprit | str | None
) -> None:
    court = Followed(*cases)
    told = table(world(DELIVERED, version=6), court=court)
    for journey in (port25(told), way_out(told)):
        assert (journey.version, journey.verdict, journey.reason, journey.steps) == (6, "dropped", "", STEPS)
        if isinstance(culprit, str):
            assert journey.culprit
            assert journey.culprit.kind == culprit
        else:
            assert journey.culprit == culprit
    assert court.asked == [(6, 1, 58)] * 2  # outside and inside; no connection is followed any more


@pytest.mark.parametrize(
    ("cases", "verdict", "reason"),
    [
        ((Case(None, uncopied=True), Case(None)), "unknown", "uncopied"),
        ((Case(None), Case(None, uncopied=True)), "unknown", "uncopied"),
        ((replace(LOST, uncopied=True), Case(None)), "unknown", "uncopied"),
        ((Case(None, uncopied=True), LOST), "dropped", ""),
        ((LOST, Case(None, uncopied=True)), "dropped", ""),
        ((Case(None), Case(None)), "delivered", ""),
    ],
)
def test_a_rule_that_is_not_here_may_keep_neighbours_from_each_other(
    cases: tuple[Case, ...], verdict: str, reason: str
) -> None:
    told = table(world(DELIVERED, version=6, uncopied=LEFT), court=Followed(*cases))
    for journey in (port25(told), way_out(told)):
        assert (journey.version, journey.verdict, journey.reason) == (6, verdict, reason)


@pytest.mark.parametrize(
    ("found", "lost"),
    [
        (Discovery(True, True), False),
        (Discovery(False, True), True),
        (Discovery(True, False), True),
        (Discovery(False, False), True),
        (None, False),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_both_directions_have_to_be_heard(
    monkeypatch: pytest.MonkeyPatch, found: Discovery | None, lost: bool, inside: bool
) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(play, "discovery_inside" if inside else "discovery", lambda *of: asked.append(of) or found)

    class Honest(Followed):
        def try_(self, version: int, meant: tuple[Any, ...], send: Callable[[], Any], protocol: int = 6) -> Case:
            assert protocol != 58 or meant[0](b"\x87") is True
            return Case(send())

    told = port25(table(world(DELIVERED, version=6), court=Honest()))
    assert told.verdict == ("dropped" if lost else "delivered")
    outside, within = ("twin", "world", "eth0", "2001:db8::5", "router 6"), (
        "twin", "inner", "br-mailcow", "fd4d::1", "fd4d::253",
    )  # fmt: skip
    assert asked == [within if inside else outside]


def test_ipv4_and_networks_without_containers_of_ipv6_have_less_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    court = Followed()
    table(world(DELIVERED), court=court)
    assert court.asked == []
    one = world(DELIVERED, version=6)
    one.stage.sides[6] = replace(SIDES[6], containers={})
    table(one, court=court)
    assert court.asked == [(6, 1, 58)]
    one = world(DELIVERED, version=6)
    one.stage.gateways.pop(6)
    table(one, court=court)
    assert court.asked == [(6, 1, 58)] * 2


# --- families, and all of it ------------------------------------------------------------------------------------------


def test_families_are_absent_switched_off_in_doubt_or_judged() -> None:
    played = world(DELIVERED)
    played.stage.absent[6] = "route"
    found = list(play.families(played, REQUEST))
    assert found == [
        Family(version=6, state="none", detail="route"),
        Family(version=4, state="judged", interface="eth0", address="203.0.113.5"),
    ]
    doubt = Family(version=4, state="blind", doubt="control")
    played.doubts[4] = doubt
    assert list(play.families(played, REQUEST))[1] is doubt
    off = replace(REQUEST, ports=(replace(SMTP, address="2001:db8::5"),))
    assert list(play.families(played, off))[1] == Family(
        version=4, state="off", interface="eth0", address="203.0.113.5"
    )


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[Any, list[tuple[str, bool]], Followed]]]:
    """Return a function that plays a host of which everything is made up; all that was opened is closed then."""
    closed: list[Played] = []
    made: list[Played] = []

    def whole(first: Played, *, disputed: bool = False) -> tuple[Any, list[tuple[str, bool]], Followed]:
        asked: list[tuple[str, bool]] = []
        court = Followed()

        def played(of: Host, kind: str, *, swapped: bool = False) -> Played:
            asked.append((kind, swapped))
            one = first if len(asked) == 1 else world(DELIVERED)
            one.stage.close = lambda: closed.append(one)  # type: ignore[method-assign]
            made.append(one)
            return one

        outline = (Table("nf_tables", "ip", "filter", (Chain("FORWARD", 2),)),)
        rules = SimpleNamespace(disputed=lambda: disputed, outline=lambda: outline)
        around = SimpleNamespace(unseen=(Unseen("ipvs"),))
        monkeypatch.setattr(play.surroundings, "read", lambda wire: around)
        monkeypatch.setattr(play.copies, "read", lambda request: rules)
        monkeypatch.setattr(play, "play", played)
        monkeypatch.setattr(play, "Court", lambda twin, loaded: court)
        told = play.twin(REQUEST)
        assert (told.unseen, told.tables) == (around.unseen, outline)
        assert 0 <= told.seconds < 60
        return told, asked, court

    yield whole
    assert [id(one) for one in closed] == [id(one) for one in made]


def test_one_world_is_enough_where_nothing_hangs_on_anything(host: Callable[..., Any]) -> None:
    told, asked, court = host(world(DELIVERED, DELIVERED))
    assert asked == [("as-is", False)]
    assert [one.journeys[0].verdict for one in told.arrivals] == ["delivered"]
    assert told.exits == (Exit("udp", 53, Journey(version=4, source="internet", verdict="delivered")),)
    assert (told.derived, told.uncopied, court.closed) == (True, (), True)


@pytest.mark.parametrize(
    ("conditions", "disputed", "doubt", "worlds"),
    [
        (frozenset(("limit",)), False, False, [("as-is", False), ("met", False), ("without", False)]),
        (frozenset(), True, False, [("as-is", False), ("as-is", True)]),
        (frozenset(("time",)), True, False, [("as-is", False), ("met", False), ("without", False), ("as-is", True)]),
        (frozenset(("time",)), True, True, [("as-is", False)]),
    ],
    ids=["conditions", "order", "both", "nobody is judged"],
)
def test_further_worlds_are_made_for_what_is_not_known(
    host: Callable[..., Any], conditions: frozenset[str], disputed: bool, doubt: bool, worlds: list[tuple[str, bool]]
) -> None:
    first = world(DELIVERED, conditions=conditions, uncopied=LEFT)
    if doubt:
        first.doubts[4] = Family(version=4, state="blind", doubt="rules")
    told, asked, _ = host(first, disputed=disputed)
    assert asked == worlds
    assert told.uncopied == LEFT
    assert bool(told.arrivals) is not doubt
