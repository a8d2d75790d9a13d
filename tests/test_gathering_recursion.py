"""The probe of the resolver's way in a run: when it asks, whom, and what of the host is read before."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from preflight.facts import Asked, Engine, Fact, RecursionRun
from preflight.gather.access.crew import Crew
from preflight.gather.access.roots import Roots
from preflight.gather.machine import modules
from preflight.gathering import publishing, recursion
from preflight.gathering.run import Run, Wishes
from preflight.mailcow.recursion import documented
from tests.gather.ends import NATIVE
from tests.probes.engine import FakeEngine

ENGINE = Engine(version="28.5.2", api_version="1.51", kernel="6.12.48")
PARTS = ("engine", "os_release", *publishing.BEFORE, "probes.publishing")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    fake = FakeEngine(tmp_path)
    fake.state = {"Status": "exited", "ExitCode": 0, "Running": False}
    yield fake
    fake.close()


def made(
    engine: FakeEngine, order: list[str] | None = None, host: Engine = ENGINE, **given: Any
) -> tuple[Run, Fact[RecursionRun]]:
    """Make the fact as a run does; `order` gets the parts as they are made, with what the engine was asked by then."""
    order = [] if order is None else order

    def recipe(place: str) -> Any:
        def act(_: Any) -> Fact[Any]:
            order.append(f"{place} {len(engine.asked)}")
            return Fact.of(place, host) if place == "engine" else Fact.unknown(place, "Not here.")

        return act

    values: dict[str, Any] = {"asked": Asked(), "parts": frozenset(), "environ": {}, "docker_host": engine.url} | given
    crew = Crew({place: recipe(place) for place in PARTS}, 20.0, threading.Event(), lambda part, done: None)
    run = Run(NATIVE, Wishes(**values), crew)
    return run, recursion.recursion(run)


@pytest.mark.parametrize(("asked", "cause"), [(Asked(offline=True), "offline"), (Asked(probe=False), "no-probe")])
def test_nobody_is_asked_where_that_was_not_wanted(engine: FakeEngine, asked: Asked, cause: str) -> None:
    _, fact = made(engine, asked=asked)
    assert fact.missing is not None
    assert (fact.missing.kind, fact.missing.cause) == ("skip", cause)
    assert engine.asked == []


@pytest.mark.parametrize(("version", "waits"), [("26.1.5", False), ("28.0.0", True), ("29.7.0", True), ("dev", True)])
def test_published_ports_are_waited_for_where_rules_would_be_taken_for_theirs(
    engine: FakeEngine, version: str, waits: bool
) -> None:
    order: list[str] = []
    engine.faults["POST /containers/create"] = (500, "no room")
    made(engine, order, host=replace(ENGINE, version=version))
    assert ("probes.publishing 0" in order) is waits
    assert "links 0" in order


def test_podman_is_not_made_to_change_the_host(engine: FakeEngine) -> None:
    _, fact = made(engine, host=replace(ENGINE, components=("Podman Engine",)))
    assert fact.missing is not None
    assert (fact.missing.kind, fact.missing.cause) == ("skip", "engine")
    assert engine.asked == []


def test_what_a_container_shows_in_is_read_before_one_is_made(engine: FakeEngine) -> None:
    order: list[str] = []
    engine.faults["POST /containers/create"] = (500, "no room")
    _, fact = made(engine, order)
    assert "no room" in fact.get().bridge.error
    assert {place.split()[0] for place in order} >= {"links", "routes", "rules", "nat", "probes.publishing"}
    assert all(place.endswith(" 0") for place in order), order
    assert "POST /containers/create" in engine.asked


@pytest.mark.parametrize(
    ("there", "sides"),
    [(None, 2), (frozenset({"veth", "xt_nat"}), 2), (frozenset({"bridge"}), 1)],
    ids=["built in", "loaded", "not loaded"],
)
def test_no_container_has_a_cable_whose_module_it_would_load(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, there: frozenset[str] | None, sides: int
) -> None:
    monkeypatch.setattr(modules, "there", lambda roots: there)
    engine.faults["POST /containers/create"] = (500, "no room")
    _, fact = made(engine)
    assert engine.asked.count("POST /containers/create") == sides
    assert fact.get().bridge.spared == ("" if sides == 2 else "modules")
    assert "no room" in fact.get().host.error


def test_where_modules_cannot_be_listed_none_may_be_loaded(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(roots: Roots) -> frozenset[str]:
        raise PermissionError("/proc/modules")

    monkeypatch.setattr(modules, "there", denied)
    engine.faults["POST /containers/create"] = (500, "no room")
    _, fact = made(engine)
    assert engine.asked.count("POST /containers/create") == 1
    assert fact.get().bridge.spared == "unread"


def test_whom_it_asks(engine: FakeEngine) -> None:
    engine.faults["POST /containers/create"] = (500, "no room")
    run, _ = made(engine)
    asked = recursion.questions(run)
    assert len(asked["servers"]) == len(documented().servers)
    assert not any(":" in address for address, _ in asked["servers"])
    assert asked["pings"] == list(documented().pings.addresses)
    json.dumps(asked)  # as the program takes it


def test_whom_the_user_names_is_asked_alone(engine: FakeEngine) -> None:
    engine.faults["POST /containers/create"] = (500, "no room")
    run, _ = made(engine, resolvers=(("192.0.2.1", 53),), ping_targets=("192.0.2.2", "192.0.2.2"))
    assert recursion.questions(run) == {"servers": [], "canaries": [], "pings": ["192.0.2.2"]}
