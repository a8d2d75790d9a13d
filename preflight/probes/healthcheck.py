"""The probe with a health check: a container that is unhealthy until it is told to be healthy.

The engine runs health checks as it runs `docker exec`; mailcow's containers wait for each other's (MC#252). The
container holds our own interpreter alone, is in no network, and ends by itself if we do not live to remove it.
"""

from __future__ import annotations

import time
from datetime import datetime

from preflight.facts import HealthRun
from preflight.gather.engine import reply
from preflight.gather.engine.client import EngineError
from preflight.probes.box import Box
from preflight.probes.image import PYTHON

INTERVAL = 0.4
# Looks in vain (3 s at least) after which the absence of a state says something of the engine. Not seconds: they
# pass as well while the program is stopped (Ctrl-Z) or the engine is slow.
PATIENCE = 60
KEPT = 5  # checks that an engine keeps in a container's log: where there are as many, the first may be another
SLEEP = "import time; time.sleep(60)"
# The container is healthy once its file is there. The name is the run's own: an engine that cannot change its root
# (in an initial RAM disk) runs such commands outside of the container, where the file of an earlier run may lie.
# Without a space: Podman takes the words of a check apart at each.
HEALTH_TEST = "__import__('os').stat('/tmp/{}')"
TOUCH = "open('/tmp/{}', 'w').close()"


def healthcheck(box: Box, image: str) -> HealthRun:
    """Start a container, see it unhealthy, tell it to be healthy, see that; about 2 s."""
    seen, mark, error = Seen(box), f"mailcow-preflight-{box.run.run}", ""
    try:
        key = checked(box, image, "healthcheck", HEALTH_TEST.format(mark), 3.0)
        seen.began = time.monotonic()
        box.start(key)
        seen.wait_for(key, "unhealthy")
        done = box.call(lambda: box.client.exec_create(key, [PYTHON, "-I", "-S", "-c", TOUCH.format(mark)]))
        box.call(lambda: box.client.exec_start(done["Id"], detach=True))
        seen.wait_for(key, "healthy")
    except Ended as end:
        return HealthRun(tuple(seen.states), end.said, seen.output, image, ended=True, exit_code=end.code)
    except EngineError as said:
        error = str(said)
    except TimeoutError:
        if seen.vain < PATIENCE:
            raise  # else the states so far say it
    return HealthRun(tuple(seen.states), error, seen.output, image)


def checked(box: Box, image: str, name: str, test: str, limit: float) -> str:
    """Make a container whose health check is this code of Python, with so many seconds each time; return its id."""
    return box.create(
        name,
        image,
        SLEEP,
        healthcheck={
            "test": ["CMD", PYTHON, "-I", "-S", "-c", test],
            "interval": round(INTERVAL * 1e9),
            "timeout": round(limit * 1e9),
            "retries": 1,
            "start_period": 0,
        },
        host={"network_mode": "none", "tmpfs": {"/tmp": "size=64k"}},
    )


class Ended(Exception):
    """The container has ended by itself: with which exit code (None: not told), and what the engine says of it."""

    def __init__(self, code: int | None, said: str) -> None:
        super().__init__(code, said)
        self.code = code
        self.said = said


class Seen:
    """The states that were seen, with the seconds since the container was started."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.began = time.monotonic()
        self.states: list[tuple[float, str]] = []
        self.output = ""
        self.over = 0.0  # when the first check was over, in seconds since 1970 by the engine's word; 0 = not told
        self.vain = 0  # looks for a state that has not come (yet)

    def wait_for(self, key: str, wanted: str) -> None:
        """Look until the container is in the state wanted; raise `Ended` where the container has ended."""
        while True:
            state = self.box.state(key)
            health = reply.table(state.get("Health"))
            self._note(reply.text(health.get("Status"), 50) or "none", health.get("Log"))
            if self.states[-1][1] == wanted:
                self.vain = 0
                return
            self.vain += 1
            if state.get("Running") is False:
                raise Ended(reply.exit_code(state), reply.text(state.get("Error"), 300))
            self.box.pause()

    def _note(self, status: str, log: object) -> None:
        if not self.states or self.states[-1][1] != status:
            self.states.append((round(time.monotonic() - self.began, 2), status))
        failed = [entry for entry in reply.tables(log) if entry.get("ExitCode")]
        if failed:
            self.output = reply.text(failed[-1].get("Output"), 1000).strip()
            self.over = first_over(log)


def first_over(log: object) -> float:
    """Return when the first check was over, in seconds since 1970; 0 where the log does not surely say it."""
    entries = reply.rows(log)
    if not 0 < len(entries) < KEPT:
        return 0.0
    try:
        return datetime.fromisoformat(reply.text(reply.table(entries[0]).get("End"), 50)).timestamp()
    except (ValueError, OverflowError):
        return 0.0
