"""Whose rule it was: what is said of a packet by what nf_tables told, which counters grew, and what else stops one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from preflight.facts.twin import Culprit, Step
from preflight.twin import blame
from preflight.twin.blame import Case, Court
from preflight.twin.copies import Loaded
from preflight.twin.nft import load as nft_load
from preflight.twin.nft.trace import Base, End, Event
from preflight.twin.send_verdicts import Outcome
from preflight.twin.spaces import Space

LOST, REFUSED = Outcome(verdict="dropped"), Outcome(verdict="refused")
BASES = {("ip", "filter", "FORWARD"): Base("forward", 0)}
WAY = (Event(1, "ip", "filter", "FORWARD", 9, None), Event(1, "ip", "filter", "mine", 4, 0))
STEPS = (Step("forward", "ip filter", "FORWARD", "drop"),)
STOPPED = End("ip", "filter", "mine", 4)
COUNTED = Culprit(kind="rule", backend="ip_tables", family="ip", table="filter", chain="INPUT", number=3)
HOSTS = SimpleNamespace(chain="theirs", handle=77)


class Twin:
    """A namespace that notes when it is entered."""

    def __init__(self) -> None:
        self.inside = False

    @contextmanager
    def entered(self) -> Iterator[None]:
        self.inside = True
        yield
        self.inside = False


class Native:
    """Rules of nf_tables in place: one of them is the host's, and some could not be copied."""

    def __init__(self, *, known: bool = True, met: bool = False) -> None:
        self._known, self._met = known, met

    def host(self, family: str, table: str, chain: str, handle: int) -> Any:
        mine = (family, table, chain, handle) == ("ip", "filter", "mine", 4)
        return HOSTS if mine and self._known else None

    def met(self, wire: object) -> list[object]:
        return [object()] if self._met else []


class Told:
    """A trace that tells of one packet, once what came before is forgotten."""

    def __init__(self, events: tuple[Event, ...] = (), stopped: End | None = None) -> None:
        self._told = (events, stopped)
        self.forgotten = 0

    def forget(self) -> None:
        self.forgotten += 1

    def events(self, *meant: object) -> tuple[tuple[Event, ...], End | None]:
        assert self.forgotten == 1
        assert meant
        return self._told


Judge = Callable[..., Case]


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Judge:
    """Return a function that follows one packet through a twin of which everything is made up."""

    def followed(
        outcome: Outcome | None, *, native: Native | None = None, told: Told | None = None, version: int = 4,
        counted: dict[int, Culprit] | None = None, unmet: tuple[int, ...] = (), filtered: tuple[int, int] = (0, 0),
        forwarding: str = "1", protocol: int = 6,
    ) -> Case:  # fmt: skip
        court = Court(cast("Space", twin := Twin()), Loaded())
        court._loaded = cast("Loaded", SimpleNamespace(nft=native, legacy=[]))
        court._trace, court._wire, court._bases = cast("Any", told), cast("Any", native and object()), BASES
        reads = iter(filtered)
        monkeypatch.setattr(blame, "_filtered", lambda: twin.inside and next(reads))
        monkeypatch.setattr(blame, "_FORWARDING", {one: _file(tmp_path, one, forwarding) for one in (4, 6)})

        def counters(one: int, loaded: object, before: object = None) -> tuple[int, bool]:
            assert twin.inside
            return one, before is not None

        monkeypatch.setattr(blame.legacy, "counters", counters)
        monkeypatch.setattr(blame.legacy, "met", lambda before, after: [1] if after[0] in unmet else [])

        def culprit(before: tuple[int, bool], after: tuple[int, bool], asked: int) -> Culprit | None:
            assert (before[1], after[1], before[0]) == (False, True, after[0])
            return (counted or {}).get(after[0]) if asked == protocol else None

        monkeypatch.setattr(blame.legacy, "culprit", culprit)
        return court.try_(version, (lambda _: True,), lambda: outcome, protocol)

    return followed


def _file(folder: Path, version: int, text: str) -> str:
    path = folder / str(version)
    path.write_text(f"{text}\n")
    return str(path)


@pytest.mark.parametrize("outcome", [None, Outcome(verdict="delivered"), Outcome(verdict="proxy")])
def test_nobody_is_blamed_for_what_arrives(judge: Judge, outcome: Outcome | None) -> None:
    case = judge(outcome, told=Told(WAY), native=Native(), counted={4: COUNTED}, filtered=(1, 5))
    assert case == Case(outcome, None, STEPS)


@pytest.mark.parametrize(
    ("native", "culprit"),
    [
        (
            Native(),
            Culprit(kind="rule", backend="nf_tables", family="ip", table="filter", chain="theirs", handle=77),
        ),
        (
            Native(known=False),
            Culprit(kind="rule", backend="nf_tables", family="ip", table="filter", chain="mine", predicted=True),
        ),
        (
            None,
            Culprit(kind="rule", backend="nf_tables", family="ip", table="filter", chain="mine", predicted=True),
        ),
    ],
    ids=["the host's", "the engine's, to come", "nothing was copied"],
)
def test_the_rule_of_nf_tables_is_named_as_the_host_has_it(
    judge: Judge, native: Native | None, culprit: Culprit
) -> None:
    case = judge(LOST, told=Told(WAY, STOPPED), native=native, counted={4: COUNTED})
    assert case == Case(LOST, culprit, STEPS)


def test_a_policy_has_no_handle_and_is_nobody_else_s(judge: Judge) -> None:
    case = judge(LOST, told=Told(WAY, End("inet", "fw", "input", None)), native=Native())
    assert case.culprit == Culprit(kind="policy", backend="nf_tables", family="inet", table="fw", chain="input")


@pytest.mark.parametrize(("queue", "expected"), [(True, True), (False, False)])
def test_what_a_program_would_have_decided_is_said(judge: Judge, queue: bool, expected: bool) -> None:
    case = judge(LOST, told=Told((), End("ip", "filter", "mine", 4, queue=queue)), native=Native())
    assert case.queue is expected


def test_where_nothing_of_nf_tables_ended_it_the_counters_of_ip_tables_tell(judge: Judge) -> None:
    assert judge(LOST, told=Told(WAY), native=Native(), counted={4: COUNTED}).culprit == COUNTED
    assert judge(LOST, counted={4: COUNTED}).culprit == COUNTED
    assert judge(LOST, counted={6: COUNTED}).culprit == Culprit(kind="route")  # no packet of IPv6 was sent


def test_what_came_by_ipv6_may_have_been_stopped_on_its_way_by_ipv4(judge: Judge) -> None:
    six = Culprit(kind="policy", backend="ip_tables", family="ip6", table="filter", chain="FORWARD")
    assert judge(LOST, version=6, counted={4: COUNTED}).culprit == COUNTED
    assert judge(LOST, version=6, counted={4: COUNTED, 6: six}).culprit == six


def test_the_counters_are_asked_for_the_protocol_that_was_sent(judge: Judge) -> None:
    assert judge(LOST, counted={4: COUNTED}, protocol=17).culprit == COUNTED


@pytest.mark.parametrize("outcome", [LOST, Outcome(verdict="delivered"), None])
@pytest.mark.parametrize(
    ("met", "unmet", "version", "expected"),
    [
        (True, (), 4, True), (False, (4,), 4, True), (False, (6,), 4, False), (False, (4,), 6, True),
        (False, (6,), 6, True), (False, (), 6, False),
    ],
)  # fmt: skip
def test_a_rule_that_could_not_be_copied_is_told_whatever_became_of_the_packet(
    judge: Judge, outcome: Outcome | None, met: bool, unmet: tuple[int, ...], version: int, expected: bool
) -> None:
    case = judge(outcome, told=Told(), native=Native(met=met), unmet=unmet, version=version)
    assert case.uncopied is expected


@pytest.mark.parametrize(
    ("outcome", "filtered", "forwarding", "culprit"),
    [
        (Outcome(verdict="elsewhere", to="192.0.2.9"), (1, 2), "0", Culprit(kind="nat", to="192.0.2.9")),
        (LOST, (3, 4), "0", Culprit(kind="filter")),
        (LOST, (3, 3), "0", Culprit(kind="forwarding")),
        (Outcome(verdict="dropped", masked=True), (3, 3), "0", Culprit(kind="route")),
        (Outcome(verdict="refused", closed=True), (3, 3), "0", Culprit(kind="forwarding")),
        (Outcome(verdict="refused", closed=True), (3, 3), "1", Culprit(kind="socket")),
        (REFUSED, (3, 3), "1", Culprit(kind="route")),
        (REFUSED, (3, 3), "2", Culprit(kind="route")),
    ],
)
@pytest.mark.parametrize("version", [4, 6])
def test_what_else_than_a_rule_it_was(
    judge: Judge, outcome: Outcome, filtered: tuple[int, int], forwarding: str, culprit: Culprit, version: int
) -> None:
    assert judge(outcome, filtered=filtered, forwarding=forwarding, version=version).culprit == culprit


def test_a_kernel_without_such_a_switch_has_not_switched_it_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(blame, "_FORWARDING", {6: str(tmp_path / "none")})
    court = Court(cast("Space", Twin()), Loaded())
    assert court._other(6, LOST, 0) == Culprit(kind="route")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("TcpExt: SyncookiesSent IPReversePathFilter X\nTcpExt: 1 22 3\nIpExt: A\nIpExt: 5\n", 22),
        ("IpExt: IPReversePathFilter\nIpExt: 5\n", 0),
        ("TcpExt: SyncookiesSent\nTcpExt: 1\n", 0),
        ("TcpExt: IPReversePathFilter\nTcpExt: none\n", 0),
        ("TcpExt: IPReversePathFilter\n", 0),
        ("", 0),
    ],
)
def test_what_rp_filter_has_dropped(monkeypatch: pytest.MonkeyPatch, text: str, number: int) -> None:
    asked: list[str] = []
    monkeypatch.setattr(blame, "_read", lambda path: asked.append(path) or text)
    assert blame._filtered() == number
    assert asked == ["/proc/self/net/netstat"]


def test_this_kernel_has_what_is_asked_for() -> None:
    assert blame._read(blame._FORWARDING[4]) in ("0", "1")
    assert Path("/proc/sys/net/ipv6").exists() is (blame._read(blame._FORWARDING[6]) in ("0", "1"))
    assert "IPReversePathFilter" in blame._read("/proc/self/net/netstat")
    assert blame._filtered() >= 0


class Opened:
    """A wire or a trace that notes whether it is closed."""

    def __init__(self, *given: Any) -> None:
        self.given, self.closed = given, False

    def close(self) -> None:
        self.closed = True


def test_chains_that_come_first_on_interfaces_that_are_there_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {
        ("netdev", "a", "one"): Base("ingress", 0, ("eth0", "gone")),
        ("inet", "b", "two"): Base("ingress", 0, ("eth1",)),
        ("bridge", "c", "three"): Base("forward", 0),
        ("inet", "d", "four"): Base("input", 0),
        ("netdev", "e", "five"): Base("egress", 0, ("eth2",)),
    }
    made: list[Opened] = []
    monkeypatch.setattr(blame, "Wire", lambda _: made.append(Opened()) or made[-1])
    monkeypatch.setattr(blame, "bases", lambda _: found)
    monkeypatch.setattr(blame, "Trace", lambda *given: made.append(Opened(*given)) or made[-1])
    names = [(1, "lo"), (2, "eth0"), (3, "eth1"), (4, "eth2")]
    monkeypatch.setattr(blame.socket, "if_nameindex", lambda: names)
    court = Court(cast("Space", Twin()), Loaded(nft=nft_load.Loaded()))
    assert made[1].given[1:] == ({"ip", "ip6", "bridge"}, {"eth0", "eth1"})
    court.close()
    assert [one.closed for one in made] == [True, True]


def test_without_nf_tables_nothing_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise AssertionError("the module would be loaded")

    monkeypatch.setattr(blame, "Wire", refuse)
    Court(cast("Space", Twin()), Loaded()).close()
