"""Gathering a host: what was asked for and nothing else, in time, and of the rest the reason why it is not there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from preflight.facts import Asked, Fact, Host, Missing, StartRun
from preflight.facts.parts import PARTS
from preflight.gather.access.roots import Roots
from preflight.gather.engine import engine as adapter
from preflight.gathering import Wishes, begin, gather
from preflight.gathering import parts as module
from tests.build import ALWAYS
from tests.gather.ends import NATIVE
from tests.gather.trees import copy
from tests.sockets import silent_socket

LATE = 60.0  # seconds of a deadline that no test waits for
QUIET = Asked(offline=True, probe=False)


def wishes(*parts: str, **given: Any) -> Wishes:
    values: dict[str, Any] = {"asked": QUIET, "environ": {}, "seconds": LATE, "docker_host": "unix:///nowhere.sock"}
    return Wishes(parts=frozenset(parts), **(values | given))


def looked(given: Wishes, roots: Roots = NATIVE, stop: threading.Event | None = None) -> tuple[Host, list[str]]:
    """Gather a host, and return it with the parts that were begun."""
    told: list[str] = []

    def tell(part: str, done: bool) -> None:
        if not done:
            told.append(part)

    return gather(roots, given, begin(roots, given, stop or threading.Event(), tell)), told


def part(host: Host, place: str) -> Fact[Any]:
    group, _, name = place.rpartition(".")
    made: Fact[Any] = getattr(getattr(host, group) if group else host, name)
    return made


def why(fact: Fact[Any]) -> Missing:
    assert fact.missing is not None
    return fact.missing


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An engine that takes connections and never answers; nothing but the run ends the waiting for it."""
    monkeypatch.setattr(adapter, "engine", partial(adapter.engine, timeout=LATE))
    with silent_socket(tmp_path / "silent.sock") as url:
        yield url


# --- what was asked for ----------------------------------------------------------------------------------------


def test_only_what_was_asked_for_is_made(tmp_path: Path) -> None:
    roots = copy(tmp_path, **{"etc/hostname": "vm1\n", "etc/os-release": "ID=debian\nVERSION_ID=13\n"})
    host, begun = looked(wishes("name", "os_release", "timezone"), roots)
    assert sorted(begun) == ["name", "os_release", "timezone"]
    assert (host.name.value, host.os_release.get().version_id) == ("vm1", "13")
    rest = {place: why(part(host, place)) for place in PARTS if place not in begun}
    assert {(missing.kind, missing.cause, missing.reason) for missing in rest.values()} == {
        ("skip", "unasked", "No selected check needs it.")
    }


def test_what_a_part_builds_on_is_made_for_it_but_not_shown(tmp_path: Path) -> None:
    """The file systems are found by mailcow.conf and the engine, of which nobody asked anything."""
    roots = copy(tmp_path, **{"opt/mailcow-dockerized/mailcow.conf": "HTTP_PORT=8080\n"})
    host, begun = looked(wishes("spaces"), roots)
    assert {"spaces", "mailcow_conf", "engine"} <= set(begun)
    assert why(host.mailcow_conf).cause == why(host.engine).cause == "unasked"


def test_each_part_is_made_once() -> None:
    _, begun = looked(wishes(*ALWAYS, "engine", "contact", "daemon_config", "engine_start", "spaces", "override"))
    assert sorted(begun) == sorted(set(begun))


def test_a_host_says_when_and_of_what_it_was_gathered(tmp_path: Path) -> None:
    given = wishes("name", asked=Asked(hostname="mail.example.org", offline=True, probe=False))
    roots = copy(tmp_path)
    host, _ = looked(given, roots)
    assert (host.asked, host.view) == (given.asked, roots.view)
    assert 0 <= host.seconds < LATE
    assert len(host.started) == len("2026-11-23T01:23:45Z")
    assert host.started.endswith("Z")


@pytest.mark.parametrize(
    ("asked", "skipped"),
    [
        (
            Asked(offline=True, probe=False),
            {"answers": "offline", "times": "offline", "probes.healthcheck": "no-probe"},
        ),
        (Asked(offline=False, probe=False), {"probes.limits": "no-probe", "probes.privileged": "no-probe"}),
    ],
)
def test_what_the_user_does_not_want_is_skipped_for_that_reason(asked: Asked, skipped: dict[str, str]) -> None:
    host, _ = looked(wishes(*skipped, asked=asked))
    assert {place: (why(part(host, place)).kind, why(part(host, place)).cause) for place in skipped} == {
        place: ("skip", cause) for place, cause in skipped.items()
    }


# --- the deadline, and an end before it ------------------------------------------------------------------------


def test_an_engine_that_never_answers_costs_what_builds_on_it_and_no_more(silent: str) -> None:
    built = ("daemon_config", "engine_start", "spaces", "probes.healthcheck")
    given = wishes("kernel", "engine", *built, docker_host=silent, seconds=5.0, asked=Asked(offline=True, probe=True))
    host, _ = looked(given)
    assert host.kernel.known
    late = {place: why(part(host, place)) for place in ("engine", *built) if not part(host, place).known}
    assert "engine" in late
    assert {missing.kind for missing in late.values()} == {"unknown"}
    assert why(host.engine).cause == "late"
    assert "5 s" in why(host.engine).reason
    assert "--timeout above 5" in why(host.engine).help
    assert not host.probes.healthcheck.known


def test_a_run_that_is_ended_keeps_what_is_known(silent: str) -> None:
    stop = threading.Event()
    given = wishes("kernel", "machine", "engine", "contact", docker_host=silent)
    begun = begin(NATIVE, given, stop, lambda part, done: stop.set() if (part, done) == ("machine", True) else None)
    host = gather(NATIVE, given, begun)
    assert (host.machine.known, host.kernel.known) == (True, True)
    assert [why(fact).cause for fact in (host.engine, host.contact)] == ["interrupted"] * 2
    assert host.seconds < LATE


def test_a_reader_that_hangs_keeps_no_other_part_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead mount: reading it never ends, and what stands behind it in the queue is read by somebody else."""
    release = threading.Event()

    def hangs(run: object) -> Fact[str]:
        release.wait(LATE)
        return Fact.of("never", "late")

    changed = tuple(module.Part(one.place, hangs) if one.place == "os_release" else one for one in module.PARTS)
    monkeypatch.setattr("preflight.gathering.PARTS", changed)
    stop, left = threading.Event(), {"name", "kernel", "machine"}

    def tell(part: str, done: bool) -> None:
        left.difference_update({part} if done else ())
        if not left:  # else the run would end with its deadline
            stop.set()

    given = wishes("name", "os_release", "kernel", "machine")
    host = gather(NATIVE, given, begin(NATIVE, given, stop, tell))
    release.set()
    assert [fact.known for fact in (host.name, host.kernel, host.machine)] == [True] * 3
    assert why(host.os_release).cause == "interrupted"


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ValueError("odd"), RecursionError()])
def test_a_reader_that_breaks_costs_its_own_part(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(run: object) -> Fact[str]:
        raise error

    changed = tuple(module.Part(one.place, breaks) if one.place == "kernel" else one for one in module.PARTS)
    monkeypatch.setattr("preflight.gathering.PARTS", changed)
    host, _ = looked(wishes("name", "kernel"))
    assert host.name.known
    missing = why(host.kernel)
    assert (missing.kind, missing.reason) == ("unknown", "Reading it failed.")
    assert missing.detail.startswith(type(error).__name__)


def test_a_deadline_that_has_passed_makes_nothing_known_and_breaks_nothing(silent: str) -> None:
    host, _ = looked(wishes("engine", "contact", "compose", docker_host=silent, seconds=0.0))
    for fact in (host.engine, host.contact):
        assert why(fact).cause == "late"


def test_containers_are_given_their_cause_as_they_are_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one container says of the engine is known when the other's words are there: not by its own probe."""

    def refused(run: object) -> Fact[StartRun]:
        return Fact.of("the engine", StartRun(False, None, "no caps"))

    ours = ("probes.privileged", "probes.limits")
    changed = tuple(module.Part(one.place, refused) if one.place in ours else one for one in module.PARTS)
    monkeypatch.setattr("preflight.gathering.PARTS", changed)
    host, _ = looked(wishes(*ours))
    assert [part(host, place).get().cause for place in ours] == ["", "every"]
