"""Probes with containers that ask for what mailcow's ask for: does the engine start them, and do they get it?

Each container says by its exit code whether it holds what was asked for.
"""

from __future__ import annotations

from typing import Any

from preflight.facts import StartRun
from preflight.gather.engine import reply
from preflight.gather.engine.client import EngineError
from preflight.mailcow.layout import CONTAINERS
from preflight.probes.box import Box

# The exit codes of the programs below: the container holds what it asked for, or was started without.
HELD, LACKING = 0, 3
# CAP_NET_ADMIN is bit 12, CAP_SYS_ADMIN bit 21: without them nobody changes the host's firewall.
PRIVILEGES = f"""
import sys
held = next(int(line.split()[1], 16) for line in open("/proc/self/status") if line.startswith("CapEff:"))
sys.exit({HELD} if held >> 12 & 1 and held >> 21 & 1 else {LACKING})
"""
LIMITS = """
import resource, sys
held = [resource.getrlimit(getattr(resource, "RLIMIT_" + name.upper())) == (soft, hard) for name, soft, hard in {}]
held += [open("/proc/sys/" + name.replace(".", "/")).read().split() == [value] for name, value in {}]
sys.exit({} if all(held) else {})
"""


def privileged(box: Box, image: str) -> StartRun:
    """Start a privileged container in the host's network, as mailcow's netfilter container is one; about 0.5 s."""
    return _try(box, image, "privileged", PRIVILEGES, {"privileged": True, "network_mode": "host"})


def limits(box: Box, image: str) -> StartRun:
    """Start a container with the limits, kernel settings and capabilities that mailcow's containers ask for."""
    ulimits = [entry for container in CONTAINERS for entry in container.ulimits]
    sysctls = [entry for container in CONTAINERS for entry in container.sysctls]
    host = {
        "network_mode": "none",
        "cap_add": sorted({name for container in CONTAINERS for name in container.capabilities}),
        "sysctls": dict(sysctls),
        "ulimits": [{"Name": name, "Soft": soft, "Hard": hard} for name, soft, hard in ulimits],
    }
    return _try(box, image, "limits", LIMITS.format(ulimits, sysctls, HELD, LACKING), host)


def _try(box: Box, image: str, name: str, code: str, host: dict[str, Any]) -> StartRun:
    started = False
    try:
        key = box.create(name, image, code, host=host)
        box.start(key)
        started = True
        while True:
            state = box.state(key)
            if state.get("Status") in ("exited", "dead", "stopped"):
                return _ended(reply.exit_code(state), reply.text(state.get("Error"), 1000))
            box.pause(0.03)
    except EngineError as error:
        return StartRun(started, None, str(error))


def _ended(code: int | None, said: str) -> StartRun:
    """Tell what a container has shown by its end; any other exit code than those of the programs shows nothing."""
    granted = code == HELD if code in (HELD, LACKING) else None
    return StartRun(True, code, said, granted=granted)
