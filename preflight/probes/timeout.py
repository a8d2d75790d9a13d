"""The probe with a health check that hangs: its time is over, the container is unhealthy, and its process is gone.

Docker 17.11 to 20.10.17 leave the process there: one more each time (https://github.com/moby/moby/issues/43737).

Before version 23 the time that it takes to start a check counts towards its timeout (moby's commit bdc6473d2d). Where
that is over before the check has been started, the engine notes a timeout, the process comes to life all the same, and
nobody ends it. On a busy machine that happens to engines that end all others. So a process only counts as left where it
was there well before its timeout, and where a second container, with more time, shows the same.
"""

from __future__ import annotations

import sys
import time

from msgspec import Struct

from preflight.facts import TimeoutRun
from preflight.gather.engine import reply
from preflight.gather.engine.client import EngineError
from preflight.probes.box import Box
from preflight.probes.executions import execute
from preflight.probes.healthcheck import PATIENCE, Ended, Seen, checked
from preflight.text.versions import at_least


class Attempt(Struct, frozen=True):
    """A container: its name, seconds that the check may take, and for how long its process is looked for at most."""

    name: str
    limit: float
    wait: float


FIRST = Attempt("timeout", 1.0, 1.0)
AGAIN = Attempt("timeout-again", 3.0, 5.0)  # where the first one did not show a process that was ended
PAUSE = 0.05  # seconds between two looks at the process
# Engines that a health check's timeout may bring down, from a version up to the one that mends it.
# 24.0.0: dockerd panics, https://github.com/moby/moby/issues/45770 and 45804 (read 2026-11-29).
HARMFUL = (("24.0.0", "24.0.3"),)
# The first check notes when it began, and its process, and hangs; later ones fail at once, so that there is one process
# to look for. Without a space: Podman takes the words of a check apart at each.
HANG = (
    "o=__import__('os');t=__import__('time');p='/tmp/{}';o.path.exists(p)and(o._exit(1));"
    "open(p,'x').write(str(t.time())+chr(10)+open('/proc/self/stat').read());t.sleep(60)"
)
# The exit codes of the program that looks for it. LATE: it is there, and began too late to be held against its timeout.
GONE, STAYS, NEVER, LATE = 0, 4, 5, 6
# The kernel's word on a process: its number, name in parentheses, state; the 22nd is when it was started. Who has the
# number and was not started then is another. Looks are counted, not seconds: a busy machine takes longer for each.
FIND = """
import sys, time

def process(line):
    number, _, rest = line.partition(" (")
    fields = rest.rpartition(")")[2].split()
    return number, fields[19], fields[0]

def look():
    try:
        began, _, line = open("/tmp/{mark}").read().partition(chr(10))
        number, started, _ = process(line)
    except (FileNotFoundError, IndexError):
        return {NEVER}
    try:
        _, now, state = process(open("/proc/" + number + "/stat").read())
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return {GONE}
    if now != started or state in "ZX":
        return {GONE}
    return {STAYS} if float(began) <= {latest} else {LATE}

for _ in range({looks}):
    code = look()
    if code in ({GONE}, {NEVER}):
        break
    time.sleep({pause})
sys.exit(code)
"""


def timeout(box: Box, image: str) -> TimeoutRun:
    """Start a container whose check hangs, see it unhealthy, look for the check's process; about 2 s.

    Some 10 s where the process was not seen to be ended: a second container decides then.
    """
    if version := _withheld(box):
        return TimeoutRun(withheld=version)
    run = _tried(box, image, FIRST)
    return _tried(box, image, AGAIN) if run.gone is False or run.late else run


def _tried(box: Box, image: str, attempt: Attempt) -> TimeoutRun:
    seen, mark = Seen(box), f"mailcow-preflight-{box.run.run}-{attempt.name}"
    code: int | None = None
    error = ""
    try:
        key = checked(box, image, attempt.name, HANG.format(mark), attempt.limit)
        seen.began = time.monotonic()
        box.start(key)
        seen.wait_for(key, "unhealthy")
        # Where the deadline comes before the program's end, nobody knows: never is it said to hang.
        code = execute(box, key, finder(mark, seen.over, attempt), patience=sys.maxsize)
    except Ended as end:
        error = end.said
    except EngineError as said:
        error = str(said)
    except TimeoutError:
        if attempt is not FIRST or seen.vain < PATIENCE:
            raise  # else the states so far say it
    gone = code == GONE if code in (GONE, STAYS) else None
    return TimeoutRun(tuple(seen.states), error, seen.output, gone, late=code in (LATE, NEVER))


def finder(mark: str, over: float, attempt: Attempt) -> str:
    """Return the program that looks for the process, `over` being when its check's time was over by the engine's word.

    The process had to be there for half of that time. What starts a process may tell the engine later than that
    process can tell us, and half of the time is ample for that.
    """
    return FIND.format(
        mark=mark,
        latest=over - attempt.limit / 2,
        looks=round(attempt.wait / PAUSE),
        pause=PAUSE,
        GONE=GONE,
        STAYS=STAYS,
        NEVER=NEVER,
        LATE=LATE,
    )


def _withheld(box: Box) -> str:
    """Return the engine's version where a health check's timeout may bring it down; else ''."""
    told = reply.table(box.call(lambda: box.client.version(api_version=False)))
    version = reply.text(told.get("Version"), 50)
    for first, mended in HARMFUL:
        if at_least(version, first) and at_least(version, mended) is False:
            return version
    return ""
