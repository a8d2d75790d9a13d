"""The probe with commands: many in a row in one container, each with an exit code of its own, run as by `docker exec`.

Health checks are run so, and mailcow's scripts and its watchdog run commands all day. Runtimes have had bugs by which
some of them hang, fail or are told with another's exit code.
"""

from __future__ import annotations

from preflight.facts import ExecRun
from preflight.gather.engine import reply
from preflight.gather.engine.client import EngineError
from preflight.probes.box import Box
from preflight.probes.healthcheck import PATIENCE, SLEEP
from preflight.probes.image import PYTHON

COUNT = 20


class Hanging(Exception):
    """A command that was started, and of which the engine never says that it has ended."""


def execute(box: Box, container: str, code: str, patience: int = PATIENCE) -> int | None:
    """Run Python code in a container and wait for its end; return its exit code, None where the engine tells none.

    Raises `Hanging` at the deadline where it was looked at `patience` times by then, and what `Box.call` raises.
    """
    argv = [PYTHON, "-I", "-S", "-c", code]
    made = reply.table(box.call(lambda: box.client.exec_create(container, argv)))
    key = reply.text(made.get("Id"), 100)
    box.call(lambda: box.client.exec_start(key, detach=True))
    looks = 0
    while True:
        try:
            state = reply.table(box.call(lambda: box.client.exec_inspect(key)))
            if state.get("Running") is not True and state.get("ExitCode") is not None:
                return reply.exit_code(state)
            looks += 1
            box.pause(0.02)
        except TimeoutError:
            if looks < patience:
                raise
            raise Hanging from None


def executions(box: Box, image: str) -> ExecRun:
    """Run commands in a container, one after another; some 2 s. As many as there is time for, on a slow engine."""
    key = box.create("executions", image, SLEEP, host={"network_mode": "none"})
    box.start(key)
    codes: list[int | None] = []
    error = ""
    try:
        for number in range(1, COUNT + 1):
            codes.append(execute(box, key, f"__import__('os')._exit({number})"))  # noqa: PERF401 - kept where one fails
    except Hanging:
        codes.append(None)
    except EngineError as said:
        error = str(said)
    except TimeoutError:
        if not codes:
            raise  # else those that ended by then say it
    return ExecRun(tuple(codes), error, COUNT)
