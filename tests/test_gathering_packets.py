"""When a twin is asked: after the engine and its probes, in what time is left, and not at all where it cannot be."""

from __future__ import annotations

import sys
import threading
from typing import Any

import msgspec
import pytest

from preflight.facts import NO_SETTINGS, Asked, DaemonConfig, Engine, Fact, View
from preflight.facts.twin import Twin
from preflight.gather.access import command
from preflight.gather.access.command import Output
from preflight.gather.access.crew import Crew
from preflight.gather.access.roots import Roots
from preflight.gather.machine import modules
from preflight.gathering.publishing import NAME as PUBLISHING
from preflight.gathering.run import Run, Wishes
from preflight.gathering.twin import DENIED, LEFT, SECONDS, twin
from preflight.gathering.twin_request import SOURCE
from preflight.probes.registry import PROBES
from preflight.twin.request import Request
from tests.build import conf_file
from tests.gather.ends import NATIVE

DOCKER = Fact.of("GET /info", Engine(version="28.5.2", api_version="1.51", components=("Engine",)))
PODMAN = Fact.of("GET /info", Engine(version="5.4.2", api_version="1.41", components=("Podman Engine",)))
NOWHERE = Fact[Engine].unknown("GET /info", "The engine does not answer.", "Start it.")
TOLD = Twin(derived=True, families=())


class Asking:
    """What is started in place of the twin, and what it was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.words: list[tuple[str, ...]] = []
        self.seconds: list[float] = []
        self.made: list[str] = []  # parts, in the order in which they were made
        self.output = Output(0, msgspec.json.encode(TOLD).decode(), "")
        monkeypatch.setattr(command, "run", self.run)
        monkeypatch.setattr(modules, "there", lambda roots: frozenset({"nf_tables", "br_netfilter"}))

    def run(self, words: tuple[str, ...], seconds: float, **_: Any) -> Output:
        self.words.append(words)
        self.seconds.append(seconds)
        return self.output

    @property
    def request(self) -> Request:
        (words,) = self.words
        return msgspec.json.decode(words[-1], type=Request)

    def crew(self, seconds: float, **facts: Fact[Any]) -> Crew:
        def recipe(place: str) -> Any:
            def make(_: Crew) -> Fact[Any]:
                self.made.append(place)
                return facts.get(place.replace(".", "_"), Fact.unknown("test", f"The test gives no {place}."))

            return make

        places = ("engine", "daemon_config", "mailcow_conf", *(f"probes.{probe.name}" for probe in PROBES))
        return Crew({place: recipe(place) for place in places}, seconds, threading.Event(), lambda part, done: None)


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Asking:
    return Asking(monkeypatch)


def twinned(
    asking: Asking, *, roots: Roots = NATIVE, seconds: float = 60.0, probe: bool = False, **facts: Any
) -> Fact[Twin]:
    wishes = Wishes(asked=Asked(probe=probe), parts=frozenset(), environ={})
    return twin(Run(roots, wishes, asking.crew(seconds, **{"engine": DOCKER, **facts})))


def test_it_is_asked_in_a_process_of_its_own_as_the_facts_say(asking: Asking) -> None:
    settings = DaemonConfig("/etc/docker/daemon.json", True, {"iptables": False})
    conf = Fact.of("mailcow.conf", conf_file({"HTTP_PORT": "8080", "IPV4_NETWORK": "10.99.1"}))
    fact = twinned(asking, daemon_config=Fact.of("daemon.json", settings), mailcow_conf=conf)
    assert (fact.value, fact.source) == (TOLD, SOURCE)
    assert asking.words[0][:4] == (sys.executable, "-I", "-m", "preflight.twin")
    made = asking.request
    assert (made.engine, made.iptables, made.subnet4) == ("28.5.2", False, "10.99.1.0/24")
    assert made.modules == ("br_netfilter", "nf_tables")
    assert 8080 in [port.port for port in made.ports]


def test_settings_that_are_not_known_are_the_engines_own(asking: Asking) -> None:
    assert twinned(asking).known
    assert NO_SETTINGS.settings == {}
    assert (asking.request.iptables, asking.request.ip_masq, asking.request.backend) == (True, True, "")


@pytest.mark.parametrize("seconds", [60.0, 3.0])
def test_it_has_the_time_that_is_left(seconds: float, asking: Asking) -> None:
    """It gives up by itself before it is given up, and that before the run is over."""
    assert twinned(asking, seconds=seconds).known
    (given_up,) = asking.seconds
    own = asking.request.seconds
    assert own <= min(SECONDS, seconds - LEFT)
    assert own < given_up < max(seconds, SECONDS + LEFT)
    assert own > min(SECONDS, seconds - LEFT) - 2.5


def test_where_no_time_is_left_it_is_late(asking: Asking) -> None:
    asking.output = Output(None, "", "", "it did not finish in time")
    fact = twinned(asking, seconds=0.0)
    assert fact.missing is not None
    assert fact.missing.cause == "late"
    assert [seconds >= 0 for seconds in asking.seconds] == [True] * len(asking.seconds)


@pytest.mark.parametrize("probe", [True, False])
def test_only_the_probe_that_has_the_engine_load_modules_comes_first(probe: bool, asking: Asking) -> None:
    """Others are in no network, and on a slow engine they take all the time that the twin has."""
    assert twinned(asking, probe=probe).known
    first = [f"probes.{PUBLISHING}"] if probe else []
    assert [place for place in asking.made if place.startswith("probes.")] == first
    assert len(asking.words) == 1


@pytest.mark.parametrize(
    ("engine", "kind", "cause", "reason"),
    [
        (NOWHERE, "unknown", "", "The engine does not answer."),
        (PODMAN, "skip", "engine", "Podman publishes ports in its own way"),
    ],
    ids=["no engine", "Podman"],
)
def test_without_dockers_engine_there_is_none(
    engine: Fact[Engine], kind: str, cause: str, reason: str, asking: Asking
) -> None:
    fact = twinned(asking, engine=engine, probe=True)
    assert fact.missing is not None
    assert (fact.source, fact.missing.kind, fact.missing.cause) == ("GET /info", kind, cause)
    assert fact.missing.reason.startswith(reason)
    assert (asking.words, asking.made) == ([], ["engine"])


def test_where_there_can_be_none_nobody_is_asked_anything(asking: Asking) -> None:
    view = View(container=False, root="/copy", live=False, network=False, privileged=None)
    fact = twinned(asking, roots=Roots("/copy", view), probe=True)
    assert fact.missing is not None
    assert (asking.words, asking.made) == ([], [])


def test_without_the_list_of_modules_none_is_tried(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question to a module that is not there would load it."""

    def denied(roots: Roots) -> frozenset[str]:
        raise PermissionError("/proc/modules")

    monkeypatch.setattr(modules, "there", denied)
    fact = twinned(asking)
    assert fact.missing is not None
    assert (fact.missing.kind, fact.missing.cause) == ("unknown", "denied")
    assert asking.words == []


def test_a_kernel_without_modules_has_all_that_it_can(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "there", lambda roots: None)
    assert twinned(asking).known
    assert asking.request.modules is None


def test_what_the_kernel_refuses_is_told_as_such(asking: Asking) -> None:
    asking.output = Output(DENIED, "", "")
    fact = twinned(asking)
    assert fact.missing is not None
    assert (fact.missing.cause, fact.missing.help) == ("denied", "Run preflight as root.")
