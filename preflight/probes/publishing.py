"""The probe with published ports: a container in a network of its own, while which the host's rules are looked at.

Nothing answers on its ports. The container ends by itself if we do not live to remove it.
"""

from __future__ import annotations

from preflight.facts import PublishRun
from preflight.probes.box import Box

NAME = "publishing"
SLEEP = "import time; time.sleep(60)"
# The interface's name: the engine's own would not be known before the network is there.
BRIDGE = "com.docker.network.bridge.name"
CALLS = 6  # to the engine: four until the rules are looked at, and two that remove both


def publishing(box: Box, image: str) -> PublishRun:
    """Start a container with published ports in a network of its own, and have the rules looked at; about 0.5 s."""
    trial = box.trial
    # The twin waits until all of it is removed, and must not wait in vain.
    box.afford(CALLS)
    subnets = [{"Subnet": subnet} for subnet in (trial.subnet4, trial.subnet6) if subnet]
    network = box.network(
        NAME,
        driver="bridge",
        ipam={"Driver": "default", "Config": subnets},
        enable_ipv6=bool(trial.subnet6),
        options={BRIDGE: trial.bridge},
    )
    key = box.create(NAME, image, SLEEP, publish=trial.publish, host={"network_mode": network})
    box.start(key)
    return trial.look(box.inspect(key))
