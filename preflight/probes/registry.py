"""The probes: each with its name among `Host.probes`, its budget, and what progress calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from preflight.text.sentences import noted

if TYPE_CHECKING:
    from preflight.facts import ExecRun, HealthRun, PublishRun, RecursionRun, StartRun, TimeoutRun
    from preflight.probes.box import Box

STAGE = noted("probes")
REHEARSAL = 40.0  # seconds of a rehearsal, in addition to the deadline of the run


class Probe(Struct, frozen=True):
    """A probe. `act` works in a box, with our image's id, and returns the value of the fact.

    `seconds`: its budget, after which it is given up, however much time the run has. `source`: what the fact says that
    it comes from.
    """

    name: str
    seconds: float
    stage: str
    source: str
    act: Callable[[Box, str], Any]


def _healthcheck(box: Box, image: str) -> HealthRun:
    from preflight.probes.healthcheck import healthcheck

    return healthcheck(box, image)


def _timeout(box: Box, image: str) -> TimeoutRun:
    from preflight.probes.timeout import timeout

    return timeout(box, image)


def _executions(box: Box, image: str) -> ExecRun:
    from preflight.probes.executions import executions

    return executions(box, image)


def _privileged(box: Box, image: str) -> StartRun:
    from preflight.probes.starts import privileged

    return privileged(box, image)


def _limits(box: Box, image: str) -> StartRun:
    from preflight.probes.starts import limits

    return limits(box, image)


def _publishing(box: Box, image: str) -> PublishRun:
    from preflight.probes.publishing import publishing

    return publishing(box, image)


def _recursion(box: Box, image: str) -> RecursionRun:
    from preflight.probes.recursion.probe import recursion

    return recursion(box, image)


# What a probe does is loaded with it: a run without probes needs none of it.
PROBES = (
    Probe("healthcheck", 20.0, STAGE, "a container with a HEALTHCHECK", _healthcheck),
    Probe("timeout", 20.0, STAGE, "a container whose health check hangs", _timeout),
    Probe("executions", 20.0, STAGE, "commands in a container", _executions),
    Probe("privileged", 10.0, STAGE, "a privileged container", _privileged),
    Probe("limits", 10.0, STAGE, "a container with mailcow's limits", _limits),
    Probe("publishing", 8.0, STAGE, "a container with published ports", _publishing),
    Probe("recursion", 20.0, STAGE, "a container that asks name servers", _recursion),
)
