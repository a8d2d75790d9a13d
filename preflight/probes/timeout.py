"""The probe with a health check that hangs: its time is over, the container is unhealthy, and its process is gone.

Docker 17.11 to 20.10.17 leave the process there: one more each time (https://github.com/moby/moby/issues/43737).
"""

from __future__ import annotations

import time

from preflight.facts import TimeoutRun
from preflight.gather.engine import reply
from preflight.gather.engine.client import EngineError
from preflight.probes.box import Box
from preflight.probes.executions import Hanging, execute
from preflight.probes.healthcheck import PATIENCE, Ended, Seen, checked
from preflight.text.versions import at_least

LIMIT = 1.0  # seconds that the check may take
# Engines that a health check's timeout may bring down, from a version up to the one that mends it.
# 24.0.0: dockerd panics, https://github.com/moby/moby/issues/45770 and 45804 (read 2026-11-29).
HARMFUL = (("24.0.0", "24.0.3"),)
# The first check notes its process and hangs; later ones fail at once, so that there is one process to look for.
# Without a space: Podman takes the words of a check apart at each.
HANG = (
    "o=__import__('os');p='/tmp/{}';o.path.exists(p)and(o._exit(1));open(p,'x').write(str(o.getpid()));"
    "__import__('time').sleep(60)"
)
# The exit codes of the program that looks for it.
GONE, STAYS, NEVER = 0, 4, 5
FIND = f"""
import sys, time
until = time.monotonic() + 3
while True:
    try:
        pid = int(open("/tmp/{{}}").read())
        state = open(f"/proc/{{{{pid}}}}/stat").read().rpartition(")")[2].split()[0]
        code = {GONE} if state in "ZX" else {STAYS}
    except FileNotFoundError as error:
        code = {GONE} if error.filename.startswith("/proc") else {NEVER}
    except (ProcessLookupError, ValueError):
        code = {GONE}
    if code == {GONE} or time.monotonic() > until:
        sys.exit(code)
    time.sleep(0.05)
"""


def timeout(box: Box, image: str) -> TimeoutRun:
    """Start a container whose check hangs, see it unhealthy, look for the check's process; about 2 s."""
    if version := _withheld(box):
        return TimeoutRun(withheld=version)
    seen, mark = Seen(box), f"mailcow-preflight-{box.run.run}-hang"
    gone: bool | None = None
    error = ""
    try:
        key = checked(box, image, "timeout", HANG.format(mark), LIMIT)
        seen.began = time.monotonic()
        box.start(key)
        seen.wait_for(key, "unhealthy")
        code = execute(box, key, FIND.format(mark))
        gone = None if code not in (GONE, STAYS) else code == GONE
    except Ended as end:
        error = end.said
    except EngineError as said:
        error = str(said)
    except Hanging:
        pass  # the command that looks for the process hung itself: that is for the other probe to say
    except TimeoutError:
        if seen.vain < PATIENCE:
            raise  # else the states so far say it
    return TimeoutRun(tuple(seen.states), error, seen.output, gone)


def _withheld(box: Box) -> str:
    """Return the engine's version where a health check's timeout may bring it down; else ''."""
    told = reply.table(box.call(lambda: box.client.version(api_version=False)))
    version = reply.text(told.get("Version"), 50)
    for first, mended in HARMFUL:
        if at_least(version, first) and at_least(version, mended) is False:
            return version
    return ""
