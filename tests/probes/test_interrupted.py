"""A run that is ended by a signal leaves no network and no container, at whatever moment of their making it comes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from preflight.probes.cleanup import cleanup
from tests.probes.engine import FakeEngine

# A probe as the command line runs one: in a thread, ended by the same signals, waited for at the end.
PROGRAM = """
import sys, threading, time
from preflight.cli.stop import Stop
from preflight.gather.access.errand import boxes
from preflight.probes.bench import Bench
from preflight.probes.frame import run_probe
from preflight.probes.registry import Probe

def act(box, image):
    network = box.network("net")
    box.start(box.create("test", image, "pass", host={"network_mode": network}))
    while True:
        box.pause()

stop = Stop()
bench = Bench(sys.argv[1], None, stop.event, time.monotonic() + 30)
probe = Probe("test", 30.0, "stage", "source", act)
threading.Thread(target=run_probe, args=(probe, bench), daemon=True).start()
while not stop.event.wait(0.1):
    pass
boxes.close()
sys.exit(0 if boxes.empty(20) else 9)
"""


@contextmanager
def running(engine: FakeEngine) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen((sys.executable, "-c", PROGRAM, engine.url)) as run:
        try:
            yield run
        finally:
            run.kill()


def reached(engine: FakeEngine, moment: str) -> None:
    """Wait until the engine was asked for it."""
    until = time.monotonic() + 20
    while not any(moment in line for line in engine.asked):
        assert time.monotonic() < until, engine.asked
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["POST /networks/create", "POST /containers/create", "/start"])
def test_a_signal_leaves_nothing(engine: FakeEngine, moment: str, number: int) -> None:
    with running(engine) as run:
        reached(engine, moment)
        run.send_signal(number)
        assert run.wait(25) == 0
    assert engine.created
    assert engine.left == set()


def test_what_a_killed_run_left_the_next_one_removes(engine: FakeEngine) -> None:
    with running(engine) as run:
        reached(engine, "/start")
        assert cleanup(engine.url, force=False) == []  # it lives
        run.kill()
        run.wait(5)
    assert len(engine.left) == 2
    assert [row.partition(" ")[0] for row in cleanup(engine.url, force=False)] == ["container", "network"]
    assert engine.left == set()
