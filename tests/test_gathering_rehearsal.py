"""The rehearsal in a run: when there is one, what it is given, and that all else is known before it begins."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from preflight.facts import (
    Address,
    Asked,
    Attempt,
    Container,
    DaemonConfig,
    Engine,
    EngineNetwork,
    Fact,
    Goal,
    Ipv6,
    Link,
    Outgoing,
    Rehearsal,
    Trial,
)
from preflight.gather.access.crew import Crew
from preflight.gathering import publishing, rehearsal
from preflight.gathering.parts import PARTS
from preflight.gathering.run import Run, Shared, Wishes
from preflight.probes.bench import Bench, Script
from preflight.probes.registry import REHEARSAL, Probe
from preflight.probes.rehearsal.keeper import Keeper
from tests.gather.ends import NATIVE
from tests.probes.stage import Stage

ENGINE = Engine(version="26.1.5", api_version="1.45", kernel="6.12.48")
LINKS = (
    Link("eth0", 1500, True, (Address("198.51.100.7", 24, "global"), Address("2001:db8::7", 64, "global"))),
    Link("docker0", 1500, True, (Address("172.17.0.1", 16, "global"),)),
)
FORWARDS = Ipv6(True, False, True, forwarding=True)
ASKED = Asked(rehearse=True)
OUTGOING = Outgoing(
    (
        Trial(Goal("a.example", 443), (Attempt("203.0.113.1", "reached"), Attempt("2001:db8::80", "reached"))),
        Trial(Goal("b.example", 443), (Attempt("203.0.113.2", "filtered"),)),
        Trial(Goal("c.example", 53, protocol="udp"), (Attempt("203.0.113.3", "reached"),)),
    )
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have IPv4 forwarding switched on, and Docker's own chains there, whatever this machine has."""
    monkeypatch.setattr("preflight.twin.derive.forwards", lambda version: version == 4)
    tried = publishing.Tried(Fact.skipped("", "Not here."))
    monkeypatch.setattr(publishing, "TRIED", Shared("publishing", lambda _: tried))


def run(stage: Stage, asked: Asked = ASKED, holder: Any = None, order: list[str] | None = None, **facts: Any) -> Run:
    """Make a run in which all is known; `order` is told what was asked for."""
    known: dict[str, Any] = {
        "engine": ENGINE, "daemon_config": DaemonConfig("/x", True, {}), "links": LINKS, "ipv6": FORWARDS,
        "outgoing": OUTGOING,
    } | facts  # fmt: skip

    def recipe(place: str) -> Any:
        def made(_: Crew) -> Fact[Any]:
            if order is not None:
                order.append(place)
            value = known.get(place)
            if isinstance(value, Fact):
                return value
            return Fact.unknown(place, "The test gives none.") if value is None else Fact.of(place, value)

        return made

    parts = frozenset(part.place for part in PARTS)
    crew = Crew({place: recipe(place) for place in parts}, 60.0, threading.Event(), lambda part, done: None)
    return Run(NATIVE, Wishes(asked, parts, {}, docker_host=stage.url, holder=holder), crew)


def script_of(monkeypatch: pytest.MonkeyPatch, given: Run) -> Script:
    """Return what is given to the rehearsal, which is not played."""
    seen: list[Bench] = []

    def kept(probe: Probe, bench: Bench) -> Fact[Any]:
        seen.append(bench)
        return Fact.skipped("", "Not here.")

    monkeypatch.setattr("preflight.probes.frame.run_probe", kept)
    rehearsal.rehearsal(given)
    assert seen[0].script is not None
    return seen[0].script


def test_it_is_played_on_an_engine(engine: Stage) -> None:
    found: Rehearsal = rehearsal.rehearsal(run(engine)).get()
    assert all(port.answered for port in found.ports)
    assert engine.left == set()


def test_nobody_who_does_not_ask_for_it_gets_one(engine: Stage) -> None:
    order: list[str] = []
    fact = rehearsal.rehearsal(run(engine, Asked(), order=order))
    assert (fact.missing and fact.missing.cause, order, engine.asked) == ("unasked", [], [])


def test_without_probes_there_is_none(engine: Stage) -> None:
    missing = rehearsal.rehearsal(run(engine, Asked(rehearse=True, probe=False))).missing
    assert missing is not None
    assert (missing.cause, engine.created) == ("no-probe", [])


def test_all_else_is_known_before_it_begins(engine: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    script_of(monkeypatch, run(engine, order=order))
    assert set(order) == {part.place for part in PARTS} - {"rehearsal"}


def test_the_script_is_the_hosts(engine: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    script = script_of(monkeypatch, run(engine))
    assert (script.ipv6, script.no_bridge) == ("made", True)
    assert script.addresses == ("198.51.100.7", "2001:db8::7")
    assert script.targets == (("203.0.113.1", 443), ("2001:db8::80", 443))


@pytest.mark.parametrize(
    ("ipv6", "settings", "state"),
    [
        (Ipv6(True, False, True, forwarding=False), {}, "forwarding"), (Ipv6(True, False, True), {}, "forwarding"),
        (Ipv6(True, True, True, forwarding=False), {}, "forwarding"), (Ipv6(False, True, False), {}, "made"),
        (Ipv6(True, False, True, forwarding=False), {"ip-forward": False}, "made"), (None, {}, "unknown"),
        (FORWARDS, {}, "made"),
    ],
)  # fmt: skip
def test_ipv6_is_left_out_where_it_would_change_what_stays(
    engine: Stage, monkeypatch: pytest.MonkeyPatch, ipv6: Ipv6 | None, settings: dict[str, Any], state: str
) -> None:
    given = run(engine, ipv6=ipv6, daemon_config=DaemonConfig("/x", True, settings))
    assert script_of(monkeypatch, given).ipv6 == state


@pytest.mark.parametrize(
    ("version", "settings", "played"),
    [("26.1.5", {}, True), ("28.5.2", {}, False), ("28.5.2", {"ip-forward": False}, True), ("", {}, True)],
)
def test_a_host_that_does_not_forward_is_left_as_it_is(
    engine: Stage, monkeypatch: pytest.MonkeyPatch, version: str, settings: dict[str, Any], played: bool
) -> None:
    monkeypatch.setattr("preflight.twin.derive.forwards", lambda version: False)
    given = run(engine, engine=replace(ENGINE, version=version), daemon_config=DaemonConfig("/x", True, settings))
    fact = rehearsal.rehearsal(given)
    assert fact.known is played
    assert bool(engine.created) is played


@pytest.mark.parametrize(("version", "played"), [("26.1.5", True), ("28.5.2", False)])
def test_where_the_hosts_network_is_not_ours_nobody_knows_whether_it_forwards(
    engine: Stage, version: str, played: bool
) -> None:
    given = run(engine, engine=replace(ENGINE, version=version))
    elsewhere = replace(given.roots, view=replace(given.roots.view, network=False))
    fact = rehearsal.rehearsal(replace(given, roots=elsewhere))
    assert fact.known is played
    assert bool(engine.created) is played
    assert played or "Could not determine whether this host forwards packets." in str(fact.missing)


OWN = Container(id="1", name="x", image="i", state="running", project="mailcowdockerized")
BRIDGE = EngineNetwork("n", "1", "bridge", (), "br-mailcow", False)
RIVAL = EngineNetwork("n", "id-n", "bridge", (), "br-mailcow", False, run="other")
THERE: dict[str, tuple[dict[str, Any], str]] = {
    "a running mailcow": ({"engine": replace(ENGINE, containers=(OWN,))}, "skip"),
    "a stopped mailcow": ({"engine": replace(ENGINE, containers=(replace(OWN, state="exited"),))}, "unknown"),
    "a network of mailcow's": ({"engine": replace(ENGINE, networks=(BRIDGE,))}, "unknown"),
    "a bridge of nobody's": ({"links": (*LINKS, Link("br-mailcow", 1500, True))}, "unknown"),
    "a list that is not whole": ({"engine": replace(ENGINE, truncated=True, cut=("networks",))}, "unknown"),
    "an engine that is not known": ({"engine": Fact.unknown("x", "It does not answer.")}, "unknown"),
}


@pytest.mark.parametrize("what", THERE)
def test_what_keeps_it_from_beginning(engine: Stage, what: str) -> None:
    facts, kind = THERE[what]
    missing = rehearsal.rehearsal(run(engine, **facts)).missing
    assert missing is not None
    assert (missing.kind, engine.created) == (kind, [])
    assert missing.help or kind == "skip" or what.startswith("an engine")


@pytest.mark.parametrize("there", [True, False])
def test_another_rehearsal_is_let_be_and_what_a_dead_one_left_is_not_taken_for_one(engine: Stage, there: bool) -> None:
    """The engine was asked before what dead runs left was removed."""
    if there:
        engine.put("networks", "n", {})
        engine.networks["id-n"]["Asked"] = {}
    links = (*LINKS, Link("br-mailcow", 1500, True))
    fact = rehearsal.rehearsal(run(engine, engine=replace(ENGINE, networks=(RIVAL,)), links=links))
    assert fact.known is not there
    if fact.missing is not None:
        assert "Another rehearsal" in fact.missing.reason


def test_an_engine_on_another_machine_is_left_alone(engine: Stage) -> None:
    """Its host's addresses, links and bridge are not those that were looked at."""
    given = run(engine)
    far = Run(given.roots, msgspec.structs.replace(given.wishes, docker_host="tcp://192.0.2.1:2375"), given.crew)
    missing = rehearsal.rehearsal(far).missing
    assert missing is not None
    assert "another machine" in missing.reason
    assert engine.asked == []


@pytest.mark.parametrize(
    ("obstacle", "begun"),
    [("missing", False), ("lasting", False), ("modules", True), ("raw", True), ("rules", True), ("", True)],
)
def test_where_docker_would_leave_rules_it_is_not_begun(
    engine: Stage, monkeypatch: pytest.MonkeyPatch, obstacle: str, begun: bool
) -> None:
    tried = publishing.Tried(Fact.skipped("", "Not here."), obstacle=obstacle)
    monkeypatch.setattr(publishing, "TRIED", Shared("publishing", lambda _: tried))
    fact = rehearsal.rehearsal(run(engine))
    assert fact.known is begun
    assert bool(engine.created) is begun


def test_it_is_begun_when_all_others_are_there() -> None:
    assert [part.place for part in PARTS if part.last] == ["rehearsal"] == [PARTS[-1].place]


def test_a_hold_is_not_the_deadlines(engine: Stage) -> None:
    given = run(engine, holder=Keeper(300.0))
    assert given.wishes.longer == REHEARSAL + 300.0
    assert run(engine, Asked()).wishes.longer == 0.0


def test_what_has_a_time_of_its_own_is_waited_for_after_the_deadline() -> None:
    def late(_: Crew) -> Fact[str]:
        time.sleep(0.8)
        return Fact.of("x", "there")

    for longer, known in (({"late": 20.0}, True), ({}, False)):
        crew = Crew({"late": late}, 0.1, threading.Event(), lambda part, done: None, longer=longer)
        crew.start("late")
        assert crew.collect("late").known is known


def test_it_is_a_probe_like_the_others() -> None:
    """So that a run that is ended waits for its removal."""
    assert next(part for part in PARTS if part.place == "rehearsal").kind.value == "probe"
