"""Probes in a run: none where nobody wants them, where there is no engine, or where the kernel would not stand it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from preflight.facts import Asked, Engine, EngineNetwork, Fact, OsRelease
from preflight.facts.engine import RUN
from preflight.gather.access.crew import Crew
from preflight.gather.access.roots import Roots
from preflight.gathering import probes
from preflight.gathering.probes import recipe
from preflight.gathering.run import Run, Wishes
from preflight.probes.registry import PROBES
from tests.gather.ends import NATIVE
from tests.probes.engine import FakeEngine

ENGINE = Fact.of("engine", Engine(version="28.5.2", api_version="1.51", kernel="6.12.48"))
DEBIAN = Fact.of("/etc/os-release", OsRelease("debian", "13", (), "Debian 13", "trixie", "Debian"))
NOWHERE = Fact[Engine].unknown("GET /info", "The engine does not answer.", "Start it.")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    fake = FakeEngine(tmp_path)
    fake.state = {"Status": "exited", "ExitCode": 0, "Running": False}
    yield fake
    fake.close()


def performed(
    engine: FakeEngine, *names: str, known: Fact[Engine] = ENGINE, system: Fact[OsRelease] = DEBIAN,
    seconds: float = 60.0, **given: Any,
) -> list[Fact[Any]]:  # fmt: skip
    """Make the facts of probes as a run does."""
    values: dict[str, Any] = {"asked": Asked(), "parts": frozenset(), "environ": {}, "docker_host": engine.url} | given
    crew = Crew(
        {"engine": lambda _: known, "os_release": lambda _: system}, seconds, threading.Event(), lambda part, done: None
    )
    run = Run(NATIVE, Wishes(**values), crew)
    return [recipe(next(probe for probe in PROBES if probe.name == name))(run) for name in names]


def test_nobody_is_asked_where_no_probe_is_wanted(engine: FakeEngine) -> None:
    (fact,) = performed(engine, "limits", asked=Asked(probe=False), known=NOWHERE)
    assert fact.missing is not None
    assert (fact.missing.kind, fact.missing.cause, fact.missing.reason) == (
        "skip", "no-probe", "--no-probe was given.",
    )  # fmt: skip
    assert engine.asked == []


def test_without_an_engine_its_reason_is_the_probes(engine: FakeEngine) -> None:
    (fact,) = performed(engine, "limits", known=NOWHERE)
    assert (fact.source, fact.missing) == (NOWHERE.source, NOWHERE.missing)
    assert engine.asked == []


def test_a_kernel_that_a_container_could_crash_is_left_alone(engine: FakeEngine) -> None:
    seen: list[tuple[str, OsRelease | None]] = []

    def unsafe(release: str, system: OsRelease | None) -> str:
        seen.append((release, system))
        return "Its overlay driver is broken." if system is None else ""

    (fact,) = performed(engine, "privileged", unsafe=unsafe, system=Fact.unknown("x", "No such file."))
    assert fact.missing is not None
    assert (fact.missing.kind, fact.missing.cause) == ("unknown", "kernel")
    assert fact.missing.reason.startswith("No container was started, because that could crash this kernel. Its overlay")
    assert fact.missing.help == "Change the kernel first (see system.kernel)."
    assert engine.asked == []
    assert performed(engine, "privileged", unsafe=unsafe)[0].known  # the distribution's own kernel is another one
    assert seen == [("6.12.48", None), ("6.12.48", DEBIAN.value)]


def test_what_a_dead_run_left_goes_once_before_anything_is_made(engine: FakeEngine) -> None:
    dead = {RUN: "old", "mailcow-preflight.boot": "11111111-2222-3333-4444-555555555555"}
    engine.put("containers", "left-by-a-dead-run", dead)
    engine.put("networks", "left-too", dead)
    engine.put("containers", "somebodys", {})
    first, second = performed(engine, "limits", "privileged")
    assert (first.get().granted, second.get().granted) == (True, True)
    assert engine.removed[:2] == ["left-by-a-dead-run", "left-too"]
    assert engine.left == {"somebodys"}
    assert engine.asked.count("GET /networks") == 1
    made = engine.asked.index("POST /containers/create")
    assert all(engine.asked.index(f"DELETE /{kind}") < made for kind in ("containers/id-left-by-a-dead-run",))


@pytest.mark.parametrize("fault", [(500, "broken store"), "cut"])
def test_what_cannot_be_tidied_up_keeps_no_probe_from_running(engine: FakeEngine, fault: tuple[int, str] | str) -> None:
    engine.faults["GET /networks"] = fault
    (fact,) = performed(engine, "limits")
    assert fact.get().granted is True


def test_a_probe_ends_with_the_run(engine: FakeEngine) -> None:
    engine.state = {"Status": "running", "Running": True}
    (fact,) = performed(engine, "limits", seconds=3.0)  # its own budget is longer, and would be another reason
    assert fact.missing is not None
    assert fact.missing.reason == "The run reached its deadline before the probe ended."
    assert engine.left == set()


# --- what a killed rehearsal left ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interfaces", "run", "swept"),
    [("br-mailcow: 0 0", "dead", True), ("br-mailcow: 0 0", "", False), ("br-mailcow2: 0 0", "dead", False)],
)
def test_what_a_killed_rehearsal_left_goes_before_the_host_is_looked_at(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, interfaces: str, run: str, swept: bool
) -> None:
    """It has mailcow's ports, bridge and subnet, and would be told as somebody's."""
    tidied: list[Run] = []
    monkeypatch.setattr(probes, "tidy", tidied.append)
    monkeypatch.setattr(Roots, "try_text", lambda self, path, limit=0: interfaces)
    network = EngineNetwork("n", "1", "bridge", (), "br-mailcow", False, run=run)
    known = Fact.of("engine", replace(ENGINE.get(), networks=(network,)))
    crew = Crew({"engine": lambda _: known}, 60.0, threading.Event(), lambda part, done: None)
    made = Run(NATIVE, Wishes(Asked(), frozenset(), {}, docker_host=engine.url), crew)
    probes.sweep(made)
    probes.sweep(made)
    assert bool(tidied) is swept
    assert len(tidied) <= 1
