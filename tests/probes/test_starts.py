"""The probes with what mailcow asks for record whether a container started and what it held; nothing is left."""

from __future__ import annotations

import builtins
import io
import resource
import threading
import time

import pytest

from preflight.facts import Fact, StartRun
from preflight.probes.starts import PRIVILEGES
from tests.probes.engine import FakeEngine, performed

ENDED = {"Status": "exited", "Running": False, "ExitCode": 0}


def probe(
    engine: FakeEngine, seconds: float = 10.0, stop: threading.Event | None = None, budget: float | None = None
) -> Fact[StartRun]:
    fact = performed("privileged", engine.bench(seconds, stop), budget)
    assert engine.dead or engine.left == set()
    return fact


def test_it_is_as_mailcows_own_one_is(engine: FakeEngine) -> None:
    engine.state = ENDED
    assert probe(engine).get() == StartRun(True, 0, granted=True)
    (made,) = engine.created
    assert (made["HostConfig"]["Privileged"], made["HostConfig"]["NetworkMode"]) == (True, "host")
    assert made["HostConfig"].get("Binds") is None


@pytest.mark.parametrize(
    ("state", "run"),
    [
        ({**ENDED, "ExitCode": 3}, StartRun(True, 3, granted=False)),
        ({"Status": "dead", "ExitCode": 137, "Error": "x" * 2000}, StartRun(True, 137, "x" * 1000)),
        ({"Status": "exited", "ExitCode": "0"}, StartRun(True, None, "")),
        ({"Status": "exited"}, StartRun(True, None, "")),
        ({"Status": "exited", "ExitCode": None, "Error": None}, StartRun(True, None, "")),
    ],
)
def test_how_it_ended(engine: FakeEngine, state: dict[str, object], run: StartRun) -> None:
    engine.state = state
    assert probe(engine).get() == run


@pytest.mark.parametrize("moment", ["create", "/start"])
def test_an_engine_that_refuses_says_why(engine: FakeEngine, moment: str) -> None:
    engine.faults[moment] = (400, "privileged mode is incompatible with user namespaces")
    assert probe(engine).get() == StartRun(False, None, "privileged mode is incompatible with user namespaces")


def test_an_engine_that_dies_after_the_start_leaves_the_end_open(engine: FakeEngine) -> None:
    engine.faults["GET /containers/.*mailcow"] = "die"
    run = probe(engine).get()
    assert (run.started, run.exit_code) == (True, None)
    assert run.error


def test_a_container_that_does_not_end_in_time_is_unknown(engine: FakeEngine) -> None:
    fact = probe(engine, 0.6)
    assert fact.missing is not None
    assert (fact.missing.kind, fact.missing.help) == ("unknown", "Raise --timeout.")


def test_more_time_is_not_advised_where_it_changes_nothing(engine: FakeEngine) -> None:
    """The probe has a budget of its own, which --timeout does not raise."""
    missing = probe(engine, 60, budget=0.3).missing
    assert missing is not None
    assert (missing.kind, missing.reason) == ("unknown", "The probe did not end within 0.3 s.")
    assert "--timeout" not in missing.help
    assert missing.help


def test_a_stop_ends_it_and_nothing_is_left(engine: FakeEngine) -> None:
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    fact = probe(engine, stop=stop)
    assert fact.missing is not None
    assert "The run was stopped" in fact.missing.reason
    assert engine.created
    assert time.monotonic() - began < 5  # a probe may take 10


def test_without_the_image_it_is_unknown(engine: FakeEngine) -> None:
    engine.images.clear()
    fact = probe(engine)
    assert fact.missing is not None
    assert fact.missing.commands == ("make image",)


@pytest.mark.parametrize(
    ("held", "code"),
    [
        ("000001ffffffffff", 0),
        ("0000000000201000", 0),
        ("0000000000001000", 3),  # NET_ADMIN alone
        ("0000000000200000", 3),  # SYS_ADMIN alone
        ("00000000a80425fb", 3),  # an ordinary container's
        ("0000000000000000", 3),
    ],
)
def test_the_program_inside_knows_privileges(held: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    status = f"Name:\tpython3\nCapPrm:\t000001ffffffffff\nCapEff:\t{held}\nCapBnd:\t000001ffffffffff\n"
    monkeypatch.setattr(builtins, "open", lambda path: io.StringIO(status))
    with pytest.raises(SystemExit) as ended:
        exec(PRIVILEGES, {})
    assert ended.value.code == code


def test_the_limits_are_those_that_mailcows_shape_asks_for(engine: FakeEngine) -> None:
    engine.state = ENDED
    fact = performed("limits", engine.bench())
    assert fact.get() == StartRun(True, 0, granted=True)
    (made,) = engine.created
    host = made["HostConfig"]
    assert {(row["Name"], row["Soft"], row["Hard"]) for row in host["Ulimits"]} == {
        ("nproc", 65535, 65535), ("nofile", 20000, 40000),
    }  # fmt: skip
    assert host["Sysctls"] == {"net.core.somaxconn": "4096"}
    assert (host["CapAdd"], host["NetworkMode"], host.get("Privileged")) == (["NET_BIND_SERVICE"], "none", None)
    assert engine.left == set()


@pytest.mark.parametrize(
    ("nofile", "queue", "code"), [((20000, 40000), "4096", 0), ((1024, 40000), "4096", 3), ((20000, 40000), "128", 3)]
)
def test_what_the_container_says_of_its_limits(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, nofile: tuple[int, int], queue: str, code: int
) -> None:
    engine.state = ENDED
    performed("limits", engine.bench())
    (made,) = engine.created
    held = {resource.RLIMIT_NOFILE: nofile, resource.RLIMIT_NPROC: (65535, 65535)}
    monkeypatch.setattr(resource, "getrlimit", held.__getitem__)
    monkeypatch.setattr(builtins, "open", lambda path: io.StringIO(f"{queue}\n"))
    with pytest.raises(SystemExit) as ended:
        exec(made["Cmd"][-1], {})
    assert ended.value.code == code
