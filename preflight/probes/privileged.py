"""The experiment with a privileged container in the host's network, as mailcow's netfilter container is one."""

from __future__ import annotations

import threading
import time

from preflight.facts import Fact, PrivilegedRun
from preflight.gather import engine_reply as reply
from preflight.probes.box import TIDYING, Box, EngineError, Stopped, own_image
from preflight.probes.healthcheck import NO_IMAGE

SOURCE = "a privileged container"
SECONDS = 10.0
# CAP_NET_ADMIN is bit 12, CAP_SYS_ADMIN bit 21: without them nobody changes the host's firewall.
CODE = """
import sys
held = next(int(line.split()[1], 16) for line in open("/proc/self/status") if line.startswith("CapEff:"))
sys.exit(0 if held >> 12 & 1 and held >> 21 & 1 else 3)
"""


def privileged(url: str, own: str | None, stop: threading.Event, deadline: float) -> Fact[PrivilegedRun]:
    """Start a privileged container that says by its exit code whether it is one; about 0.5 s; never raises.

    `own` is the container that we run in, whose image is used; `deadline` is of time.monotonic().
    """
    until = min(deadline - TIDYING, time.monotonic() + SECONDS)
    try:
        with Box(url, stop, until) as box:
            image = own_image(box, own)
            if image is None:
                return Fact.unknown(SOURCE, *NO_IMAGE)
            return Fact.of(SOURCE, _experiment(box, image))
    except Stopped:
        return Fact.unknown(SOURCE, "the run was ended before the container had ended")
    except TimeoutError:
        return Fact.unknown(SOURCE, "the engine did not start a container in time", "Give it more: --timeout 60.")
    except EngineError as error:
        return Fact.unknown(SOURCE, f"the engine did not let a container be prepared: {error}")


def _experiment(box: Box, image: str) -> PrivilegedRun:
    started = False
    try:
        key = box.create("privileged", image, CODE, host={"privileged": True, "network_mode": "host"})
        box.call(lambda: box.client.start(key))
        started = True
        while True:
            state = box.state(key)
            if state.get("Status") in ("exited", "dead", "stopped"):
                code = state.get("ExitCode")
                return PrivilegedRun(
                    True, code if isinstance(code, int) else None, reply.text(state.get("Error"), 1000)
                )
            box.pause(0.03)
    except EngineError as error:
        return PrivilegedRun(started, None, str(error))
